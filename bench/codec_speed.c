/* SPDX-License-Identifier: MIT */
/*
 * One core, page by page, the same buffers: our lzo, lzo-rle and lz4 against liblzo2's
 * lzo1x_1_15_compress and liblz4's LZ4_compress_fast, and their decompressors against the
 * libraries'; or all our algorithms against themselves as they were before.
 *
 * codec_speed OURS BEFORE ALGORITHM FILE PAGES KIND...: ALGORITHM is - for all of them. OURS and
 * BEFORE are shared objects of csrc/codec; BEFORE is - for the libraries. FILE holds PAGES pages of
 * each kind, one kind after the other. Both sides take turns within each round. It prints the
 * median of the rounds' ratios, theirs divided by ours: above 1 we are faster.
 */
#include "pyzram.h"

#include <dlfcn.h>
#include <lz4.h>
#include <lzo/lzo1x.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 4096, ROUNDS_MIN = 41, ROUNDS_MAX = 1001, SLOT = 2 * PAGE };

#define ENOUGH_NS 1e9	/* of processor time for a race */

/* One build of csrc/codec, and the algorithm that it runs now. */
struct build {
	__typeof__(pyzram_codec_name) *codec_name;
	__typeof__(pyzram_params_create) *params_create;
	__typeof__(pyzram_params_destroy) *params_destroy;
	__typeof__(pyzram_context_create) *context_create;
	__typeof__(pyzram_context_destroy) *context_destroy;
	__typeof__(pyzram_page_compress) *page_compress;
	__typeof__(pyzram_page_decompress) *page_decompress;
	struct pyzram_params *params;
	struct pyzram_context *context;
};

static struct build now, before;
static uint8_t work[LZO1X_1_15_MEM_COMPRESS];

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return found;
}

static void build_load(struct build *build, const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	build->codec_name = symbol(library, "pyzram_codec_name");
	build->params_create = symbol(library, "pyzram_params_create");
	build->params_destroy = symbol(library, "pyzram_params_destroy");
	build->context_create = symbol(library, "pyzram_context_create");
	build->context_destroy = symbol(library, "pyzram_context_destroy");
	build->page_compress = symbol(library, "pyzram_page_compress");
	build->page_decompress = symbol(library, "pyzram_page_decompress");
}

static void build_choose(struct build *build, const char *algorithm)
{
	if (build->params_create(algorithm, PAGE, PYZRAM_LEVEL_DEFAULT, PYZRAM_LEVEL_DEFAULT, NULL,
				 0, &build->params) ||
	    build->context_create(build->params, &build->context))
		exit(2);
}

static void build_free(struct build *build)
{
	build->context_destroy(build->context);
	build->params_destroy(build->params);
}

static size_t compress_by(const struct build *build, const uint8_t *src, uint8_t *dst)
{
	int64_t n = build->page_compress(build->context, src, PAGE, dst, SLOT);

	return n > 0 ? (size_t)n : 0;
}

static size_t decompress_by(const struct build *build, const uint8_t *src, size_t len, uint8_t *dst)
{
	return build->page_decompress(build->context, src, len, dst, PAGE) == PAGE ? PAGE : 0;
}

static size_t ours_compress(const uint8_t *src, uint8_t *dst)
{
	return compress_by(&now, src, dst);
}

static size_t ours_decompress(const uint8_t *src, size_t len, uint8_t *dst)
{
	return decompress_by(&now, src, len, dst);
}

static size_t before_compress(const uint8_t *src, uint8_t *dst)
{
	return compress_by(&before, src, dst);
}

static size_t before_decompress(const uint8_t *src, size_t len, uint8_t *dst)
{
	return decompress_by(&before, src, len, dst);
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

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return values[count / 2];
}

static void race(const char *kind, struct runner *ours, struct runner *theirs, const uint8_t *pages,
		 size_t count)
{
	static double pack[ROUNDS_MAX], unpack[ROUNDS_MAX];
	static double pack_ns[ROUNDS_MAX], unpack_ns[ROUNDS_MAX];
	double start = now_ns();
	int rounds = 0;

	while (rounds < ROUNDS_MAX && (rounds < ROUNDS_MIN || now_ns() - start < ENOUGH_NS)) {
		run(rounds & 1 ? theirs : ours, pages, count);
		run(rounds & 1 ? ours : theirs, pages, count);
		pack[rounds] = theirs->pack_ns / ours->pack_ns;
		unpack[rounds] = theirs->unpack_ns / ours->unpack_ns;
		pack_ns[rounds] = ours->pack_ns / (double)count;
		unpack_ns[rounds] = ours->unpack_ns / (double)count;
		rounds++;
	}
	printf("  %-12s %7.3f %9.0f ns/page %9.3f %9.0f ns/page\n", kind, median(pack, rounds),
	       median(pack_ns, rounds), median(unpack, rounds), median(unpack_ns, rounds));
}

static const struct {
	const char *name, *against;
	compress_fn *compress;
	decompress_fn *decompress;
} libraries[] = {
	{ "lzo", "liblzo2, lzo1x_1_15_compress", lzo_compress, lzo_decompress },
	{ "lzo-rle", "liblzo2, lzo1x_1_15_compress", lzo_compress, lzo_decompress },
	{ "lz4", "liblz4, LZ4_compress_fast", lz4_compress, lz4_decompress },
};

struct corpus {
	char **kinds;
	size_t count, each;	/* kinds, pages of each */
	uint8_t *pages;
};

static void race_all(const char *name, const char *against, struct runner *ours,
		     struct runner *theirs, const struct corpus *corpus)
{
	printf("%s against %s\n  %-12s %7s %17s %9s %17s\n", name, against, "", "pack", "ours",
	       "unpack", "ours");
	for (size_t kind = 0; kind < corpus->count; kind++)
		race(corpus->kinds[kind], ours, theirs, corpus->pages + kind * corpus->each * PAGE,
		     corpus->each);
	race("all", ours, theirs, corpus->pages, corpus->count * corpus->each);
}

static bool wanted(const char *chosen, const char *name)
{
	return strcmp(chosen, "-") == 0 || strcmp(chosen, name) == 0;
}

static void race_libraries(const char *chosen, struct runner *ours, struct runner *theirs,
			   const struct corpus *corpus)
{
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (!wanted(chosen, libraries[i].name))
			continue;
		build_choose(&now, libraries[i].name);
		theirs->compress = libraries[i].compress;
		theirs->decompress = libraries[i].decompress;
		race_all(libraries[i].name, libraries[i].against, ours, theirs, corpus);
		build_free(&now);
	}
}

static void race_before(const char *chosen, struct runner *ours, struct runner *theirs,
			const struct corpus *corpus)
{
	const char *name;

	theirs->compress = before_compress;
	theirs->decompress = before_decompress;
	for (int i = 0; (name = now.codec_name(i)); i++) {
		if (!wanted(chosen, name))
			continue;
		build_choose(&now, name);
		build_choose(&before, name);
		race_all(name, "itself before", ours, theirs, corpus);
		build_free(&before);
		build_free(&now);
	}
}

int main(int argc, char **argv)
{
	struct corpus corpus = { .kinds = argv + 6, .count = argc > 6 ? (size_t)argc - 6 : 0 };
	struct runner ours = { .compress = ours_compress, .decompress = ours_decompress };
	struct runner theirs = { 0 };
	size_t count;
	FILE *file;

	if (!corpus.count)
		return 2;
	corpus.each = strtoul(argv[5], NULL, 10);
	count = corpus.count * corpus.each;
	file = fopen(argv[4], "rb");
	corpus.pages = malloc(count * PAGE);
	ours.packed = malloc(count * SLOT);
	theirs.packed = malloc(count * SLOT);
	ours.lengths = malloc(count * sizeof(size_t));
	theirs.lengths = malloc(count * sizeof(size_t));
	if (!file || !corpus.pages || !ours.packed || !theirs.packed || !ours.lengths ||
	    !theirs.lengths || fread(corpus.pages, PAGE, count, file) != count ||
	    lzo_init() != LZO_E_OK)
		return 2;
	fclose(file);
	build_load(&now, argv[1]);
	if (strcmp(argv[2], "-") == 0) {
		race_libraries(argv[3], &ours, &theirs, &corpus);
	} else {
		build_load(&before, argv[2]);
		race_before(argv[3], &ours, &theirs, &corpus);
	}
	return 0;
}
