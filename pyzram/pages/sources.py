# SPDX-License-Identifier: MIT
"""Where pages come from: processes, files, core dumps, block devices and streams."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from ..errors import ZramOSError, from_errno
from . import procmem
from .core_dump import core_segments
from .segments import FileSegment, ProcessSegment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .segments import Segment

# Why processes are skipped.
UNREADABLE = "unreadable processes"
GONE = "kernel threads and exited processes"


class Source:
    """Where pages come from: rows of pages, and what was left out on the way to them.

    ``pages`` is how many there are, ``swapped`` how many more are in swap already. ``skipped``
    counts by reason what could not be looked at.

    Synchronization: one thread at a time.
    """

    def __init__(self, label: str, page_size: int) -> None:
        self.label = label
        self.page_size = page_size
        self.segments: list[Segment] = []
        self.swapped = 0
        self.skipped: dict[str, int] = {}
        self._fds: list[int] = []

    @property
    def pages(self) -> int:
        """Pages that are there to be read."""
        return sum(segment.pages for segment in self.segments)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count what was left out."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def keep_open(self, fd: int) -> int:
        """Close a descriptor together with the source."""
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        """Let go of files and processes."""
        for segment in self.segments:
            segment.close()
        while self._fds:
            os.close(self._fds.pop())

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Stream:
    """Standard input, or another descriptor that can be read only once.

    How long it is shows at its end, so its sample is a plain random one, drawn on the way
    (a reservoir), and held in memory.
    """

    def __init__(self, fd: int, label: str, page_size: int | None = None) -> None:
        self.label = label
        self.page_size = page_size or os.sysconf("SC_PAGE_SIZE")
        self.pages = 0
        self.swapped = 0
        self.skipped: dict[str, int] = {}
        self._fd = fd

    def close(self) -> None:
        """The descriptor belongs to the caller."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def chunks(self, out: memoryview) -> Iterator[int]:
        """Fill ``out`` again and again; yields how many pages it holds now."""
        size = self.page_size
        while True:
            done = 0
            while done < len(out):
                got = os.readv(self._fd, [out[done:]])
                if got == 0:
                    break
                done += got
            if done == 0:
                return
            pages = -(-done // size)
            out[done : pages * size] = bytes(pages * size - done)
            self.pages += pages
            yield pages
            if done < len(out):
                return


# ---- processes -----------------------------------------------------------------------------------


def open_processes(pids: Iterable[int]) -> Source:
    """Open the swappable memory of these processes; memory they share counts once.

    Those that cannot be looked at are skipped and counted, as long as one is left. Private pages
    that a fork left shared count for each process that has them.

    Raises:
        AccessError: none of them may be looked at (what the first one gave).
        ZramOSError: ESRCH, none of them is there, or they are the kernel's own.
    """
    numbers = list(dict.fromkeys(pids))
    label = "process" + " ".join(["es" * (len(numbers) > 1), *map(str, numbers)])
    source = Source(label, os.sysconf("SC_PAGE_SIZE"))
    found, failures = _look_at(source, numbers)
    if failures and not found:
        raise failures[0]
    _add_processes(source, found)
    return source


def open_system() -> Source:
    """Open the memory of all processes that the caller may look at, except this one."""
    source = Source("system", os.sysconf("SC_PAGE_SIZE"))
    found, _ = _look_at(source, [pid for pid in procmem.all_processes() if pid != os.getpid()])
    _add_processes(source, found)
    return source


def _look_at(
    source: Source, pids: Iterable[int]
) -> tuple[list[procmem.ProcessPages], list[ZramOSError]]:
    """Count the pages of these processes; those that exit or may not be read are skipped."""
    devices = procmem.MemoryDevices.of_this_system()
    found, failures = [], []
    for pid in pids:
        try:
            found.append(procmem.process_pages(pid, devices=devices))
        except ZramOSError as err:
            if err.errno in (errno.EACCES, errno.EPERM):
                source.skip(UNREADABLE)
            elif err.errno == errno.ESRCH:
                source.skip(GONE)
            else:
                raise
            failures.append(err)
    return found, failures


def _add_processes(source: Source, found: list[procmem.ProcessPages]) -> None:
    # Of processes that map the same shared memory, the one that has used most of it speaks for it.
    owners: dict[tuple[str, int, int, int], tuple[int, int]] = {}
    for process in found:
        for m in process.mappings:
            if m.kind == procmem.SHMEM and m.present > owners.get(_identity(m), (0, 0))[0]:
                owners[_identity(m)] = (m.present, process.pid)
    for process in found:
        kept = [
            m
            for m in process.mappings
            if m.kind == procmem.ANON or owners.get(_identity(m), (0, 0))[1] == process.pid
        ]
        source.swapped += sum(m.swapped for m in kept)
        source.skip("mappings of devices, the kernel, or guards", process.skipped)
        source.skip("mappings shared with another process", len(process.mappings) - len(kept))
        segment = ProcessSegment(process, kept)
        if segment.pages:
            source.segments.append(segment)


def _identity(m: procmem.SwappableMapping) -> tuple[str, int, int, int]:
    mapping = m.mapping
    return mapping.dev, mapping.inode, mapping.offset, mapping.end - mapping.start


# ---- files ---------------------------------------------------------------------------------------


def open_files(paths: Sequence[str], *, page_size: int | None = None) -> Source:
    """Open files, core dumps and block devices as one source.

    Of an ELF core dump the memory segments count, of other files everything. Raises the
    OSError subclasses of :mod:`pyzram.errors`.
    """
    source = Source(" ".join(paths), page_size or os.sysconf("SC_PAGE_SIZE"))
    try:
        for path in paths:
            _add_file(source, path)
    except OSError as err:
        source.close()
        if isinstance(err, ZramOSError):
            raise
        raise from_errno(err.errno or errno.EIO, f"{path}: read", path) from err
    return source


def _add_file(source: Source, path: str) -> None:
    # A pipe that nobody writes to is to be refused, not waited for.
    fd = source.keep_open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise from_errno(errno.EISDIR, f"{path}: read", path)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise from_errno(
            errno.ESPIPE, f"{path}: read", path, remedy="pass a stream on standard input"
        )
    _add_ranges(source, fd, core_segments(fd) if stat.S_ISREG(mode) else None)


def _add_ranges(source: Source, fd: int, ranges: list[tuple[int, int]] | None) -> None:
    """Add (offset, length) of a file, as far as it reaches; all of it by default."""
    size = os.lseek(fd, 0, os.SEEK_END)
    for offset, length in ranges if ranges is not None else [(0, size)]:
        length = min(length, size - offset)
        if length > 0:
            source.segments.append(FileSegment(fd, offset, length, source.page_size))


def open_stream(
    fd: int, label: str = "standard input", *, page_size: int | None = None
) -> Stream | Source:
    """Open a descriptor; a regular file on it is sampled where it lies."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        source = Source(label, page_size or os.sysconf("SC_PAGE_SIZE"))
        _add_ranges(source, fd, core_segments(fd))
        return source
    return Stream(fd, label, page_size)
