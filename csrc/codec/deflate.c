/* SPDX-License-Identifier: MIT */
/*
 * deflate as in the kernel (drivers/block/zram/backend_deflate.c): our own encoder compresses (see
 * deflate_encoder.h), zlib decompresses.
 */
#define ZLIB_CONST
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "deflate_encoder.h"
#include "endian.h"

/* The accepted parameters. */
enum {
	LEVEL_MIN = -1,
	LEVEL_DEFAULT = Z_DEFAULT_COMPRESSION,
	LEVEL_STORED = 0,
	LEVEL_MAX = 9,
	WINBITS_DEFAULT = -11,	/* a 2 KiB window, raw: no header, no checksum */
};

/* Bytes of the format. */
enum {
	STORED_MAX = 65535,	/* in a block that is stored as it is */
	HEADER = 2,		/* zlib's, with a positive winbits */
	CHECKSUM = 4,
};

struct deflate_state {
	struct deflate_encoder *encoder;	/* NULL for level 0 */
	z_stream decompress;
};

static int deflate_params_init(struct pyzram_params *params)
{
	int32_t window;

	if (params->winbits == PYZRAM_LEVEL_DEFAULT)
		params->winbits = WINBITS_DEFAULT;
	window = params->winbits;
	if (!(window >= -15 && window <= -9) && !(window >= 9 && window <= 15))
		return -EINVAL;
	return 0;
}

static int level_of(const struct pyzram_params *params)
{
	return params->level == LEVEL_DEFAULT ? 6 : (int)params->level;
}

static int deflate_context_init(struct pyzram_context *context)
{
	const struct pyzram_params *params = context->params;
	struct deflate_state *state = calloc(1, sizeof(*state));
	int level = level_of(params);

	if (!state)
		return -ENOMEM;
	context->state = state;
	if (level != LEVEL_STORED) {
		state->encoder = pyzram_deflate_create(level, (unsigned int)abs(params->winbits));
		if (!state->encoder)
			return -ENOMEM;
	}
	if (inflateInit2(&state->decompress, params->winbits) != Z_OK)
		return -ENOMEM;
	return 0;
}

static void deflate_context_deinit(struct pyzram_context *context)
{
	struct deflate_state *state = context->state;

	if (!state)
		return;
	/* zlib itself recognises a stream that was never initialised. */
	(void)inflateEnd(&state->decompress);
	free(state->encoder);
	free(state);
}

/* Level 0: stored blocks. */
static int64_t store(const uint8_t *page, size_t len, uint8_t *dst, size_t dst_cap)
{
	uint8_t *op = dst;

	if (len + 5 * (len / STORED_MAX + 1) > dst_cap)
		return -ENOSPC;
	while (len) {
		size_t part = len < STORED_MAX ? len : STORED_MAX;

		len -= part;
		*op++ = !len;
		store_le16(op, (uint32_t)part);
		store_le16(op + 2, ~(uint32_t)part);
		memcpy(op + 4, page, part);
		op += 4 + part;
		page += part;
	}
	return op - dst;
}

/* Method and window, a hint at the level, and a rest that makes it a multiple of 31. */
static void put_header(uint8_t *dst, int window_bits, int level)
{
	unsigned int hint = level < 2 ? 0 : level < 6 ? 1 : level == 6 ? 2 : 3;
	unsigned int header = ((unsigned int)window_bits - 8) << 12 | 8 << 8 | hint << 6;

	header += 31 - header % 31;
	store_be16(dst, header);
}

static void put_checksum(uint8_t *dst, const struct codec_request *request)
{
	uLong sum = adler32(adler32(0, Z_NULL, 0), request->src, (uInt)request->src_len);

	store_be32(dst, (uint32_t)sum);
}

static int deflate_compress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	struct deflate_state *state = context->state;
	size_t header = params->winbits > 0 ? HEADER : 0;
	size_t trailer = params->winbits > 0 ? CHECKSUM : 0;
	uint8_t *dst = request->dst + header;
	size_t dst_cap = request->dst_cap - header - trailer;
	int64_t len;

	if (state->encoder)
		len = pyzram_deflate_page(state->encoder, request->src, request->src_len, dst,
					  dst_cap);
	else
		len = store(request->src, request->src_len, dst, dst_cap);
	if (len < 0)
		return (int)len;
	if (header) {
		put_header(request->dst, params->winbits, level_of(params));
		put_checksum(dst + len, request);
	}
	request->dst_len = header + (size_t)len + trailer;
	return 0;
}

static int deflate_decompress(struct pyzram_context *context, struct codec_request *request)
{
	struct deflate_state *state = context->state;
	z_stream *stream = &state->decompress;
	int err;

	if (request->src_len > 2 * PYZRAM_PAGE_MAX)
		return -EBADMSG;
	if (inflateReset(stream) != Z_OK)
		return -EIO;
	stream->next_in = request->src;
	stream->avail_in = (uInt)request->src_len;
	stream->next_out = request->dst;
	stream->avail_out = (uInt)request->dst_cap;
	err = inflate(stream, Z_FINISH);
	if (err == Z_MEM_ERROR)
		return -ENOMEM;
	if (err != Z_STREAM_END || stream->avail_in)
		return -EBADMSG;
	request->dst_len = stream->total_out;
	return 0;
}

const struct codec_ops pyzram_codec_deflate = {
	.name = "deflate",
	.level_min = LEVEL_MIN,
	.level_max = LEVEL_MAX,
	.level_default = LEVEL_DEFAULT,
	.takes_winbits = true,
	.params_init = deflate_params_init,
	.context_init = deflate_context_init,
	.context_deinit = deflate_context_deinit,
	.compress = deflate_compress,
	.decompress = deflate_decompress,
};
