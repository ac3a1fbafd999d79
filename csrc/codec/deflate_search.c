/* SPDX-License-Identifier: MIT */
/*
 * How the kernel's zlib looks for matches: chains of places that share a hash of three bytes, a
 * window that moves by its own length, and from level 4 on one byte of patience.
 */
#include "deflate_encoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "endian.h"

/* At least this much lookahead is available, until the page ends. */
enum { LOOKAHEAD_MIN = DEFLATE_MATCH_MAX + DEFLATE_MATCH_MIN + 1 };

enum { HASH_MASK = (1 << DEFLATE_HASH_BITS) - 1 };

/* A match of three bytes from farther away costs more than three literals. */
enum { TOO_FAR = 4096 };

/* When to stop searching, by level. */
static const struct effort {
	uint16_t good;		/* with a match of this length, a quarter of the chain is enough */
	uint16_t lazy;		/* up to this length, the next place is tried as well; see below */
	uint16_t nice;		/* a match of this length ends the search */
	uint16_t chain;		/* places looked at */
} efforts[10] = {
	[1] = { 4, 4, 8, 4 },
	[2] = { 4, 5, 16, 8 },
	[3] = { 4, 6, 32, 32 },
	[4] = { 4, 4, 16, 16 },
	[5] = { 8, 16, 32, 32 },
	[6] = { 8, 16, 128, 128 },
	[7] = { 8, 32, 128, 256 },
	[8] = { 32, 128, 258, 1024 },
	[9] = { 32, 258, 258, 4096 },
};
enum { LAZY_FROM = 4 };	/* below it, lazy is the longest match whose inside enters the chains */

/* One page on its way. All places are counted from its start. */
struct walk {
	struct deflate_encoder *encoder;
	struct effort effort;
	const uint8_t *page;
	size_t len;
	size_t reach;		/* farthest distance of a match */
	size_t base;		/* where the window, of twice its length, starts now */
	size_t filled;		/* the end of the bytes that it has taken in */
	struct deflate_bits bits;
};

static void hash_insert(struct walk *walk, size_t place, size_t *ret_before)
{
	struct deflate_encoder *encoder = walk->encoder;
	const uint8_t *p = walk->page + place;
	unsigned int hash = ((unsigned int)p[0] << 10 ^ (unsigned int)p[1] << 5 ^ p[2]) & HASH_MASK;

	*ret_before = encoder->head[hash];
	encoder->previous[place & (encoder->window - 1)] = encoder->head[hash];
	encoder->head[hash] = (uint16_t)place;
}

static void hash_insert_range(struct walk *walk, size_t first, size_t end)
{
	size_t before;

	if (end + DEFLATE_MATCH_MIN > walk->len + 1)
		end = walk->len + 1 - DEFLATE_MATCH_MIN;
	for (size_t place = first; place < end; place++)
		hash_insert(walk, place, &before);
}

/* Read more of the page: places that leave the window are no longer found. */
static inline void window_fill(struct walk *walk, size_t place)
{
	size_t window = walk->encoder->window;

	while (walk->filled - place < LOOKAHEAD_MIN) {
		if (place - walk->base >= window + walk->reach)
			walk->base += window;
		if (walk->filled == walk->len)
			break;
		walk->filled = walk->base + 2 * window;
		if (walk->filled > walk->len)
			walk->filled = walk->len;
	}
}

static inline size_t match_length(const uint8_t *a, const uint8_t *b, size_t max)
{
	size_t len = 0;

	for (; len + 8 <= max; len += 8) {
		uint64_t difference = load_le64(a + len) ^ load_le64(b + len);

		if (difference)
			return len + equal_bytes(difference);
	}
	while (len < max && a[len] == b[len])
		len++;
	return len;
}

/* Whether a match may refer to this place at all. */
static inline bool reachable(const struct walk *walk, size_t place, size_t from)
{
	return from > walk->base && place - from <= walk->reach;
}

/*
 * The longest match that begins at place and is longer than best, from the first candidate down
 * its chain. Returns its length, which may be best or less if there is none.
 */
static size_t match_search(const struct walk *walk, size_t place, size_t candidate, size_t best,
			   size_t *ret_from)
{
	const uint16_t *previous = walk->encoder->previous;
	const size_t mask = walk->encoder->window - 1;
	const uint8_t *scan = walk->page + place;
	size_t left = walk->len - place;
	size_t max = left < DEFLATE_MATCH_MAX ? left : DEFLATE_MATCH_MAX;
	size_t nice = walk->effort.nice < left ? walk->effort.nice : left;
	size_t limit = place > walk->base + walk->reach ? place - walk->reach : walk->base;
	unsigned int tries = walk->effort.chain;

	if (best >= walk->effort.good)
		tries /= 4;
	if (best >= max)
		return left < best ? left : best;
	do {
		const uint8_t *from = walk->page + candidate;

		if (from[best] == scan[best] && from[best - 1] == scan[best - 1]) {
			size_t len = match_length(from, scan, max);

			if (len > best) {
				best = len;
				*ret_from = candidate;
				if (len >= nice)
					break;
			}
		}
		candidate = previous[candidate & mask];
	} while (candidate > limit && --tries);
	return best;
}

static int block_close(struct walk *walk, size_t place, bool last)
{
	struct deflate_block *block = &walk->encoder->block;
	/* Bytes that have left the window cannot be stored. */
	const uint8_t *bytes = block->start >= walk->base ? walk->page + block->start : NULL;
	int err = pyzram_deflate_block_end(block, bytes, place - block->start, last, &walk->bits);

	pyzram_deflate_block_begin(block, place);
	return err;
}

/* Levels 1 to 3: take the first match. Returns where the page ends. */
static int walk_greedily(struct walk *walk)
{
	struct deflate_block *block = &walk->encoder->block;
	size_t place = 0;
	int err = 0;

	while (place < walk->len && !err) {
		size_t before = 0, from = 0, len = DEFLATE_MATCH_MIN - 1;
		bool full;

		window_fill(walk, place);
		if (walk->len - place >= DEFLATE_MATCH_MIN)
			hash_insert(walk, place, &before);
		if (reachable(walk, place, before))
			len = match_search(walk, place, before, len, &from);
		if (len >= DEFLATE_MATCH_MIN) {
			deflate_match(block, place - from, len);
			full = pyzram_deflate_block_full(block, walk->encoder->level, place);
			if (len <= walk->effort.lazy &&
			    walk->len - place - len >= DEFLATE_MATCH_MIN)
				hash_insert_range(walk, place + 1, place + len);
			place += len;
		} else {
			deflate_literal(block, walk->page[place]);
			full = pyzram_deflate_block_full(block, walk->encoder->level, place);
			place++;
		}
		if (full)
			err = block_close(walk, place, false);
	}
	return err ? err : block_close(walk, place, true);
}

/* Levels 4 to 9: before taking a match, look whether a longer one begins one byte later. */
static int walk_lazily(struct walk *walk)
{
	struct deflate_block *block = &walk->encoder->block;
	size_t place = 0, len = DEFLATE_MATCH_MIN - 1, from = 0;
	bool waiting = false;	/* the byte before place is no symbol yet */
	int err = 0;

	while (place < walk->len && !err) {
		size_t before = 0, waiting_len = len, waiting_from = from;

		window_fill(walk, place);
		if (walk->len - place >= DEFLATE_MATCH_MIN)
			hash_insert(walk, place, &before);
		len = DEFLATE_MATCH_MIN - 1;
		if (waiting_len < walk->effort.lazy && reachable(walk, place, before)) {
			len = match_search(walk, place, before, waiting_len, &from);
			if (len == DEFLATE_MATCH_MIN && place - from > TOO_FAR)
				len--;
		}
		if (waiting_len >= DEFLATE_MATCH_MIN && len <= waiting_len) {
			size_t end = place - 1 + waiting_len;
			bool full;

			deflate_match(block, place - 1 - waiting_from, waiting_len);
			full = pyzram_deflate_block_full(block, walk->encoder->level, place);
			hash_insert_range(walk, place + 1, end);
			place = end;
			len = DEFLATE_MATCH_MIN - 1;
			waiting = false;
			if (full)
				err = block_close(walk, place, false);
		} else {
			if (waiting) {
				deflate_literal(block, walk->page[place - 1]);
				if (pyzram_deflate_block_full(block, walk->encoder->level, place))
					err = block_close(walk, place, false);
			}
			waiting = true;
			place++;
		}
	}
	if (waiting)
		deflate_literal(block, walk->page[place - 1]);
	return err ? err : block_close(walk, place, true);
}

struct deflate_encoder *pyzram_deflate_create(int level, unsigned int window_bits)
{
	size_t window = (size_t)1 << window_bits;
	struct deflate_encoder *encoder = malloc(sizeof(*encoder) + window * sizeof(uint16_t));

	if (encoder) {
		encoder->level = level;
		encoder->window = window;
	}
	return encoder;
}

int64_t pyzram_deflate_page(struct deflate_encoder *encoder, const uint8_t *page, size_t len,
			    uint8_t *dst, size_t dst_cap)
{
	struct walk walk = {
		.encoder = encoder, .effort = efforts[encoder->level], .page = page, .len = len,
		.reach = encoder->window - LOOKAHEAD_MIN,
		.bits = { .out = dst, .end = dst + dst_cap },
	};
	int err;

	memset(encoder->head, 0, sizeof(encoder->head));
	pyzram_deflate_block_begin(&encoder->block, 0);
	err = encoder->level < LAZY_FROM ? walk_greedily(&walk) : walk_lazily(&walk);
	if (!err)
		err = pyzram_deflate_flush(&walk.bits);
	return err ? err : (int64_t)(walk.bits.out - dst);
}
