/* SPDX-License-Identifier: MIT */
/*
 * lz4 as the kernel has it: the block format, a 16-bit table, and a search that gives up one
 * position earlier than liblz4 does since 1.8.2, so that lengths are the kernel's to the byte.
 */
#include "bytes.h"
#include "codec.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>

enum {
	TABLE_BITS = 13,
	TABLE_SIZE = 1 << TABLE_BITS,
	MATCH_MIN = 4,
	LAST_LITERALS = 5,
	SEARCH_MARGIN = 12,	/* no match begins so close to the end */
	SKIP_BITS = 6,		/* so many failed probes make the step grow by one */
	RUN_MASK = 15,
	DICT_MIN = 8,
	DICT_MAX = 65536,
	ACCELERATION_MAX = 65537,	/* steps over any page: larger ones give the same */
};

#define HASH_MULTIPLIER 2654435761u

static inline uint32_t slot_of(uint32_t value)
{
	return (value * HASH_MULTIPLIER) >> (32 - TABLE_BITS);
}

static inline uint8_t *put_length(uint8_t *op, size_t rest)
{
	for (; rest >= 255; rest -= 255)
		*op++ = 255;
	*op++ = (uint8_t)rest;
	return op;
}

static inline size_t match_length(const uint8_t *p, const uint8_t *m, const uint8_t *limit)
{
	const uint8_t *start = p;

	while (limit - p >= 8) {
		uint64_t difference = load_le64(p) ^ load_le64(m);

		if (difference)
			return (size_t)(p - start) + equal_bytes(difference);
		p += 8;
		m += 8;
	}
	while (p < limit && *p == *m) {
		p++;
		m++;
	}
	return (size_t)(p - start);
}

static size_t page_compress(const uint8_t *src, size_t len, uint8_t *dst, uint16_t *table,
			    uint32_t acceleration)
{
	const uint8_t *p = src, *anchor = src, *end = src + len;
	const uint8_t *search_end = end - SEARCH_MARGIN, *match_end = end - LAST_LITERALS;
	uint8_t *op = dst, *token;
	uint32_t slot, next_slot;
	const uint8_t *m;
	size_t count;

	memset(table, 0, TABLE_SIZE * sizeof(*table));
	next_slot = slot_of(load_le32(++p));
	for (;;) {
		const uint8_t *next = p;
		uint32_t step = 1, attempts = acceleration << SKIP_BITS;

		do {
			slot = next_slot;
			p = next;
			if (search_end - next < (ptrdiff_t)step)
				goto finish;
			next += step;
			step = attempts++ >> SKIP_BITS;
			m = src + table[slot];
			next_slot = slot_of(load_le32(next));
			table[slot] = (uint16_t)(p - src);
		} while (load_le32(m) != load_le32(p));

		while (p > anchor && m > src && p[-1] == m[-1]) {
			p--;
			m--;
		}
		count = (size_t)(p - anchor);
		token = op++;
		if (count >= RUN_MASK) {
			*token = RUN_MASK << 4;
			op = put_length(op, count - RUN_MASK);
		} else {
			*token = (uint8_t)(count << 4);
		}
		copy8(op, anchor, count);
		op += count;
next_match:
		store_le16(op, (uint32_t)(p - m));
		op += 2;
		count = match_length(p + MATCH_MIN, m + MATCH_MIN, match_end);
		p += MATCH_MIN + count;
		if (count >= RUN_MASK) {
			*token += RUN_MASK;
			op = put_length(op, count - RUN_MASK);
		} else {
			*token += (uint8_t)count;
		}
		anchor = p;
		if (p > search_end)
			break;
		table[slot_of(load_le32(p - 2))] = (uint16_t)(p - 2 - src);
		slot = slot_of(load_le32(p));
		m = src + table[slot];
		table[slot] = (uint16_t)(p - src);
		if (load_le32(m) == load_le32(p)) {
			token = op++;
			*token = 0;
			goto next_match;
		}
		next_slot = slot_of(load_le32(++p));
	}
finish:
	count = (size_t)(end - anchor);
	if (count >= RUN_MASK) {
		*op++ = RUN_MASK << 4;
		op = put_length(op, count - RUN_MASK);
	} else {
		*op++ = (uint8_t)(count << 4);
	}
	memcpy(op, anchor, count);
	return (size_t)(op + count - dst);
}

/* ---- decompression ---------------------------------------------------------------------------- */

/* A length of 15 goes on in bytes; -1 where the input ends in the middle. */
static inline ptrdiff_t get_length(const uint8_t **ip, const uint8_t *end, size_t nibble)
{
	size_t length = nibble;
	uint8_t byte;

	if (nibble != RUN_MASK)
		return (ptrdiff_t)length;
	do {
		if (*ip == end)
			return -1;
		byte = *(*ip)++;
		length += byte;
	} while (byte == 255);
	return (ptrdiff_t)length;
}

static int lz4_decompress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	const uint8_t *ip = request->src, *end = ip + request->src_len;
	uint8_t *out = request->dst, *op = out, *out_end = out + request->dst_cap;

	while (ip < end) {
		uint8_t token = *ip++;
		ptrdiff_t count = get_length(&ip, end, token >> 4);
		size_t distance;

		if (count < 0 || end - ip < count || out_end - op < count)
			return -EBADMSG;
		if (end - ip >= count + 8 && out_end - op >= count + 8)
			copy8(op, ip, (size_t)count);
		else
			memcpy(op, ip, (size_t)count);
		ip += count;
		op += count;
		if (ip == end) {
			/* The last sequence has literals only. */
			request->dst_len = (size_t)(op - out);
			return token & RUN_MASK ? -EBADMSG : 0;
		}
		if (end - ip < 2)
			return -EBADMSG;
		distance = load_le16(ip);
		ip += 2;
		count = get_length(&ip, end, token & RUN_MASK);
		if (count < 0 || distance == 0)
			return -EBADMSG;
		count += MATCH_MIN;
		if (out_end - op < count)
			return -EBADMSG;
		if (distance > (size_t)(op - out)) {
			/* Begins in the dictionary, which lies before the page. */
			size_t before = distance - (size_t)(op - out);
			size_t part = before < (size_t)count ? before : (size_t)count;

			if (before > params->dict_len)
				return -EBADMSG;
			memcpy(op, params->dict + params->dict_len - before, part);
			op += part;
			count -= (ptrdiff_t)part;
			if (!count)
				continue;
		}
		if (distance >= 8 && out_end - op >= count + 8) {
			copy8(op, op - distance, (size_t)count);
			op += count;
		} else {
			for (; count; count--, op++)
				*op = op[-(ptrdiff_t)distance];
		}
	}
	return -EBADMSG;
}

/* ---- the algorithm ---------------------------------------------------------------------------- */

/* state: a table, or liblz4's stream where there is a dictionary. */
static int lz4_compress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;

	if (params->dict) {
		LZ4_stream_t *stream = context->state;

		memcpy(stream, params->prepared, sizeof(*stream));
		request->dst_len = (size_t)LZ4_compress_fast_continue(
			stream, (const char *)request->src, (char *)request->dst,
			(int)request->src_len, (int)request->dst_cap, params->level);
		return request->dst_len ? 0 : -EIO;
	}
	request->dst_len = page_compress(request->src, request->src_len, request->dst,
					 context->state, (uint32_t)params->level);
	return 0;
}

static int params_init(struct pyzram_params *params)
{
	if (params->winbits != PYZRAM_LEVEL_DEFAULT)
		return -EOPNOTSUPP;
	if (params->level == PYZRAM_LEVEL_DEFAULT)
		params->level = 1;
	if (params->level > ACCELERATION_MAX)
		params->level = ACCELERATION_MAX;
	if (!params->dict)
		return 0;
	if (params->dict_len < DICT_MIN || params->dict_len > DICT_MAX)
		return -EINVAL;
	params->prepared = LZ4_createStream();
	if (!params->prepared)
		return -ENOMEM;
	LZ4_loadDict(params->prepared, (const char *)params->dict, (int)params->dict_len);
	return 0;
}

static void params_deinit(struct pyzram_params *params)
{
	LZ4_freeStream(params->prepared);
}

static int context_init(struct pyzram_context *context)
{
	context->state = malloc(context->params->dict ? sizeof(LZ4_stream_t)
						       : TABLE_SIZE * sizeof(uint16_t));
	return context->state ? 0 : -ENOMEM;
}

static void context_deinit(struct pyzram_context *context)
{
	free(context->state);
}

const struct codec_ops pyzram_codec_lz4 = {
	.name = "lz4",
	.level_min = 1,
	.level_max = INT32_MAX,
	.params_init = params_init,
	.params_deinit = params_deinit,
	.context_init = context_init,
	.context_deinit = context_deinit,
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};
