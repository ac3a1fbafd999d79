/* SPDX-License-Identifier: MIT */
/* The codec 842: its scratch memory and its checksum; 842.h describes the format. */
#include "842.h"
#include "endian.h"

#include <errno.h>
#include <stdlib.h>

/* CRC-32 with the polynomial 04C11DB7, highest bit first; crc[k] is for a byte k bytes earlier. */
static void crc_make(struct sw842_state *state)
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

uint32_t pyzram_842_page_crc(const struct sw842_state *state, const uint8_t *page, size_t len)
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
	pyzram_842_choices_make(state);
	crc_make(state);
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

const struct codec_ops pyzram_codec_842 = {
	.name = "842",
	.context_init = sw842_context_init,
	.context_deinit = sw842_context_deinit,
	.compress = pyzram_842_compress,
	.decompress = pyzram_842_decompress,
};
