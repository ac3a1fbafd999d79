/* SPDX-License-Identifier: MIT */
/* What a process has open, judged only by the links in /proc/PID/fd, without touching a file. */
#include "io.h"
#include "pyzram.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For a longer link the kernel says ENAMETOOLONG, or cuts off its end, so it may be anything. */
enum { LINK_MAX_BYTES = 4096 };

static bool may_hold_memory(int folder, const char *name)
{
	static const char socket[] = "socket:", deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	char link[LINK_MAX_BYTES];
	ssize_t n = readlinkat(folder, name, link, sizeof(link));

	if (n < 0)
		return errno == ENAMETOOLONG;
	if ((size_t)n == sizeof(link))
		return true;
	if ((size_t)n >= sizeof(socket) - 1 && !memcmp(link, socket, sizeof(socket) - 1))
		return true;
	return (size_t)n >= tail && !memcmp(link + n - tail, deleted, tail);
}

int64_t pyzram_procmem_open_files(int proc_fd, int first, int32_t *ret, size_t room)
{
	int fd = io_open(proc_fd, "fd", O_RDONLY | O_DIRECTORY), err;
	struct dirent *entry;
	size_t count = 0;
	DIR *folder;

	if (fd < 0)
		return fd;
	folder = fdopendir(fd);
	if (!folder) {
		err = -errno;
		close(fd);
		return err;
	}
	while (count < room && (errno = 0, entry = readdir(folder))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && !*end && number >= first &&
		    may_hold_memory(dirfd(folder), entry->d_name))
			ret[count++] = (int32_t)number;
	}
	err = count < room ? -errno : 0;
	closedir(folder);
	return err ? err : (int64_t)count;
}
