/* SPDX-License-Identifier: MIT */
/*
 * The public header of pyzram's C library: what Python sees, which is in pyzram_api.h, and what
 * only C needs besides.
 *
 * Conventions, for every function:
 *  - 0 or a positive figure is success, a negative number is -errno; errno itself is not used;
 *  - results leave through the last parameters; they are untouched on failure, unless said;
 *  - sizes are bytes, pages where the name says pages;
 *  - _create gives a heap object that its _destroy frees; _destroy takes NULL;
 *  - no global mutable state: every function may be called from any thread. What one object allows
 *    is said where it is declared.
 */
#ifndef PYZRAM_H
#define PYZRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pyzram_api.h"

/* Bytes of a page. */
enum {
	PYZRAM_PAGE_MIN = 4096,
	PYZRAM_PAGE_MAX = 65536,
};

/* Whether any kernel has pages of this size. */
static inline bool pyzram_is_page_size(size_t size)
{
	return size == PYZRAM_PAGE_MIN || size == 16384 || size == PYZRAM_PAGE_MAX;
}

/* Pages of a zspage at most, as kernels can be configured (CONFIG_ZSMALLOC_CHAIN_SIZE). */
enum {
	PYZRAM_CHAIN_MIN = 4,
	PYZRAM_CHAIN_MAX = 16,
};

#endif /* PYZRAM_H */
