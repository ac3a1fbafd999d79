/* SPDX-License-Identifier: MIT */
/*
 * 842: a bit stream, most significant bit first, of one template per block of eight bytes. A
 * template says which of the block's units of 8, 4 and 2 bytes are written out and which are
 * references to the last place that held the same value. All values are big endian.
 *
 * A unit's number is its position divided by its size. A reference is that number modulo the size of
 * its ring, so it reaches as many units back as the ring has slots, seen from the start of the block.
 */
#include "codec.h"
#include "endian.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 8 };	/* bytes */

/* Codes of templates. */
enum {
	TEMPLATE_LITERAL = 0x00,	/* the last that is tried: always possible */
	TEMPLATE_REPEAT = 0x1b,
	TEMPLATE_ZEROS = 0x1c,
	TEMPLATE_END = 0x1e,
	TEMPLATES = 32,
};

/* Bits of what is written. */
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

/* What a template is made of, first operand first. Operands cover the block from left to right. */
enum operand { NONE, D8, D4, D2, I8, I4, I2 };

struct template {
	uint8_t code;
	uint8_t operands[4];
};

/* In the order in which the encoder prefers them. */
static const struct template templates[] = {
	{0x19, {I8}},
	{0x18, {I4, I4}},
	{0x17, {I4, I2, I2}},
	{0x13, {I2, I2, I4}},
	{0x12, {I2, I2, I2, I2}},
	{0x16, {I4, I2, D2}},
	{0x15, {I4, D2, I2}},
	{0x0e, {I2, D2, I4}},
	{0x09, {D2, I2, I4}},
	{0x11, {I2, I2, I2, D2}},
	{0x10, {I2, I2, D2, I2}},
	{0x0d, {I2, D2, I2, I2}},
	{0x08, {D2, I2, I2, I2}},
	{0x14, {I4, D4}},
	{0x04, {D4, I4}},
	{0x0f, {I2, I2, D4}},
	{0x0c, {I2, D2, I2, D2}},
	{0x0b, {I2, D4, I2}},
	{0x07, {D2, I2, I2, D2}},
	{0x06, {D2, I2, D2, I2}},
	{0x03, {D4, I2, I2}},
	{0x0a, {I2, D2, D4}},
	{0x05, {D2, I2, D4}},
	{0x02, {D4, I2, D2}},
	{0x01, {D4, D2, I2}},
	{TEMPLATE_LITERAL, {D8}},
};

/*
 * The last place of each value seen in the page. A stamp below the page's base marks a free entry, so
 * nothing has to be cleared between pages; the base itself marks one that is taken but was not stored
 * yet; place n is base + 1 + RING_MAX + n.
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
 * A template as the encoder writes it: of each operand which value it is part of, how far right that
 * has to go, and how many bits are kept. Value 0 is the block, the others are the references of its
 * units. A template of fewer than four operands ends with some of no bits, so that writing one takes
 * no decisions.
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

static unsigned int operand_size(enum operand operand)
{
	return operand == D8 || operand == I8 ? 8 : operand == D4 || operand == I4 ? 4 : 2;
}

static bool operand_is_reference(enum operand operand)
{
	return operand >= I8;
}

/* The bit in the mask that stands for the unit at this offset of the block. */
static unsigned int operand_unit(enum operand operand, unsigned int offset)
{
	switch (operand_size(operand)) {
	case 8:
		return UNIT8;
	case 4:
		return UNIT4 + offset / 4;
	default:
		return UNIT2 + offset / 2;
	}
}

static unsigned int template_needs(const struct template *template)
{
	unsigned int needs = 0;
	unsigned int offset = 0;

	for (size_t i = 0; i < 4 && template->operands[i] != NONE; i++) {
		if (operand_is_reference(template->operands[i]))
			needs |= 1u << operand_unit(template->operands[i], offset);
		offset += operand_size(template->operands[i]);
	}
	return needs;
}

static unsigned int operand_bits(enum operand operand)
{
	if (!operand_is_reference(operand))
		return 8 * operand_size(operand);
	return operand == I4 ? REF4_BITS : REF8_BITS;
}

static struct choice as_choice(const struct template *template)
{
	struct choice choice = { .code = template->code, .sum = TEMPLATE_BITS };
	unsigned int offset = 0;

	for (size_t i = 0; i < 4 && template->operands[i] != NONE; i++) {
		enum operand operand = template->operands[i];

		if (operand_is_reference(operand))
			choice.value[i] = (uint8_t)(1 + operand_unit(operand, offset));
		offset += operand_size(operand);
		if (!operand_is_reference(operand))
			choice.shift[i] = (uint8_t)(8 * (BLOCK - offset));
		choice.bits[i] = (uint8_t)operand_bits(operand);
		choice.sum += choice.bits[i];
	}
	return choice;
}

static void make_choices(struct sw842_state *state)
{
	size_t count = sizeof(templates) / sizeof(templates[0]);

	for (unsigned int have = 0; have < 1 << UNITS; have++) {
		size_t i = 0;

		while (i < count - 1 && (template_needs(&templates[i]) & ~have) != 0)
			i++;
		state->choice[have] = as_choice(&templates[i]);
	}
	for (size_t i = 0; i < count; i++)
		state->meaning[templates[i].code] = templates[i];
}

/* CRC-32 with the polynomial 04C11DB7, highest bit first; crc[k] is that of a byte k bytes before. */
static void make_crc(struct sw842_state *state)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte << 24;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc << 1) ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
		state->crc[0][byte] = crc;
	}
	for (int k = 1; k < 8; k++) {
		for (int byte = 0; byte < 256; byte++) {
			uint32_t before = state->crc[k - 1][byte];

			state->crc[k][byte] = (before << 8) ^ state->crc[0][before >> 24];
		}
	}
}

static unsigned int bits_of(uint32_t mask)
{
	unsigned int bits = 0;

	while (mask >> bits)
		bits++;
	return bits;
}

static int sw842_context_init(struct pyzram_context *context)
{
	size_t page_size = context->params->page_size;
	struct sw842_state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	context->state = state;
	state->mask8 = (uint32_t)(2 * page_size / 8 - 1);
	state->mask4 = (uint32_t)(2 * page_size / 4 - 1);
	state->shift8 = 64 - bits_of(state->mask8);
	state->shift4 = 32 - bits_of(state->mask4);
	state->table8 = calloc((size_t)state->mask8 + 1, sizeof(*state->table8));
	state->table4 = calloc((size_t)state->mask4 + 1, sizeof(*state->table4));
	state->table2 = calloc(1 << 16, sizeof(*state->table2));
	if (!state->table8 || !state->table4 || !state->table2)
		return -ENOMEM;
	state->base = 1;
	make_choices(state);
	make_crc(state);
	return 0;
}

static void sw842_context_deinit(struct pyzram_context *context)
{
	struct sw842_state *state = context->state;

	if (!state)
		return;
	free(state->table8);
	free(state->table4);
	free(state->table2);
	free(state);
}

static uint32_t page_crc(const struct sw842_state *state, const uint8_t *page, size_t len)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = load_be64(page + i) ^ (uint64_t)crc << 32;

		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= state->crc[k][v >> (8 * k) & 0xff];
	}
	return crc;
}

/* ---- compression ------------------------------------------------------------------------------ */

struct writer {
	uint8_t *at;
	uint64_t word;		/* filled from the top */
	unsigned int fill;	/* bits in it, 0..63 */
};

static inline void put(struct writer *writer, uint64_t value, unsigned int bits)
{
	unsigned int sum = writer->fill + bits;

	if (sum < 64) {
		writer->word |= value << (64 - sum);
		writer->fill = sum;
		return;
	}
	sum -= 64;
	store_be64(writer->at, writer->word | value >> sum);
	writer->at += 8;
	writer->word = sum ? value << (64 - sum) : 0;
	writer->fill = sum;
}

static uint32_t *find8(struct sw842_state *state, uint64_t value)
{
	uint32_t i = (uint32_t)((value * 0x9e3779b97f4a7c15) >> state->shift8);
	struct entry8 *entry;

	while ((entry = &state->table8[i])->stamp >= state->base) {
		if (entry->value == value)
			return &entry->stamp;
		i = (i + 1) & state->mask8;
	}
	entry->value = value;
	entry->stamp = state->base;
	return &entry->stamp;
}

static uint32_t *find4(struct sw842_state *state, uint32_t value)
{
	uint32_t i = (value * 0x9e3779b1u) >> state->shift4;
	struct entry4 *entry;

	while ((entry = &state->table4[i])->stamp >= state->base) {
		if (entry->value == value)
			return &entry->stamp;
		i = (i + 1) & state->mask4;
	}
	entry->value = value;
	entry->stamp = state->base;
	return &entry->stamp;
}

/* Where the block's units have their stamps. Entries never move within a page. */
static void find(struct sw842_state *state, uint64_t block, uint32_t *stamps[UNITS])
{
	stamps[UNIT8] = find8(state, block);
	stamps[UNIT4] = find4(state, (uint32_t)(block >> 32));
	stamps[UNIT4 + 1] = find4(state, (uint32_t)block);
	for (unsigned int i = 0; i < 4; i++)
		stamps[UNIT2 + i] = &state->table2[block >> (48 - 16 * i) & 0xffff];
}

/* Later units of a block are more recent than those before. */
static void remember(uint32_t *stamps[UNITS], uint32_t first, uint32_t number)
{
	*stamps[UNIT8] = first + number;
	*stamps[UNIT4] = first + 2 * number;
	*stamps[UNIT4 + 1] = first + 2 * number + 1;
	for (uint32_t i = 0; i < 4; i++)
		*stamps[UNIT2 + i] = first + 4 * number + i;
}

/* Which units have a place in their ring, as seen before block `number` is stored. */
static unsigned int known(uint32_t *const stamps[UNITS], uint32_t first, uint32_t number)
{
	/* Unsigned: first is at least RING_MAX above zero. */
	uint32_t oldest8 = first + number - (1 << REF8_BITS);
	uint32_t oldest4 = first + 2 * number - (1 << REF4_BITS);
	uint32_t oldest2 = first + 4 * number - (1 << REF2_BITS);
	unsigned int have = *stamps[UNIT8] >= oldest8;

	have |= (unsigned int)(*stamps[UNIT4] >= oldest4) << UNIT4;
	have |= (unsigned int)(*stamps[UNIT4 + 1] >= oldest4) << (UNIT4 + 1);
	for (unsigned int i = 0; i < 4; i++)
		have |= (unsigned int)(*stamps[UNIT2 + i] >= oldest2) << (UNIT2 + i);
	return have;
}

static void put_block(struct writer *writer, const struct choice *choice, uint64_t block,
		      uint32_t *const stamps[UNITS], uint32_t first)
{
	uint64_t values[1 + UNITS] = { block };
	uint64_t bits = choice->code;

	if (choice->code == TEMPLATE_LITERAL) {
		put(writer, TEMPLATE_LITERAL, TEMPLATE_BITS);
		put(writer, block, 64);
		return;
	}
	/* A place counts from the start of the page; bits beyond the ring's size are cut off below. */
	for (unsigned int i = 0; i < UNITS; i++)
		values[1 + i] = *stamps[i] - first;
	/* Every template but the literal one fits into a word. */
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t value = values[choice->value[i]] >> choice->shift[i];

		bits = bits << choice->bits[i] | (value & ((1ull << choice->bits[i]) - 1));
	}
	put(writer, bits, choice->sum);
}

static void put_repeats(struct writer *writer, unsigned int *repeats)
{
	if (!*repeats)
		return;
	put(writer, TEMPLATE_REPEAT, TEMPLATE_BITS);
	put(writer, *repeats - 1, REPEAT_BITS);
	*repeats = 0;
}

/* A stamp must never be as large as the base of a later page, nor wrap. */
static void next_base(struct sw842_state *state, size_t page_size)
{
	uint32_t span = (uint32_t)page_size / 2 + RING_MAX + 1;

	if (state->base < UINT32_MAX - 2 * span) {
		state->base += span;
		return;
	}
	memset(state->table8, 0, ((size_t)state->mask8 + 1) * sizeof(*state->table8));
	memset(state->table4, 0, ((size_t)state->mask4 + 1) * sizeof(*state->table4));
	memset(state->table2, 0, (1 << 16) * sizeof(*state->table2));
	state->base = 1;
}

/* `dst` has room for two pages: a block takes at most 80 of its 64 bits. */
static size_t page_compress(struct sw842_state *state, const uint8_t *page, size_t page_size,
			    uint8_t *dst)
{
	struct writer writer = { .at = dst };
	uint32_t first = state->base + 1 + RING_MAX;
	uint32_t *stamps[UNITS] = { NULL };
	unsigned int repeats = 0;
	uint64_t last = 0;

	for (uint32_t number = 0; number < page_size / BLOCK; number++) {
		uint64_t block = load_be64(page + (size_t)number * BLOCK);

		if (number && block == last) {
			if (++repeats == REPEAT_MAX)
				put_repeats(&writer, &repeats);
		} else {
			put_repeats(&writer, &repeats);
			find(state, block, stamps);
			if (block == 0)
				put(&writer, TEMPLATE_ZEROS, TEMPLATE_BITS);
			else
				put_block(&writer, &state->choice[known(stamps, first, number)],
					  block, stamps, first);
		}
		remember(stamps, first, number);
		last = block;
	}
	put_repeats(&writer, &repeats);
	put(&writer, TEMPLATE_END, TEMPLATE_BITS);
	put(&writer, page_crc(state, page, page_size), CRC_BITS);
	if (writer.fill)
		put(&writer, 0, 64 - writer.fill);
	next_base(state, page_size);
	return (size_t)(writer.at - dst);
}

static int sw842_compress(struct pyzram_context *context, struct codec_request *request)
{
	request->dst_len = page_compress(context->state, request->src, request->src_len, request->dst);
	return 0;
}

/* ---- decompression ---------------------------------------------------------------------------- */

struct reader {
	const uint8_t *at, *end;	/* whole words */
	uint64_t word;		/* from the top; zeros below */
	unsigned int left;	/* bits in it, 0..63 */
	bool failed;		/* more was asked for than there is */
};

static uint64_t take(struct reader *reader, unsigned int bits)
{
	unsigned int missing;
	uint64_t next, value;

	if (reader->left >= bits) {
		value = reader->word >> (64 - bits);
		reader->word <<= bits;
		reader->left -= bits;
		return value;
	}
	if (reader->at == reader->end) {
		reader->failed = true;
		return 0;
	}
	next = load_be64(reader->at);
	reader->at += 8;
	value = (reader->word | next >> reader->left) >> (64 - bits);
	missing = bits - reader->left;
	reader->word = missing < 64 ? next << missing : 0;
	reader->left = 64 - missing;
	return value;
}

/* The unit that a reference points to, after `number` blocks. -EBADMSG: none yet. */
static int take_reference(struct reader *reader, unsigned int size, const uint8_t *page,
			  size_t number, uint64_t *ret)
{
	unsigned int bits = size == 4 ? REF4_BITS : REF8_BITS;
	size_t slot = (size_t)take(reader, bits);
	size_t before = number * (BLOCK / size);
	size_t back = ((before - slot - 1) & ((1u << bits) - 1)) + 1;
	uint64_t value = 0;

	if (back > before)
		return -EBADMSG;
	for (unsigned int i = 0; i < size; i++)
		value = value << 8 | page[(before - back) * size + i];
	*ret = value;
	return 0;
}

static int take_block(struct reader *reader, const struct template *template, uint8_t *page,
		      size_t number)
{
	unsigned int left = BLOCK;
	uint64_t block = 0;

	if (template->operands[0] == NONE)
		return -EBADMSG;
	for (size_t i = 0; i < 4 && left; i++) {
		enum operand operand = template->operands[i];
		unsigned int size = operand_size(operand);
		uint64_t value;

		if (!operand_is_reference(operand))
			value = take(reader, 8 * size);
		else if (take_reference(reader, size, page, number, &value) != 0)
			return -EBADMSG;
		left -= size;
		block |= value << (8 * left);
	}
	store_be64(page + number * BLOCK, block);
	return 0;
}

/* Make blocks up to the end mark. Returns how many, or -EBADMSG. */
static int64_t take_blocks(const struct sw842_state *state, struct reader *reader, uint8_t *page,
			   size_t blocks)
{
	size_t number = 0;

	while (!reader->failed) {
		unsigned int code = (unsigned int)take(reader, TEMPLATE_BITS);
		size_t count = 1;

		if (code == TEMPLATE_END)
			return (int64_t)number;
		if (code == TEMPLATE_REPEAT)
			count = (size_t)take(reader, REPEAT_BITS) + 1;
		if (count > blocks - number || (code == TEMPLATE_REPEAT && number == 0))
			return -EBADMSG;
		if (code == TEMPLATE_REPEAT) {
			for (size_t i = 0; i < count; i++)
				memcpy(page + (number + i) * BLOCK, page + (number - 1) * BLOCK, BLOCK);
		} else if (code == TEMPLATE_ZEROS) {
			memset(page + number * BLOCK, 0, BLOCK);
		} else if (take_block(reader, &state->meaning[code], page, number) != 0) {
			return -EBADMSG;
		}
		number += count;
	}
	return -EBADMSG;
}

static int sw842_decompress(struct pyzram_context *context, struct codec_request *request)
{
	const struct sw842_state *state = context->state;
	struct reader reader = { .at = request->src, .end = request->src + request->src_len };
	size_t page_size = request->dst_cap;
	int64_t blocks;
	uint64_t crc;

	if (request->src_len % 8)
		return -EBADMSG;
	blocks = take_blocks(state, &reader, request->dst, page_size / BLOCK);
	if (blocks != (int64_t)(page_size / BLOCK))
		return -EBADMSG;
	crc = take(&reader, CRC_BITS);
	if (reader.failed || reader.at != reader.end || reader.word ||
	    crc != page_crc(state, request->dst, page_size))
		return -EBADMSG;
	request->dst_len = page_size;
	return 0;
}

const struct codec_ops pyzram_codec_842 = {
	.name = "842",
	.context_init = sw842_context_init,
	.context_deinit = sw842_context_deinit,
	.compress = sw842_compress,
	.decompress = sw842_decompress,
};
