/* SPDX-License-Identifier: MIT */
/* Memory of a process: which of its pages could go to swap, and reading some of them. */
#define _FILE_OFFSET_BITS 64	/* addresses are offsets of /proc/PID/mem, also on 32 bit */

#include "frames.h"
#include "pyzram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

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

enum {
	CATEGORY_FILE = 1 << 2,
	CATEGORY_PRESENT = 1 << 3,
	CATEGORY_SWAPPED = 1 << 4,
	CATEGORY_ZERO = 1 << 5,
	CATEGORY_GUARD = 1 << 8,	/* 6.15 and later */

	REGIONS = 1024,
	ENTRIES = 4096,
	RUN_MAX = 512,			/* pages that are looked at again and read at a time */
};

/* Bits of an entry of /proc/PID/pagemap. */
#define ENTRY_PRESENT	(1ull << 63)
#define ENTRY_SWAPPED	(1ull << 62)
#define ENTRY_FILE	(1ull << 61)
#define ENTRY_GUARD	(1ull << 58)
#define ENTRY_FRAME	((1ull << 55) - 1)

struct pyzram_procmem {
	int pagemap;
	int mem;
	int flags;			/* of frames; negative where the kernel does not show them */
	int method;
	uint64_t page_size;
	uint64_t avoid;			/* categories of PAGEMAP_SCAN that are never wanted */
	uint64_t zero_frame;		/* the shared page of zeros, 0 where the kernel hides frames */
};

static int proc_open(int pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	do {
		fd = open(path, flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* The frame of zeros that a read of untouched memory gives; 0 if this process may not know it. */
static uint64_t zero_frame_find(uint64_t page_size)
{
	uint64_t entry = 0;
	int fd = proc_open((int)getpid(), "pagemap", O_RDONLY);
	volatile uint8_t *page;

	if (fd < 0)
		return 0;
	page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED) {
		off_t at = (off_t)((uintptr_t)page / page_size * sizeof(entry));

		(void)page[0];
		if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
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

int pyzram_procmem_create(int pid, int method, struct pyzram_procmem **ret)
{
	struct pyzram_procmem *pm;
	int err = 0;

	if (pid <= 0 || method < PYZRAM_SCAN_AUTO || method > PYZRAM_SCAN_PAGEMAP)
		return -EINVAL;
	pm = calloc(1, sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	pm->method = method;
	pm->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	/* Both keep to the memory of this very process, whatever becomes of its number. */
	pm->pagemap = proc_open(pid, "pagemap", O_RDONLY);
	pm->mem = proc_open(pid, "mem", O_RDONLY);
	pm->flags = frames_open();
	if (pm->pagemap < 0 || pm->mem < 0) {
		err = pm->pagemap < 0 ? pm->pagemap : pm->mem;
		err = err == -ENOENT ? -ESRCH : err;
	} else if (method != PYZRAM_SCAN_PAGEMAP)
		err = scan_probe(pm);
	if (method == PYZRAM_SCAN_AUTO && (err == -ENOTTY || err == -EINVAL)) {
		pm->method = PYZRAM_SCAN_PAGEMAP;
		err = 0;
	}
	if (err) {
		pyzram_procmem_destroy(pm);
		return err;
	}
	if (pm->method == PYZRAM_SCAN_PAGEMAP)
		pm->zero_frame = zero_frame_find(pm->page_size);
	else
		pm->method = PYZRAM_SCAN_IOCTL;
	*ret = pm;
	return 0;
}

void pyzram_procmem_destroy(struct pyzram_procmem *pm)
{
	if (!pm)
		return;
	if (pm->pagemap >= 0)
		close(pm->pagemap);
	if (pm->mem >= 0)
		close(pm->mem);
	if (pm->flags >= 0)
		close(pm->flags);
	free(pm);
}

int pyzram_procmem_method(const struct pyzram_procmem *pm)
{
	return pm->method;
}

/* What a walk does with each run of swappable pages; not 0 ends the walk. */
struct visitor {
	int (*run)(struct visitor *self, uint64_t start, uint64_t pages, int swapped);
	uint64_t page_size;
	uint64_t seen_max;		/* so many entries in use are there at most, of any kind */
};

static int walk_scan(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, int kind,
		     struct visitor *visitor)
{
	struct scan_region *regions = malloc(REGIONS * sizeof(*regions));
	uint64_t avoid = pm->avoid | (kind == PYZRAM_PAGES_ANON ? CATEGORY_FILE : 0);
	int count = 0;

	if (!regions)
		return -ENOMEM;
	while (start < end) {
		uint64_t next;
		struct scan_arg arg = {
			.size = sizeof(arg), .start = start, .end = end,
			.vec = (uintptr_t)regions, .vec_len = REGIONS,
			.category_inverted = avoid, .category_mask = avoid,
			.category_anyof_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
			.return_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
		};

		count = scan_ioctl(pm->pagemap, &arg);
		if (count < 0)
			break;
		for (int i = 0; i < count; i++) {
			const struct scan_region *r = &regions[i];

			if (visitor->run(visitor, r->start, (r->end - r->start) / pm->page_size,
					 !(r->categories & CATEGORY_PRESENT)))
				goto out;
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
out:
	free(regions);
	return count < 0 ? count : 0;
}

static int walk_pagemap(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, int kind,
			struct visitor *visitor)
{
	uint64_t entries[ENTRIES], seen = 0;

	while (start < end && seen < visitor->seen_max) {
		size_t wanted = sizeof(entries);
		ssize_t n;

		if ((end - start) / pm->page_size < ENTRIES)
			wanted = (end - start) / pm->page_size * sizeof(*entries);
		do {
			n = pread(pm->pagemap, entries, wanted,
				  (off_t)(start / pm->page_size * sizeof(*entries)));
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if (n < (ssize_t)sizeof(*entries))
			return 0;	/* the process has exited */
		for (size_t i = 0; i < (size_t)n / sizeof(*entries); i++, start += pm->page_size) {
			uint64_t e = entries[i];

			if (!(e & (ENTRY_PRESENT | ENTRY_SWAPPED)))
				continue;
			seen++;
			if ((e & ENTRY_GUARD) || (kind == PYZRAM_PAGES_ANON && (e & ENTRY_FILE)))
				continue;
			if ((e & ENTRY_PRESENT) && pm->zero_frame && (e & ENTRY_FRAME) == pm->zero_frame)
				continue;
			if (visitor->run(visitor, start, 1, !(e & ENTRY_PRESENT)))
				return 0;
		}
	}
	return 0;
}

static int walk(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, int kind,
		struct visitor *visitor)
{
	if (start % pm->page_size || end % pm->page_size || start > end)
		return -EINVAL;
	visitor->page_size = pm->page_size;
	return pm->method == PYZRAM_SCAN_IOCTL ? walk_scan(pm, start, end, kind, visitor)
					       : walk_pagemap(pm, start, end, kind, visitor);
}

struct counter {
	struct visitor visitor;
	uint64_t pages[2];		/* present, swapped */
};

static int counter_run(struct visitor *visitor, uint64_t start, uint64_t pages, int swapped)
{
	struct counter *self = (struct counter *)visitor;

	(void)start;
	self->pages[swapped] += pages;
	return 0;
}

int pyzram_procmem_count(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, int kind,
			 uint64_t seen_max, uint64_t *ret)
{
	struct counter counter = { .visitor = { .run = counter_run, .seen_max = seen_max } };
	int err = walk(pm, start, end, kind, &counter.visitor);

	if (err)
		return err;
	ret[0] = counter.pages[0];
	ret[1] = counter.pages[1];
	return 0;
}

struct picker {
	struct visitor visitor;
	const uint64_t *ranks;
	size_t count, next;
	uint64_t passed;		/* present pages before this run */
	uint64_t *ret;
};

static int picker_run(struct visitor *visitor, uint64_t start, uint64_t pages, int swapped)
{
	struct picker *self = (struct picker *)visitor;

	if (swapped)
		return 0;
	while (self->next < self->count && self->ranks[self->next] < self->passed + pages) {
		uint64_t within = self->ranks[self->next] - self->passed;

		self->ret[self->next++] = start + within * visitor->page_size;
	}
	self->passed += pages;
	return self->next == self->count;
}

int64_t pyzram_procmem_pick(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, int kind,
			    const uint64_t *ranks, size_t count, uint64_t *ret)
{
	struct picker picker = {
		.visitor = { .run = picker_run, .seen_max = UINT64_MAX },
		.ranks = ranks, .count = count, .ret = ret,
	};
	int err;

	for (size_t i = 1; i < count; i++) {
		if (ranks[i] <= ranks[i - 1])
			return -EINVAL;
	}
	if (!count)
		return 0;
	err = walk(pm, start, end, kind, &picker.visitor);
	return err ? err : (int64_t)picker.next;
}

/*
 * Which of `count` pages from `start` on are there to be read. A page that is not in memory would be
 * faulted in, and one that its owner gave up would look used: both are left alone.
 */
static void pages_there(const struct pyzram_procmem *pm, uint64_t start, size_t count, uint8_t *ret)
{
	uint64_t entries[RUN_MAX];
	ssize_t n;
	size_t got;

	do {
		n = pread(pm->pagemap, entries, count * sizeof(*entries),
			  (off_t)(start / pm->page_size * sizeof(*entries)));
	} while (n < 0 && errno == EINTR);
	got = n < 0 ? 0 : (size_t)n / sizeof(*entries);
	for (size_t i = 0; i < count; i++) {
		uint64_t frame;

		ret[i] = i < got && (entries[i] & ENTRY_PRESENT);
		frame = ret[i] ? entries[i] & ENTRY_FRAME : 0;
		if (frame && frame_lazily_freed(frame_flags(pm->flags, frame)))
			ret[i] = 0;
	}
}

/*
 * Through /proc/PID/mem, never process_vm_readv: that one pins pages, and a pin gives the owner a copy
 * of each page that fork or same-page merging has it share. Returns the pages read before one could
 * not be.
 */
static size_t pages_read(const struct pyzram_procmem *pm, uint64_t start, size_t count, uint8_t *dst)
{
	size_t size = count * pm->page_size, done = 0;

	while (done < size) {
		ssize_t n = pread(pm->mem, dst + done, size - done, (off_t)(start + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done / pm->page_size;
}

int64_t pyzram_procmem_read(struct pyzram_procmem *pm, const uint64_t *addresses, size_t count,
			    uint8_t *dst, uint8_t *ret)
{
	size_t at = 0, done = 0;

	while (at < count) {
		size_t run = 1;

		while (run < RUN_MAX && at + run < count &&
		       addresses[at + run] == addresses[at] + run * pm->page_size)
			run++;
		pages_there(pm, addresses[at], run, ret + at);
		for (size_t i = 0; i < run;) {
			size_t there = 0, got;

			while (i + there < run && ret[at + i + there])
				there++;
			got = pages_read(pm, addresses[at + i], there, dst + done * pm->page_size);
			done += got;
			if (got < there)
				ret[at + i + got] = 0;
			i += got < there ? got + 1 : there + 1;
		}
		at += run;
	}
	return (int64_t)done;
}
