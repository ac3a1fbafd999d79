/* SPDX-License-Identifier: MIT */
/* Attributes of the kernel: whole reads, single writes. */
#include "pyzram.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

enum {
	ATTR_MAX = 4096,	/* sysfs hands over one page at most */
	PAUSE_FIRST_MS = 5,
	PAUSE_MAX_MS = 250,
};

static int attr_open(int dirfd, const char *name, int flags)
{
	int fd;

	do {
		fd = openat(dirfd, name, flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* One read(2) from the start: the kernel makes the text anew for each read at offset 0. */
static int64_t fd_read(int fd, char *buf, size_t cap)
{
	ssize_t n;

	do {
		n = pread(fd, buf, cap, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int64_t pyzram_attr_read(int dirfd, const char *name, char *buf, size_t cap)
{
	int64_t n;
	int fd = attr_open(dirfd, name, O_RDONLY);

	if (fd < 0)
		return fd;
	n = fd_read(fd, buf, cap);
	if (n == (int64_t)cap) {
		/* Full to the brim: is there more? */
		ssize_t rest;
		char more;

		do {
			rest = pread(fd, &more, 1, n);
		} while (rest < 0 && errno == EINTR);
		if (rest)
			n = rest < 0 ? -errno : -EOVERFLOW;
	}
	close(fd);
	return n;
}

static int attr_write_once(int dirfd, const char *name, const char *buf, size_t len)
{
	ssize_t n;
	int err, fd = attr_open(dirfd, name, O_WRONLY);

	if (fd < 0)
		return fd;
	do {
		n = write(fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else
		err = (size_t)n == len ? 0 : -EIO;
	close(fd);
	return err;
}

int pyzram_attr_write(int dirfd, const char *name, const char *buf, size_t len, unsigned int retry_ms)
{
	unsigned int pause_ms = PAUSE_FIRST_MS, waited_ms = 0;

	if (!len)
		return -EINVAL;
	/* The kernel would take the first page as a command of its own. */
	if (len > ATTR_MAX)
		return -E2BIG;
	for (;;) {
		int err = attr_write_once(dirfd, name, buf, len);
		struct timespec pause;

		if (err != -EBUSY || waited_ms >= retry_ms)
			return err;
		if (pause_ms > retry_ms - waited_ms)
			pause_ms = retry_ms - waited_ms;
		pause.tv_sec = pause_ms / 1000;
		pause.tv_nsec = (long)(pause_ms % 1000) * 1000000;
		nanosleep(&pause, NULL);
		waited_ms += pause_ms;
		pause_ms = pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
	}
}

static int numbers_parse(const char *text, size_t len, uint64_t *ret, int cap)
{
	size_t i = 0;
	int count = 0;

	for (;;) {
		uint64_t value = 0;

		while (i < len && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t'))
			i++;
		if (i == len || count == cap)
			return count;
		for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
			uint64_t digit = (uint64_t)(text[i] - '0');

			if (value > (UINT64_MAX - digit) / 10)
				return -ERANGE;
			value = value * 10 + digit;
		}
		if (i < len && text[i] != ' ' && text[i] != '\n' && text[i] != '\t')
			return -EINVAL;
		ret[count++] = value;
	}
}

int pyzram_fd_read_numbers(int fd, uint64_t *ret, int cap)
{
	char buf[ATTR_MAX];
	int64_t n = fd_read(fd, buf, sizeof(buf));

	return n < 0 ? (int)n : numbers_parse(buf, (size_t)n, ret, cap);
}

int pyzram_attr_read_numbers(int dirfd, const char *name, uint64_t *ret, int cap)
{
	int count, fd = attr_open(dirfd, name, O_RDONLY);

	if (fd < 0)
		return fd;
	count = pyzram_fd_read_numbers(fd, ret, cap);
	close(fd);
	return count;
}
