/* SPDX-License-Identifier: MIT */
/* The format of lzo and lzo-rle: LZO1X, and its extension for runs of zeros. */
#ifndef PYZRAM_LZO_H
#define PYZRAM_LZO_H

#include "codec.h"

/* Lengths and distances of the instructions M2 to M4. */
enum {
	M2_LENGTH_MAX = 8,
	M2_DISTANCE_MAX = 0x0800,
	M3_LENGTH_MAX = 33,
	M3_DISTANCE_MAX = 0x4000,
	M4_LENGTH_MAX = 9,
	M4_DISTANCE_MAX = 0xbfff,
};

/* Lengths of runs of zeros. */
enum {
	RUN_MIN = 4,
	RUN_MAX = 2051,
};

enum { VERSION_MARK = 17 };	/* as the first byte: a version follows; above: literals */
enum { CHUNK_MAX = M4_DISTANCE_MAX + 1 };	/* bytes that are compressed at a time */

int pyzram_lzo_compress(struct pyzram_context *context, struct codec_request *request);
int pyzram_lzo_rle_compress(struct pyzram_context *context, struct codec_request *request);
int pyzram_lzo_decompress(struct pyzram_context *context, struct codec_request *request);

/* What a compressor remembers: the place of each value seen in its chunk. */
enum {
	LZO_TABLE_BITS = 13,
	LZO_TABLE_SIZE = 1 << LZO_TABLE_BITS,
};

#endif /* PYZRAM_LZO_H */
