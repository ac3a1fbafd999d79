/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any bytes give an error or a page. The first byte chooses the algorithm, so that one
 * corpus serves all of them.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pyzram_context *context;
	uint8_t *src, *page;
	int64_t n;

	if (!len)
		return 0;
	context = choose(data[0]);
	len--;
	src = malloc(len ? len : 1);
	page = malloc(PAGE);
	if (!src || !page)
		abort();
	memcpy(src, data + 1, len);
	n = pyzram_page_decompress(context, src, len, page, PAGE);
	if (n >= 0) {
		if (n != PAGE)
			abort();
		there_and_back(context, page);
	}
	free(src);
	free(page);
	return 0;
}
