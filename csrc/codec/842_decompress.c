/* SPDX-License-Identifier: MIT */
/* 842: from bits to pages. */
#include "842.h"
#include "endian.h"

#include <errno.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;	/* whole words */
	uint64_t word;		/* from the top; zeros below */
	unsigned int left;	/* bits in it, 0..63 */
	bool failed;		/* more was requested than there is */
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

/* The unit that a reference points to, after `number` blocks; -EBADMSG if there is none yet. */
static int take_reference(struct reader *reader, unsigned int size, const uint8_t *page,
			  size_t number, uint64_t *ret)
{
	unsigned int bits = size == 4 ? REF4_BITS : REF8_BITS;
	size_t slot = (size_t)take(reader, bits);
	size_t before = number * (BLOCK / size);
	size_t back = ((before - slot - 1) & ((1u << bits) - 1)) + 1;

	if (back > before)
		return -EBADMSG;
	/* The page goes on for at least the block that is being decoded. */
	*ret = load_be64(page + (before - back) * size) >> (64 - 8 * size);
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

/* Decode blocks up to the end mark. Returns how many, or -EBADMSG. */
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
				memcpy(page + (number + i) * BLOCK, page + (number - 1) * BLOCK,
				       BLOCK);
		} else if (code == TEMPLATE_ZEROS) {
			memset(page + number * BLOCK, 0, BLOCK);
		} else if (take_block(reader, &state->meaning[code], page, number) != 0) {
			return -EBADMSG;
		}
		number += count;
	}
	return -EBADMSG;
}

int pyzram_842_decompress(struct pyzram_context *context, struct codec_request *request)
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
	    crc != pyzram_842_page_crc(state, request->dst, page_size))
		return -EBADMSG;
	request->dst_len = page_size;
	return 0;
}
