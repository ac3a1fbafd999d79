# SPDX-License-Identifier: MIT
# The border: the one module that sees the extension. Each C function is wrapped once, its
# arguments are checked before C sees them, and a negative errno becomes an OSError here. What the
# errno means for a device is said one floor up.
from __future__ import annotations

import os

from ._pyzram import ffi, lib

# ---- errors ------------------------------------------------------------------------------------


def check(code: int, path: str | None = None) -> int:
    # The C library returns a figure or -errno.
    if code < 0:
        raise OSError(-code, os.strerror(-code), path)
    return code


# ---- sysfs -------------------------------------------------------------------------------------

AT_FDCWD = -100
ATTR_MAX = 4096
NUMBERS_MAX = 32


def attr_read(name: str, dir_fd: int = AT_FDCWD) -> str:
    buf = ffi.new("char[]", ATTR_MAX)
    length = check(lib.pyzram_attr_read(dir_fd, os.fsencode(name), buf, ATTR_MAX), name)
    return bytes(ffi.buffer(buf, length)).decode("utf-8", "surrogateescape")


def attr_write(name: str, value: str, dir_fd: int = AT_FDCWD, retry_ms: int = 0) -> None:
    data = os.fsencode(value)
    check(lib.pyzram_attr_write(dir_fd, os.fsencode(name), data, len(data), retry_ms), name)


class NumberFile:
    """An attribute of numbers that stays open, for reading it many times over.

    Synchronization: one thread at a time, the buffer is shared between reads.
    """

    __slots__ = ("_buf", "_fd", "_name")

    def __init__(self, name: str, dir_fd: int = AT_FDCWD) -> None:
        self._name = name
        self._fd = -1
        self._fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=_dir_fd(dir_fd))
        self._buf = ffi.new("uint64_t[]", NUMBERS_MAX)

    def read(self) -> list[int]:
        count = lib.pyzram_fd_read_numbers(self._fd, self._buf, NUMBERS_MAX)
        if count < 0:
            check(count, self._name)
        numbers: list[int] = ffi.unpack(self._buf, count)  # type: ignore[assignment]
        return numbers

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


def _dir_fd(dir_fd: int) -> int | None:
    return None if dir_fd == AT_FDCWD else dir_fd


# ---- blkdev ------------------------------------------------------------------------------------


def blkdev_open(path: str, *, writable: bool = False, wait_ms: int = 0) -> int:
    return check(lib.pyzram_blkdev_open(os.fsencode(path), writable, wait_ms), path)


def blkdev_size(fd: int) -> int:
    size = ffi.new("uint64_t *")
    check(lib.pyzram_blkdev_size(fd, size))
    return int(size[0])


def blkdev_block_size(fd: int) -> int:
    size = ffi.new("uint32_t *")
    check(lib.pyzram_blkdev_block_size(fd, size))
    return int(size[0])


def blkdev_discard(fd: int, start: int, length: int) -> None:
    check(lib.pyzram_blkdev_discard(fd, start, length))


def blkdev_flush(fd: int) -> None:
    check(lib.pyzram_blkdev_flush(fd))


DISCARD = {
    None: lib.PYZRAM_DISCARD_NONE,
    "once": lib.PYZRAM_DISCARD_ONCE,
    "pages": lib.PYZRAM_DISCARD_PAGES,
    "both": lib.PYZRAM_DISCARD_ONCE | lib.PYZRAM_DISCARD_PAGES,
}


def swapon(path: str, priority: int = -1, discard: str | None = None) -> None:
    check(lib.pyzram_swapon(os.fsencode(path), priority, DISCARD[discard]), path)


def swapoff(path: str) -> None:
    check(lib.pyzram_swapoff(os.fsencode(path)), path)
