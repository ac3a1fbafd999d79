/* SPDX-License-Identifier: MIT */
/* The device node: opening it exclusively, swapping on it, and file systems that are on one. */
#include "io.h"
#include "pyzram.h"

#include <linux/btrfs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <string.h>
#include <time.h>

enum { LOCK_PAUSE_MS = 10 };

/* swapon(2)'s finer discard flags, which no installed header names. */
enum {
	DISCARD_ONCE_FLAG = 0x20000,
	DISCARD_PAGES_FLAG = 0x40000,
};

/* flock(2) has no timeout; systemd-udevd holds its lock for the duration of one probe. */
static int lock_within(int fd, unsigned int wait_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (unsigned int waited_ms = 0;; waited_ms += LOCK_PAUSE_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited_ms >= wait_ms)
			return -EWOULDBLOCK;
		nanosleep(&pause, NULL);
	}
}

int pyzram_blkdev_open(const char *path, bool writable, unsigned int wait_ms)
{
	struct stat st;
	int err, fd = io_open(AT_FDCWD, path, (writable ? O_RDWR : O_RDONLY) | O_EXCL);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISBLK(st.st_mode))
		err = -ENOTBLK;
	else
		err = lock_within(fd, wait_ms);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int pyzram_blkdev_unused(const char *path, unsigned int wait_ms)
{
	int fd = pyzram_blkdev_open(path, false, wait_ms);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int pyzram_swapon(const char *path, int priority, int discard)
{
	int flags = 0;

	if (priority > SWAP_FLAG_PRIO_MASK || priority < -1)
		return -EINVAL;
	if (priority >= 0)
		flags |= SWAP_FLAG_PREFER | priority;
	if (discard)
		flags |= SWAP_FLAG_DISCARD;
	/* The flag alone means both kinds. */
	if (discard == PYZRAM_DISCARD_ONCE)
		flags |= DISCARD_ONCE_FLAG;
	else if (discard == PYZRAM_DISCARD_PAGES)
		flags |= DISCARD_PAGES_FLAG;
	return swapon(path, flags) == 0 ? 0 : -errno;
}

int pyzram_swapoff(const char *path)
{
	return swapoff(path) == 0 ? 0 : -errno;
}

int pyzram_umount(const char *path)
{
	return umount2(path, UMOUNT_NOFOLLOW) == 0 ? 0 : -errno;
}

int pyzram_btrfs_uuid(int fd, uint8_t *ret)
{
	struct btrfs_ioctl_fs_info_args info = { 0 };

	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
		return -errno;
	memcpy(ret, info.fsid, BTRFS_FSID_SIZE);
	return 0;
}
