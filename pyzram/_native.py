# SPDX-License-Identifier: MIT
# The border: only this module and the _native_... beside it see the extensions. Each C function is
# wrapped once, its arguments are checked before C sees them, and a negative errno becomes an
# OSError here. The floor above says what the errno means for a device. This module has what
# setting up a device needs, and all others import it. Those for pages use the extension _pages,
# which needs the libraries of the codecs; _device needs none, and works where one is missing.
from __future__ import annotations

import os

from .descriptor import Opened

try:
    # Again under the same names, for the modules beside this one.
    from ._device import ffi as ffi
    from ._device import lib as lib
except ModuleNotFoundError as err:
    if err.name != f"{__package__}._device":
        raise
    raise ModuleNotFoundError(
        f"{err}: the C extensions are not built in {os.path.dirname(__file__)}. In a checkout run "
        "`make build`, which installs pyzram into .venv, and start Python there with -I "
        "or from another directory",
        name=err.name,
    ) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# ---- errors --------------------------------------------------------------------------------------


def check(code: int, path: str | None = None) -> int:
    # The C library returns a figure or -errno.
    if code < 0:
        raise OSError(-code, os.strerror(-code), path)
    return code


def unpacked(numbers: Any, count: int) -> list[int]:
    # cffi's types do not know that whole numbers become a list of them.
    return ffi.unpack(numbers, count)  # type: ignore[return-value]


# ---- fork ----------------------------------------------------------------------------------------

# How many forks this process is away from the first: descriptors opened when there were fewer are
# the parent's, and their numbers may have been given away since.
forks = 0


def _forked() -> None:
    global forks
    forks += 1


os.register_at_fork(after_in_child=_forked)

# ---- sysfs ---------------------------------------------------------------------------------------

AT_FDCWD = -100
ATTR_MAX: int = lib.PYZRAM_ATTR_MAX
NUMBERS_MAX = 32


def attr_read(name: str, dir_fd: int = AT_FDCWD) -> str:
    buf = ffi.new("char[]", ATTR_MAX)
    length = check(lib.pyzram_attr_read(dir_fd, os.fsencode(name), buf, ATTR_MAX), name)
    return bytes(ffi.buffer(buf, length)).decode("utf-8", "surrogateescape")


def attr_write(name: str, value: str, dir_fd: int = AT_FDCWD, retry_ms: int = 0) -> None:
    while True:
        try:
            attr_write_once(name, value, dir_fd, retry_ms)
            return
        except InterruptedError:
            pass  # as Python does with its own system calls


def attr_write_once(name: str, value: str, dir_fd: int = AT_FDCWD, retry_ms: int = 0) -> None:
    # Interrupted by a signal, it is not begun again.
    data = os.fsencode(value)
    check(lib.pyzram_attr_write(dir_fd, os.fsencode(name), data, len(data), retry_ms), name)


def attr_read_into(name: str, fd: int, offset: int, size: int) -> int:
    # Straight into a file of that many bytes, in the same call that reads.
    return check(lib.pyzram_attr_read_into(os.fsencode(name), fd, offset, size), name)


class NumberFile:
    """An attribute of numbers that stays open, to be read many times over.

    Synchronization: one thread at a time, because reads share the buffer.
    """

    __slots__ = ("_buf", "_file", "_name")

    def __init__(self, name: str, dir_fd: int = AT_FDCWD) -> None:
        self._name = name
        self._file = Opened(name, os.O_RDONLY, dir_fd=dir_fd)
        self._buf = ffi.new("uint64_t[]", NUMBERS_MAX)

    def read(self) -> list[int]:
        count = lib.pyzram_fd_read_numbers(self._file.fd, self._buf, NUMBERS_MAX)
        if count < 0:
            check(count, self._name)
        # Figures are read in loops, which feel one call more.
        return ffi.unpack(self._buf, count)  # type: ignore[return-value]

    def close(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        # After a fork the number may belong to another file.
        self._file.abandon()


# ---- blkdev --------------------------------------------------------------------------------------


def blkdev_open(path: str, *, writable: bool = False, wait_ms: int = 0) -> int:
    return check(lib.pyzram_blkdev_open(os.fsencode(path), writable, wait_ms), path)


def blkdev_unused(path: str, *, wait_ms: int = 0) -> None:
    check(lib.pyzram_blkdev_unused(os.fsencode(path), wait_ms), path)


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


def umount(path: str) -> None:
    check(lib.pyzram_umount(os.fsencode(path)), path)


def btrfs_uuid(fd: int) -> str:
    """Return the UUID of the btrfs that ``fd`` is on; OSError ENOTTY on any other file system."""
    found = ffi.new("uint8_t[16]")
    check(lib.pyzram_btrfs_uuid(fd, found), None)
    digits = bytes(ffi.buffer(found)).hex()
    return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
