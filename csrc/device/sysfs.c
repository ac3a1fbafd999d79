/* SPDX-License-Identifier: MIT */
/* The kernel's attributes: whole reads and single writes. */
#include "io.h"
#include "pyzram.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum {
	PAUSE_FIRST_MS = 5,
	PAUSE_MAX_MS = 250,
};

int64_t pyzram_attr_read(int dirfd, const char *name, char *buf, size_t cap)
{
	int64_t n;
	int fd = io_open(dirfd, name, O_RDONLY);

	if (fd < 0)
		return fd;
	/* In one go from the start: the kernel makes the text anew for each read at offset 0. */
	n = io_read(fd, buf, cap, 0);
	if (n == (int64_t)cap) {
		/* The buffer is full: is there more? */
		char more;
		int64_t rest = io_read(fd, &more, 1, cap);

		if (rest)
			n = rest < 0 ? rest : -EOVERFLOW;
	}
	close(fd);
	return n;
}

/*
 * Through a mapping: sendfile(2) reads first, and drops what it has read if a signal comes. Touched
 * before, the mapping is in memory and writable, so no fault can fail in the read itself.
 */
int64_t pyzram_attr_read_into(const char *path, int fd, size_t offset, size_t size)
{
	volatile char *start;
	struct stat st;
	int64_t n;
	void *map;
	int attr;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* A mapping takes what lies beyond the end, and loses it. */
	if (offset >= size || (uint64_t)st.st_size < size)
		return -EINVAL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	start = map;
	*start = *start;
	attr = io_open(AT_FDCWD, path, O_RDONLY);
	if (attr < 0) {
		n = attr;
	} else {
		n = io_read(attr, (char *)map + offset, size - offset, 0);
		if (!n)
			n = -EIO;
		close(attr);
	}
	munmap(map, size);
	return n;
}

static int attr_write_once(int dirfd, const char *name, const char *buf, size_t len)
{
	int fd = io_open(dirfd, name, O_WRONLY);
	ssize_t n;
	int err;

	if (fd < 0)
		return fd;
	n = write(fd, buf, len);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	return (size_t)n == len ? 0 : -EIO;
}

int pyzram_attr_write(int dirfd, const char *name, const char *buf, size_t len,
		      unsigned int retry_ms)
{
	unsigned int pause_ms = PAUSE_FIRST_MS, waited_ms = 0;

	if (!len)
		return -EINVAL;
	/* The kernel would take the first page for a whole command. */
	if (len > PYZRAM_ATTR_MAX)
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

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

static int numbers_parse(const char *text, size_t len, uint64_t *ret, int cap)
{
	const char *at = text, *end = text + len;
	int count = 0;

	for (;;) {
		int err;

		while (at < end && is_space(*at))
			at++;
		if (at == end || count == cap)
			return count;
		err = io_digits(&at, end, &ret[count]);
		if (err)
			return err;
		if (at < end && !is_space(*at))
			return -EINVAL;
		count++;
	}
}

int pyzram_fd_read_numbers(int fd, uint64_t *ret, int cap)
{
	char buf[PYZRAM_ATTR_MAX];
	int64_t n = io_read(fd, buf, sizeof(buf), 0);

	return n < 0 ? (int)n : numbers_parse(buf, (size_t)n, ret, cap);
}

int pyzram_attr_read_numbers(int dirfd, const char *name, uint64_t *ret, int cap)
{
	int count, fd = io_open(dirfd, name, O_RDONLY);

	if (fd < 0)
		return fd;
	count = pyzram_fd_read_numbers(fd, ret, cap);
	close(fd);
	return count;
}
