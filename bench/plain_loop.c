/* SPDX-License-Identifier: MIT */
/*
 * What bench/pages.py compares compressed_sizes() with: a loop over the pages with one call for
 * each, as the libraries' manuals show it; for pyzram's own algorithms, their own code. Returns the
 * sum of the lengths, or 0 if something failed.
 */
#define ZLIB_CONST
#include "pyzram.h"

#include <lz4hc.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { PAGE = 4096 };

static size_t loop_zstd(const uint8_t *pages, size_t count, uint8_t *out)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += ZSTD_compressCCtx(context, out, 2 * PAGE, pages + i * PAGE, PAGE, 3);
	ZSTD_freeCCtx(context);
	return sum;
}

static size_t loop_deflate(const uint8_t *pages, size_t count, uint8_t *out)
{
	z_stream stream = { 0 };
	size_t sum = 0;

	if (deflateInit2(&stream, -1, Z_DEFLATED, -11, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		stream.next_in = pages + i * PAGE;
		stream.avail_in = PAGE;
		stream.next_out = out;
		stream.avail_out = 2 * PAGE;
		deflate(&stream, Z_FINISH);
		sum += stream.total_out;
		deflateReset(&stream);
	}
	deflateEnd(&stream);
	return sum;
}

static size_t loop_lz4hc(const uint8_t *pages, size_t count, uint8_t *out)
{
	LZ4_streamHC_t *stream = LZ4_createStreamHC();
	size_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		LZ4_resetStreamHC_fast(stream, 9);
		sum += (size_t)LZ4_compress_HC_continue(stream, (const char *)pages + i * PAGE,
							(char *)out, PAGE, 2 * PAGE);
	}
	LZ4_freeStreamHC(stream);
	return sum;
}

static size_t loop_own(const char *algorithm, const uint8_t *pages, size_t count, uint8_t *out)
{
	struct pyzram_params *params = NULL;
	struct pyzram_context *context = NULL;
	size_t sum = 0;

	if (pyzram_params_create(algorithm, PAGE, PYZRAM_LEVEL_DEFAULT, PYZRAM_LEVEL_DEFAULT, NULL,
				 0, &params) == 0 &&
	    pyzram_context_create(params, &context) == 0) {
		for (size_t i = 0; i < count; i++)
			sum += (size_t)pyzram_page_compress(context, pages + i * PAGE, PAGE, out,
							    2 * PAGE);
	}
	pyzram_context_destroy(context);
	pyzram_params_destroy(params);
	return sum;
}

size_t plain_loop(const char *algorithm, const uint8_t *pages, size_t count);
size_t plain_loop(const char *algorithm, const uint8_t *pages, size_t count)
{
	uint8_t out[2 * PAGE];

	if (strcmp(algorithm, "zstd") == 0)
		return loop_zstd(pages, count, out);
	if (strcmp(algorithm, "deflate") == 0)
		return loop_deflate(pages, count, out);
	if (strcmp(algorithm, "lz4hc") == 0)
		return loop_lz4hc(pages, count, out);
	return loop_own(algorithm, pages, count, out);
}

/* How many pages are same-filled, by our test. */
size_t same_loop(const uint8_t *pages, size_t count);
size_t same_loop(const uint8_t *pages, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (size_t)pyzram_page_same_filled(pages + i * PAGE, PAGE, 8);
	return sum;
}

/* How many pages are zero, by memcmp with a page of zeros. */
size_t zero_loop(const uint8_t *pages, size_t count);
size_t zero_loop(const uint8_t *pages, size_t count)
{
	static const uint8_t zeros[PAGE];
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += memcmp(pages + i * PAGE, zeros, PAGE) == 0;
	return sum;
}
