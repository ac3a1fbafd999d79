/* SPDX-License-Identifier: MIT */
/* The codecs lzo and lzo-rle. */
#include "lzo.h"

#include <errno.h>
#include <stdlib.h>

static int lzo_context_init(struct pyzram_context *context)
{
	context->state = malloc(LZO_TABLE_SIZE * sizeof(uint16_t));
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
	.compress = pyzram_lzo_rle_compress,
	.decompress = pyzram_lzo_decompress,
};

const struct codec_ops pyzram_codec_lzo = {
	.name = "lzo",
	.context_init = lzo_context_init,
	.context_deinit = lzo_context_deinit,
	.compress = pyzram_lzo_compress,
	.decompress = pyzram_lzo_decompress,
};
