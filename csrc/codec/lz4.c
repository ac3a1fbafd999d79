/* SPDX-License-Identifier: MIT */
/*
 * lz4 as in the kernel: the block format, a 16-bit table, and a search that gives up one position
 * earlier than liblz4 has done since 1.8.2, so that lengths are the kernel's to the byte.
 *
 * With a dictionary, liblz4 compresses. Its last probe may find one more match than the kernel's:
 * at least 94 of 100 pages are the same, the rest a few bytes smaller (0.01 % in total).
 */
#include "codec.h"
#include "endian.h"
#include "lz_copy.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>

/* The format. */
enum {
	MATCH_MIN = 4,
	RUN_MASK = 15,
	LAST_LITERALS = 5,
};

/* The search. */
enum {
	TABLE_BITS = 13,
	TABLE_SIZE = 1 << TABLE_BITS,
	SEARCH_MARGIN = 12,	/* no match begins this close to the end */
	STEP_PROBES = 64,	/* after this many failed probes the step grows by one */
	STRAIGHT = 24,		/* how many probes are unrolled */
};

/* The accepted parameters. */
enum {
	DICT_MIN = 8,
	DICT_MAX = 65536,
	ACCELERATION_DEFAULT = 1,
	ACCELERATION_MAX = 65537,	/* steps across any page: larger ones give the same */
};

#define HASH_MULTIPLIER 2654435761u

/*
 * A word in the processor's byte order: if that is big endian, the kernel's lz4 finds other matches
 * (tests/vm/test_large_pages.py saw 49 of 69 pages differ on s390x).
 */
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

	if (limit - p >= 16) {
		/*
		 * Which of two words ends a match is random, so there is no branch on it: with one,
		 * compression had 0.92 to 0.98 of the speed (bench/codec_speed.py --before; the
		 * same below).
		 */
		uint64_t one = load_le64(p) ^ load_le64(m);
		uint64_t other = load_le64(p + 8) ^ load_le64(m + 8);

		if (one | other)
			return (one ? 0 : 8) + equal_bytes(one ? one : other);
		p += 16;
		m += 16;
	}
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

/* Where the four bytes at p were seen before, if they were; remembers p from now on. */
static inline bool seen(const uint8_t *src, const uint8_t *p, uint16_t *table, const uint8_t **ret)
{
	uint32_t value = load_native32(p), slot = slot_of(value);

	*ret = src + table[slot];
	table[slot] = (uint16_t)(p - src);
	return load_native32(*ret) == value;
}

/*
 * The first place from p on whose bytes were seen before, and where; NULL if the search ends before
 * there is one.
 */
static const uint8_t *
match_find(const uint8_t *src, const uint8_t *p, const uint8_t *search_end, uint16_t *table,
	   uint32_t acceleration, const uint8_t **ret)
{
	/* The step grows after the first probe, then after 64 of each length. */
	size_t step = 1, next_step = acceleration == 1 ? 2 : acceleration;
	size_t span = acceleration == 1 ? 1 + STEP_PROBES : 1;

	/*
	 * Most matches come soon after the last one. Without this row it had 0.94 to 0.97 of the
	 * speed where anything matches.
	 */
	if (acceleration == 1 && search_end - p > STRAIGHT) {
#pragma GCC unroll 24
		for (int i = 0; i < STRAIGHT; i++, p++) {
			if (seen(src, p, table, ret))
				return p;
		}
		span -= STRAIGHT;
	}
	while (p <= search_end && (size_t)(search_end - p) >= step) {
		size_t room = (size_t)(search_end - p) - step;
		const uint8_t *stop = p + (room < span ? room + 1 : span);

		for (; p < stop; p += step) {
			if (seen(src, p, table, ret))
				return p;
		}
		step = next_step++;
		span = STEP_PROBES * step;
	}
	return NULL;
}

static size_t page_compress(const uint8_t *src, size_t len, uint8_t *dst, uint16_t *table,
			    uint32_t acceleration)
{
	const uint8_t *p = src + 1, *anchor = src, *end = src + len;
	const uint8_t *search_end = end - SEARCH_MARGIN, *match_end = end - LAST_LITERALS;
	uint8_t *op = dst, *token;
	const uint8_t *m;
	size_t count;

	memset(table, 0, TABLE_SIZE * sizeof(*table));
	while ((p = match_find(src, p, search_end, table, acceleration, &m))) {
		while (p > anchor && m > src && p[-1] == m[-1]) {
			p--;
			m--;
		}
		count = (size_t)(p - anchor);
		token = op++;
		if (count >= RUN_MASK) {
			*token = RUN_MASK << 4;
			op = put_length(op, count - RUN_MASK);
			memcpy(op, anchor, count);
		} else {
			*token = (uint8_t)(count << 4);
			if (end - anchor >= 16)
				memcpy(op, anchor, 16);
			else
				memcpy(op, anchor, count);
		}
		op += count;
		for (;;) {
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
			table[slot_of(load_native32(p - 2))] = (uint16_t)(p - 2 - src);
			if (!seen(src, p, table, &m))
				break;
			token = op++;
			*token = 0;
		}
		p++;
	}
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

/* ---- decompression --------------------------------------------------------------------------- */

/* A length of 15 continues in bytes; -1 if the input ends in the middle. */
static inline ptrdiff_t take_length(const uint8_t **ip, const uint8_t *end, size_t nibble)
{
	size_t length = nibble;
	uint8_t byte;

	if (nibble != RUN_MASK)
		return (ptrdiff_t)length;
	/*
	 * A page that does not compress at all has a length of a word or two: byte by byte, it had
	 * 0.92 to 0.96 of the speed.
	 */
	for (; end - *ip >= 8 && load_le64(*ip) == ~0ull; *ip += 8)
		length += 8 * 255;
	do {
		if (*ip == end)
			return -1;
		byte = *(*ip)++;
		length += byte;
	} while (byte == 255);
	return (ptrdiff_t)length;
}

enum {
	/* The most that a sequence on the fast path reads and writes. */
	FAST_INPUT = 1 + 16 + 2,
	FAST_OUTPUT = (RUN_MASK - 1) + (RUN_MASK - 1 + MATCH_MIN),
	/* The same with literals whose length continues in one byte. */
	LONG_INPUT = 2 + RUN_MASK + 254 + 16 + 2,
	LONG_LITERALS = RUN_MASK + 254 + 16 + FAST_OUTPUT,
	/* The most that a match whose length continues in one byte writes. */
	LONG_OUTPUT = RUN_MASK + 254 + MATCH_MIN + ROOMY,
};

static int lz4_decompress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	const uint8_t *ip = request->src, *end = ip + request->src_len;
	uint8_t *out = request->dst, *op = out, *out_end = out + request->dst_cap;
	/* From here on there may be too little room for the fast path. */
	const uint8_t *fast_end = end - ip > FAST_INPUT ? end - FAST_INPUT : ip;
	const uint8_t *fast_out_end = out_end - op > FAST_OUTPUT ? out_end - FAST_OUTPUT : op;

	while (ip < end) {
		size_t distance;
		ptrdiff_t count;
		uint8_t token;

		/*
		 * Most sequences are far from both ends, so copies have fixed sizes or write more
		 * than needed. Other sequences leave this loop with the distance already read: with
		 * a flag instead of goto it had 0.93 to 0.97 of the speed. Long matches and short
		 * distances are handled here because without them it had 0.88 to 0.96, and long
		 * literals because without them text and binaries had 0.91 to 0.93.
		 */
		size_t start = *ip;

		while (ip < fast_end && op < fast_out_end) {
			const uint8_t *sequence = ip, *m;
			size_t literals = start >> 4;

			count = (ptrdiff_t)(start & RUN_MASK);
			if (literals == RUN_MASK) {
				if (ip[1] == 255 || end - ip < LONG_INPUT ||
				    out_end - op < LONG_LITERALS)
					break;
				literals += *++ip;
				copy16(op, ip + 1, literals);
			} else {
				memcpy(op, ip + 1, 16);
			}
			/* The next token, early: later it had 0.96 to 0.99 of the speed. */
			start = ip[literals + 3];
			op += literals;
			distance = load_le16(ip + literals + 1);
			ip += literals + 3;
			if (distance - 1 >= (size_t)(op - out))
				goto match;
			if (count == RUN_MASK) {
				if (start == 255 || out_end - op < LONG_OUTPUT)
					goto match;
				count += (ptrdiff_t)start + MATCH_MIN;
				start = *++ip;
				op = copy_match_roomy(op, distance, (size_t)count);
				continue;
			}
			if (distance < 8) {
				store_le64(op, short_pattern(op, distance));
				m = op - short_repeat[distance];
			} else {
				m = op - distance;
				memcpy(op, m, 8);
			}
			/*
			 * A load from bytes that two stores have just written waits for both. Bytes
			 * that a short match does not need come from the input, where nothing
			 * waits: that is 1.1 times as fast for structures and heaps; a branch
			 * instead has 0.8 of the speed for text.
			 */
			m = count > 8 - MATCH_MIN ? m + 8 : sequence;
			memcpy(op + 8, m, 8);
			memcpy(op + 16, m + 8, 2);
			op += count + MATCH_MIN;
		}
		token = *ip++;
		count = take_length(&ip, end, token >> 4);
		if (count < 0 || end - ip < count || out_end - op < count)
			return -EBADMSG;
		if (count <= 64 && end - ip >= count + 16 && out_end - op >= count + 16)
			copy16(op, ip, (size_t)count);
		else
			memcpy(op, ip, (size_t)count);
		ip += count;
		op += count;
		if (ip == end) {
			/* The last sequence has only literals. */
			request->dst_len = (size_t)(op - out);
			return token & RUN_MASK ? -EBADMSG : 0;
		}
		if (end - ip < 2)
			return -EBADMSG;
		distance = load_le16(ip);
		ip += 2;
		count = token & RUN_MASK;
match:
		count = take_length(&ip, end, (size_t)count);
		if (count < 0 || distance == 0)
			return -EBADMSG;
		count += MATCH_MIN;
		if (out_end - op < count)
			return -EBADMSG;
		if (distance > (size_t)(op - out)) {
			/* It begins in the dictionary, which precedes the page. */
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
		op = copy_match(op, distance, (size_t)count, out_end);
	}
	return -EBADMSG;
}

/* ---- the algorithm --------------------------------------------------------------------------- */

/* state: a table, or liblz4's stream if there is a dictionary. */
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

static int lz4_params_init(struct pyzram_params *params)
{
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

static void lz4_params_deinit(struct pyzram_params *params)
{
	LZ4_freeStream(params->prepared);
}

static int lz4_context_init(struct pyzram_context *context)
{
	context->state = malloc(context->params->dict ? sizeof(LZ4_stream_t)
						       : TABLE_SIZE * sizeof(uint16_t));
	return context->state ? 0 : -ENOMEM;
}

static void lz4_context_deinit(struct pyzram_context *context)
{
	free(context->state);
}

const struct codec_ops pyzram_codec_lz4 = {
	.name = "lz4",
	.level_min = 1,
	.level_max = INT32_MAX,
	.level_default = ACCELERATION_DEFAULT,
	.takes_dict = true,
	.params_init = lz4_params_init,
	.params_deinit = lz4_params_deinit,
	.context_init = lz4_context_init,
	.context_deinit = lz4_context_deinit,
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};
