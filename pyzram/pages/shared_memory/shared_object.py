# SPDX-License-Identifier: MIT
"""One object of shared memory: where it can be opened, and which of its pages are in memory."""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_right
from operator import itemgetter
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple

from ... import _native_memory
from ...descriptor import fd_path
from ...limits import PAGE_SIZE
from ..process.mappings import SHMEM, device_text
from ..process.process import Process
from ..process.process_pages import PageCounts
from ..process.ranges import joined
from .leases import Leases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..process.mappings import Mapping

# Pages that are asked about at a time: more if many are in memory.
WINDOW, STEP = 1 << 6, 1 << 16
# Zeros are searched for among the first ZEROS_WITHIN pages, and read READ_AT_ONCE pages at a time.
ZEROS_WITHIN, READ_AT_ONCE = 1 << 16, 1 << 6
ZEROS = bytes(PAGE_SIZE)
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
NOT_YET = os.O_PATH | os.O_CLOEXEC
"""To examine what is there before opening it: by now it may be a watchdog, which opening starts, or
the file of a server that does not answer."""
PATH_MAX = 4096
LEASES = Leases()
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing about an object."""


def _opened(path: str, key: tuple[str, int]) -> int:
    """Open an object for reading, if that does no harm and the kernel answers questions about it.

    Raises:
        OSError: EBUSY if somebody holds a lease on it; ENODATA if it is another user's, and the
            kernel does not say which of its pages are in memory; or the error of open(2).
    """
    if LEASES.forbid(key):
        raise OSError(errno.EBUSY, "somebody holds a lease on it")
    fd = _untraced(path)
    try:
        if not _native_memory.shmem_tells(fd):
            raise OSError(errno.ENODATA, "which of its pages are in memory is hidden")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _untraced(path: str) -> int:
    """Open it without a trace in its times; for others' files that takes CAP_FOWNER."""
    try:
        return os.open(path, READ | os.O_NOATIME)
    except PermissionError as err:
        if err.errno != errno.EPERM:
            raise
        return os.open(path, READ)


def _open_long(path: str, flags: int) -> int:
    """Open a path that may be longer than the kernel accepts at once."""
    rest, folder = os.fsencode(path), -1
    try:
        while len(rest) >= PATH_MAX:
            cut = rest.rindex(b"/", 1, PATH_MAX - 1)
            above = None if folder < 0 else folder
            step = os.open(rest[:cut], NOT_YET | os.O_DIRECTORY, dir_fd=above)
            if folder >= 0:
                os.close(folder)
            folder, rest = step, rest[cut + 1 :]
        return os.open(rest, flags, dir_fd=None if folder < 0 else folder)
    finally:
        if folder >= 0:
            os.close(folder)


class MappedAt(NamedTuple):
    """Where a process maps an object."""

    pid: int
    start_time: int
    start: int
    end: int

    def open(self) -> int:
        """Hold the object itself."""
        with Process(self.pid, self.start_time) as process:
            name = f"map_files/{self.start:x}-{self.end:x}"
            return os.open(name, NOT_YET, dir_fd=process.fd)


class OpenAt(NamedTuple):
    """Where a process has an object open."""

    pid: int
    start_time: int
    number: int

    def open(self) -> int:
        """Hold the object itself."""
        with Process(self.pid, self.start_time) as process:
            return os.open(f"fd/{self.number}", NOT_YET, dir_fd=process.fd)


class FileAt(NamedTuple):
    """Where a tmpfs file lies."""

    path: str

    def open(self) -> int:
        """Hold the file."""
        return _open_long(self.path, NOT_YET | os.O_NOFOLLOW)


class SystemV(NamedTuple):
    """A System V segment that nobody has attached."""

    number: int

    def open(self) -> int:
        """Open it; this attaches to it, which its times show."""
        return _native_memory.shm_open(self.number)


class SeenPages(NamedTuple):
    """Pages of an object that one process's page table shows and no earlier one did."""

    pid: int
    start_time: int
    pages: _native_memory.PageSet


class SharedObject:
    """One object. Ranges are pairs of page numbers; the second is one past the last page."""

    __slots__ = ("_seen", "clean", "closed", "key", "locked", "name", "places", "ranges", "views")

    def __init__(self, key: tuple[str, int], name: str) -> None:
        self.key = key
        self.name = name
        self.places: list[MappedAt | OpenAt | FileAt | SystemV] = []
        self.ranges: list[tuple[int, int]] = []
        self.locked: list[tuple[int, int]] = []
        self.views: list[SeenPages] = []
        self.clean = 0
        """pages that were read, but never written to, at least: the kernel drops them"""
        self.closed = False
        """whether it cannot be opened, so that what no page table shows is missing"""
        self._seen: _native_memory.Seen | None = None

    def open(self) -> int:
        """Open it where it still is, and make sure that it is the same one.

        Raises:
            OSError: the error at the last place that was tried; ENOENT if there was none; EBUSY if
                somebody holds a lease; ENODATA if which of its pages are in memory is hidden.
        """
        failure = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        for place in self.places:
            try:
                fd = place.open()
                try:
                    status = os.fstat(fd)
                    is_it = (device_text(status.st_dev), status.st_ino) == self.key
                    # Opening a pipe wakes who waits for it, opening a device may start it.
                    if is_it and S_ISREG(status.st_mode):
                        return _opened(fd_path(fd), self.key)
                finally:
                    os.close(fd)
            except OSError as err:
                if err.errno in OURS:
                    raise
                failure = err
        try:
            raise failure
        finally:
            del failure  # its traceback has this frame, a cycle that would keep everything open

    def look(
        self, process: Process, memory: _native_memory.ProcMem, mapping: Mapping, locked: bool
    ) -> int:
        """Add what the page table of one process shows; return the pages that are locked."""
        pages = _native_memory.PageSet()
        walk = _native_memory.walk(
            mapping.start,
            mapping.end,
            SHMEM,
            pages=0,
            flags=_native_memory.WALK_LOCKED if locked else 0,
            first=mapping.offset // PAGE_SIZE,
        )
        if self._seen is None:
            self._seen = _native_memory.Seen()
        counts = PageCounts(*memory.collect([walk], [pages], seen=self._seen)[0])
        if len(pages):
            self.views.append(SeenPages(process.pid, process.start_time, pages))
        return counts.locked


class ObjectPages(NamedTuple):
    """The part of an object that could go to swap."""

    pages: _native_memory.PageSet
    swapped: int
    locked: int
    reserved: int
    """allocated but never written to: they are zeros once they go to swap"""
    clean: int
    """zeros that the kernel drops: they are not in ``pages``"""
    resident: int
    """all that are in memory, also where no range covers them"""


def object_pages(shared: SharedObject) -> ObjectPages:
    """Ask the object itself; raises the OSError of opening it."""
    fd = shared.open()
    try:
        return pages_of(shared, fd)
    finally:
        os.close(fd)


def pages_of(shared: SharedObject, fd: int) -> ObjectPages:
    """Ask an object that is open."""
    page_size = PAGE_SIZE
    status = os.fstat(fd)
    size = -(-status.st_size // page_size)
    pages = _native_memory.PageSet()
    locked = elsewhere = covered = clean = 0
    stays = joined(shared.locked)
    at = 0
    for start, end in joined(shared.ranges):
        elsewhere += _resident(fd, at, min(start, size))
        at = min(end, size)
        covered += max(0, at - start)
        for low, found in _windows(fd, start, at):
            locked += _clear(found, low, stays)
            if clean < shared.clean and len(pages) < ZEROS_WITHIN:
                clean += _clear_zeros(fd, found, low, shared.clean - clean)
            pages.add_resident(low, found)
    elsewhere += _resident(fd, at, size)
    # st_blocks counts the pages in swap too.
    allocated = status.st_blocks * 512 // page_size
    missing = _missing(fd, allocated, len(pages) + locked + clean + elsewhere)
    resident = len(pages) + locked + clean
    return ObjectPages(
        pages,
        min(missing.swapped, covered - resident),
        locked,
        0 if shared.locked else min(missing.reserved, covered - resident),
        clean,
        resident + elsewhere,
    )


class _Missing(NamedTuple):
    """Pages that mincore(2) does not show."""

    swapped: int
    reserved: int


def _missing(fd: int, allocated: int, resident: int) -> _Missing:
    """The allocated pages that are in swap, and those from fallocate(2) that nobody has used yet.

    A search for data takes the latter for holes; swap counts them once they are zeros there.
    """
    if allocated <= resident:
        return _Missing(0, 0)
    page_size = PAGE_SIZE
    data = at = 0
    try:
        while True:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, start, os.SEEK_HOLE)
            data += -(-at // page_size) - start // page_size
    except OSError as err:
        if err.errno != errno.ENXIO:  # ENXIO means the end
            return _Missing(allocated - resident, 0)
    return _Missing(max(0, data - resident), max(0, allocated - max(data, resident)))


def _resident(fd: int, start: int, end: int) -> int:
    return sum(found.translate(ODD).count(1) for _, found in _windows(fd, start, end))


def _windows(fd: int, start: int, end: int) -> Iterator[tuple[int, bytearray]]:
    """Which pages are in memory, a window at a time, with the window's first page; skips holes.

    A program may have an object of several TiB and use little of it.
    """
    size = WINDOW
    while start < end and (start := _next_data(fd, start, end)) < end:
        found = _native_memory.shmem_resident(fd, start, min(size, end - start))
        yield start, found
        start += len(found)
        dense = 2 * found.translate(ODD).count(1) >= len(found)
        size = min(2 * size, STEP) if dense else max(size // 2, WINDOW)


def _next_data(fd: int, page: int, end: int) -> int:
    """The first page from ``page`` on that may be in memory or in swap, or else ``end``."""
    try:
        return os.lseek(fd, page * PAGE_SIZE, os.SEEK_DATA) // PAGE_SIZE
    except OSError as err:
        return end if err.errno == errno.ENXIO else page


ODD = bytes(i & 1 for i in range(256))


def _clear(found: bytearray, first: int, ranges: list[tuple[int, int]]) -> int:
    """Leave out the pages of ascending locked ranges; return how many of them are in memory."""
    cleared = 0
    end = first + len(found)
    at = max(0, bisect_right(ranges, first, key=itemgetter(0)) - 1)
    while at < len(ranges) and ranges[at][0] < end:
        low, high = (min(max(page, first), end) - first for page in ranges[at])
        cleared += found[low:high].translate(ODD).count(1)
        found[low:high] = bytes(high - low)
        at += 1
    return cleared


def _clear_zeros(fd: int, found: bytearray, first: int, most: int) -> int:
    """Leave out pages of zeros that are in memory, up to ``most``; return how many.

    It is unknown which of them were written to, but this makes no difference: all are alike.
    """
    numbers = array("Q", [first + at for at, there in enumerate(found) if there & 1])
    out = memoryview(bytearray(READ_AT_ONCE * PAGE_SIZE))
    cleared = 0
    for start in range(0, len(numbers), READ_AT_ONCE):
        some = numbers[start : start + READ_AT_ONCE]
        _, flags = _native_memory.shmem_read(fd, some, out)
        at = 0
        for number, flag in zip(some, flags, strict=True):
            if flag != 1:
                continue
            if cleared < most and bytes(out[at : at + PAGE_SIZE]) == ZEROS:
                found[number - first] = 0
                cleared += 1
            at += PAGE_SIZE
        if cleared == most:
            break
    return cleared
