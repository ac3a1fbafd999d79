/* SPDX-License-Identifier: MIT */
/* Frames: the pages of the machine's memory, by number. Internal to the C library. */
#ifndef PYZRAM_FRAMES_H
#define PYZRAM_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of an entry of /proc/kpageflags (linux/kernel-page-flags.h). */
#define FRAME_ANON		(1ull << 12)
#define FRAME_SWAPBACKED	(1ull << 14)
#define FRAME_HEAD		(1ull << 15)
#define FRAME_TAIL		(1ull << 16)
#define FRAME_UNEVICTABLE	(1ull << 18)
#define FRAME_KSM		(1ull << 21)
#define FRAME_ZERO		(1ull << 24)
#define FRAME_MLOCKED		(1ull << 33)

/* Open /proc/kpageflags. Returns a descriptor or -errno (-EACCES or -EPERM without privilege). */
int pyzram_frames_open(void);

/*
 * The flags of one frame; 0 if they cannot be read. Older kernels know large pages only by their
 * head, so a frame inside one gets from the head the flags that belong to the whole page.
 */
uint64_t pyzram_frame_flags(int fd, uint64_t frame);

/* Memory that its owner gave up with MADV_FREE: dropped when memory is short, never swapped. */
static inline bool frame_lazily_freed(uint64_t flags)
{
	return (flags & (FRAME_ANON | FRAME_SWAPBACKED)) == FRAME_ANON;
}

#endif /* PYZRAM_FRAMES_H */
