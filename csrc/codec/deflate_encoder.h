/* SPDX-License-Identifier: MIT */
/*
 * A compressor of deflate streams (RFC 1951) that turns a page into exactly what the kernel makes
 * of it. The kernel keeps an old zlib: in pages above 4 KiB it ends blocks where today's does not,
 * and what distributions ship as zlib may be a different compressor altogether.
 *
 * The search turns a page into symbols; the block turns up to 16383 of them into bits.
 */
#ifndef PYZRAM_DEFLATE_ENCODER_H
#define PYZRAM_DEFLATE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What memory level 8 means. */
enum {
	DEFLATE_HASH_BITS = 15,
	DEFLATE_SYMBOLS_MAX = 16383,	/* in a block */
};

/* The format. */
enum {
	DEFLATE_MATCH_MIN = 3,
	DEFLATE_MATCH_MAX = 258,
	DEFLATE_LITERALS = 286,		/* 256 bytes, the end, 29 codes of lengths */
	DEFLATE_DISTANCES = 30,
};

/* The symbols of one block. */
struct deflate_block {
	size_t start;			/* of its first byte in the page */
	size_t count;
	size_t matches;
	uint32_t literals[DEFLATE_LITERALS];	/* how often each occurs; the same below */
	uint32_t distances[DEFLATE_DISTANCES];
	struct deflate_symbol {
		uint16_t distance;	/* 0: a literal */
		uint8_t value;		/* the literal, or the length minus DEFLATE_MATCH_MIN */
	} symbols[DEFLATE_SYMBOLS_MAX];
};

/* Bits on their way out, the first one in the lowest place. */
struct deflate_bits {
	uint8_t *out;
	uint8_t *end;
	uint64_t held;
	unsigned int count;
};

struct deflate_encoder {
	int level;			/* 1 to 9 */
	size_t window;			/* bytes, a power of two */
	struct deflate_block block;
	uint16_t head[1 << DEFLATE_HASH_BITS];	/* the last place of each hash, 0: none */
	uint16_t previous[];		/* the previous place, by place modulo the window */
};

struct deflate_encoder *pyzram_deflate_create(int level, unsigned int window_bits);

/*
 * Compress a page of at most 64 KiB to one stream without header or checksum. Returns its length,
 * or -ENOSPC.
 */
int64_t pyzram_deflate_page(struct deflate_encoder *encoder, const uint8_t *page, size_t len,
			    uint8_t *dst, size_t dst_cap);

/* ---- between the files ----------------------------------------------------------------------- */

void pyzram_deflate_block_begin(struct deflate_block *block, size_t start);

/*
 * Whether the block ends here, because it is full or, from level 3 on, because a check every 4096
 * symbols found it worth closing. place is where the search is.
 */
bool pyzram_deflate_block_full(const struct deflate_block *block, int level, size_t place);

/*
 * Write the block in its shortest form and begin the next one. bytes is what the symbols stand for
 * if that can still be stored as it is, otherwise NULL.
 */
int pyzram_deflate_block_end(struct deflate_block *block, const uint8_t *bytes, size_t len,
			     bool last, struct deflate_bits *bits);
int pyzram_deflate_flush(struct deflate_bits *bits);

/* The code of a length minus DEFLATE_MATCH_MIN, counted from 257. */
extern const uint8_t pyzram_deflate_length_code[256];

static inline unsigned int deflate_distance_code(unsigned int distance)
{
	unsigned int less = distance - 1, top;

	if (less < 4)
		return less;
	top = 31u - (unsigned int)__builtin_clz(less);
	return 2 * top + (less >> (top - 1) & 1);
}

static inline void deflate_literal(struct deflate_block *block, uint8_t byte)
{
	block->symbols[block->count++] = (struct deflate_symbol){ 0, byte };
	block->literals[byte]++;
}

static inline void deflate_match(struct deflate_block *block, size_t distance, size_t len)
{
	uint8_t value = (uint8_t)(len - DEFLATE_MATCH_MIN);

	block->symbols[block->count++] = (struct deflate_symbol){ (uint16_t)distance, value };
	block->matches++;
	block->literals[257 + pyzram_deflate_length_code[value]]++;
	block->distances[deflate_distance_code((unsigned int)distance)]++;
}

#endif /* PYZRAM_DEFLATE_ENCODER_H */
