/* SPDX-License-Identifier: MIT */
/*
 * lzo and lzo-rle: LZO1X with a 13-bit dictionary, and its extension for runs of zeros.
 *
 * The choices of the compressor (which positions are tried, how far a match is followed) are the
 * kernel's on 64-bit machines, so that lengths are the kernel's to the byte.
 */
#include "codec.h"
#include "endian.h"
#include "lz_copy.h"

#include <errno.h>
#include <stdlib.h>

/* The search. */
enum {
	TABLE_BITS = 13,
	TABLE_SIZE = 1 << TABLE_BITS,
	HASH_MULTIPLIER = 0x1824429d,
	TAIL = 20,		/* so many bytes at the end are never matched */
	STRAIGHT = 24,		/* so many positions are tried in unrolled code */
};

/* The format. */
enum {
	M2_LENGTH_MAX = 8,
	M2_DISTANCE_MAX = 0x0800,
	M3_LENGTH_MAX = 33,
	M3_DISTANCE_MAX = 0x4000,
	M4_LENGTH_MAX = 9,
	M4_DISTANCE_MAX = 0xbfff,
	RUN_MIN = 4,
	RUN_MAX = 2051,
	VERSION_MARK = 17,
	CHUNK_MAX = M4_DISTANCE_MAX + 1,
};

/* A length that its instruction has no room for: zero bytes of 255 each, and a rest of 1..255. */
static uint8_t *put_extension(uint8_t *op, size_t rest)
{
	for (; rest > 255; rest -= 255)
		*op++ = 0;
	*op++ = (uint8_t)rest;
	return op;
}

/*
 * Literals between instructions; up to three of them are counted in the instruction before. Copies
 * of fixed size read up to 16 bytes past the last literal: TAIL is more than that.
 */
static inline uint8_t *put_literals(uint8_t *op, uint8_t *counter, const uint8_t *literals, size_t count)
{
	if (count <= 3) {
		*counter |= (uint8_t)count;
		memcpy(op, literals, 4);
		return op + count;
	}
	if (count <= 18) {
		*op++ = (uint8_t)(count - 3);
		memcpy(op, literals, 16);
		memcpy(op + 16, literals + 16, 4);
		return op + count;
	}
	*op++ = 0;
	op = put_extension(op, count - 18);
	memcpy(op, literals, count);
	return op + count;
}

static inline uint8_t *put_match(uint8_t *op, uint8_t **counter, size_t length, size_t distance)
{
	if (length <= M2_LENGTH_MAX && distance <= M2_DISTANCE_MAX) {
		store_le16(op, (uint32_t)(((length - 1) << 5) | (((distance - 1) & 7) << 2) |
					   ((distance - 1) >> 3) << 8));
		*counter = op;
		return op + 2;
	}
	if (length <= M3_LENGTH_MAX && distance <= M3_DISTANCE_MAX) {
		store_le32(op, (uint32_t)(32 | (length - 2) | (distance - 1) << 10));
		*counter = op + 1;
		return op + 3;
	}
	if (distance <= M3_DISTANCE_MAX) {
		*op++ = 32;
		op = put_extension(op, length - M3_LENGTH_MAX);
		store_le16(op, (uint32_t)(distance - 1) << 2);
	} else {
		size_t offset = distance - M3_DISTANCE_MAX;
		uint8_t code = (uint8_t)(16 | (offset >> 14) << 3);

		if (length <= M4_LENGTH_MAX) {
			*op++ = (uint8_t)(code | (length - 2));
		} else {
			*op++ = code;
			op = put_extension(op, length - M4_LENGTH_MAX);
		}
		store_le16(op, (uint32_t)(offset & 0x3fff) << 2);
	}
	*counter = op;
	return op + 2;
}

static inline size_t match_length(const uint8_t *p, const uint8_t *m, const uint8_t *stop)
{
	size_t length = 4;
	uint64_t difference = load_le64(p + 4) ^ load_le64(m + 4);

	while (!difference) {
		length += 8;
		if (p + length >= stop)
			return length;
		difference = load_le64(p + length) ^ load_le64(m + length);
	}
	return length + equal_bytes(difference);
}

static inline size_t run_length(const uint8_t *p, const uint8_t *stop)
{
	const uint8_t *end = stop - p > RUN_MAX ? p + RUN_MAX : stop;
	const uint8_t *q = p + RUN_MIN;

	for (; end - q >= 8; q += 8) {
		uint64_t word = load_le64(q);

		if (word)
			return (size_t)(q - p) + equal_bytes(word);
	}
	while (q < end && !*q)
		q++;
	return (size_t)(q - p);
}

/* Where the value at p was seen before, if it was; remember p from now on. */
static inline bool seen(const uint8_t *src, const uint8_t *p, uint32_t value, uint16_t *table,
		       const uint8_t **ret)
{
	uint32_t slot = (value * HASH_MULTIPLIER) >> (32 - TABLE_BITS);

	*ret = src + table[slot];
	table[slot] = (uint16_t)(p - src);
	return load_le32(*ret) == value;
}

/*
 * One chunk of at most CHUNK_MAX bytes. carried counts literals before src that no instruction
 * holds yet; what is left at the end is handed on in the same way.
 */
static inline __attribute__((always_inline)) uint8_t *
chunk_compress(const uint8_t *src, size_t len, uint8_t *op, uint8_t **counter, size_t *carried,
	       uint16_t *table, const bool rle)
{
	const uint8_t *stop = src + len - TAIL;
	const uint8_t *literals = src - *carried;
	const uint8_t *p = src + (*carried < 4 ? 4 - *carried : 0);
	const uint8_t *from = src;

	memset(table, 0, TABLE_SIZE * sizeof(*table));
	for (;;) {
		const uint8_t *m;
		uint32_t value;
		size_t length, distance;

		p += 1 + ((size_t)(p - from) >> 5);
look:
		/*
		 * Most matches come soon after the last one, where steps are of one byte. Without this
		 * row 0.89 to 0.97 of the speed (bench/codec_speed.py --before).
		 */
		if (p == from && stop - p > STRAIGHT) {
#pragma GCC unroll 24
			for (int i = 0; i < STRAIGHT; i++, p++) {
				value = load_le32(p);
				if (rle && value == 0)
					goto zeros;
				if (seen(src, p, value, table, &m))
					goto match;
			}
		}
		if (p >= stop)
			break;
		value = load_le32(p);
		if (rle && value == 0)
			goto zeros;
		if (!seen(src, p, value, table, &m))
			continue;
match:
		op = put_literals(op, *counter, literals, (size_t)(p - literals));
		length = match_length(p, m, stop);
		distance = (size_t)(p - m);
		/* A decompressor could mistake extension bytes of such a copy for a run of zeros. */
		if (rle && distance > 2 * M3_DISTANCE_MAX && length > 260 && length <= 264 &&
		    ((distance - M3_DISTANCE_MAX) & 0x403f) == 0x403f)
			length = 260;
		op = put_match(op, counter, length, distance);
		p += length;
		literals = from = p;
		goto look;
zeros:
		length = run_length(p, stop);
		op = put_literals(op, *counter, literals, (size_t)(p - literals));
		*op++ = (uint8_t)(24 | ((length - RUN_MIN) & 7));
		*op++ = 0xfc;
		*op++ = 0xff;
		*op++ = (uint8_t)((length - RUN_MIN) >> 3);
		*counter = op - 3;
		p += length;
		literals = from = p;
		goto look;
	}
	*carried = (size_t)(src + len - literals);
	return op;
}

static inline __attribute__((always_inline)) int
lzo1x_compress(struct pyzram_context *context, struct codec_request *request, const bool rle)
{
	const size_t chunk_max = rle ? CHUNK_MAX - 1 : CHUNK_MAX;
	const uint8_t *src = request->src, *end = src + request->src_len;
	uint8_t *start = request->dst, *op = start, *counter;
	size_t carried = 0, len;

	if (rle) {
		*op++ = VERSION_MARK;
		*op++ = 1;
	}
	counter = op;
	while ((len = (size_t)(end - src)) > TAIL) {
		len = len < chunk_max ? len : chunk_max;
		op = chunk_compress(src, len, op, &counter, &carried, context->state, rle);
		src += len;
	}
	carried += (size_t)(end - src);
	if (op == start + (rle ? 2 : 0) && carried <= 238)
		*op++ = (uint8_t)(VERSION_MARK + carried);
	else if (carried > 18) {
		*op++ = 0;
		op = put_extension(op, carried - 18);
	} else if (carried > 3)
		*op++ = (uint8_t)(carried - 3);
	else
		*counter |= (uint8_t)carried;
	memcpy(op, end - carried, carried);
	op += carried;
	*op++ = 16 | 1;
	*op++ = 0;
	*op++ = 0;
	request->dst_len = (size_t)(op - start);
	return 0;
}

static int lzo_compress(struct pyzram_context *context, struct codec_request *request)
{
	return lzo1x_compress(context, request, false);
}

static int lzo_rle_compress(struct pyzram_context *context, struct codec_request *request)
{
	return lzo1x_compress(context, request, true);
}

/* ---- decompression ---------------------------------------------------------------------------- */

struct reader {
	const uint8_t *ip, *end;
	uint8_t *op, *out, *out_end;
};

/* The value of the low bits of an instruction, extended where they are zero. 0 on bad input. */
static inline size_t get_length(struct reader *r, uint8_t code, unsigned int bits)
{
	size_t value = code & ((1u << bits) - 1);

	if (value)
		return value;
	value = (1u << bits) - 1;
	while (r->ip < r->end && *r->ip == 0) {
		value += 255;
		r->ip++;
	}
	if (r->ip == r->end)
		return 0;
	return value + *r->ip++;
}

static inline int take_literals(struct reader *r, size_t count)
{
	if ((size_t)(r->end - r->ip) < count || (size_t)(r->out_end - r->op) < count)
		return -EBADMSG;
	memcpy(r->op, r->ip, count);
	r->ip += count;
	r->op += count;
	return 0;
}

/* The 0..3 literals that follow a copy. */
static inline int take_few(struct reader *r, size_t count)
{
	if (r->end - r->ip < 4 || r->out_end - r->op < 4)
		return take_literals(r, count);
	memcpy(r->op, r->ip, 4);
	r->ip += count;
	r->op += count;
	return 0;
}

static inline int take_match(struct reader *r, size_t distance, size_t length)
{
	if ((size_t)(r->op - r->out) < distance || (size_t)(r->out_end - r->op) < length)
		return -EBADMSG;
	r->op = copy_match(r->op, distance, length, r->out_end);
	return 0;
}

static inline int take_zeros(struct reader *r, size_t count)
{
	const uint8_t *end = r->op + count;

	if ((size_t)(r->out_end - r->op) < count)
		return -EBADMSG;
	if (count > 64 || r->out_end - end < 8) {
		memset(r->op, 0, count);
		r->op += count;
		return 0;
	}
	for (uint8_t *op = r->op; op < end; op += 8)
		memset(op, 0, 8);
	r->op += count;
	return 0;
}

static int lzo_decompress(struct pyzram_context *context, struct codec_request *request)
{
	struct reader r = {
		.ip = request->src, .end = request->src + request->src_len,
		.op = request->dst, .out = request->dst, .out_end = request->dst + request->dst_cap,
	};
	unsigned int state = 0;	/* literals after the last instruction; 4 after a long run of them */
	int version = 0, err;
	size_t count;

	(void)context;
	if (request->src_len >= 5 && r.ip[0] == VERSION_MARK) {
		version = r.ip[1];
		r.ip += 2;
	}
	if (r.ip < r.end && *r.ip > VERSION_MARK) {
		count = (size_t)*r.ip++ - VERSION_MARK;
		err = take_literals(&r, count);
		if (err)
			return err;
		state = count < 4 ? (unsigned int)count : 4;
	}
	while (r.ip < r.end) {
		uint8_t code = *r.ip++;
		size_t length, distance;
		uint16_t word;

		if (code >= 64) {
			if (r.ip == r.end)
				return -EBADMSG;
			length = (size_t)(code >> 5) + 1;
			distance = ((size_t)*r.ip++ << 3) + ((code >> 2) & 7) + 1;
			state = code & 3;
		} else if (code >= 32) {
			length = get_length(&r, code, 5);
			if (!length || r.end - r.ip < 2)
				return -EBADMSG;
			length += 2;
			word = load_le16(r.ip);
			r.ip += 2;
			distance = (size_t)(word >> 2) + 1;
			state = word & 3;
		} else if (code >= 16) {
			if (version && (code & 8) && r.end - r.ip >= 3 &&
			    (load_le16(r.ip) & 0xfffc) == 0xfffc) {
				word = load_le16(r.ip);
				length = ((size_t)r.ip[2] << 3) + (code & 7) + RUN_MIN;
				r.ip += 3;
				state = word & 3;
				err = take_zeros(&r, length);
				if (!err)
					err = take_few(&r, state);
				if (err)
					return err;
				continue;
			}
			length = get_length(&r, code, 3);
			if (!length || r.end - r.ip < 2)
				return -EBADMSG;
			length += 2;
			word = load_le16(r.ip);
			r.ip += 2;
			distance = M3_DISTANCE_MAX + (code & 8 ? (size_t)M3_DISTANCE_MAX : 0) + (word >> 2);
			state = word & 3;
			if (distance == M3_DISTANCE_MAX) {
				/* The end mark, which must be the last three bytes. */
				if (code != (16 | 1) || word || r.ip != r.end)
					return -EBADMSG;
				request->dst_len = (size_t)(r.op - r.out);
				return 0;
			}
		} else if (state == 0) {
			length = get_length(&r, code, 4);
			if (!length)
				return -EBADMSG;
			err = take_literals(&r, length + 3);
			if (err)
				return err;
			state = 4;
			continue;
		} else {
			if (r.ip == r.end)
				return -EBADMSG;
			length = state == 4 ? 3 : 2;
			distance = ((size_t)*r.ip++ << 2) + (code >> 2) + (state == 4 ? 2049 : 1);
			state = code & 3;
		}
		err = take_match(&r, distance, length);
		if (!err)
			err = take_few(&r, state);
		if (err)
			return err;
	}
	return -EBADMSG;
}

static int lzo_context_init(struct pyzram_context *context)
{
	context->state = malloc(TABLE_SIZE * sizeof(uint16_t));
	return context->state ? 0 : -ENOMEM;
}

static void lzo_context_deinit(struct pyzram_context *context)
{
	free(context->state);
}

const struct codec_ops pyzram_codec_lzo_rle = {
	.name = "lzo-rle",
	.context_init = lzo_context_init,
	.context_deinit = lzo_context_deinit,
	.compress = lzo_rle_compress,
	.decompress = lzo_decompress,
};

const struct codec_ops pyzram_codec_lzo = {
	.name = "lzo",
	.context_init = lzo_context_init,
	.context_deinit = lzo_context_deinit,
	.compress = lzo_compress,
	.decompress = lzo_decompress,
};
