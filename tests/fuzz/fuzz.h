/* SPDX-License-Identifier: MIT */
/* One context for each algorithm, made once. */
#include "pyzram.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALGORITHMS_MAX = 16, PAGE = 4096 };

/* Behind the plain ones come those with a dictionary, for the algorithms that take one. */
static struct pyzram_context *choose(uint8_t number)
{
	static struct pyzram_context *contexts[ALGORITHMS_MAX];
	static size_t count;
	static int ready;
	static const char dictionary[] = "the quick brown fox jumps over the lazy dog\0\0\0\0\1\2\3\4";

	for (int pass = 0; pass < 2 && !ready; pass++) {
		const char *name;

		for (int i = 0; count < ALGORITHMS_MAX && (name = pyzram_codec_name(i)); i++) {
			struct pyzram_params *params;
			int err = pyzram_params_create(name, PAGE, PYZRAM_LEVEL_DEFAULT,
						       PYZRAM_LEVEL_DEFAULT, pass ? dictionary : NULL,
						       pass ? sizeof(dictionary) : 0, &params);

			if (pass && err)
				continue;
			if (err || pyzram_context_create(params, &contexts[count]))
				abort();
			count++;
		}
	}
	ready = 1;
	return contexts[number % count];
}

/* A page must survive the way there and back; every block has its exact size for the sanitizer. */
static void there_and_back(struct pyzram_context *context, const uint8_t *page)
{
	uint8_t *packed = malloc(2 * PAGE), *exact, *again = malloc(PAGE);
	int64_t len;

	if (!packed || !again)
		abort();
	len = pyzram_page_compress(context, page, PAGE, packed, 2 * PAGE);
	if (len <= 0 || len > 2 * PAGE)
		abort();
	exact = malloc((size_t)len);
	if (!exact)
		abort();
	/* Room for the length and no more must do as well, and one byte less must not. */
	if (pyzram_page_compress(context, page, PAGE, exact, (size_t)len) != len ||
	    memcmp(exact, packed, (size_t)len) != 0 ||
	    pyzram_page_compress(context, page, PAGE, packed, (size_t)len - 1) >= 0 ||
	    pyzram_page_decompress(context, exact, (size_t)len, again, PAGE) != PAGE ||
	    memcmp(page, again, PAGE) != 0)
		abort();
	free(packed);
	free(exact);
	free(again);
}
