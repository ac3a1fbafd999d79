/* SPDX-License-Identifier: MIT */
/* Reading pages that follow each other, but not all of them. Internal to the C library. */
#ifndef PYZRAM_PAGE_RUN_H
#define PYZRAM_PAGE_RUN_H

#include "io.h"
#include "pyzram.h"

#include <string.h>

/* How many pages are checked again and read at a time. */
enum { RUN_MAX = 512 };

/*
 * Of `run` pages from `offset` on, read those that are marked as PYZRAM_READ_DONE in ret into dst,
 * one after the other, and mark those that could not be read as PYZRAM_READ_GONE. Returns how many
 * were read. With `pad`, what a file lacks of its last page is zeros.
 */
static inline size_t page_run_read(int fd, uint64_t offset, size_t page_size, size_t run, bool pad,
				   uint8_t *dst, uint8_t *ret)
{
	size_t done = 0;

	for (size_t i = 0; i < run;) {
		size_t wanted = 0, bytes, rest;

		while (i + wanted < run && ret[i + wanted] == PYZRAM_READ_DONE)
			wanted++;
		bytes = io_read_whole(fd, dst + done * page_size, wanted * page_size,
				      offset + i * page_size);
		rest = bytes % page_size;
		if (rest && pad) {
			memset(dst + done * page_size + bytes, 0, page_size - rest);
			bytes += page_size - rest;
		}
		done += bytes / page_size;
		i += bytes / page_size;
		if (i < run && ret[i] == PYZRAM_READ_DONE)
			ret[i] = PYZRAM_READ_GONE;
		i++;
	}
	return done;
}

#endif /* PYZRAM_PAGE_RUN_H */
