/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any page compresses and comes back, with every algorithm. The first byte chooses the
 * algorithm, the second how the rest is repeated until it fills the page.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *page = calloc(1, PAGE);
	size_t gap;

	if (!page)
		abort();
	if (len > 2) {
		gap = data[1];
		for (size_t at = 0; at < PAGE; at += len - 2 + gap) {
			size_t part = len - 2 < PAGE - at ? len - 2 : PAGE - at;

			memcpy(page + at, data + 2, part);
		}
		there_and_back(choose(data[0]), page);
	}
	free(page);
	return 0;
}
