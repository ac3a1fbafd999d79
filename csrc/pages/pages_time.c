/* SPDX-License-Identifier: MIT */
/* How long single pages take, measured around each page. */
#include "codec/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { TRIES = 16 };

/* The thread's own time, which does not include other work on the processor. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* How long reading the clock takes. */
static uint64_t clock_ns(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t start = now_ns(), ns = now_ns() - start;

		if (ns < least)
			least = ns;
	}
	return least;
}

static uint32_t since_ns(uint64_t start, uint64_t overhead)
{
	uint64_t ns = now_ns() - start;

	ns = ns > overhead ? ns - overhead : 0;
	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

int pyzram_pages_time(struct pyzram_context *context, const void *pages, size_t count,
		      size_t word_size, uint32_t *sizes, uint32_t *compress_ns,
		      uint32_t *decompress_ns)
{
	size_t page_size = context->params->page_size;
	const uint8_t *page = pages;
	uint64_t overhead = clock_ns();
	uint8_t *restored = malloc(page_size);
	int err = 0;

	if (!restored)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++, page += page_size) {
		int same = pyzram_page_same_filled(page, page_size, word_size);
		uint64_t start;
		int64_t n;

		sizes[i] = compress_ns[i] = decompress_ns[i] = 0;
		if (same > 0)
			continue;
		start = now_ns();
		n = same < 0 ? same :
			       pyzram_page_compress(context, page, page_size, context->scratch,
						    2 * page_size);
		compress_ns[i] = since_ns(start, overhead);
		if (n >= 0) {
			sizes[i] = (uint32_t)n;
			start = now_ns();
			n = pyzram_page_decompress(context, context->scratch, (size_t)n, restored,
						   page_size);
			decompress_ns[i] = since_ns(start, overhead);
		}
		if (n < 0) {
			err = (int)n;
			break;
		}
	}
	free(restored);
	return err;
}
