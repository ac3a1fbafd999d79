/* SPDX-License-Identifier: MIT */
/* 842: from pages to bits. */
#include "842.h"
#include "endian.h"

#include <string.h>

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

static uint32_t *unit8_find(struct sw842_state *state, uint64_t value)
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

static uint32_t *unit4_find(struct sw842_state *state, uint32_t value)
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
static void stamps_find(struct sw842_state *state, uint64_t block, uint32_t *stamps[UNITS])
{
	stamps[UNIT8] = unit8_find(state, block);
	stamps[UNIT4] = unit4_find(state, (uint32_t)(block >> 32));
	stamps[UNIT4 + 1] = unit4_find(state, (uint32_t)block);
	for (unsigned int i = 0; i < 4; i++)
		stamps[UNIT2 + i] = &state->table2[block >> (48 - 16 * i) & 0xffff];
}

/* Later units of a block are more recent than earlier ones. */
static void stamps_set(uint32_t *stamps[UNITS], uint32_t first, uint32_t number)
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
	/* A place counts from the page's start; bits beyond the ring's size are cut off below. */
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

/* A stamp must never reach the base of a later page, and never wrap. */
static void base_advance(struct sw842_state *state, size_t page_size)
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
			stamps_find(state, block, stamps);
			if (block == 0)
				put(&writer, TEMPLATE_ZEROS, TEMPLATE_BITS);
			else
				put_block(&writer, &state->choice[known(stamps, first, number)],
					  block, stamps, first);
		}
		stamps_set(stamps, first, number);
		last = block;
	}
	put_repeats(&writer, &repeats);
	put(&writer, TEMPLATE_END, TEMPLATE_BITS);
	put(&writer, pyzram_842_page_crc(state, page, page_size), CRC_BITS);
	if (writer.fill)
		put(&writer, 0, 64 - writer.fill);
	base_advance(state, page_size);
	return (size_t)(writer.at - dst);
}

int pyzram_842_compress(struct pyzram_context *context, struct codec_request *request)
{
	request->dst_len =
		page_compress(context->state, request->src, request->src_len, request->dst);
	return 0;
}
