# SPDX-License-Identifier: MIT
"""Where pages come from: processes, files, core dumps, block devices and streams."""

from __future__ import annotations

import errno
import operator
import os
import stat
from typing import TYPE_CHECKING
from warnings import warn

from .. import _native
from ..errors import InvalidValueError, ZramOSError, from_errno
from ..limits import PAGE_SIZE
from . import procmem
from .core_dump import core_segments
from .mappings import SHARED
from .process import ProcessReader, all_processes
from .segments import FileSegment, ObjectSegment, Owner, ProcessSegment, ZeroSegment
from .shared_memory import SharedMemory
from .shared_object import object_pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NoReturn

    from .segments import Segment
    from .shared_object import SharedObject

# Why processes are skipped.
UNREADABLE = "unreadable processes"
GONE = "kernel threads and exited processes"
# Why other memory is.
CLOSED_SEGMENTS = "System V segments that cannot be opened"
CLOSED_OBJECTS = "objects of shared memory that are gone or cannot be opened"
# What may hide memory that should count.
HIDDEN = (UNREADABLE, CLOSED_SEGMENTS, CLOSED_OBJECTS)


class _Account:
    """What is told of a source beside its pages.

    ``swapped`` is how many more pages are in swap already, ``left_out`` how many by reason could
    not go to swap. ``skipped`` counts by reason what could not be looked at. Of ``processes`` many
    processes ``pss`` and ``file_backed`` are the bytes of their share of all memory and of files.
    ``proportional`` private pages count by share, not by frame, and of ``by_page_table`` objects
    of shared memory only what page tables show.
    """

    def __init__(self, label: str, page_size: int) -> None:
        self.label: str = label
        self.page_size: int = page_size
        self.swapped = 0
        self.skipped: dict[str, int] = {}
        self.left_out: dict[str, int] = {}
        self.processes = 0
        self.pss = 0
        self.file_backed = 0
        self.proportional = 0
        self.by_page_table = 0

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"source {self.label!r}: it holds open files and cannot be copied or pickled: "
            "pass what it was opened from, and open it there"
        )


class Source(_Account):
    """Where pages come from: rows of pages, and what was left out on the way to them.

    ``pages`` is how many there are. A source belongs to the process that opened it: a child of a
    fork closes nothing of it. One that is dropped open gives a ResourceWarning.

    Synchronization: one thread at a time.
    """

    def __init__(self, label: str, page_size: int) -> None:
        super().__init__(label, page_size)
        self._segments: list[Segment] = []
        self.closed: bool = False
        """Whether :meth:`close` was called."""
        self._reader: ProcessReader = ProcessReader()
        """what reads the processes of the segments"""
        self._process = _native.forks
        self._fds: list[int] = []

    @property
    def pages(self) -> int:
        """Pages that are there to be read."""
        return sum(segment.pages for segment in self._segments)

    def _skip(self, reason: str, count: int = 1) -> None:
        """Count what was left out."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def _leave_out(self, reason: str, count: int) -> None:
        """Count pages that stay where they are."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count

    def _keep_open(self, fd: int) -> int:
        """Close a descriptor together with the source."""
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        """Let go of files and processes."""
        self.closed = True
        for segment in self._segments:
            segment.close()
        if self._process != _native.forks:
            # A child may have closed the descriptors of its parent and given the numbers away.
            self._reader.abandon()
            self._fds.clear()
            return
        self._reader.close()
        while self._fds:
            os.close(self._fds.pop())

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        fds = getattr(self, "_fds", None)
        if fds is None or not (fds or self._reader.is_open):
            return
        if self._process == _native.forks:
            warn(f"source {self.label!r} was never closed", ResourceWarning, stacklevel=2)
        self.close()


class Stream(_Account):
    """Standard input, or another descriptor that can be read only once.

    How long it is shows at its end, so its sample is a plain random one, drawn on the way
    (a reservoir), and held in memory.
    """

    def __init__(self, fd: int, label: str, page_size: int | None = None) -> None:
        super().__init__(label, page_size or PAGE_SIZE)
        self.pages: int = 0
        self._fd = fd

    def close(self) -> None:
        """The descriptor belongs to the caller."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _chunks(self, out: memoryview) -> Iterator[int]:
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


def open_processes(pids: int | Iterable[int], label: str = "") -> Source:
    """Open the swappable memory of a process or several; memory they share counts once.

    Those that cannot be looked at are skipped and counted, as long as one is left. Pages that a
    fork left shared count once, by frame, where the caller may see frames; else each process
    counts its share of them (PSS).

    Raises:
        InvalidValueError: one is no whole number.
        AccessError: none of them may be looked at (what the first one gave).
        ZramOSError: ESRCH, none of them is there, or they are the kernel's own.
    """
    numbers = _numbers(pids)
    source = Source(label or _label(numbers), PAGE_SIZE)
    shared = SharedMemory()
    _, failure = _look_at(source, numbers, shared)
    if not source.processes:
        raise failure or from_errno(errno.ESRCH, f"{source.label}: look at")
    _add_shared(source, shared)
    return source


def _numbers(pids: int | Iterable[int]) -> list[int]:
    """Process numbers, each once; the letters of a text are none."""
    several = hasattr(pids, "__iter__") and not isinstance(pids, (str, bytes))
    return list(dict.fromkeys(map(_number, pids if several else [pids])))  # type: ignore[arg-type]


def _number(pid: int) -> int:
    try:
        if not isinstance(pid, bool):
            return operator.index(pid)
    except TypeError:
        pass
    raise InvalidValueError(f"process {pid!r}: pass its number, such as 12, or a list of numbers")


def _label(numbers: list[int]) -> str:
    if len(numbers) > 4:
        return f"{len(numbers)} processes"
    return "process" + " ".join(["es" * (len(numbers) > 1), *map(str, numbers)])


def open_system() -> Source:
    """Open the memory of all processes that the caller may look at, except this one.

    Files of tmpfs and System V segments that nobody maps belong to it.
    """
    source = Source("system", PAGE_SIZE)
    shared = SharedMemory()
    pids, _ = _look_at(source, [pid for pid in all_processes() if pid != os.getpid()], shared)
    source._skip(CLOSED_SEGMENTS, shared.add_unmapped(pids))
    _add_shared(source, shared)
    return source


def _look_at(
    source: Source, pids: Iterable[int], shared: SharedMemory
) -> tuple[list[int], ZramOSError | None]:
    """Add the private pages of these processes; those that exit or may not be read are skipped.

    Returns those that were looked at, and why the first other one was not.
    """
    found: list[int] = []
    failure: ZramOSError | None = None
    with procmem.Looker() as looker:
        for pid in pids:
            try:
                process = looker.pages(pid)
            except ZramOSError as err:
                source._skip(why_left_out(err))
                failure = failure or err
                continue
            found.append(pid)
            _add_private(source, process)
            shared.add_process(process)
    return found, failure


def why_left_out(err: OSError) -> str:
    """The reason to go on without a process; an error that is none of these is raised."""
    if err.errno in (errno.EACCES, errno.EPERM):
        return UNREADABLE
    if err.errno in (errno.ENOENT, errno.ESRCH):
        return GONE
    raise err


def _add_private(source: Source, process: procmem.ProcessPages) -> None:
    source.processes += 1
    source.pss += process.rollup.pss
    source.file_backed += process.rollup.pss_file
    source.proportional += process.proportional
    source.swapped += sum(process.swapped.values())
    source._skip("mappings of devices, the kernel, or guards", process.skipped)
    for reason, count in process.left_out.items():
        source._leave_out(reason, count)
    for part, pages in process.parts.items():
        owner = Owner(process.pid, process.name, part)
        source._segments.append(ProcessSegment(owner, process.start_time, pages, source._reader))


def seen_segments(source: Source, item: SharedObject) -> list[Segment]:
    """The pages of an object that only page tables show, each by one of its processes."""
    owner = Owner(0, item.name, SHARED)
    return [
        ProcessSegment(owner, view.start_time, view.pages, source._reader, view.pid)
        for view in item.views
    ]


def _add_shared(source: Source, shared: SharedMemory) -> None:
    source._leave_out(procmem.LOCKED, shared.locked)
    for item in shared.objects.values():
        source._segments += seen_segments(source, item)
        if item.views:
            source.by_page_table += 1
        if not item.ranges:
            continue
        try:
            pages, swapped, locked, reserved = object_pages(item)
        except OSError:
            source._skip(CLOSED_OBJECTS)
            continue
        source.swapped += swapped
        source._leave_out(procmem.LOCKED, locked)
        if len(pages):
            source._segments.append(ObjectSegment(item, pages, source._fds))
        if reserved:
            source._segments.append(ZeroSegment(Owner(0, item.name, SHARED), reserved))


# ---- files ---------------------------------------------------------------------------------------


def open_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    page_size: int | None = None,
) -> Source:
    """Open a file, a core dump or a block device, or several of them as one source.

    Of an ELF core dump the memory segments count, of other files everything.

    Raises:
        NotFoundError: one is not there (ENOENT).
        AccessError: one may not be read.
        ZramOSError: EISDIR a folder, ESPIPE a pipe, or what opening and reading gave.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [os.fspath(path) for path in paths]
    source = Source(" ".join(names), page_size or PAGE_SIZE)
    try:
        for path in names:
            _add_file(source, path)
    except OSError as err:
        source.close()
        if isinstance(err, ZramOSError):
            raise
        raise from_errno(err.errno or errno.EIO, f"{path}: read", path) from err
    return source


def _add_file(source: Source, path: str) -> None:
    # A pipe that nobody writes to is to be refused, not waited for.
    fd = source._keep_open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise from_errno(
            errno.EISDIR, f"{path}: read", path, remedy="name the files that are in it"
        )
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
            source._segments.append(FileSegment(fd, offset, length, source.page_size, source.label))


def open_stream(
    fd: int, label: str = "standard input", *, page_size: int | None = None
) -> Stream | Source:
    """Open a descriptor; a regular file on it is sampled where it lies."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        source = Source(label, page_size or PAGE_SIZE)
        _add_ranges(source, fd, core_segments(fd))
        return source
    return Stream(fd, label, page_size)
