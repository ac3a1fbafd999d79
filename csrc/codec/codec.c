/* SPDX-License-Identifier: MIT */
/* The table of algorithms, and what all of them share. */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the kernel's order (drivers/block/zram/zcomp.c, 6.12 and later). */
static const struct codec_ops *const codecs[] = {
	&pyzram_codec_lzo_rle,
	&pyzram_codec_lzo,
	&pyzram_codec_lz4,
	&pyzram_codec_lz4hc,
	&pyzram_codec_zstd,
	&pyzram_codec_deflate,
	&pyzram_codec_842,
	NULL,
};

static const struct codec_ops *codec_find(const char *name)
{
	for (size_t i = 0; codecs[i]; i++) {
		if (strcmp(codecs[i]->name, name) == 0)
			return codecs[i];
	}
	return NULL;
}

const char *pyzram_codec_name(int index)
{
	if (index < 0 || (size_t)index >= sizeof(codecs) / sizeof(codecs[0]) || !codecs[index])
		return NULL;
	return codecs[index]->name;
}

static bool has_levels(const struct codec_ops *ops)
{
	return ops->level_min != ops->level_max;
}

void pyzram_params_destroy(struct pyzram_params *params)
{
	if (!params)
		return;
	if (params->ops->params_deinit)
		params->ops->params_deinit(params);
	free(params->dict);
	free(params);
}

static int params_judge(struct pyzram_params *params)
{
	const struct codec_ops *ops = params->ops;

	if (params->level == PYZRAM_LEVEL_DEFAULT)
		params->level = ops->level_default;
	else if (!has_levels(ops))
		return -EOPNOTSUPP;
	else if (params->level < ops->level_min || params->level > ops->level_max)
		return -EINVAL;
	if ((params->winbits != PYZRAM_LEVEL_DEFAULT && !ops->takes_winbits) ||
	    (params->dict && !ops->takes_dict))
		return -EOPNOTSUPP;
	return ops->params_init ? ops->params_init(params) : 0;
}

int pyzram_params_create(const char *algorithm, size_t page_size, int32_t level, int32_t winbits,
			 const void *dict, size_t dict_len, struct pyzram_params **ret)
{
	const struct codec_ops *ops = codec_find(algorithm);
	struct pyzram_params *params;
	int err;

	if (!ops)
		return -ENOENT;
	if (!pyzram_is_page_size(page_size))
		return -EINVAL;
	params = calloc(1, sizeof(*params));
	if (!params)
		return -ENOMEM;
	params->ops = ops;
	params->page_size = page_size;
	params->level = level;
	params->winbits = winbits;
	if (dict_len) {
		params->dict = malloc(dict_len);
		if (!params->dict) {
			err = -ENOMEM;
			goto fail;
		}
		memcpy(params->dict, dict, dict_len);
		params->dict_len = dict_len;
	}
	err = params_judge(params);
	if (err)
		goto fail;
	*ret = params;
	return 0;

fail:
	pyzram_params_destroy(params);
	return err;
}

void pyzram_context_destroy(struct pyzram_context *context)
{
	if (!context)
		return;
	if (context->ops->context_deinit)
		context->ops->context_deinit(context);
	free(context->scratch);
	free(context);
}

int pyzram_context_create(const struct pyzram_params *params, struct pyzram_context **ret)
{
	struct pyzram_context *context = calloc(1, sizeof(*context));
	int err = 0;

	if (!context)
		return -ENOMEM;
	context->ops = params->ops;
	context->params = params;
	context->scratch = malloc(2 * params->page_size);
	if (!context->scratch)
		err = -ENOMEM;
	else if (params->ops->context_init)
		err = params->ops->context_init(context);
	if (err) {
		pyzram_context_destroy(context);
		return err;
	}
	*ret = context;
	return 0;
}

int64_t pyzram_page_compress(struct pyzram_context *context, const void *src, size_t src_len,
			     void *dst, size_t dst_cap)
{
	size_t page_size = context->params->page_size;
	bool roomy = dst_cap >= 2 * page_size;
	struct codec_request request = {
		.src = src, .src_len = src_len,
		.dst = roomy ? dst : context->scratch, .dst_cap = 2 * page_size,
	};
	int err;

	if (src_len != page_size)
		return -EINVAL;
	err = context->ops->compress(context, &request);
	if (err)
		return err;
	if (!roomy) {
		if (request.dst_len > dst_cap)
			return -ENOSPC;
		memcpy(dst, request.dst, request.dst_len);
	}
	return (int64_t)request.dst_len;
}

int64_t pyzram_page_decompress(struct pyzram_context *context, const void *src, size_t src_len,
			       void *dst, size_t dst_cap)
{
	size_t page_size = context->params->page_size;
	struct codec_request request = {
		.src = src, .src_len = src_len, .dst = dst, .dst_cap = page_size,
	};
	int err;

	if (dst_cap < page_size)
		return -EINVAL;
	err = context->ops->decompress(context, &request);
	if (err)
		return err;
	return request.dst_len == page_size ? (int64_t)page_size : -EBADMSG;
}
