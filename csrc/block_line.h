/* SPDX-License-Identifier: MIT */
/* A line of block_state. */
#ifndef PYZRAM_BLOCK_LINE_H
#define PYZRAM_BLOCK_LINE_H

#include <stddef.h>
#include <stdint.h>

enum { MICROSECONDS = 1000000 };

struct cursor {
	const char *at;
	const char *end;
};

struct block_line {
	uint64_t index;
	uint64_t time;	/* microseconds */
	uint8_t flags;
};

/*
 * Read the next line. Returns 1, or 0 at the end of the text, which an incomplete line is left at,
 * whatever it looks like so far; else what is wrong with it, as a negative errno.
 */
int block_line_next(struct cursor *c, struct block_line *ret);

#endif
