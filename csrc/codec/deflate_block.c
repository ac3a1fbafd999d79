/* SPDX-License-Identifier: MIT */
/* A deflate block: when it ends, which of its three forms is the shortest, and writing its bits. */
#include "deflate_encoder.h"

#include <errno.h>
#include <string.h>

#include "deflate_code.h"
#include "endian.h"

enum { END_OF_BLOCK = 256 };	/* as a symbol */

/* The code that encodes code lengths. */
enum {
	LENGTH_CODES = 19,	/* symbols in it */
	LENGTH_CODE_MAX = 7,	/* bits of a word */
};

/* The forms of a block, as in its header. */
enum { STORED = 0, FIXED = 1, DYNAMIC = 2 };

enum { WORTH_A_LOOK = 4096 };	/* symbols, between two looks at whether the block should end */

const uint8_t pyzram_deflate_length_code[256] = {
	0, 1, 2, 3, 4, 5, 6, 7,
	[8 ... 9] = 8, [10 ... 11] = 9, [12 ... 13] = 10, [14 ... 15] = 11,
	[16 ... 19] = 12, [20 ... 23] = 13, [24 ... 27] = 14, [28 ... 31] = 15,
	[32 ... 39] = 16, [40 ... 47] = 17, [48 ... 55] = 18, [56 ... 63] = 19,
	[64 ... 79] = 20, [80 ... 95] = 21, [96 ... 111] = 22, [112 ... 127] = 23,
	[128 ... 159] = 24, [160 ... 191] = 25, [192 ... 223] = 26, [224 ... 254] = 27, [255] = 28,
};
static const uint8_t length_extra[29] = {
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
};
static const uint8_t length_base[29] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112,
	128, 160, 192, 224, 255,
};
/* The order in which that code's lengths are written; trailing zeros are left out. */
static const uint8_t length_order[LENGTH_CODES] = {
	16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
};

static inline unsigned int distance_extra(unsigned int code)
{
	return code < 4 ? 0 : code / 2 - 1;
}

/* Bits of a literal or length, and of every distance, in a block with fixed codes. */
static inline unsigned int fixed_bits(unsigned int symbol)
{
	return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}
enum { FIXED_DISTANCE_BITS = 5 };

/* ---- when a block ends ----------------------------------------------------------------------- */

void pyzram_deflate_block_begin(struct deflate_block *block, size_t start)
{
	block->start = start;
	block->count = block->matches = 0;
	memset(block->literals, 0, sizeof(block->literals));
	memset(block->distances, 0, sizeof(block->distances));
	block->literals[END_OF_BLOCK] = 1;
}

/*
 * Whether closing it already is worth it: it has few matches and, by a rough guess that uses no
 * codes of its own, half the size.
 */
static bool worth_closing(const struct deflate_block *block, size_t len)
{
	size_t bits = 8 * block->count;

	for (unsigned int code = 0; code < DEFLATE_DISTANCES; code++)
		bits += (size_t)block->distances[code] * (5 + distance_extra(code));
	return block->matches < block->count / 2 && bits / 8 < len / 2;
}

bool pyzram_deflate_block_full(const struct deflate_block *block, int level, size_t place)
{
	if (block->count % WORTH_A_LOOK == 0 && level > 2 &&
	    worth_closing(block, place - block->start))
		return true;
	return block->count == DEFLATE_SYMBOLS_MAX;
}

/* ---- the lengths of codes, written short ----------------------------------------------------- */

struct lengths {
	uint8_t symbols[2 * DEFLATE_LITERALS];
	uint8_t extra[2 * DEFLATE_LITERALS];
	unsigned int count;
	uint32_t often[LENGTH_CODES];
	struct deflate_code code;
	unsigned int written;		/* of the code's own lengths */
};

static const struct { uint8_t symbol, bits, least; } repeats[3] = {
	{ 16, 2, 3 },		/* the length before, 3 to 6 times */
	{ 17, 3, 3 },		/* 0, 3 to 10 times */
	{ 18, 7, 11 },		/* 0, 11 to 138 times */
};

static void lengths_add(struct lengths *lengths, unsigned int symbol, unsigned int extra)
{
	lengths->symbols[lengths->count] = (uint8_t)symbol;
	lengths->extra[lengths->count++] = (uint8_t)extra;
	lengths->often[symbol]++;
}

/* After the longest repetition a new run begins. */
static void lengths_take(struct lengths *lengths, const struct deflate_code *code)
{
	int before = -1;

	for (unsigned int at = 0; at < code->count;) {
		unsigned int bits = code->bits[at], run = 1;
		unsigned int most = !bits ? 138 : (int)bits == before ? 6 : 7;
		unsigned int least = (int)bits == before || !bits ? 3 : 4;

		while (run < most && at + run < code->count && code->bits[at + run] == bits)
			run++;
		at += run;
		if (run < least) {
			while (run--)
				lengths_add(lengths, bits, 0);
		} else if (bits) {
			if ((int)bits != before) {
				lengths_add(lengths, bits, 0);
				run--;
			}
			lengths_add(lengths, 16, run - 3);
		} else if (run <= 10) {
			lengths_add(lengths, 17, run - 3);
		} else {
			lengths_add(lengths, 18, run - 11);
		}
		before = (int)bits;
	}
}

static unsigned int extra_bits(unsigned int symbol)
{
	return symbol < 16 ? 0 : repeats[symbol - 16].bits;
}

/* Bits that the lengths of both codes take. */
static size_t lengths_make(struct lengths *lengths, const struct deflate_code *literals,
			   const struct deflate_code *distances)
{
	size_t bits;

	lengths->count = 0;
	memset(lengths->often, 0, sizeof(lengths->often));
	lengths_take(lengths, literals);
	lengths_take(lengths, distances);
	pyzram_deflate_code_make(&lengths->code, lengths->often, LENGTH_CODES, LENGTH_CODE_MAX);
	lengths->written = LENGTH_CODES;
	while (lengths->written > 4 && !lengths->code.bits[length_order[lengths->written - 1]])
		lengths->written--;
	bits = 5 + 5 + 4 + 3 * lengths->written;
	for (unsigned int symbol = 0; symbol < LENGTH_CODES; symbol++)
		bits += (size_t)lengths->often[symbol] *
			(lengths->code.bits[symbol] + extra_bits(symbol));
	return bits;
}

/* ---- bits ------------------------------------------------------------------------------------ */

/* Write at most 57 bits at a time; the caller makes sure that there is room. */
static inline void put(struct deflate_bits *bits, uint64_t value, unsigned int count)
{
	bits->held |= value << bits->count;
	bits->count += count;
}

static inline void bits_drain(struct deflate_bits *bits)
{
	store_le64(bits->out, bits->held);
	bits->out += bits->count / 8;
	bits->held >>= bits->count & ~7u;
	bits->count &= 7;
}

static inline void put_out(struct deflate_bits *bits, uint64_t value, unsigned int count)
{
	put(bits, value, count);
	bits_drain(bits);
}

static bool has_room(const struct deflate_bits *bits, size_t bytes)
{
	return (size_t)(bits->end - bits->out) >= bytes + 2 * sizeof(bits->held);
}

int pyzram_deflate_flush(struct deflate_bits *bits)
{
	for (; bits->count; bits->count -= bits->count < 8 ? bits->count : 8, bits->held >>= 8) {
		if (bits->out == bits->end)
			return -ENOSPC;
		*bits->out++ = (uint8_t)bits->held;
	}
	return 0;
}

static void put_lengths(struct deflate_bits *bits, const struct lengths *lengths,
			const struct deflate_code *literals, const struct deflate_code *distances)
{
	put_out(bits, literals->count - 257, 5);
	put_out(bits, distances->count - 1, 5);
	put_out(bits, lengths->written - 4, 4);
	for (unsigned int i = 0; i < lengths->written; i++)
		put_out(bits, lengths->code.bits[length_order[i]], 3);
	for (unsigned int i = 0; i < lengths->count; i++) {
		unsigned int symbol = lengths->symbols[i];

		put(bits, lengths->code.words[symbol], lengths->code.bits[symbol]);
		put_out(bits, lengths->extra[i], extra_bits(symbol));
	}
}

static void put_symbols(struct deflate_bits *bits, const struct deflate_block *block,
			const struct deflate_code *literals, const struct deflate_code *distances)
{
	for (size_t i = 0; i < block->count; i++) {
		struct deflate_symbol symbol = block->symbols[i];
		unsigned int value = symbol.value, code = value;

		if (symbol.distance) {
			code = pyzram_deflate_length_code[value] + 257u;
			put(bits, literals->words[code], literals->bits[code]);
			put(bits, value - length_base[code - 257], length_extra[code - 257]);
			code = deflate_distance_code(symbol.distance);
			put(bits, distances->words[code], distances->bits[code]);
			put_out(bits, (symbol.distance - 1u) & ((1u << distance_extra(code)) - 1),
				distance_extra(code));
		} else {
			put_out(bits, literals->words[code], literals->bits[code]);
		}
	}
	put_out(bits, literals->words[END_OF_BLOCK], literals->bits[END_OF_BLOCK]);
}

static int put_stored(struct deflate_bits *bits, const uint8_t *bytes, size_t len, bool last)
{
	if (!has_room(bits, len + 5))
		return -ENOSPC;
	put_out(bits, (unsigned int)last | STORED << 1, 3);
	if (bits->count)
		put_out(bits, 0, 8 - bits->count);
	store_le16(bits->out, (uint32_t)len);
	store_le16(bits->out + 2, ~(uint32_t)len);
	memcpy(bits->out + 4, bytes, len);
	bits->out += 4 + len;
	return 0;
}

/* ---- the block ------------------------------------------------------------------------------- */

static void fixed_codes_make(struct deflate_code *literals, struct deflate_code *distances)
{
	literals->count = DEFLATE_LITERALS + 2;
	for (unsigned int symbol = 0; symbol < literals->count; symbol++)
		literals->bits[symbol] = (uint8_t)fixed_bits(symbol);
	pyzram_deflate_code_words(literals->bits, literals->words, literals->count);
	distances->count = DEFLATE_DISTANCES;
	memset(distances->bits, FIXED_DISTANCE_BITS, DEFLATE_DISTANCES);
	pyzram_deflate_code_words(distances->bits, distances->words, DEFLATE_DISTANCES);
}

/* The bits that a block's symbols take with its own codes and with the fixed ones. */
static void block_weigh(const struct deflate_block *block, const struct deflate_code *literals,
			const struct deflate_code *distances, size_t *ret_own, size_t *ret_fixed)
{
	size_t own = 0, fixed = 0, extra = 0;

	for (unsigned int symbol = 0; symbol < DEFLATE_LITERALS; symbol++) {
		size_t often = block->literals[symbol];

		own += often * literals->bits[symbol];
		fixed += often * fixed_bits(symbol);
		if (symbol > END_OF_BLOCK)
			extra += often * length_extra[symbol - 257];
	}
	for (unsigned int code = 0; code < DEFLATE_DISTANCES; code++) {
		size_t often = block->distances[code];

		own += often * distances->bits[code];
		fixed += often * FIXED_DISTANCE_BITS;
		extra += often * distance_extra(code);
	}
	*ret_own = own + extra;
	*ret_fixed = fixed + extra;
}

int pyzram_deflate_block_end(struct deflate_block *block, const uint8_t *bytes, size_t len,
			     bool last, struct deflate_bits *bits)
{
	struct deflate_code literals, distances;
	struct lengths lengths;
	size_t own, fixed;

	pyzram_deflate_code_make(&literals, block->literals, DEFLATE_LITERALS, DEFLATE_CODE_MAX);
	pyzram_deflate_code_make(&distances, block->distances, DEFLATE_DISTANCES, DEFLATE_CODE_MAX);
	block_weigh(block, &literals, &distances, &own, &fixed);
	own += lengths_make(&lengths, &literals, &distances);
	/* Compare whole bytes, including the three bits of the header. */
	own = (own + 3 + 7) / 8;
	fixed = (fixed + 3 + 7) / 8;
	if (bytes && len + 4 <= (own < fixed ? own : fixed))
		return put_stored(bits, bytes, len, last);
	if (!has_room(bits, own < fixed ? own : fixed))
		return -ENOSPC;
	if (fixed <= own) {
		put_out(bits, (unsigned int)last | FIXED << 1, 3);
		fixed_codes_make(&literals, &distances);
	} else {
		put_out(bits, (unsigned int)last | DYNAMIC << 1, 3);
		put_lengths(bits, &lengths, &literals, &distances);
	}
	put_symbols(bits, block, &literals, &distances);
	return 0;
}
