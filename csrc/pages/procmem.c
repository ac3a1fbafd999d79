/* SPDX-License-Identifier: MIT */
/* The memory of a process: turning to it, and reading some of its pages. */
#include "frames.h"
#include "io.h"
#include "page_run.h"
#include "procmem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

/* The frame of zeros that reading untouched memory gives; 0 if this process may not know it. */
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
	/* Both stay with the memory of this very process, whatever becomes of its number. */
	pm->pagemap = io_open(proc_fd, "pagemap", O_RDONLY);
	pm->mem = io_open(proc_fd, "mem", O_RDONLY);
	if (pm->pagemap < 0 || pm->mem < 0) {
		err = pm->pagemap < 0 ? pm->pagemap : pm->mem;
		err = err == -ENOENT ? -ESRCH : err;
	} else if (pm->method == PYZRAM_SCAN_AUTO ||
		   (pm->method == PYZRAM_SCAN_IOCTL && !pm->avoid)) {
		err = pyzram_procmem_scan_probe(pm);
		/* Emulators of system calls say ENOSYS. */
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
	pm->lasting = 0;
	return err;
}

int pyzram_procmem_create(int proc_fd, int method, unsigned int areas, struct pyzram_procmem **ret)
{
	struct pyzram_procmem *pm;
	int err;

	if (method < PYZRAM_SCAN_AUTO || method > PYZRAM_SCAN_PAGEMAP)
		return -EINVAL;
	pm = calloc(1, sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	pm->method = method;
	pm->areas = areas > AREAS_MIN ? areas : AREAS_MIN;
	pm->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	pm->pagemap = pm->mem = -1;
	pm->flags = pyzram_frames_open();
	err = pyzram_procmem_turn(pm, proc_fd);
	if (err) {
		pyzram_procmem_destroy(pm);
		return err;
	}
	pm->zero_frame = zero_frame_find(pm->page_size);
	*ret = pm;
	return 0;
}

int pyzram_procmem_compare(int task, int other)
{
	enum { VM = 1 };	/* KCMP_VM */
	long order = syscall(SYS_kcmp, task, other, VM, 0ul, 0ul);

	return order < 0 ? -errno : (int)order;
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

bool pyzram_procmem_shows_frames(const struct pyzram_procmem *pm)
{
	return pm->flags >= 0 && pm->zero_frame != 0;
}

int64_t pyzram_procmem_entries(const struct pyzram_procmem *pm, uint64_t start, uint64_t *ret,
			       uint64_t count)
{
	size_t wanted = (size_t)(count < ENTRIES ? count : ENTRIES);
	int64_t n = io_read(pm->pagemap, ret, wanted * sizeof(*ret),
			    start / pm->page_size * sizeof(*ret));

	return n < 0 ? n : n / (int64_t)sizeof(*ret);
}

int pyzram_procmem_settle(struct pyzram_procmem *pm, uint64_t address, uint64_t *entry)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint32_t type = 1u << (*entry & ENTRY_TYPE);

	/* A move takes microseconds, unless the processor that does it has other work. */
	for (int i = 0; i < 100 && !(pm->lasting & type); i++) {
		int64_t got;

		nanosleep(&pause, NULL);
		got = pyzram_procmem_entries(pm, address, entry, 1);
		if (got <= 0)
			return (int)got;
		if (!entry_is_note(pm, *entry))
			return 0;
	}
	pm->lasting |= type;
	return 0;
}

/*
 * Find out which of `count` pages from `start` on can be read. Reading a page that is not in memory
 * would fault it in, and reading one that its owner gave up would make it look used, so both are
 * left alone.
 */
static void pages_there(struct pyzram_procmem *pm, uint64_t start, size_t count, bool freed,
			uint8_t *ret)
{
	uint64_t entries[ENTRIES];
	int64_t n = pyzram_procmem_entries(pm, start, entries, count);
	size_t got = n < 0 ? 0 : (size_t)n;

	for (size_t i = 0; i < count; i++) {
		bool there = i < got && (entries[i] & ENTRY_PRESENT);
		uint64_t frame;

		if (i < got && entry_is_note(pm, entries[i]))
			there = !pyzram_procmem_settle(pm, start + i * pm->page_size,
						       entries + i) &&
				(entries[i] & ENTRY_PRESENT);
		frame = there ? entries[i] & ENTRY_FRAME : 0;
		ret[i] = there ? PYZRAM_READ_DONE : PYZRAM_READ_GONE;
		if (frame && !freed && frame_lazily_freed(pyzram_frame_flags(pm->flags, frame)))
			ret[i] = PYZRAM_READ_FREED;
	}
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
		/*
		 * Never with process_vm_readv, which pins pages: a pin gives the owner its own copy
		 * of each page that it shares after a fork or through same-page merging.
		 */
		done += page_run_read(pm->mem, addresses[at], pm->page_size, run, false,
				      dst + done * pm->page_size, ret + at);
		at += run;
	}
	return (int64_t)done;
}
