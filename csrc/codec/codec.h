/* SPDX-License-Identifier: MIT */
/*
 * What a compression algorithm consists of. Each has a C file (NAME.c) that exports one const
 * struct codec_ops, and a line in the table of codec.c. Long algorithms have parts in files beside
 * that (NAME_compress.c), joined by NAME.h; names that these share begin with pyzram_NAME_.
 * A function in a codec_ops is named NAME and its member, as in lz4_context_init, or, in one of the
 * other files, pyzram_NAME and its member, as in pyzram_lzo_compress. 842 stands for itself within
 * such names; a name that would begin with it has sw842 instead, as in the kernel. Other functions
 * are named after what they work on and what they do to it (block_close, crc_make), unless they
 * move along a stream (put_literals, take_length) or answer a question (has_rows, seen).
 *
 * There are three kinds of state, distinguished by type:
 *  - pyzram_params: what was configured. Immutable once created, shared by all contexts;
 *  - pyzram_context: scratch memory. Never used by two threads at once;
 *  - codec_request: one page on its way, on the caller's stack.
 */
#ifndef PYZRAM_CODEC_H
#define PYZRAM_CODEC_H

#include "pyzram.h"

#include <stdbool.h>

struct codec_ops;

struct pyzram_params {
	const struct codec_ops *ops;
	size_t page_size;
	int32_t level;		/* never PYZRAM_LEVEL_DEFAULT after creation */
	int32_t winbits;
	uint8_t *dict;		/* own copy; NULL without a dictionary */
	size_t dict_len;
	void *prepared;		/* what params_init made, such as a digested dictionary */
};

struct pyzram_context {
	const struct codec_ops *ops;	/* needed even after the params are gone */
	const struct pyzram_params *params;
	void *state;		/* the algorithm's tables or library handles */
	uint8_t *scratch;	/* two pages, for measuring sizes without keeping the output */
};

struct codec_request {
	const uint8_t *src;
	size_t src_len;
	uint8_t *dst;
	size_t dst_cap;
	size_t dst_len;		/* out: set only on success */
};

struct codec_ops {
	const char *name;
	int32_t level_min;	/* both 0: there are no levels */
	int32_t level_max;
	int32_t level_default;
	bool takes_winbits;
	bool takes_dict;

	/*
	 * Check the values (a level is there and in range, and nothing is there that is not
	 * accepted) and prepare what contexts share. NULL if there is nothing to do.
	 */
	int (*params_init)(struct pyzram_params *params);
	void (*params_deinit)(struct pyzram_params *params);

	/* Make and free context->state. deinit also frees what a failed init left behind. */
	int (*context_init)(struct pyzram_context *context);
	void (*context_deinit)(struct pyzram_context *context);

	/* 0 or -errno; compress: src_len is one page, dst_cap two; decompress: dst_cap is one. */
	int (*compress)(struct pyzram_context *context, struct codec_request *request);
	int (*decompress)(struct pyzram_context *context, struct codec_request *request);
};

extern const struct codec_ops pyzram_codec_lzo_rle;
extern const struct codec_ops pyzram_codec_lzo;
extern const struct codec_ops pyzram_codec_lz4;
extern const struct codec_ops pyzram_codec_lz4hc;
extern const struct codec_ops pyzram_codec_zstd;
extern const struct codec_ops pyzram_codec_deflate;
extern const struct codec_ops pyzram_codec_842;

#endif /* PYZRAM_CODEC_H */
