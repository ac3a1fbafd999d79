/* SPDX-License-Identifier: MIT */
/*
 * The public header of pyzram's C library: what Python sees, which is in device_api.h and
 * pages_api.h, a header for each extension, and what only C needs besides.
 *
 * Conventions, for every function:
 *  - 0 or a positive figure is success, a negative number is -errno; errno itself is not used;
 *  - results leave through the last parameters, which stay untouched on failure unless stated;
 *  - sizes are in bytes, or in pages if the name says pages;
 *  - _create gives a heap object that its _destroy frees; _destroy accepts NULL;
 *  - every name that the linker sees begins with pyzram_; static ones are short;
 *  - there is no global mutable state: any thread may call any function. The declaration of each
 *    object says what it allows.
 */
#ifndef PYZRAM_H
#define PYZRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device_api.h"
#include "pages_api.h"

/* Bytes in a page: the three sizes that kernels have. */
enum {
	PYZRAM_PAGE_MIN = 4096,
	PYZRAM_PAGE_MIDDLE = 16384,
	PYZRAM_PAGE_MAX = 65536,
};

static inline bool pyzram_is_page_size(size_t size)
{
	return size == PYZRAM_PAGE_MIN || size == PYZRAM_PAGE_MIDDLE || size == PYZRAM_PAGE_MAX;
}

/* Whether any kernel has machine words of this many bytes. */
static inline bool pyzram_is_word_size(size_t size)
{
	return size == 4 || size == 8;
}

/* The most pages in a zspage for which kernels can be configured (CONFIG_ZSMALLOC_CHAIN_SIZE). */
enum {
	PYZRAM_CHAIN_MIN = 4,
	PYZRAM_CHAIN_MAX = 16,
};

#endif /* PYZRAM_H */
