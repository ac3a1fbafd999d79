/* SPDX-License-Identifier: MIT */
/*
 * What Python sees as pyzram._pages: what zram would make of pages, and the pages of processes.
 * pyzram.h includes this, and cffi reads all of it: it has only plain declarations, enums, structs
 * and numbers. Conventions are in pyzram.h.
 */

/* ---- codec: one page in, its compressed form out --------------------------------------------- */

#define PYZRAM_LEVEL_DEFAULT -2147483647	/* the kernel's default: no algorithm's level */

struct pyzram_params;	/* immutable: may be shared by any number of contexts and threads */
struct pyzram_context;	/* scratch memory: one thread at a time */

/* The names in the kernel's order; NULL past the last one. */
const char *pyzram_codec_name(int index);

/* The release of libzstd that compresses zstd, as one number: 10507 is 1.5.7. */
unsigned int pyzram_zstd_version(void);

/*
 * What comp_algorithm and algorithm_params would set. page_size is 4096, 16384 or 65536. level and
 * winbits may be PYZRAM_LEVEL_DEFAULT. The dictionary is copied. -ENOENT for a name that is not an
 * algorithm, -EINVAL for a value that the newest kernel refuses, -EOPNOTSUPP for a level, window or
 * dictionary that the algorithm does not have, -ENOMEM.
 */
int pyzram_params_create(const char *algorithm, size_t page_size, int32_t level, int32_t winbits,
			 const void *dict, size_t dict_len, struct pyzram_params **ret);
void pyzram_params_destroy(struct pyzram_params *params);

/* The params must outlive the last use of the context; they may be destroyed in any order. */
int pyzram_context_create(const struct pyzram_params *params, struct pyzram_context **ret);
void pyzram_context_destroy(struct pyzram_context *context);

/*
 * Compress exactly one page. Returns the length; two pages of room are always enough. -ENOSPC if
 * dst_cap was too small (dst is then undefined), -EINVAL if src_len is not a page.
 */
int64_t pyzram_page_compress(struct pyzram_context *context, const void *src, size_t src_len,
			     void *dst, size_t dst_cap);

/*
 * Decompress into exactly one page. Returns the page size; -EBADMSG if src is not the compressed
 * form of one page. src may be any bytes at all: nothing outside the two buffers is touched, and
 * the time is bounded by the size of both. dst may be partly written on failure.
 */
int64_t pyzram_page_decompress(struct pyzram_context *context, const void *src, size_t src_len,
			       void *dst, size_t dst_cap);

/* ---- pages: many at once --------------------------------------------------------------------- */

/*
 * Does the page repeat one machine word of word_size bytes (4 or 8, the kernel's) from start to
 * end? 1 or 0; -EINVAL for words or pages of a size that no kernel has.
 */
int pyzram_page_same_filled(const void *page, size_t page_size, size_t word_size);

/*
 * What zram would store for `count` consecutive pages: ret[i] is the compressed length of page i in
 * bytes, before the huge test, and 0 if the page is same-filled. Returns 0 or -errno; on failure
 * the lengths before the failing page have been stored.
 */
int pyzram_pages_sizes(struct pyzram_context *context, const void *pages, size_t count,
		       size_t word_size, uint32_t *ret);

/* ---- timing ---------------------------------------------------------------------------------- */

/*
 * As pyzram_pages_sizes, and how many nanoseconds of processor time each page took to compress and
 * to decompress, at most 2^32-1; 0 for a same-filled page.
 */
int pyzram_pages_time(struct pyzram_context *context, const void *pages, size_t count,
		      size_t word_size, uint32_t *sizes, uint32_t *compress_ns,
		      uint32_t *decompress_ns);

/* ---- zsmalloc: what a pool makes of compressed lengths --------------------------------------- */

/* The rule for how many pages a zspage has. */
enum pyzram_chain_rule {
	PYZRAM_CHAIN_BY_PERCENT = 0,	/* up to Linux 6.2 */
	PYZRAM_CHAIN_BY_WASTE = 1,	/* Linux 6.3 and later */
};

#define PYZRAM_CLASSES_MAX 257

struct pyzram_size_class {
	uint32_t number;		/* in debugfs */
	uint32_t size;			/* bytes of an object, with its handle */
	uint32_t pages;			/* in a zspage */
	uint32_t objects;		/* in a zspage */
};

/* What a pool holds: its figures in mm_stat, and objects by class in ascending order. */
struct pyzram_pool {
	uint64_t compr_data_size;	/* bytes */
	uint64_t same_pages;
	uint64_t huge_pages;
	uint64_t objects[PYZRAM_CLASSES_MAX];
};

struct pyzram_zsmalloc;	/* the size classes of one kernel: immutable, any threads may share it */

/*
 * The classes of a kernel with pages of page_size (4096, 16384, 65536), machine words of word_size
 * (4, 8), at most chain_size pages in a zspage (4..16) and one of the two rules above. -EINVAL for
 * anything else, -ENOMEM.
 */
int pyzram_zsmalloc_create(size_t page_size, int word_size, int chain_size, int rule,
			   struct pyzram_zsmalloc **ret);
void pyzram_zsmalloc_destroy(struct pyzram_zsmalloc *zs);

/* Pages that compress to this many bytes or more are kept raw. */
uint32_t pyzram_zsmalloc_huge_size(const struct pyzram_zsmalloc *zs);

/* The class at this place in ascending order. -ERANGE past the last class. */
int pyzram_zsmalloc_class(const struct pyzram_zsmalloc *zs, int at, struct pyzram_size_class *ret);

/* Which class takes `length` bytes (1..page_size): its place in ascending order, or -EINVAL. */
int pyzram_zsmalloc_position(const struct pyzram_zsmalloc *zs, uint32_t length);

/* Store pages of given compressed lengths; 0 is a same-filled page. Adds to the values in ret. */
void pyzram_zsmalloc_store(const struct pyzram_zsmalloc *zs, const uint32_t *lengths, size_t count,
			   struct pyzram_pool *ret);

/*
 * Recompress pages stored with lengths `first` by an algorithm that compresses them to `second`:
 * ret gets the length of each page afterwards (it may be `first` itself). threshold 0 means none.
 * Returns how many pages changed; -EINVAL for a threshold that is not below the huge size.
 */
int64_t pyzram_zsmalloc_recompress(const struct pyzram_zsmalloc *zs, const uint32_t *first,
				   const uint32_t *second, size_t count, uint32_t threshold,
				   uint32_t *ret);

/* ---- procmem: pages of a process ------------------------------------------------------------- */

enum pyzram_scan {
	PYZRAM_SCAN_AUTO = 0,
	PYZRAM_SCAN_IOCTL = 1,		/* PAGEMAP_SCAN, Linux 6.7 and later */
	PYZRAM_SCAN_PAGEMAP = 2,	/* entries of /proc/PID/pagemap */
};

enum pyzram_pages {
	PYZRAM_PAGES_ANON = 0,		/* private memory: pages that belong to no file */
	PYZRAM_PAGES_SHMEM = 1,		/* shared memory: all pages of the mapping */
};

struct pyzram_procmem;	/* the memory of one process: one thread at a time */

/*
 * Begin to inspect a process, given a descriptor of its /proc/PID. -ESRCH if there is none, -EACCES
 * if the caller may not inspect it, -ENOTTY if PYZRAM_SCAN_IOCTL was asked for and this kernel
 * lacks it. The process is not stopped. `areas` is how many swap areas there are; 0 if unknown.
 */
int pyzram_procmem_create(int proc_fd, int method, unsigned int areas, struct pyzram_procmem **ret);
void pyzram_procmem_destroy(struct pyzram_procmem *pm);

/*
 * Release that process and turn to another, which costs less than starting anew. After an error,
 * which is one of those above, no process is held, and this may be called again.
 */
int pyzram_procmem_turn(struct pyzram_procmem *pm, int proc_fd);

/*
 * Whether two tasks have the same memory (kcmp(2), KCMP_VM): 0 if so; otherwise 1 or 2, if the
 * first comes before or after the other in an order of all of them. -ESRCH, -EPERM, -ENOSYS.
 */
int pyzram_procmem_compare(int task, int other);

/*
 * The descriptors from number `first` on, ascending, that a process (given a descriptor of its
 * /proc/PID) has of files without a name and of sockets, including those that may be such. Returns
 * how many, at most `room`, or -errno: -ESRCH or -ENOENT if it has exited, -EACCES if they are
 * hidden.
 */
int64_t pyzram_procmem_open_files(int proc_fd, int first, int32_t *ret, size_t room);

/* The method in use: never PYZRAM_SCAN_AUTO. */
int pyzram_procmem_method(const struct pyzram_procmem *pm);

/* Does the kernel show this process the numbers of frames, and how they are used? */
bool pyzram_procmem_shows_frames(const struct pyzram_procmem *pm);

enum pyzram_walk_flags {
	PYZRAM_WALK_LOCKED = 1,		/* the mapping is locked: its pages stay in memory */
	PYZRAM_WALK_FRAMES = 2,		/* check every frame: MADV_FREE has given some up */
	PYZRAM_WALK_THIN = 4,		/* the weight applies to every page: some were given up */
	/*
	 * For a page mapped as a whole huge one, the kernel judges by the first 4 KiB whether all
	 * of it is "exclusively mapped"; after a fork others may map the rest too. With this flag
	 * no page is believed to be exclusive.
	 */
	PYZRAM_WALK_HUGE = 8,
};

struct pyzram_page_counts {
	uint64_t present;		/* in memory and could go to swap: put into the set */
	uint64_t swapped;		/* in swap already */
	uint64_t again;			/* seen before, or another's share (frames hidden) */
	uint64_t freed;			/* given up with MADV_FREE: dropped, never swapped */
	uint64_t locked;		/* in memory */
	uint64_t shared;		/* private pages that several processes map, in all */
};

#define PYZRAM_WEIGHT_ONE 4294967296

struct pyzram_walk {
	uint64_t start, end;		/* addresses of page boundaries */
	uint64_t seen_max;		/* most entries in use; PYZRAM_SCAN_PAGEMAP stops there */
	uint64_t first;			/* PYZRAM_PAGES_SHMEM: the object's page number at start */
	/*
	 * Up to PYZRAM_WEIGHT_ONE: the weight of a shared page whose frame is hidden, and with
	 * PYZRAM_WALK_FRAMES of one whose frame was given up and may have been written to since.
	 */
	uint64_t weight;
	int32_t kind;			/* enum pyzram_pages */
	int32_t flags;			/* enum pyzram_walk_flags */
	int32_t set;			/* place of the set in `sets`; negative for counts only */
};

/* Ascending page numbers (addresses divided by the page size). One thread at a time. */
struct pyzram_pageset;
int pyzram_pageset_create(struct pyzram_pageset **ret);
void pyzram_pageset_destroy(struct pyzram_pageset *set);
uint64_t pyzram_pageset_pages(const struct pyzram_pageset *set);

/* Add the pages from `first` on whose byte from mincore(2) is odd. -ENOMEM, -EINVAL. */
int pyzram_pageset_add_resident(struct pyzram_pageset *set, uint64_t first, const uint8_t *resident,
				size_t count);

/* Get the numbers at these places: ranks ascend from 0. -EINVAL if not, or past the end. */
int pyzram_pageset_select(const struct pyzram_pageset *set, const uint64_t *ranks, size_t count,
			  uint64_t *ret);

/* Numbers seen before: of frames, swap slots, or pages of an object. */
struct pyzram_seen;
int pyzram_seen_create(struct pyzram_seen **ret);
void pyzram_seen_destroy(struct pyzram_seen *seen);

/* Add numbers; ret[i] is 1 for those that were there before. -ENOMEM. */
int pyzram_seen_add(struct pyzram_seen *seen, const uint64_t *numbers, size_t count, uint8_t *ret);

/*
 * Go through the pages of mappings that are in memory or in swap, and add those that could go to
 * swap to the set of each mapping and to its counts, ret[i] for walks[i]. Private memory that
 * several processes map counts once per `seen`, by its frame, and swap slots once per `slots`;
 * shared memory counts by its place in the object. Guard pages and the kernel's shared page of
 * zeros are nobody's. Ascending walks of one kind cost least. PYZRAM_SCAN_PAGEMAP walks holes too.
 * -ESRCH if the memory is gone, because the process has exited or runs another program.
 */
int pyzram_procmem_collect(struct pyzram_procmem *pm, const struct pyzram_walk *walks, size_t count,
			   struct pyzram_seen *seen, struct pyzram_seen *slots,
			   struct pyzram_pageset *const *sets, size_t set_count,
			   struct pyzram_page_counts *ret);

enum pyzram_read {
	PYZRAM_READ_GONE,
	PYZRAM_READ_DONE,
	PYZRAM_READ_FREED,		/* MADV_FREE may have given it up: left alone */
};

/*
 * Read whole pages at the addresses into dst, one after the other; with `freed`, also those that
 * may have been given up. Returns how many could be read; ret[i] is what became of page i, and only
 * those that are PYZRAM_READ_DONE have a place in dst.
 */
int64_t pyzram_procmem_read(struct pyzram_procmem *pm, const uint64_t *addresses, size_t count,
			    bool freed, uint8_t *dst, uint8_t *ret);

/* ---- shmem: shared memory as an object, whoever maps it -------------------------------------- */

/*
 * Find out which of `count` pages of a tmpfs file, from number `first` on, are in memory: their
 * bytes in ret are odd. -errno of mmap(2) or mincore(2).
 */
int pyzram_shmem_resident(int fd, uint64_t first, size_t count, uint8_t *ret);

/*
 * Does pyzram_shmem_resident tell the truth? mincore(2) claims that all pages are in memory if the
 * caller neither owns the file, nor may write to it, nor has CAP_FOWNER. 1, 0, or -errno of
 * fstat(2), mmap(2) or mincore(2).
 */
int pyzram_shmem_tells(int fd);

/*
 * Read whole pages that are in memory, by their numbers, into dst, one after the other; ret and the
 * result are as in pyzram_procmem_read.
 */
int64_t pyzram_shmem_read(int fd, const uint64_t *pages, size_t count, uint8_t *dst, uint8_t *ret);

/*
 * Returns a descriptor, for reading, of a System V segment, which is attached for a moment; or
 * -errno of shmat(2), or -EPERM if the caller may not open mappings. Do not call this if
 * kernel.shm_rmid_forced is on, because then the last to detach destroys the segment.
 */
int pyzram_shm_open(int id);
