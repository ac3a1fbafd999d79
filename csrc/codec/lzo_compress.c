/* SPDX-License-Identifier: MIT */
/*
 * The compressor of lzo and lzo-rle: LZO1X with a 13-bit dictionary.
 *
 * Its choices (which positions to try, how far to follow a match) are the kernel's on x86-64 and
 * arm64, so there lengths are the kernel's to the byte. Elsewhere the kernel may follow a match in
 * smaller steps than match_length() does, and end the last one of a page some bytes sooner.
 */
#include "lzo.h"
#include "endian.h"
#include "lz_copy.h"

/* The search. */
enum {
	TAIL = 20,		/* this many bytes at the end are never matched */
	STRAIGHT = 24,		/* how many positions are tried in unrolled code */
};

#define HASH_MULTIPLIER 0x1824429du

/* A length too large for its instruction: a zero byte for each 255, and a rest of 1..255. */
static uint8_t *put_extension(uint8_t *op, size_t rest)
{
	for (; rest > 255; rest -= 255)
		*op++ = 0;
	*op++ = (uint8_t)rest;
	return op;
}

/*
 * Literals between instructions; the previous instruction counts up to three of them. Copies of
 * fixed size read up to 16 bytes past the last literal, and TAIL is more than that.
 */
static inline uint8_t *
put_literals(uint8_t *op, uint8_t *counter, const uint8_t *literals, size_t count)
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

/* Where the value at p was seen before, if it was; remembers p from now on. */
static inline bool seen(const uint8_t *src, const uint8_t *p, uint32_t value, uint16_t *table,
		       const uint8_t **ret)
{
	uint32_t slot = (value * HASH_MULTIPLIER) >> (32 - LZO_TABLE_BITS);

	*ret = src + table[slot];
	table[slot] = (uint16_t)(p - src);
	return load_le32(*ret) == value;
}

/*
 * The first place from p on whose value was seen before, and where; or, with rle, whose value is
 * zero, and NULL for where. Steps grow with the distance from `from`. Returns NULL if the search
 * ends before there is such a place.
 */
static inline __attribute__((always_inline)) const uint8_t *
place_find(const uint8_t *src, const uint8_t *from, const uint8_t *p, const uint8_t *stop,
	   uint16_t *table, const bool rle, const uint8_t **ret)
{
	uint32_t value;

	/*
	 * Most matches come soon after the last one, where steps are one byte long. Without this
	 * row it had 0.85 to 0.95 of the speed where anything matches (bench/codec_speed.py
	 * --before).
	 */
	if (stop - p > STRAIGHT) {
#pragma GCC unroll 24
		for (int i = 0; i < STRAIGHT; i++, p++) {
			value = load_le32(p);
			if (rle && value == 0) {
				*ret = NULL;
				return p;
			}
			if (seen(src, p, value, table, ret))
				return p;
		}
	}
	for (; p < stop; p += 1 + ((size_t)(p - from) >> 5)) {
		value = load_le32(p);
		if (rle && value == 0) {
			*ret = NULL;
			return p;
		}
		if (seen(src, p, value, table, ret))
			return p;
	}
	return NULL;
}

/*
 * Compress one chunk of at most CHUNK_MAX bytes. carried counts the literals before src that no
 * instruction holds yet; the rest at the end is passed on in the same way.
 */
static inline __attribute__((always_inline)) uint8_t *
chunk_compress(const uint8_t *src, size_t len, uint8_t *op, uint8_t **counter, size_t *carried,
	       uint16_t *table, const bool rle)
{
	const uint8_t *stop = src + len - TAIL;
	const uint8_t *literals = src - *carried;
	const uint8_t *from = src, *p = src + (*carried < 4 ? 5 - *carried : 1), *m;

	memset(table, 0, LZO_TABLE_SIZE * sizeof(*table));
	while ((p = place_find(src, from, p, stop, table, rle, &m))) {
		size_t length, distance;

		op = put_literals(op, *counter, literals, (size_t)(p - literals));
		if (rle && !m) {
			length = run_length(p, stop);
			*op++ = (uint8_t)(24 | ((length - RUN_MIN) & 7));
			*op++ = 0xfc;
			*op++ = 0xff;
			*op++ = (uint8_t)((length - RUN_MIN) >> 3);
			*counter = op - 3;
		} else {
			length = match_length(p, m, stop);
			distance = (size_t)(p - m);
			/* A decompressor could take extension bytes of such a copy for a run. */
			if (rle && distance > 2 * M3_DISTANCE_MAX && length > 260 &&
			    length <= 264 && ((distance - M3_DISTANCE_MAX) & 0x403f) == 0x403f)
				length = 260;
			op = put_match(op, counter, length, distance);
		}
		p += length;
		literals = from = p;
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

int pyzram_lzo_compress(struct pyzram_context *context, struct codec_request *request)
{
	return lzo1x_compress(context, request, false);
}

int pyzram_lzo_rle_compress(struct pyzram_context *context, struct codec_request *request)
{
	return lzo1x_compress(context, request, true);
}
