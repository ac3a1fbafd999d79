/* SPDX-License-Identifier: MIT */
/* Shared memory as an object: tmpfs files and System V segments, whoever maps them. */
#include "io.h"
#include "page_run.h"
#include "pyzram.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

int pyzram_shmem_resident(int fd, uint64_t first, size_t count, uint8_t *ret)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	void *map;
	int err = 0;

	if (!count)
		return 0;
	map = mmap(NULL, count * page_size, PROT_READ, MAP_SHARED, fd, (off_t)(first * page_size));
	if (map == MAP_FAILED)
		return -errno;
	if (mincore(map, count * page_size, ret))
		err = -errno;
	munmap(map, count * page_size);
	return err;
}

int pyzram_shmem_tells(int fd)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	/* In the middle of the possible range: no huge page or growth reaches it from the end. */
	uint64_t behind = sizeof(void *) > 4 ? INT64_MAX / page_size / 2 : UINT32_MAX / 2;
	struct stat status;
	uint8_t there = 1;
	off_t hole;
	int err = -EOVERFLOW;

	if (fstat(fd, &status))
		return -errno;
	/* Nothing far beyond the end is in memory. A file may have no room there. */
	if ((uint64_t)status.st_size / page_size < behind / 2)
		err = pyzram_shmem_resident(fd, behind, 1, &there);
	if (err == -EOVERFLOW || err == -EINVAL) {
		hole = lseek(fd, 0, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		err = pyzram_shmem_resident(fd, (uint64_t)hole / page_size, 1, &there);
	}
	return err ? err : !(there & 1);
}

int64_t pyzram_shmem_read(int fd, const uint64_t *pages, size_t count, uint8_t *dst, uint8_t *ret)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE), at = 0, done = 0;

	while (at < count) {
		size_t run = 1;

		while (run < RUN_MAX && at + run < count && pages[at + run] == pages[at] + run)
			run++;
		/* Reading a page that is in swap would bring it in. */
		if (pyzram_shmem_resident(fd, pages[at], run, ret + at) ||
		    pyzram_shmem_tells(fd) != 1)
			memset(ret + at, 0, run);
		for (size_t i = 0; i < run; i++)
			ret[at + i] = ret[at + i] & 1 ? PYZRAM_READ_DONE : PYZRAM_READ_GONE;
		done += page_run_read(fd, pages[at] * page_size, page_size, run, true,
				      dst + done * page_size, ret + at);
		at += run;
	}
	return (int64_t)done;
}

int pyzram_shm_open(int id)
{
	char path[64], line[256];
	uintptr_t start, end = 0;
	int fd = -ENOENT;
	FILE *maps;
	void *map = shmat(id, NULL, SHM_RDONLY);

	if ((intptr_t)map == -1)
		return -errno;
	/* Once it is mapped, the kernel gives a descriptor of the mapping's object. */
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2 &&
		    start == (uintptr_t)map)
			break;
		end = 0;
	}
	if (maps)
		fclose(maps);
	if (end) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIxPTR "-%" PRIxPTR,
			 (uintptr_t)map, end);
		fd = io_open(AT_FDCWD, path, O_RDONLY);
	}
	shmdt(map);
	return fd;
}
