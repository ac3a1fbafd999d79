/* SPDX-License-Identifier: MIT */
/* What the kernel says about the frames of memory: /proc/kpageflags. */
#include "frames.h"
#include "io.h"

enum { LARGE_MAX = 512 };	/* frames to search for the head of a large page */

int pyzram_frames_open(void)
{
	return io_open(AT_FDCWD, "/proc/kpageflags", O_RDONLY);
}

/* Returns how many entries could be read. */
static size_t entries_read(int fd, uint64_t frame, uint64_t *ret, size_t count)
{
	int64_t n = io_read(fd, ret, count * sizeof(*ret), frame * sizeof(*ret));

	return n < 0 ? 0 : (size_t)n / sizeof(*ret);
}

static uint64_t head_flags(int fd, uint64_t frame)
{
	uint64_t flags[LARGE_MAX];
	uint64_t first = frame >= LARGE_MAX - 1 ? frame - (LARGE_MAX - 1) : 0;
	size_t count = entries_read(fd, first, flags, (size_t)(frame - first) + 1);

	while (count > 0) {
		if (flags[--count] & FRAME_HEAD)
			return flags[count];
	}
	return 0;
}

uint64_t pyzram_frame_flags(int fd, uint64_t frame)
{
	const uint64_t whole = FRAME_ANON | FRAME_SWAPBACKED | FRAME_UNEVICTABLE | FRAME_MLOCKED;
	uint64_t flags;

	if (fd < 0 || entries_read(fd, frame, &flags, 1) != 1)
		return 0;
	if ((flags & FRAME_TAIL) && !(flags & FRAME_SWAPBACKED))
		flags |= head_flags(fd, frame) & whole;
	return flags;
}
