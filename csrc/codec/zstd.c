/* SPDX-License-Identifier: MIT */
/*
 * zstd by libzstd, with the kernel's parameters (drivers/block/zram/backend_zstd.c, 6.12 and
 * later). The bytes are those of the kernel's zstd if libzstd is of the same generation: 1.5.7
 * stands for Linux 7.x, 1.5.2 to 1.5.5 for 6.12 at levels 3 to 9. Generations differ on single
 * pages; pages of 4 KiB differ by 0.01 % in total at level 3. At level 3, Linux 6.1 used parameters
 * meant for unknown sizes, so its pages are 0.3 to 2 % larger.
 */
/* For the row match finder and a digested dictionary's parameters; exported since 1.4. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	LEVEL_MIN = -131072,
	LEVEL_MAX = 22,
	LEVEL_DEFAULT = 3,
};

struct zstd_prepared {
	ZSTD_CDict *cdict;
	ZSTD_DDict *ddict;
};

struct zstd_state {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress;
};

enum { ROWS_ABOVE = 16384 };	/* bytes of a window */

/*
 * libzstd searches windows above ROWS_ABOVE by rows if the processor has vectors; the kernel never
 * does so. For smaller ones the plain call is faster.
 */
#if ZSTD_VERSION_NUMBER >= 10501
static bool has_rows(const struct pyzram_params *params)
{
	/* Before 1.5.1 the values had other meanings. */
	return params->page_size + params->dict_len > ROWS_ABOVE && ZSTD_versionNumber() >= 10501;
}

static size_t search_as_the_kernel(ZSTD_CCtx_params *params)
{
	return ZSTD_CCtxParams_setParameter(params, ZSTD_c_useRowMatchFinder, ZSTD_ps_disable);
}
#else
static bool has_rows(const struct pyzram_params *params)
{
	(void)params;
	return false;
}

static size_t search_as_the_kernel(ZSTD_CCtx_params *params)
{
	(void)params;
	return 0;
}
#endif

/* A digested dictionary, which also decides how to search pages. NULL: no memory, or broken. */
static ZSTD_CDict *digest(const struct pyzram_params *params)
{
	ZSTD_compressionParameters chosen = ZSTD_getCParams(params->level, params->page_size,
							    params->dict_len);
	ZSTD_parameters parameters = { .cParams = chosen, .fParams = { .contentSizeFlag = 1 } };
	ZSTD_CCtx_params *how;
	ZSTD_CDict *cdict = NULL;

	if (!has_rows(params))
		return ZSTD_createCDict_advanced(params->dict, params->dict_len, ZSTD_dlm_byRef,
						 ZSTD_dct_auto, chosen, ZSTD_defaultCMem);
	how = ZSTD_createCCtxParams();
	if (how && !ZSTD_isError(ZSTD_CCtxParams_init_advanced(how, parameters)) &&
	    !ZSTD_isError(search_as_the_kernel(how)))
		cdict = ZSTD_createCDict_advanced2(params->dict, params->dict_len, ZSTD_dlm_byRef,
						   ZSTD_dct_auto, how, ZSTD_defaultCMem);
	ZSTD_freeCCtxParams(how);
	return cdict;
}

static int zstd_params_init(struct pyzram_params *params)
{
	struct zstd_prepared *prepared;

	if (!params->dict)
		return 0;
	prepared = calloc(1, sizeof(*prepared));
	if (!prepared)
		return -ENOMEM;
	params->prepared = prepared;
	prepared->cdict = digest(params);
	prepared->ddict = ZSTD_createDDict_byReference(params->dict, params->dict_len);
	/* libzstd does not distinguish a broken dictionary from a lack of memory. */
	return prepared->cdict && prepared->ddict ? 0 : -EINVAL;
}

static void zstd_params_deinit(struct pyzram_params *params)
{
	struct zstd_prepared *prepared = params->prepared;

	if (!prepared)
		return;
	ZSTD_freeCDict(prepared->cdict);
	ZSTD_freeDDict(prepared->ddict);
	free(prepared);
}

static int zstd_errno(size_t result, int otherwise)
{
	return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? -ENOMEM : otherwise;
}

/* These outlast a page. */
static int parameters_set(ZSTD_CCtx *context, int32_t level)
{
	ZSTD_CCtx_params *how = ZSTD_createCCtxParams();
	size_t result;

	if (!how)
		return -ENOMEM;
	result = ZSTD_CCtxParams_init(how, level);
	if (!ZSTD_isError(result))
		result = search_as_the_kernel(how);
	if (!ZSTD_isError(result))
		result = ZSTD_CCtx_setParametersUsingCCtxParams(context, how);
	ZSTD_freeCCtxParams(how);
	return ZSTD_isError(result) ? zstd_errno(result, -EIO) : 0;
}

static int zstd_context_init(struct pyzram_context *context)
{
	struct zstd_state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	context->state = state;
	state->compress = ZSTD_createCCtx();
	state->decompress = ZSTD_createDCtx();
	if (!state->compress || !state->decompress)
		return -ENOMEM;
	if (context->params->prepared || !has_rows(context->params))
		return 0;
	return parameters_set(state->compress, context->params->level);
}

static void zstd_context_deinit(struct pyzram_context *context)
{
	struct zstd_state *state = context->state;

	if (!state)
		return;
	ZSTD_freeCCtx(state->compress);
	ZSTD_freeDCtx(state->decompress);
	free(state);
}

static int zstd_compress(struct pyzram_context *context, struct codec_request *request)
{
	const struct pyzram_params *params = context->params;
	const struct zstd_prepared *prepared = params->prepared;
	struct zstd_state *state = context->state;
	size_t len;

	if (prepared)
		len = ZSTD_compress_usingCDict(state->compress, request->dst, request->dst_cap,
					       request->src, request->src_len, prepared->cdict);
	else
		len = has_rows(params) ?
		      ZSTD_compress2(state->compress, request->dst, request->dst_cap,
				     request->src, request->src_len) :
		      ZSTD_compressCCtx(state->compress, request->dst, request->dst_cap,
					request->src, request->src_len, params->level);
	if (ZSTD_isError(len))
		return zstd_errno(len, -EIO);
	request->dst_len = len;
	return 0;
}

static int zstd_decompress(struct pyzram_context *context, struct codec_request *request)
{
	const struct zstd_prepared *prepared = context->params->prepared;
	struct zstd_state *state = context->state;
	size_t len;

	/* One frame and nothing else: libzstd would accept several, and skip what is not data. */
	if (ZSTD_getFrameContentSize(request->src, request->src_len) != request->dst_cap ||
	    ZSTD_findFrameCompressedSize(request->src, request->src_len) != request->src_len)
		return -EBADMSG;
	if (prepared)
		len = ZSTD_decompress_usingDDict(state->decompress, request->dst, request->dst_cap,
						 request->src, request->src_len, prepared->ddict);
	else
		len = ZSTD_decompressDCtx(state->decompress, request->dst, request->dst_cap,
					  request->src, request->src_len);
	if (ZSTD_isError(len))
		return zstd_errno(len, -EBADMSG);
	request->dst_len = len;
	return 0;
}

unsigned int pyzram_zstd_version(void)
{
	return ZSTD_versionNumber();
}

const struct codec_ops pyzram_codec_zstd = {
	.name = "zstd",
	.level_min = LEVEL_MIN,
	.level_max = LEVEL_MAX,
	.level_default = LEVEL_DEFAULT,
	.takes_dict = true,
	.params_init = zstd_params_init,
	.params_deinit = zstd_params_deinit,
	.context_init = zstd_context_init,
	.context_deinit = zstd_context_deinit,
	.compress = zstd_compress,
	.decompress = zstd_decompress,
};
