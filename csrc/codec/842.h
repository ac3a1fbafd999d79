/* SPDX-License-Identifier: MIT */
/*
 * 842: a bit stream, most significant bit first, with one template per block of eight bytes. A
 * template says which of the block's units of 8, 4 and 2 bytes are written out and which are
 * references to the last place that held the same value. All values are big endian.
 *
 * A unit's number is its position divided by its size. A reference is that number modulo the size
 * of its ring, so it reaches as many units back as the ring has slots, seen from the start of the
 * block.
 */
#ifndef PYZRAM_842_H
#define PYZRAM_842_H

#include "codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK = 8 };	/* bytes */

/* Codes of templates. */
enum {
	TEMPLATE_LITERAL = 0x00,	/* tried last: always possible */
	TEMPLATE_REPEAT = 0x1b,
	TEMPLATE_ZEROS = 0x1c,
	TEMPLATE_END = 0x1e,
	TEMPLATES = 32,
};

/* How many bits each part takes. */
enum {
	TEMPLATE_BITS = 5,
	REPEAT_BITS = 6,
	CRC_BITS = 32,
	REF8_BITS = 8,
	REF4_BITS = 9,
	REF2_BITS = 8,
};

enum {
	REPEAT_MAX = 1 << REPEAT_BITS,
	RING_MAX = 1 << REF4_BITS,
};

/* The units of a block, in the order of their bits in a mask. */
enum {
	UNIT8 = 0,
	UNIT4 = 1,	/* and 2 */
	UNIT2 = 3,	/* to 6 */
	UNITS = 7,
};

/* The operands of a template, first one first. They cover the block from left to right. */
enum operand { NONE, D8, D4, D2, I8, I4, I2 };

struct template {
	uint8_t code;
	uint8_t operands[4];
};

/*
 * The last place of each value seen in the page. A stamp below the page's base marks a free entry,
 * so nothing has to be cleared between pages; the base itself marks an entry that is taken but not
 * stored yet; place n is base + 1 + RING_MAX + n.
 */
struct entry8 {
	uint64_t value;
	uint32_t stamp;
};

struct entry4 {
	uint32_t value;
	uint32_t stamp;
};

/*
 * A template as the encoder writes it: for each operand, which value it is part of, how far that
 * must be shifted right, and how many bits are kept. Value 0 is the block, the others are the
 * references of its units. A template of fewer than four operands ends with some of no bits, so
 * that writing one takes no decisions.
 */
struct choice {
	uint8_t code;
	uint8_t sum;		/* bits of all */
	uint8_t value[4];
	uint8_t shift[4];
	uint8_t bits[4];
};

struct sw842_state {
	uint32_t base;
	/* The open tables have twice as many entries as a page has units. */
	uint32_t mask8, mask4;
	unsigned int shift8, shift4;
	struct entry8 *table8;
	struct entry4 *table4;
	uint32_t *table2;		/* one stamp for each value */
	struct choice choice[1 << UNITS];	/* best template by the units that have a place */
	struct template meaning[TEMPLATES];	/* by code; empty for a code without a template */
	uint32_t crc[8][256];
};

static inline unsigned int operand_size(enum operand operand)
{
	return operand == D8 || operand == I8 ? 8 : operand == D4 || operand == I4 ? 4 : 2;
}

static inline bool operand_is_reference(enum operand operand)
{
	return operand >= I8;
}

/* Which template is for which units; the encoder chooses by it, and the decoder reads by it. */
void pyzram_842_choices_make(struct sw842_state *state);

/* The checksum at the end of a page. */
uint32_t pyzram_842_page_crc(const struct sw842_state *state, const uint8_t *page, size_t len);

int pyzram_842_compress(struct pyzram_context *context, struct codec_request *request);
int pyzram_842_decompress(struct pyzram_context *context, struct codec_request *request);

#endif /* PYZRAM_842_H */
