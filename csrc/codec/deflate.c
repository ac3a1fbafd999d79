/* SPDX-License-Identifier: MIT */
/* deflate by zlib, with the kernel's parameters (drivers/block/zram/backend_deflate.c). */
#define ZLIB_CONST
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum {
	LEVEL_DEFAULT = Z_DEFAULT_COMPRESSION,
	WINBITS_DEFAULT = -11,	/* a 2 KiB window, raw: no header, no checksum */
	MEM_LEVEL = 8,
};

struct deflate_state {
	z_stream compress;
	z_stream decompress;
};

static int deflate_params_init(struct pyzram_params *params)
{
	int32_t window;

	if (params->dict)
		return -EOPNOTSUPP;
	if (params->level == PYZRAM_LEVEL_DEFAULT)
		params->level = LEVEL_DEFAULT;
	if (params->winbits == PYZRAM_LEVEL_DEFAULT)
		params->winbits = WINBITS_DEFAULT;
	window = params->winbits;
	if (!(window >= -15 && window <= -9) && !(window >= 9 && window <= 15))
		return -EINVAL;
	return 0;
}

static int deflate_context_init(struct pyzram_context *context)
{
	const struct pyzram_params *params = context->params;
	struct deflate_state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	context->state = state;
	if (deflateInit2(&state->compress, params->level, Z_DEFLATED, params->winbits, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	if (inflateInit2(&state->decompress, params->winbits) != Z_OK)
		return -ENOMEM;
	return 0;
}

static void deflate_context_deinit(struct pyzram_context *context)
{
	struct deflate_state *state = context->state;

	if (!state)
		return;
	/* A stream that was never initialised is told apart by zlib itself. */
	(void)deflateEnd(&state->compress);
	(void)inflateEnd(&state->decompress);
	free(state);
}

static int deflate_compress(struct pyzram_context *context, struct codec_request *request)
{
	struct deflate_state *state = context->state;
	z_stream *stream = &state->compress;

	if (deflateReset(stream) != Z_OK)
		return -EIO;
	stream->next_in = request->src;
	stream->avail_in = (uInt)request->src_len;
	stream->next_out = request->dst;
	stream->avail_out = (uInt)request->dst_cap;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return -EIO;
	request->dst_len = stream->total_out;
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
	.level_min = -1,
	.level_max = 9,
	.params_init = deflate_params_init,
	.context_init = deflate_context_init,
	.context_deinit = deflate_context_deinit,
	.compress = deflate_compress,
	.decompress = deflate_decompress,
};
