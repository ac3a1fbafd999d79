/* SPDX-License-Identifier: MIT */
/*
 * lz4hc by liblz4. The kernel has an older relative of it (drivers/block/zram/backend_lz4hc.c), a
 * plain hash chain with 2^(level - 1) attempts, so sizes differ a little; see level_of_liblz4().
 */
#include "codec.h"

#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>

enum {
	LEVEL_MIN = 1,
	LEVEL_MAX = 16,
	LEVEL_DEFAULT = 9,
	DICT_MAX = 65536,	/* with a longer one the kernel fails every page */
};

static int lz4hc_params_init(struct pyzram_params *params)
{
	return params->dict_len > DICT_MAX ? -EINVAL : 0;
}

static int lz4hc_context_init(struct pyzram_context *context)
{
	context->state = LZ4_createStreamHC();
	return context->state ? 0 : -ENOMEM;
}

static void lz4hc_context_deinit(struct pyzram_context *context)
{
	if (context->state)
		LZ4_freeStreamHC(context->state);
}

/*
 * From level 10 on liblz4 parses optimally, which the kernel never does. More than the 256 attempts
 * of level 9 find hardly anything more in a page, so level 9 comes nearest. Below level 3, liblz4
 * 1.10 and later use another search, without chains.
 */
static int level_of_liblz4(int32_t level)
{
	if (level < 3 && LZ4_versionNumber() >= 11000)
		return 3;
	return level > 9 ? 9 : (int)level;
}

static int lz4hc_compress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	LZ4_streamHC_t *stream = context->state;
	int len;

	LZ4_resetStreamHC_fast(stream, level_of_liblz4(params->level));
	if (params->dict)
		LZ4_loadDictHC(stream, (const char *)params->dict, (int)params->dict_len);
	len = LZ4_compress_HC_continue(stream, (const char *)request->src, (char *)request->dst,
				       (int)request->src_len, (int)request->dst_cap);
	if (len <= 0)
		return -EIO;
	request->dst_len = (size_t)len;
	return 0;
}

static int lz4hc_decompress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	const char *src = (const char *)request->src;
	char *dst = (char *)request->dst;
	int len;

	if (request->src_len > 2 * PYZRAM_PAGE_MAX)
		return -EBADMSG;
	if (params->dict)
		len = LZ4_decompress_safe_usingDict(src, dst, (int)request->src_len,
						    (int)request->dst_cap,
						    (const char *)params->dict,
						    (int)params->dict_len);
	else
		len = LZ4_decompress_safe(src, dst, (int)request->src_len, (int)request->dst_cap);
	if (len < 0)
		return -EBADMSG;
	request->dst_len = (size_t)len;
	return 0;
}

const struct codec_ops pyzram_codec_lz4hc = {
	.name = "lz4hc",
	.level_min = LEVEL_MIN,
	.level_max = LEVEL_MAX,
	.level_default = LEVEL_DEFAULT,
	.takes_dict = true,
	.params_init = lz4hc_params_init,
	.context_init = lz4hc_context_init,
	.context_deinit = lz4hc_context_deinit,
	.compress = lz4hc_compress,
	.decompress = lz4hc_decompress,
};
