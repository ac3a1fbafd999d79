/* SPDX-License-Identifier: MIT */
/* The prefix codes of deflate: canonical, of limited length, the first bit of a word lowest. */
#ifndef PYZRAM_DEFLATE_CODE_H
#define PYZRAM_DEFLATE_CODE_H

#include <stdint.h>

enum {
	DEFLATE_CODE_SYMBOLS = 288,
	DEFLATE_CODE_MAX = 15,		/* bits */
};

struct deflate_code {
	uint8_t bits[DEFLATE_CODE_SYMBOLS];	/* of a symbol's word; 0: it has none */
	uint16_t words[DEFLATE_CODE_SYMBOLS];
	unsigned int count;			/* up to the last symbol that has one */
};

/*
 * The best code for symbols with these frequencies, with words of at most max bits. It has at least
 * two words, as the format requires.
 */
void pyzram_deflate_code_make(struct deflate_code *code, const uint32_t *often,
			      unsigned int symbols, unsigned int max);

/*
 * Number the words by their bits, both by symbol. They are told apart: where GCC 12 reaches one
 * array of a structure by its distance from another (armhf), it may take the function for one
 * without effects and drop the call.
 */
void pyzram_deflate_code_words(const uint8_t *bits, uint16_t *words, unsigned int symbols);

#endif /* PYZRAM_DEFLATE_CODE_H */
