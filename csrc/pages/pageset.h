/* SPDX-License-Identifier: MIT */
/* Sets of page numbers, in chunks of 512, as in a page table. Internal to the C library. */
#ifndef PYZRAM_PAGESET_H
#define PYZRAM_PAGESET_H

#include <stddef.h>
#include <stdint.h>

enum { CHUNK_PAGES = 512 };

/* Ascending numbers, with the place of each: a few bytes for each page table in use. */
struct pageset_chunk {
	uint64_t number;		/* the number of its first page / CHUNK_PAGES */
	uint64_t before;		/* pages in the chunks before it */
	uint64_t bits[CHUNK_PAGES / 64];
};

struct pyzram_pageset {
	struct pageset_chunk *chunks;
	size_t count, room;
	uint64_t pages;
};

/* Add a number greater than all before. -ENOMEM; -EINVAL if it is not greater. */
int pyzram_pageset_append(struct pyzram_pageset *set, uint64_t page);

/* Free the room reserved for numbers that never came. */
void pyzram_pageset_trim(struct pyzram_pageset *set);

/* Numbers in any order, to tell which were there before. */
struct pyzram_seen {
	struct seen_chunk *chunks;
	uint32_t *table;		/* place in chunks + 1, hashed by number; 0: free */
	size_t count, table_size;
};

/* 1 if the number was there already, 0 if it is new, -ENOMEM. */
int pyzram_seen_before(struct pyzram_seen *seen, uint64_t number);

#endif /* PYZRAM_PAGESET_H */
