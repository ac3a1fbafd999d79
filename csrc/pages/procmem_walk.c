/* SPDX-License-Identifier: MIT */
/* Which pages of a process could go to swap: walks through its mappings. */
#include "frames.h"
#include "pageset.h"
#include "procmem.h"

#include <errno.h>
#include <string.h>

/* How many regions of PAGEMAP_SCAN are handled at a time. */
enum { REGIONS = 1024 };

/* One call goes through walks with gaps smaller than this between them. */
#define GAP_MAX	(1ull << 30)

/* What a walk does with each entry of a page in memory or in swap. */
struct walker {
	struct pyzram_procmem *pm;
	struct pyzram_seen *seen, *slots;
	struct pyzram_pageset *const *sets;
	const struct pyzram_walk *walk;	/* the one that entries belong to */
	struct pyzram_page_counts *counts;
};

static int keep(struct walker *self, uint64_t address)
{
	self->counts->present++;
	if (self->walk->set < 0)
		return 0;
	return pyzram_pageset_append(self->sets[self->walk->set], address / self->pm->page_size);
}

static int take_swapped(struct walker *self, uint64_t entry)
{
	/* The number of the swap area goes above the offset in it. */
	uint64_t slot = (entry & ENTRY_FRAME) >> 5 | (entry & ENTRY_TYPE) << 50;
	int before = 0;

	if ((entry & ENTRY_FRAME) && self->slots)
		before = pyzram_seen_before(self->slots, slot);
	if (before < 0)
		return before;
	if (before)
		self->counts->again++;
	else
		self->counts->swapped++;
	return 0;
}

/* Take one of several pages of which only a share, the weight, is kept; `rest` counts others. */
static int take_by_weight(struct walker *self, uint64_t address, uint64_t *rest)
{
	struct pyzram_procmem *pm = self->pm;

	pm->carry += self->walk->weight;
	if (pm->carry < PYZRAM_WEIGHT_ONE) {
		(*rest)++;
		return 0;
	}
	pm->carry -= PYZRAM_WEIGHT_ONE;
	return keep(self, address);
}

static int take_shmem(struct walker *self, uint64_t address)
{
	const struct pyzram_walk *walk = self->walk;
	int before = 0;

	if (self->seen)
		before = pyzram_seen_before(self->seen, walk->first + (address - walk->start) /
									      self->pm->page_size);
	if (before < 0)
		return before;
	if (before)
		self->counts->again++;
	else if (walk->flags & PYZRAM_WALK_LOCKED)
		self->counts->locked++;
	else
		return keep(self, address);
	return 0;
}

static int take_anon(struct walker *self, uint64_t address, uint64_t entry)
{
	uint64_t frame = entry & ENTRY_FRAME, flags = 0;
	bool huge = self->walk->flags & PYZRAM_WALK_HUGE;
	bool shared = !(entry & ENTRY_EXCLUSIVE) || (huge && !frame);
	int before = 0;

	if (shared)
		self->counts->shared++;
	if ((shared || huge) && frame && self->seen)
		before = pyzram_seen_before(self->seen, frame);
	if (before < 0)
		return before;
	if (before) {
		self->counts->again++;
		return 0;
	}
	if (frame && (shared || (self->walk->flags & PYZRAM_WALK_FRAMES)))
		flags = pyzram_frame_flags(self->pm->flags, frame);
	if (flags & FRAME_ZERO)
		return 0;
	if ((self->walk->flags & PYZRAM_WALK_LOCKED) ||
	    (flags & (FRAME_MLOCKED | FRAME_UNEVICTABLE))) {
		self->counts->locked++;
		return 0;
	}
	/* Without PYZRAM_WALK_FRAMES smaps has none: all pages given up were written to again. */
	if ((self->walk->flags & PYZRAM_WALK_FRAMES) && frame_lazily_freed(flags))
		return take_by_weight(self, address, &self->counts->freed);
	if ((shared && !frame) || (self->walk->flags & PYZRAM_WALK_THIN))
		return take_by_weight(self, address, &self->counts->again);
	return keep(self, address);
}

static int take(struct walker *self, uint64_t address, uint64_t entry)
{
	const struct pyzram_procmem *pm = self->pm;
	bool anon = self->walk->kind == PYZRAM_PAGES_ANON;

	if (!(entry & (ENTRY_PRESENT | ENTRY_SWAPPED)))
		return 0;
	if ((entry & ENTRY_GUARD) || (anon && (entry & ENTRY_FILE)))
		return 0;
	if (!(entry & ENTRY_PRESENT))
		return take_swapped(self, entry);
	if (pm->zero_frame && (entry & ENTRY_FRAME) == pm->zero_frame)
		return 0;
	return anon ? take_anon(self, address, entry) : take_shmem(self, address);
}

/* Take one of the entries that were read; notes that stay are made empty. */
static int take_settled(struct walker *self, uint64_t address, uint64_t *entry)
{
	if (entry_is_note(self->pm, *entry)) {
		int err = pyzram_procmem_settle(self->pm, address, entry);

		if (err)
			return err;
		if (entry_is_note(self->pm, *entry))
			*entry = 0;
	}
	return take(self, address, *entry);
}

/* Entries of pages that PAGEMAP_SCAN found, one after the other. */
static int take_region(struct walker *self, uint64_t start, uint64_t end)
{
	uint64_t entries[ENTRIES];

	while (start < end) {
		int64_t got = pyzram_procmem_entries(self->pm, start, entries,
						     (end - start) / self->pm->page_size);

		if (got <= 0)
			return (int)got;	/* 0: check_there() finds out why */
		for (int64_t i = 0; i < got; i++, start += self->pm->page_size) {
			int err = take_settled(self, start, &entries[i]);

			if (err)
				return err;
		}
	}
	return 0;
}

/* A region may extend across several walks, and across parts that are not to be walked. */
static int share_out(struct walker *self, const struct pyzram_walk *end, uint64_t from, uint64_t to)
{
	int err = 0;

	while (!err) {
		uint64_t low, high;

		while (self->walk->end <= from && self->walk + 1 < end) {
			self->walk++;
			self->counts++;
		}
		low = from > self->walk->start ? from : self->walk->start;
		high = to < self->walk->end ? to : self->walk->end;
		if (low >= high)
			break;
		err = take_region(self, low, high);
		from = high;
	}
	return err;
}

/* Walks of one kind up to `last`, in one go. */
static int walk_scan(struct walker *self, const struct pyzram_walk *last)
{
	struct scan_region regions[REGIONS];
	uint64_t start = self->walk->start;
	bool anon = self->walk->kind == PYZRAM_PAGES_ANON;

	while (start < last->end) {
		uint64_t next;
		int count = pyzram_procmem_scan(self->pm, start, last->end, anon, regions, REGIONS,
						&next);

		if (count < 0)
			return count;
		for (int i = 0; i < count; i++) {
			int err = share_out(self, last + 1, regions[i].start, regions[i].end);

			if (err)
				return err;
		}
		if (next <= start)
			break;
		start = next;
	}
	return 0;
}

static int walk_pagemap(struct walker *self)
{
	const struct pyzram_walk *walk = self->walk;
	uint64_t page_size = self->pm->page_size, start = walk->start;
	uint64_t entries[ENTRIES], seen = 0;

	while (start < walk->end && seen < walk->seen_max) {
		uint64_t left = (walk->end - start) / page_size;
		int64_t got = pyzram_procmem_entries(self->pm, start, entries, left);

		if (got <= 0)
			return (int)got;
		for (int64_t i = 0; i < got; i++, start += page_size) {
			int err = take_settled(self, start, &entries[i]);

			if (err)
				return err;
			seen += (entries[i] & (ENTRY_PRESENT | ENTRY_SWAPPED)) != 0;
		}
	}
	return 0;
}

/* How many walks, from the first on, can be done in one go. */
static size_t group_of(const struct pyzram_walk *walks, size_t count)
{
	size_t n = 1;

	while (n < count && walks[n].kind == walks->kind && walks[n].start >= walks[n - 1].end &&
	       walks[n].start - walks[n - 1].end < GAP_MAX)
		n++;
	return n;
}

static bool walk_is_valid(const struct pyzram_walk *walk, uint64_t page_size, size_t set_count)
{
	return walk->start % page_size == 0 && walk->end % page_size == 0 &&
	       walk->start <= walk->end && walk->weight <= PYZRAM_WEIGHT_ONE &&
	       (walk->set < 0 || (size_t)walk->set < set_count);
}

/* Is the memory still there? After the process has started another program, nothing is found. */
static int check_there(const struct pyzram_procmem *pm, uint64_t start)
{
	uint64_t entry;
	int64_t got = pyzram_procmem_entries(pm, start, &entry, 1);

	if (got < 0)
		return (int)got;
	return got ? 0 : -ESRCH;
}

int pyzram_procmem_collect(struct pyzram_procmem *pm, const struct pyzram_walk *walks, size_t count,
			   struct pyzram_seen *seen, struct pyzram_seen *slots,
			   struct pyzram_pageset *const *sets, size_t set_count,
			   struct pyzram_page_counts *ret)
{
	struct walker walker = {.pm = pm, .seen = seen, .slots = slots, .sets = sets};
	size_t group;

	for (size_t i = 0; i < count; i++) {
		if (!walk_is_valid(&walks[i], pm->page_size, set_count))
			return -EINVAL;
	}
	memset(ret, 0, count * sizeof(*ret));
	for (size_t at = 0; at < count; at += group) {
		int err;

		group = pm->method == PYZRAM_SCAN_IOCTL ? group_of(walks + at, count - at) : 1;
		walker.walk = walks + at;
		walker.counts = ret + at;
		if (pm->method == PYZRAM_SCAN_IOCTL)
			err = walk_scan(&walker, walks + at + group - 1);
		else
			err = walk_pagemap(&walker);
		if (err)
			return err;
	}
	for (size_t i = 0; i < set_count; i++)
		pyzram_pageset_trim(sets[i]);
	return count ? check_there(pm, walks[0].start) : 0;
}
