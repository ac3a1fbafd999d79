/* SPDX-License-Identifier: MIT */
/* PAGEMAP_SCAN: the kernel itself looks for the pages that are wanted. */
#include "procmem.h"

#include <errno.h>
#include <sys/ioctl.h>

/*
 * PAGEMAP_SCAN came with Linux 6.7 and is newer than the headers of many systems. The kernel
 * promises the layout and the numbers (Documentation/admin-guide/mm/pagemap.rst).
 */
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

static int scan_ioctl(int fd, struct scan_arg *arg)
{
	int n;

	do {
		n = ioctl(fd, SCAN_IOCTL, arg);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int pyzram_procmem_scan_probe(struct pyzram_procmem *pm)
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

int pyzram_procmem_scan(const struct pyzram_procmem *pm, uint64_t start, uint64_t end, bool anon,
			struct scan_region *ret, size_t room, uint64_t *next)
{
	uint64_t avoid = pm->avoid | (anon ? CATEGORY_FILE : 0);
	struct scan_arg arg = {
		.size = sizeof(arg), .start = start, .end = end,
		.vec = (uintptr_t)ret, .vec_len = room,
		.category_inverted = avoid, .category_mask = avoid,
		.category_anyof_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
		.return_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
	};
	int count = scan_ioctl(pm->pagemap, &arg);

	/*
	 * If there are more regions than fit into the kernel's own buffer (512 on 6.18), walk_end
	 * is where that was first full, although regions far beyond it came back.
	 */
	*next = arg.walk_end;
	if (count > 0 && ret[count - 1].end > *next)
		*next = ret[count - 1].end;
	return count;
}
