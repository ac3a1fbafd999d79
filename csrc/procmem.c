/* SPDX-License-Identifier: MIT */
/* Memory of a process: which of its pages could go to swap, and reading some of them. */
#include "frames.h"
#include "io.h"
#include "pageset.h"
#include "pyzram.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/*
 * PAGEMAP_SCAN came with Linux 6.7, younger than the headers of many systems. Layout and numbers are
 * the kernel's promise (Documentation/admin-guide/mm/pagemap.rst).
 */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL	_IOWR('f', 16, struct scan_arg)

/* Categories of PAGEMAP_SCAN. */
enum {
	CATEGORY_FILE = 1 << 2,
	CATEGORY_PRESENT = 1 << 3,
	CATEGORY_SWAPPED = 1 << 4,
	CATEGORY_ZERO = 1 << 5,
	CATEGORY_GUARD = 1 << 8,	/* 6.15 and later */
};

/* So many are handled at a time. */
enum {
	REGIONS = 1024,
	ENTRIES = 4096,
	RUN_MAX = 512,			/* pages that are looked at again and read at a time */
};

/* Walks with less than this between them are gone through by one call. */
#define GAP_MAX	(1ull << 30)

/* Bits of an entry of /proc/PID/pagemap. */
#define ENTRY_PRESENT	(1ull << 63)
#define ENTRY_SWAPPED	(1ull << 62)
#define ENTRY_FILE	(1ull << 61)
#define ENTRY_GUARD	(1ull << 58)
#define ENTRY_EXCLUSIVE	(1ull << 56)	/* mapped here and nowhere else */
#define ENTRY_FRAME	((1ull << 55) - 1)

struct pyzram_procmem {
	int pagemap;
	int mem;
	int flags;			/* of frames; negative where the kernel does not show them */
	int method;
	uint64_t page_size;
	uint64_t avoid;			/* categories of PAGEMAP_SCAN that are never wanted */
	uint64_t zero_frame;		/* the shared page of zeros, 0 where the kernel hides frames */
	uint64_t carry;			/* of shares of pages, see take_by_weight() */
};

/* The frame of zeros that a read of untouched memory gives; 0 if this process may not know it. */
static uint64_t zero_frame_find(uint64_t page_size)
{
	uint64_t entry = 0;
	int fd = io_open(AT_FDCWD, "/proc/self/pagemap", O_RDONLY);
	volatile uint8_t *page;

	if (fd < 0)
		return 0;
	page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED) {
		uint64_t at = (uintptr_t)page / page_size * sizeof(entry);

		(void)page[0];
		if (io_read(fd, &entry, sizeof(entry), at) != sizeof(entry))
			entry = 0;
		munmap((void *)(uintptr_t)page, page_size);
	}
	close(fd);
	return entry & ENTRY_PRESENT ? entry & ENTRY_FRAME : 0;
}

static int scan_ioctl(int fd, struct scan_arg *arg)
{
	int n;

	do {
		n = ioctl(fd, SCAN_IOCTL, arg);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Does this kernel scan, and does it know the guard category? */
static int scan_probe(struct pyzram_procmem *pm)
{
	struct scan_region region;
	int err;

	pm->avoid = CATEGORY_ZERO | CATEGORY_GUARD;
	for (;;) {
		struct scan_arg arg = {
			.size = sizeof(arg), .end = pm->page_size,
			.vec = (uintptr_t)&region, .vec_len = 1,
			.category_inverted = pm->avoid, .category_mask = pm->avoid,
			.return_mask = CATEGORY_PRESENT,
		};

		err = scan_ioctl(pm->pagemap, &arg);
		if (err != -EINVAL || !(pm->avoid & CATEGORY_GUARD))
			break;
		pm->avoid = CATEGORY_ZERO;
	}
	return err < 0 ? err : 0;
}

static void process_close(struct pyzram_procmem *pm)
{
	if (pm->pagemap >= 0)
		close(pm->pagemap);
	if (pm->mem >= 0)
		close(pm->mem);
	pm->pagemap = pm->mem = -1;
}

int pyzram_procmem_turn(struct pyzram_procmem *pm, int proc_fd)
{
	int err = 0;

	process_close(pm);
	/* Both keep to the memory of this very process, whatever becomes of its number. */
	pm->pagemap = io_open(proc_fd, "pagemap", O_RDONLY);
	pm->mem = io_open(proc_fd, "mem", O_RDONLY);
	if (pm->pagemap < 0 || pm->mem < 0) {
		err = pm->pagemap < 0 ? pm->pagemap : pm->mem;
		err = err == -ENOENT ? -ESRCH : err;
	} else if (pm->method == PYZRAM_SCAN_AUTO || (pm->method == PYZRAM_SCAN_IOCTL && !pm->avoid)) {
		err = scan_probe(pm);
		/* ENOSYS is what emulators of system calls say. */
		if (!err)
			pm->method = PYZRAM_SCAN_IOCTL;
		else if (pm->method == PYZRAM_SCAN_AUTO &&
			 (err == -ENOTTY || err == -EINVAL || err == -ENOSYS)) {
			pm->method = PYZRAM_SCAN_PAGEMAP;
			err = 0;
		}
	}
	if (err)
		process_close(pm);
	pm->carry = 0;
	return err;
}

int pyzram_procmem_create(int proc_fd, int method, struct pyzram_procmem **ret)
{
	struct pyzram_procmem *pm;
	int err;

	if (method < PYZRAM_SCAN_AUTO || method > PYZRAM_SCAN_PAGEMAP)
		return -EINVAL;
	pm = calloc(1, sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	pm->method = method;
	pm->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	pm->pagemap = pm->mem = -1;
	pm->flags = frames_open();
	err = pyzram_procmem_turn(pm, proc_fd);
	if (err) {
		pyzram_procmem_destroy(pm);
		return err;
	}
	pm->zero_frame = zero_frame_find(pm->page_size);
	*ret = pm;
	return 0;
}

void pyzram_procmem_destroy(struct pyzram_procmem *pm)
{
	if (!pm)
		return;
	process_close(pm);
	if (pm->flags >= 0)
		close(pm->flags);
	free(pm);
}

int pyzram_procmem_method(const struct pyzram_procmem *pm)
{
	return pm->method;
}

/* Entries of pagemap from an address on: how many could be read, or -errno. */
static int64_t entries_read(const struct pyzram_procmem *pm, uint64_t start, uint64_t *ret,
			    uint64_t count)
{
	size_t wanted = (size_t)(count < ENTRIES ? count : ENTRIES);
	int64_t n = io_read(pm->pagemap, ret, wanted * sizeof(*ret),
			    start / pm->page_size * sizeof(*ret));

	return n < 0 ? n : n / (int64_t)sizeof(*ret);
}

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
	return pageset_append(self->sets[self->walk->set], address / self->pm->page_size);
}

static int take_swapped(struct walker *self, uint64_t entry)
{
	/* The number of the swap area comes before the offset in it, and is more than most need. */
	uint64_t slot = (entry & ENTRY_FRAME) >> 5 | (entry & 31) << 50;
	int before = 0;

	if ((entry & ENTRY_FRAME) && self->slots)
		before = seen_before(self->slots, slot);
	if (before < 0)
		return before;
	if (before)
		self->counts->again++;
	else
		self->counts->swapped++;
	return 0;
}

/* One of pages of which only a share, the weight, is kept; `rest` counts the others. */
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
		before = seen_before(self->seen,
				     walk->first + (address - walk->start) / self->pm->page_size);
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
	bool shared = !(entry & ENTRY_EXCLUSIVE);
	int before = 0;

	if (shared) {
		self->counts->shared++;
		if (frame && self->seen)
			before = seen_before(self->seen, frame);
		if (before < 0)
			return before;
		if (before) {
			self->counts->again++;
			return 0;
		}
	}
	if (frame && (shared || (self->walk->flags & PYZRAM_WALK_FRAMES)))
		flags = frame_flags(self->pm->flags, frame);
	if (flags & FRAME_ZERO)
		return 0;
	if ((self->walk->flags & PYZRAM_WALK_LOCKED) || (flags & (FRAME_MLOCKED | FRAME_UNEVICTABLE))) {
		self->counts->locked++;
		return 0;
	}
	/* Without PYZRAM_WALK_FRAMES smaps tells of none: all that was given up was written to again. */
	if ((self->walk->flags & PYZRAM_WALK_FRAMES) && frame_lazily_freed(flags))
		return take_by_weight(self, address, &self->counts->freed);
	if ((shared && !frame) || (self->walk->flags & PYZRAM_WALK_THIN))
		return take_by_weight(self, address, &self->counts->again);
	return keep(self, address);
}

static int take(struct walker *self, uint64_t address, uint64_t entry)
{
	struct pyzram_procmem *pm = self->pm;
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

/* Entries of pages that PAGEMAP_SCAN found, one behind the other. */
static int take_region(struct walker *self, uint64_t start, uint64_t end)
{
	uint64_t entries[ENTRIES];

	while (start < end) {
		int64_t got = entries_read(self->pm, start, entries,
					   (end - start) / self->pm->page_size);

		if (got <= 0)
			return (int)got;	/* 0: the process has exited */
		for (int64_t i = 0; i < got; i++, start += self->pm->page_size) {
			int err = take(self, start, entries[i]);

			if (err)
				return err;
		}
	}
	return 0;
}

/* A region may lie across several walks, and across what is not to be walked. */
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
	const struct pyzram_procmem *pm = self->pm;
	struct scan_region regions[REGIONS];
	uint64_t start = self->walk->start, end = last->end;
	uint64_t avoid = pm->avoid | (self->walk->kind == PYZRAM_PAGES_ANON ? CATEGORY_FILE : 0);

	while (start < end) {
		uint64_t next;
		struct scan_arg arg = {
			.size = sizeof(arg), .start = start, .end = end,
			.vec = (uintptr_t)regions, .vec_len = REGIONS,
			.category_inverted = avoid, .category_mask = avoid,
			.category_anyof_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
			.return_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
		};
		int count = scan_ioctl(pm->pagemap, &arg);

		if (count < 0)
			return count;
		for (int i = 0; i < count; i++) {
			int err = share_out(self, last + 1, regions[i].start, regions[i].end);

			if (err)
				return err;
		}
		/*
		 * Of more regions than fit the kernel's own buffer (512 on 6.18) walk_end is where that
		 * was full first, though regions far beyond it came back.
		 */
		next = arg.walk_end;
		if (count && regions[count - 1].end > next)
			next = regions[count - 1].end;
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
		int64_t got = entries_read(self->pm, start, entries, (walk->end - start) / page_size);

		if (got <= 0)
			return (int)got;
		for (int64_t i = 0; i < got; i++, start += page_size) {
			int err;

			if (!(entries[i] & (ENTRY_PRESENT | ENTRY_SWAPPED)))
				continue;
			seen++;
			err = take(self, start, entries[i]);
			if (err)
				return err;
		}
	}
	return 0;
}

/* How many walks from the first on can be gone through in one go. */
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
		pageset_trim(sets[i]);
	return 0;
}

bool pyzram_procmem_shows_frames(const struct pyzram_procmem *pm)
{
	return pm->flags >= 0 && pm->zero_frame != 0;
}

/*
 * Which of `count` pages from `start` on are there to be read. A page that is not in memory would be
 * faulted in, and one that its owner gave up would look used: both are left alone.
 */
static void pages_there(const struct pyzram_procmem *pm, uint64_t start, size_t count, bool freed,
			uint8_t *ret)
{
	uint64_t entries[ENTRIES];
	int64_t n = entries_read(pm, start, entries, count);
	size_t got = n < 0 ? 0 : (size_t)n;

	for (size_t i = 0; i < count; i++) {
		uint64_t frame;

		ret[i] = i < got && (entries[i] & ENTRY_PRESENT) ? PYZRAM_READ_DONE : PYZRAM_READ_GONE;
		frame = ret[i] ? entries[i] & ENTRY_FRAME : 0;
		if (frame && !freed && frame_lazily_freed(frame_flags(pm->flags, frame)))
			ret[i] = PYZRAM_READ_FREED;
	}
}

/*
 * Through /proc/PID/mem, never process_vm_readv: that one pins pages, and a pin gives the owner a copy
 * of each page that fork or same-page merging has it share. Returns the pages read before one could
 * not be.
 */
static size_t pages_read(const struct pyzram_procmem *pm, uint64_t start, size_t count, uint8_t *dst)
{
	return io_read_whole(pm->mem, dst, count * pm->page_size, start) / pm->page_size;
}

int64_t pyzram_procmem_read(struct pyzram_procmem *pm, const uint64_t *addresses, size_t count,
			    bool freed, uint8_t *dst, uint8_t *ret)
{
	size_t at = 0, done = 0;

	while (at < count) {
		size_t run = 1;

		while (run < RUN_MAX && at + run < count &&
		       addresses[at + run] == addresses[at] + run * pm->page_size)
			run++;
		pages_there(pm, addresses[at], run, freed, ret + at);
		for (size_t i = 0; i < run;) {
			size_t there = 0, got;

			while (i + there < run && ret[at + i + there] == PYZRAM_READ_DONE)
				there++;
			got = pages_read(pm, addresses[at + i], there, dst + done * pm->page_size);
			done += got;
			if (got < there)
				ret[at + i + got] = PYZRAM_READ_GONE;
			i += got < there ? got + 1 : there + 1;
		}
		at += run;
	}
	return (int64_t)done;
}
