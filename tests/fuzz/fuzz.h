/* SPDX-License-Identifier: MIT */
/*
 * One context for each algorithm, made once, then one with a dictionary for each that accepts
 * one. So the numbers in the committed corpus keep their meaning.
 */
#include "pyzram.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXTS_MAX = 32, PAGE = 4096 };

/* After the plain ones come those with a dictionary, for the algorithms that accept one. */
static struct pyzram_context *make(const char *name, const char *dict)
{
	struct pyzram_context *context;
	struct pyzram_params *params;
	int err = pyzram_params_create(name, PAGE, PYZRAM_LEVEL_DEFAULT, PYZRAM_LEVEL_DEFAULT, dict,
				       dict ? strlen(dict) : 0, &params);

	if (err && dict)
		return NULL;
	if (err || pyzram_context_create(params, &context))
		abort();
	return context;
}

static struct pyzram_context *choose(uint8_t number)
{
	static const char dict[] = "a dictionary: what pages of this kind have in common, abcdefg";
	static struct pyzram_context *contexts[CONTEXTS_MAX];
	static size_t count;
	const char *name;

	if (!count) {
		for (int i = 0; (name = pyzram_codec_name(i)); i++)
			contexts[count++] = make(name, NULL);
		for (int i = 0; (name = pyzram_codec_name(i)); i++) {
			struct pyzram_context *context = make(name, dict);

			if (context)
				contexts[count++] = context;
		}
	}
	return contexts[number % count];
}

/* A page must survive a round trip; every block has its exact size, for the sanitizer. */
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
	/* Room for exactly the length must suffice too, and one byte less must not. */
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
