/* SPDX-License-Identifier: MIT */
/* How long single pages take, measured around each page. */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t since_ns(uint64_t start)
{
	uint64_t ns = now_ns() - start;

	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

int pyzram_pages_time(struct pyzram_context *context, const void *pages, size_t count,
		      uint32_t *compress_ns, uint32_t *decompress_ns)
{
	size_t page_size = context->params->page_size;
	const uint8_t *page = pages;
	uint8_t *restored = malloc(page_size);
	int err = 0;

	if (!restored)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++, page += page_size) {
		uint64_t start = now_ns();
		int64_t n = pyzram_page_compress(context, page, page_size, context->scratch,
						 2 * page_size);

		compress_ns[i] = since_ns(start);
		if (n >= 0) {
			start = now_ns();
			n = pyzram_page_decompress(context, context->scratch, (size_t)n, restored,
						   page_size);
			decompress_ns[i] = since_ns(start);
		}
		if (n < 0) {
			err = (int)n;
			break;
		}
	}
	free(restored);
	return err;
}
