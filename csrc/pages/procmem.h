/* SPDX-License-Identifier: MIT */
/* The memory of a process, as shared by the C files about it. Internal to the C library. */
#ifndef PYZRAM_PROCMEM_H
#define PYZRAM_PROCMEM_H

#include "pyzram.h"

/* How many entries of pagemap are handled at a time. */
enum { ENTRIES = 4096 };

/* Bits of an entry of /proc/PID/pagemap. */
#define ENTRY_PRESENT	(1ull << 63)
#define ENTRY_SWAPPED	(1ull << 62)
#define ENTRY_FILE	(1ull << 61)
#define ENTRY_GUARD	(1ull << 58)
#define ENTRY_EXCLUSIVE	(1ull << 56)	/* mapped here and nowhere else */
#define ENTRY_FRAME	((1ull << 55) - 1)
#define ENTRY_TYPE	31ull		/* of a page in swap: the number of the area */

/*
 * From some number of an area on, an entry is a note: the page is just being moved, is broken, or
 * the entry marks a place. Which one depends on the version and the configuration (swapon(2) tells
 * what lowers the limit of 32), and nothing tells it. No kernel so far has fewer numbers of areas
 * than this (Linux 5.19 to 6.1 with all options), and none has fewer than there are areas.
 */
enum { AREAS_MIN = 22 };

struct pyzram_procmem {
	int pagemap;
	int mem;
	int flags;			/* of frames: descriptor, negative if hidden */
	int method;
	uint64_t page_size;
	uint64_t avoid;			/* categories of PAGEMAP_SCAN that are never wanted */
	uint64_t zero_frame;		/* the shared page of zeros; 0 if hidden */
	uint64_t carry;			/* of shares of pages, see take_by_weight() */
	unsigned int areas;		/* an entry of this type or above is a note */
	uint32_t lasting;		/* the types of notes that stay as they are */
};

/* Read entries of pagemap from an address on. Returns how many could be read, or -errno. */
int64_t pyzram_procmem_entries(const struct pyzram_procmem *pm, uint64_t start, uint64_t *ret,
			       uint64_t count);

/* Is it a note in place of a page? Never, if the kernel hides numbers; a guard says what it is. */
static inline bool entry_is_note(const struct pyzram_procmem *pm, uint64_t entry)
{
	return (entry & (ENTRY_PRESENT | ENTRY_SWAPPED | ENTRY_GUARD)) == ENTRY_SWAPPED &&
	       (entry & ENTRY_TYPE) >= pm->areas;
}

/*
 * Wait until a page that is just being moved has arrived, and read its entry again. 0 or -errno; if
 * the entry is a note that stays, it is left as it is.
 */
int pyzram_procmem_settle(struct pyzram_procmem *pm, uint64_t address, uint64_t *entry);

/* A run of pages that PAGEMAP_SCAN found. */
struct scan_region {
	uint64_t start, end, categories;
};

/* Check that this kernel scans, and whether it knows guard pages; note what to avoid. 0, -errno. */
int pyzram_procmem_scan_probe(struct pyzram_procmem *pm);

/*
 * Find runs of pages in memory or in swap; with `anon`, only private ones. Returns how many were
 * found, at most `room`, or -errno. next is where to go on.
 */
int pyzram_procmem_scan(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, bool anon,
			struct scan_region *ret, size_t room, uint64_t *next);

#endif /* PYZRAM_PROCMEM_H */
