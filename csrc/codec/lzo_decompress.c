/* SPDX-License-Identifier: MIT */
/* The decompressor of lzo and lzo-rle. */
#include "lzo.h"
#include "endian.h"
#include "lz_copy.h"

#include <errno.h>

struct reader {
	const uint8_t *ip, *end;
	uint8_t *op, *out, *out_end;
};

/* The value of the low bits of an instruction, extended if they are zero. 0 on bad input. */
static inline size_t take_length(struct reader *r, uint8_t code, unsigned int bits)
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

int pyzram_lzo_decompress(struct pyzram_context *context, struct codec_request *request)
{
	struct reader r = {
		.ip = request->src, .end = request->src + request->src_len,
		.op = request->dst, .out = request->dst, .out_end = request->dst + request->dst_cap,
	};
	unsigned int state = 0;	/* literals after the last instruction; 4 after a long run */
	bool has_runs = false;
	int err;
	size_t count;

	(void)context;
	if (request->src_len >= 5 && r.ip[0] == VERSION_MARK) {
		has_runs = r.ip[1] != 0;
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
			length = take_length(&r, code, 5);
			if (!length || r.end - r.ip < 2)
				return -EBADMSG;
			length += 2;
			word = load_le16(r.ip);
			r.ip += 2;
			distance = (size_t)(word >> 2) + 1;
			state = word & 3;
		} else if (code >= 16) {
			if (has_runs && (code & 8) && r.end - r.ip >= 3 &&
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
			length = take_length(&r, code, 3);
			if (!length || r.end - r.ip < 2)
				return -EBADMSG;
			length += 2;
			word = load_le16(r.ip);
			r.ip += 2;
			distance = M3_DISTANCE_MAX + (code & 8 ? (size_t)M3_DISTANCE_MAX : 0) +
				   (word >> 2);
			state = word & 3;
			if (distance == M3_DISTANCE_MAX) {
				/* The end mark must be the last three bytes. */
				if (code != (16 | 1) || word || r.ip != r.end)
					return -EBADMSG;
				request->dst_len = (size_t)(r.op - r.out);
				return 0;
			}
		} else if (state == 0) {
			length = take_length(&r, code, 4);
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
