/* SPDX-License-Identifier: MIT */
/*
 * One core, page by page, the same buffers: our lzo, lzo-rle and lz4 against liblzo2's
 * lzo1x_1_15_compress and liblz4's LZ4_compress_fast, and their decompressors against the libraries'.
 *
 * codec_speed FILE PAGES KIND...: FILE holds PAGES pages of each kind, one kind after the other. Ours
 * and theirs take turns within each round; printed is the median of the rounds' ratios, theirs
 * divided by ours: above 1 we are faster.
 */
#include "pyzram.h"

#include <lz4.h>
#include <lzo/lzo1x.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAGE = 4096, ROUNDS = 41, KINDS_MAX = 16, SLOT = 2 * PAGE };

static struct pyzram_context *context;
static uint8_t work[LZO1X_1_15_MEM_COMPRESS];

static size_t ours_compress(const uint8_t *src, uint8_t *dst)
{
	int64_t n = pyzram_page_compress(context, src, PAGE, dst, SLOT);

	return n > 0 ? (size_t)n : 0;
}

static size_t ours_decompress(const uint8_t *src, size_t len, uint8_t *dst)
{
	return pyzram_page_decompress(context, src, len, dst, PAGE) == PAGE ? PAGE : 0;
}

static size_t lzo_compress(const uint8_t *src, uint8_t *dst)
{
	lzo_uint len = SLOT;

	return lzo1x_1_15_compress(src, PAGE, dst, &len, work) == LZO_E_OK ? len : 0;
}

static size_t lzo_decompress(const uint8_t *src, size_t len, uint8_t *dst)
{
	lzo_uint n = PAGE;

	return lzo1x_decompress_safe(src, len, dst, &n, NULL) == LZO_E_OK ? n : 0;
}

static size_t lz4_compress(const uint8_t *src, uint8_t *dst)
{
	return (size_t)LZ4_compress_fast((const char *)src, (char *)dst, PAGE, SLOT, 1);
}

static size_t lz4_decompress(const uint8_t *src, size_t len, uint8_t *dst)
{
	return (size_t)LZ4_decompress_safe((const char *)src, (char *)dst, (int)len, PAGE);
}

typedef size_t compress_fn(const uint8_t *src, uint8_t *dst);
typedef size_t decompress_fn(const uint8_t *src, size_t len, uint8_t *dst);

/* One side of a race: what it makes of the pages, and the time of both ways. */
struct runner {
	compress_fn *compress;
	decompress_fn *decompress;
	uint8_t *packed;
	size_t *lengths;
	double pack_ns, unpack_ns;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void run(struct runner *runner, const uint8_t *pages, size_t count)
{
	static uint8_t page[PAGE];
	double start = now_ns(), middle;

	for (size_t i = 0; i < count; i++) {
		runner->lengths[i] = runner->compress(pages + i * PAGE, runner->packed + i * SLOT);
		if (!runner->lengths[i])
			abort();
	}
	middle = now_ns();
	for (size_t i = 0; i < count; i++) {
		if (runner->decompress(runner->packed + i * SLOT, runner->lengths[i], page) != PAGE)
			abort();
	}
	runner->pack_ns = middle - start;
	runner->unpack_ns = now_ns() - middle;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void race(const char *kind, struct runner *ours, struct runner *theirs, const uint8_t *pages,
		 size_t count)
{
	static double pack[ROUNDS], unpack[ROUNDS], pack_ns[ROUNDS], unpack_ns[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		run(round & 1 ? theirs : ours, pages, count);
		run(round & 1 ? ours : theirs, pages, count);
		pack[round] = theirs->pack_ns / ours->pack_ns;
		unpack[round] = theirs->unpack_ns / ours->unpack_ns;
		pack_ns[round] = ours->pack_ns / (double)count;
		unpack_ns[round] = ours->unpack_ns / (double)count;
	}
	printf("  %-12s %7.2f %9.0f ns/page %9.2f %9.0f ns/page\n", kind, median(pack), median(pack_ns),
	       median(unpack), median(unpack_ns));
}

static const struct {
	const char *name, *against;
	compress_fn *compress;
	decompress_fn *decompress;
} races[] = {
	{ "lzo", "liblzo2, lzo1x_1_15_compress", lzo_compress, lzo_decompress },
	{ "lzo-rle", "liblzo2, lzo1x_1_15_compress", lzo_compress, lzo_decompress },
	{ "lz4", "liblz4, LZ4_compress_fast", lz4_compress, lz4_decompress },
};

int main(int argc, char **argv)
{
	size_t each = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	size_t kinds = (size_t)argc - 3, count = each * kinds;
	struct runner ours = { .compress = ours_compress, .decompress = ours_decompress }, theirs = { 0 };
	uint8_t *pages = malloc(count * PAGE);
	FILE *file = each ? fopen(argv[1], "rb") : NULL;

	ours.packed = malloc(count * SLOT);
	theirs.packed = malloc(count * SLOT);
	ours.lengths = malloc(count * sizeof(size_t));
	theirs.lengths = malloc(count * sizeof(size_t));
	if (!file || !pages || !ours.packed || !theirs.packed || !ours.lengths || !theirs.lengths ||
	    fread(pages, PAGE, count, file) != count || lzo_init() != LZO_E_OK)
		return 2;
	fclose(file);
	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
		struct pyzram_params *params;

		if (pyzram_params_create(races[i].name, PAGE, PYZRAM_LEVEL_DEFAULT, PYZRAM_LEVEL_DEFAULT,
					 NULL, 0, &params) ||
		    pyzram_context_create(params, &context))
			return 2;
		theirs.compress = races[i].compress;
		theirs.decompress = races[i].decompress;
		printf("%s against %s\n  %-12s %7s %17s %9s %17s\n", races[i].name, races[i].against, "",
		       "pack", "ours", "unpack", "ours");
		for (size_t kind = 0; kind < kinds; kind++)
			race(argv[3 + kind], &ours, &theirs, pages + kind * each * PAGE, each);
		race("all", &ours, &theirs, pages, count);
		pyzram_context_destroy(context);
		pyzram_params_destroy(params);
	}
	return 0;
}
