/* SPDX-License-Identifier: MIT */
/* Sets of page numbers, by the 512 that a table of pages holds. Internal to the C library. */
#ifndef PYZRAM_PAGESET_H
#define PYZRAM_PAGESET_H

#include <stddef.h>
#include <stdint.h>

enum { CHUNK_PAGES = 512 };

/* Of ascending numbers, with the place of each: a few bytes for each table of pages in use. */
struct pageset_chunk {
	uint64_t number;		/* of its first page, divided by CHUNK_PAGES */
	uint64_t before;		/* pages in the chunks before it */
	uint64_t bits[CHUNK_PAGES / 64];
};

struct pyzram_pageset {
	struct pageset_chunk *chunks;
	size_t count, room;
	uint64_t pages;
};

/* Add a number that is greater than all before. -ENOMEM, -EINVAL if it is not. */
int pageset_append(struct pyzram_pageset *set, uint64_t page);

/* Free the room that was reserved for numbers that did not come. */
void pageset_trim(struct pyzram_pageset *set);

/* Numbers in any order: which of them was there before? */
struct pyzram_seen {
	struct seen_chunk *chunks;
	uint32_t *table;		/* place in chunks + 1, hashed by number; 0 is free */
	size_t count, table_size;
};

/* 1 if the number was there already, 0 if it is new, -ENOMEM. */
int seen_before(struct pyzram_seen *seen, uint64_t number);

#endif /* PYZRAM_PAGESET_H */
