/* SPDX-License-Identifier: MIT */
/* Sets of page numbers: ascending ones, found by their place, and numbers seen before. */
#include "pageset.h"
#include "pyzram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int pyzram_pageset_create(struct pyzram_pageset **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void pyzram_pageset_destroy(struct pyzram_pageset *set)
{
	if (!set)
		return;
	free(set->chunks);
	free(set);
}

uint64_t pyzram_pageset_pages(const struct pyzram_pageset *set)
{
	return set->pages;
}

static uint64_t chunk_last(const struct pageset_chunk *chunk)
{
	for (int i = CHUNK_PAGES / 64 - 1; i >= 0; i--) {
		if (chunk->bits[i])
			return chunk->number * CHUNK_PAGES + (uint64_t)i * 64 + 63 -
			       (uint64_t)__builtin_clzll(chunk->bits[i]);
	}
	return 0;
}

int pyzram_pageset_append(struct pyzram_pageset *set, uint64_t page)
{
	struct pageset_chunk *chunk = set->count ? &set->chunks[set->count - 1] : NULL;

	if (chunk && page <= chunk_last(chunk))
		return -EINVAL;
	if (!chunk || chunk->number != page / CHUNK_PAGES) {
		if (set->count == set->room) {
			size_t room = set->room + set->room / 2 + 2;

			chunk = realloc(set->chunks, room * sizeof(*chunk));
			if (!chunk)
				return -ENOMEM;
			set->chunks = chunk;
			set->room = room;
		}
		chunk = &set->chunks[set->count++];
		memset(chunk, 0, sizeof(*chunk));
		chunk->number = page / CHUNK_PAGES;
		chunk->before = set->pages;
	}
	chunk->bits[page % CHUNK_PAGES / 64] |= 1ull << (page % 64);
	set->pages++;
	return 0;
}

void pyzram_pageset_trim(struct pyzram_pageset *set)
{
	struct pageset_chunk *chunks;

	if (set->count == set->room || !set->count)
		return;
	chunks = realloc(set->chunks, set->count * sizeof(*chunks));
	if (chunks) {
		set->chunks = chunks;
		set->room = set->count;
	}
}

int pyzram_pageset_add_resident(struct pyzram_pageset *set, uint64_t first, const uint8_t *resident,
				size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int err = resident[i] & 1 ? pyzram_pageset_append(set, first + i) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* The number of the page at this place of a chunk. */
static uint64_t chunk_select(const struct pageset_chunk *chunk, uint64_t rank)
{
	for (size_t i = 0; i < CHUNK_PAGES / 64; i++) {
		uint64_t bits = chunk->bits[i];
		uint64_t here = (uint64_t)__builtin_popcountll(bits);

		if (rank >= here) {
			rank -= here;
			continue;
		}
		while (rank--)
			bits &= bits - 1;
		return chunk->number * CHUNK_PAGES + i * 64 + (uint64_t)__builtin_ctzll(bits);
	}
	return 0;
}

int pyzram_pageset_select(const struct pyzram_pageset *set, const uint64_t *ranks, size_t count,
			  uint64_t *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		size_t end = set->count;

		if (ranks[i] >= set->pages || (i && ranks[i] <= ranks[i - 1]))
			return -EINVAL;
		/* It is usually in the same chunk as the one before, or in the next. */
		if (at + 1 < end && set->chunks[at + 1].before <= ranks[i]) {
			at++;
			while (end - at > 1) {
				size_t middle = at + (end - at) / 2;

				if (set->chunks[middle].before <= ranks[i])
					at = middle;
				else
					end = middle;
			}
		}
		ret[i] = chunk_select(&set->chunks[at], ranks[i] - set->chunks[at].before);
	}
	return 0;
}

/* ---- numbers seen before --------------------------------------------------------------------- */

struct seen_chunk {
	uint64_t number;
	uint64_t bits[CHUNK_PAGES / 64];
};

int pyzram_seen_create(struct pyzram_seen **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void pyzram_seen_destroy(struct pyzram_seen *seen)
{
	if (!seen)
		return;
	free(seen->chunks);
	free(seen->table);
	free(seen);
}

/* The place of the chunk in the table, or the free place where it belongs. */
static uint32_t *place_of(const struct pyzram_seen *seen, uint32_t *table, size_t size,
			  uint64_t number)
{
	size_t at = (size_t)(number * 0x9e3779b97f4a7c15ull >> 32) & (size - 1);

	while (table[at] && seen->chunks[table[at] - 1].number != number)
		at = (at + 1) & (size - 1);
	return &table[at];
}

/* Make room for one more chunk; the table is never more than half full. */
static int seen_grow(struct pyzram_seen *seen)
{
	size_t size = seen->table_size ? 2 * seen->table_size : 64;
	struct seen_chunk *chunks;
	uint32_t *table;

	if (2 * (seen->count + 1) <= seen->table_size)
		return 0;
	if (size > UINT32_MAX / 2)
		return -ENOMEM;
	chunks = realloc(seen->chunks, size / 2 * sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	seen->chunks = chunks;
	table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < seen->count; i++)
		*place_of(seen, table, size, chunks[i].number) = (uint32_t)i + 1;
	free(seen->table);
	seen->table = table;
	seen->table_size = size;
	return 0;
}

int pyzram_seen_before(struct pyzram_seen *seen, uint64_t number)
{
	uint64_t bit = 1ull << (number % 64), *bits;
	uint32_t *place;
	int err = seen_grow(seen);

	if (err)
		return err;
	place = place_of(seen, seen->table, seen->table_size, number / CHUNK_PAGES);
	if (!*place) {
		struct seen_chunk *chunk = &seen->chunks[seen->count];

		memset(chunk, 0, sizeof(*chunk));
		chunk->number = number / CHUNK_PAGES;
		*place = (uint32_t)++seen->count;
	}
	bits = &seen->chunks[*place - 1].bits[number % CHUNK_PAGES / 64];
	if (*bits & bit)
		return 1;
	*bits |= bit;
	return 0;
}

int pyzram_seen_add(struct pyzram_seen *seen, const uint64_t *numbers, size_t count, uint8_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		int before = pyzram_seen_before(seen, numbers[i]);

		if (before < 0)
			return before;
		ret[i] = (uint8_t)before;
	}
	return 0;
}
