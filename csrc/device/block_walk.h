/* SPDX-License-Identifier: MIT */
/* Walks through the lines of block_state. Internal to the C library. */
#ifndef PYZRAM_BLOCK_WALK_H
#define PYZRAM_BLOCK_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MICROSECONDS = 1000000 };

struct block_line {
	uint64_t index;
	uint64_t time;	/* microseconds */
	uint8_t flags;
};

/* It stops at the end, at an incomplete line, or at a malformed one. */
struct block_walk {
	const char *text;
	const char *at;		/* after the last complete line */
	const char *end;
	int64_t count;		/* of complete lines */
	int error;		/* what is wrong with a line, as a negative errno */
};

static inline struct block_walk block_walk_begin(const char *text, size_t len)
{
	return (struct block_walk){ .text = text, .at = text, .end = text + len };
}

/* Read the next line; false if there is none. */
bool pyzram_block_walk_next(struct block_walk *walk, struct block_line *ret);

/* What the caller returns: the number of lines read, or the error; and the bytes they took. */
static inline int64_t block_walk_end(const struct block_walk *walk, size_t *used)
{
	*used = (size_t)(walk->at - walk->text);
	return walk->error ? walk->error : walk->count;
}

#endif
