/* SPDX-License-Identifier: MIT */
/*
 * What Python sees as pyzram._device: a device's attributes, its node, and what debugfs says about
 * its pages. pyzram.h includes this, and cffi reads all of it: it has only plain declarations,
 * enums, structs and numbers. Conventions are in pyzram.h.
 */

/* ---- sysfs: attributes of the kernel --------------------------------------------------------- */

/* The most bytes of an attribute: sysfs gives one page, and this is the smallest page size. */
enum {
	PYZRAM_ATTR_MAX = 4096,
};

/*
 * Read the whole attribute `name` below the directory `dirfd` (AT_FDCWD for a path) in one read(2).
 * Returns the number of bytes, at most `cap`; -EOVERFLOW if the text did not fit. `buf` is not
 * terminated. Interrupted reads are repeated.
 */
int64_t pyzram_attr_read(int dirfd, const char *name, char *buf, size_t cap);

/*
 * Write `len` bytes to the attribute in exactly one write(2), because each write is a separate
 * command. -EINVAL for zero bytes (the kernel would never see them), -E2BIG for more than
 * PYZRAM_ATTR_MAX (the kernel would take the first page for all of it), -EIO if the kernel took
 * only a part, -EINTR if a signal ended the command. With retry_ms > 0, EBUSY is retried with
 * growing pauses until that many milliseconds have passed, since a udev probe holds a device only
 * for moments.
 */
int pyzram_attr_write(int dirfd, const char *name, const char *buf, size_t len,
		      unsigned int retry_ms);

/*
 * Read the attribute once, straight into the `size` bytes that the open file `fd` has, from
 * `offset`: what reading did (hot_add makes a device) and what it told are one, for SIGKILL too.
 * Returns the number of bytes; -EIO for none, -EINVAL if the file has fewer.
 */
int64_t pyzram_attr_read_into(const char *path, int fd, size_t offset, size_t size);

/*
 * Read an attribute that has numbers separated by white space (mm_stat, io_stat, bd_stat, stat).
 * Returns how many numbers were stored in `ret`, at most `cap`; any more in the file are skipped.
 * -EINVAL if something in it is not a number, -ERANGE if one does not fit.
 */
int pyzram_attr_read_numbers(int dirfd, const char *name, uint64_t *ret, int cap);

/* The same from an open attribute, from its start, with pread(2) but without open and close. */
int pyzram_fd_read_numbers(int fd, uint64_t *ret, int cap);

/* ---- blkdev: the device node ----------------------------------------------------------------- */

/*
 * Open a block device exclusively (O_EXCL: -EBUSY while it is mounted, swap or claimed) and take
 * the lock that udev respects (flock; -EWOULDBLOCK after wait_ms). Returns the descriptor.
 */
int pyzram_blkdev_open(const char *path, bool writable, unsigned int wait_ms);

/* Check that a block device is unused, by opening it as pyzram_blkdev_open does and closing it. */
int pyzram_blkdev_unused(const char *path, unsigned int wait_ms);

/*
 * swapon(2) and swapoff(2). priority -1 leaves the order to the kernel, 0..32767 sets it. discard
 * is a sum of enum pyzram_discard.
 */
enum pyzram_discard {
	PYZRAM_DISCARD_NONE = 0,
	PYZRAM_DISCARD_ONCE = 1,
	PYZRAM_DISCARD_PAGES = 2,
};

int pyzram_swapon(const char *path, int priority, int discard);
int pyzram_swapoff(const char *path);

/* umount2(2) on a mount point, which must not be a symbolic link; -EBUSY while it is in use. */
int pyzram_umount(const char *path);

/* Get the UUID (16 bytes) of the btrfs that an open file or folder is on; -ENOTTY on others. */
int pyzram_btrfs_uuid(int fd, uint8_t *ret);

/* ---- block_state: what debugfs says about each stored page ----------------------------------- */

enum pyzram_block_flags {
	PYZRAM_BLOCK_SAME = 1,
	PYZRAM_BLOCK_WRITTEN_BACK = 2,
	PYZRAM_BLOCK_HUGE = 4,
	PYZRAM_BLOCK_IDLE = 8,
	PYZRAM_BLOCK_RECOMPRESSED = 16,		/* 6.2 */
	PYZRAM_BLOCK_INCOMPRESSIBLE = 32,	/* 6.2 */
};

#define PYZRAM_BLOCK_FLAGS 6
#define PYZRAM_AGE_BUCKETS 33

/* Room for lines, with one place in each array for each; and the bytes of text that they took. */
struct pyzram_block_lines {
	uint64_t *index;		/* of the slot */
	uint64_t *time;			/* of its last access, in microseconds of the boot clock */
	uint8_t *flags;			/* sum of enum pyzram_block_flags */
	size_t used;
};

struct pyzram_block_counts {
	uint64_t flags[PYZRAM_BLOCK_FLAGS];	/* in the order of enum pyzram_block_flags */
	uint64_t ages[PYZRAM_AGE_BUCKETS];	/* below 1 s, then 1, 2..3, 4..7 s and so on */
	size_t used;				/* bytes of the text of the last call */
};

/*
 * Parse at most cap whole lines. Returns how many; the rest of the text is the start of a line.
 * -EINVAL for a malformed line, -ERANGE for a number that is too large; the results are then partly
 * written. text may be any bytes at all.
 */
int64_t pyzram_block_state_parse(const char *text, size_t len, size_t cap,
				 struct pyzram_block_lines *ret);

/* The same, but only counting: adds to the values in ret, with ages up to `now`. */
int64_t pyzram_block_state_count(const char *text, size_t len, uint64_t now,
				 struct pyzram_block_counts *ret);

/*
 * Times of last use that survive recompression, in units of a number of seconds of the boot clock.
 * Each slot has two bytes: 0 if unknown, otherwise a number from 1 to PYZRAM_AGES_TURN, after which
 * they start again. With PYZRAM_AGES_KEPT the kernel has forgotten the time, and the number counts.
 */
enum pyzram_ages_word {
	PYZRAM_AGES_TURN = 0x7fff,
	PYZRAM_AGES_KEPT = 0x8000,
};

struct pyzram_ages {
	uint16_t *word;
	size_t slots;			/* times of later ones are unknown and not noted */
	uint64_t unit;
};

struct pyzram_ages_counts {
	uint64_t untried;		/* slots not used since and never recompressed */
	uint64_t huge;			/* how many of them are huge */
	uint64_t tried;			/* flags of tried slots: recompressed, incompressible */
	size_t used;			/* bytes of the text of the last call */
};

/* Which lines are wanted, and where they go: `steps` falling ages, with room for `cap` each. */
struct pyzram_ages_wanted {
	double now;			/* seconds of the boot clock */
	const double *least;		/* ages in seconds */
	size_t steps;
	size_t cap;
	bool huge;			/* huge slots only */
	uint64_t *place;		/* cap for each step, one after the other */
	size_t *count;			/* of each step */
	size_t used;			/* bytes of the text of the last call */
};

/*
 * These read lines as pyzram_block_state_count does, add to the values in ret, and return how many
 * lines they took. This one notes the times that the kernel knows; slots whose times it has
 * forgotten without our noting that count as used `now`. It counts slots not used after `since`.
 * Both times are in seconds of the boot clock.
 */
int64_t pyzram_ages_remember(const char *text, size_t len, const struct pyzram_ages *ages,
			     double now, double since, struct pyzram_ages_counts *ret);

/* After recompression: keep the noted times that the kernel has forgotten; count flags. */
int64_t pyzram_ages_keep(const char *text, size_t len, const struct pyzram_ages *ages,
			 struct pyzram_ages_counts *ret);

/*
 * Sort slots that can be written back by age, each into the first step that it is old enough for;
 * ends early once the first one has no room.
 */
int64_t pyzram_ages_select(const char *text, size_t len, const struct pyzram_ages *ages,
			   struct pyzram_ages_wanted *ret);

/* The latest time at which a slot may have been used, in seconds of the boot clock, like `now`. */
double pyzram_ages_used(const struct pyzram_ages *ages, uint64_t place, uint64_t time, double now);
