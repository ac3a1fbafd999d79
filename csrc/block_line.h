/* SPDX-License-Identifier: MIT */
/* A line of block_state. */
#ifndef PYZRAM_BLOCK_LINE_H
#define PYZRAM_BLOCK_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MICROSECONDS = 1000000 };

struct block_line {
	uint64_t index;
	uint64_t time;	/* microseconds */
	uint8_t flags;
};

/* A walk through a text; it stops at the end, at an incomplete line, or at a malformed one. */
struct block_lines {
	const char *text;
	const char *at;		/* after the last complete line */
	const char *end;
	int64_t count;		/* of complete lines */
	int error;		/* what is wrong with a line, as a negative errno */
};

static inline struct block_lines block_lines_of(const char *text, size_t len)
{
	return (struct block_lines){ .text = text, .at = text, .end = text + len };
}

/* Read the next line; false if there is none. */
bool block_lines_next(struct block_lines *lines, struct block_line *ret);

/* What the caller returns: the number of lines read, or the error; and the bytes they took. */
static inline int64_t block_lines_end(const struct block_lines *lines, size_t *used)
{
	*used = (size_t)(lines->at - lines->text);
	return lines->error ? lines->error : lines->count;
}

#endif
