/* SPDX-License-Identifier: MIT */
/* Repeating system calls that signals interrupt, and decimal digits. Internal to the C library. */
#ifndef PYZRAM_IO_H
#define PYZRAM_IO_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* Addresses are offsets in /proc/PID/mem, and devices exceed 4 GiB, even on 32-bit machines. */
_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");

/* Returns a descriptor that programs do not inherit, or -errno. */
static inline int io_open(int dirfd, const char *path, int flags)
{
	int fd;

	do {
		fd = openat(dirfd, path, flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* Returns the bytes of one pread(2), or -errno. */
static inline int64_t io_read(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, buf, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Reads len bytes; fewer only at the end of the file or before an error. */
static inline size_t io_read_whole(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		int64_t n = io_read(fd, (char *)buf + done, len - done, offset + done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/*
 * Parse the number at *at, and move *at past it. -EINVAL if there is no digit, -ERANGE for more
 * than 64 bits.
 */
static inline int io_digits(const char **at, const char *end, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (UINT64_MAX - digit) / 10) {
			*at = p;
			return -ERANGE;
		}
		value = value * 10 + digit;
	}
	if (p == *at)
		return -EINVAL;
	*at = p;
	*ret = value;
	return 0;
}

#endif /* PYZRAM_IO_H */
