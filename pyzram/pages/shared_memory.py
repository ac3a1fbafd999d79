# SPDX-License-Identifier: MIT
"""Shared memory, object by object: tmpfs files, memfd, System V segments, shared mappings.

A page table shows only what its process has touched, and nothing that is in swap. So an object is
opened itself (``/proc/PID/map_files``, which takes privilege) and asked which of its pages are in
memory; without privilege it is the union of what its users' page tables show.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from .. import _native
from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import read_text
from ..limits import PAGE_SIZE
from . import procmem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .procmem import Mapping, ProcessPages

STEP = 1 << 16  # pages that are asked about at a time
SHM_LOCKED = 0o2000
NO_ATIME = os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME | os.O_NONBLOCK


class MappedAt(NamedTuple):
    """Where a process maps an object."""

    pid: int
    start_time: int
    start: int
    end: int

    def open(self) -> int:
        """Open the object itself."""
        with procmem.Process(self.pid) as process:
            if process.start_time != self.start_time:
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            name = f"map_files/{self.start:x}-{self.end:x}"
            return os.open(name, NO_ATIME, dir_fd=process.fd)


class FileAt(NamedTuple):
    """Where a file of tmpfs lies."""

    path: str

    def open(self) -> int:
        """Open the file."""
        return os.open(self.path, NO_ATIME | os.O_NOFOLLOW)


class SystemV(NamedTuple):
    """A segment of System V shared memory that nobody has attached."""

    number: int

    def open(self) -> int:
        """Open it; attaching to it for that shows in its times."""
        return _native.shm_open(self.number)


class Seen(NamedTuple):
    """Pages of an object that one process's page table shows, and no other's did before."""

    pid: int
    start_time: int
    pages: _native.PageSet


class SharedObject:
    """One object. Ranges are pairs of page numbers, the second behind the last page."""

    __slots__ = ("_seen", "key", "locked", "name", "places", "ranges", "views")

    def __init__(self, key: tuple[str, int], name: str) -> None:
        self.key = key
        self.name = name
        self.places: list[MappedAt | FileAt | SystemV] = []
        self.ranges: list[tuple[int, int]] = []
        self.locked: list[tuple[int, int]] = []
        self.views: list[Seen] = []
        self._seen = _native.Seen()

    def open(self) -> int:
        """Open it where it still is, and make sure that it is the same one.

        Raises:
            OSError: of the last place that was tried; ENOENT without any.
        """
        failure = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        for place in self.places:
            try:
                fd = place.open()
            except OSError as err:
                failure = err
                continue
            status = os.fstat(fd)
            if (procmem.device_text(status.st_dev), status.st_ino) == self.key:
                return fd
            os.close(fd)
        raise failure

    def look(self, process: procmem.Process, mapping: Mapping, locked: bool) -> int:
        """Add what the page table of one process shows; returns pages that are locked."""
        page_size = PAGE_SIZE
        pages = _native.PageSet()
        memory = _native.ProcMem(process.fd)
        try:
            counts = procmem.Counts(
                *memory.collect(
                    mapping.start,
                    mapping.end,
                    procmem.SHMEM,
                    pages,
                    seen=self._seen,
                    flags=_native.WALK_LOCKED if locked else 0,
                    first=mapping.offset // page_size,
                )
            )
        finally:
            memory.close()
        if len(pages):
            self.views.append(Seen(process.pid, process.start_time, pages))
        return counts.locked


class ObjectPages(NamedTuple):
    """What of an object could go to swap."""

    pages: _native.PageSet
    swapped: int
    locked: int
    reserved: int
    """allocated, but never written to: zeros, once they go to swap"""


def object_pages(shared: SharedObject) -> ObjectPages:
    """Ask the object itself; raises the OSError of opening it."""
    page_size = PAGE_SIZE
    fd = shared.open()
    try:
        status = os.fstat(fd)
        size = -(-status.st_size // page_size)
        pages = _native.PageSet()
        locked = elsewhere = covered = 0
        at = 0
        for start, end in joined(shared.ranges):
            elsewhere += _resident(fd, at, min(start, size))
            at = min(end, size)
            covered += max(0, at - start)
            for low in range(start, at, STEP):
                found = _native.shmem_resident(fd, low, min(STEP, at - low))
                locked += _clear(found, low, shared.locked)
                pages.add_resident(low, found)
        elsewhere += _resident(fd, at, size)
        # st_blocks counts the pages in swap too.
        allocated = status.st_blocks * 512 // page_size
        missing = _missing(fd, allocated, len(pages) + locked + elsewhere)
    finally:
        os.close(fd)
    resident = len(pages) + locked
    return ObjectPages(
        pages,
        min(missing.swapped, covered - resident),
        locked,
        0 if shared.locked else min(missing.reserved, covered - resident),
    )


class _Missing(NamedTuple):
    """Pages that mincore(2) does not show."""

    swapped: int
    reserved: int


def _missing(fd: int, allocated: int, resident: int) -> _Missing:
    """Of the allocated pages those in swap, and those that fallocate(2) got and nobody used yet.

    To a search for data the latter are holes; swap counts them in once they are zeros there.
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
        if err.errno != errno.ENXIO:  # that is the end
            return _Missing(allocated - resident, 0)
    return _Missing(max(0, data - resident), max(0, allocated - max(data, resident)))


def _resident(fd: int, start: int, end: int) -> int:
    return sum(
        _native.shmem_resident(fd, low, min(STEP, end - low)).translate(ODD).count(1)
        for low in range(start, end, STEP)
    )


ODD = bytes(i & 1 for i in range(256))


def _clear(found: bytearray, first: int, ranges: list[tuple[int, int]]) -> int:
    """Leave out the pages of locked ranges; returns how many of them are in memory."""
    cleared = 0
    for start, end in joined(ranges):
        low, high = max(0, start - first), min(len(found), end - first)
        if low < high:
            cleared += found[low:high].translate(ODD).count(1)
            found[low:high] = bytes(high - low)
    return cleared


def joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges ascending, without overlaps."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


class SharedMemory:
    """All objects that processes have, each once."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, int], SharedObject] = {}
        self.locked = 0
        """pages that page tables showed to be locked"""
        self._segments = {segment.number: segment for segment in segments()}
        self._unswappable = {mount.dev for mount in tmpfs_mounts() if mount.unswappable}
        self._internal = _internal_device()

    def add_process(self, found: ProcessPages) -> None:
        """Add what a process shares; nothing if it has exited."""
        if not found.shared:
            return
        try:
            with procmem.Process(found.pid) as process:
                if process.start_time == found.start_time:
                    self.add_mappings(process, found.shared)
        except OSError:
            pass

    def add_mappings(
        self, process: procmem.Process, shared: Iterable[tuple[Mapping, bool]]
    ) -> None:
        """Add mappings of a process, each with whether it is locked.

        Raises:
            OSError: it has exited.
        """
        for mapping, locked in shared:
            self._add(process, mapping, locked)

    def _add(self, process: procmem.Process, mapping: Mapping, locked: bool) -> None:
        page_size = PAGE_SIZE
        key = mapping.dev, mapping.inode
        shared = self.objects.get(key)
        if shared is None:
            shared = self.objects[key] = SharedObject(key, mapping.path)
        first = mapping.offset // page_size
        pages = first, first + (mapping.end - mapping.start) // page_size
        locked = locked or self.stays(key)
        if locked:
            shared.locked.append(pages)
        if not shared.views:
            shared.places.append(
                MappedAt(process.pid, process.start_time, mapping.start, mapping.end)
            )
            try:
                if len(shared.places) == 1:
                    os.close(shared.open())
                shared.ranges.append(pages)
                return
            except OSError:
                shared.places.clear()
        self.locked += shared.look(process, mapping, locked)

    def stays(self, key: tuple[str, int]) -> bool:
        """Whether an object is kept out of swap as a whole."""
        dev, inode = key
        if dev == self._internal and inode in self._segments:
            return self._segments[inode].locked
        return dev in self._unswappable

    def add_unmapped(self, pids: list[int]) -> int:
        """Add tmpfs files and System V segments that nobody maps; returns how many were hidden."""
        hidden = 0
        for path, status in tmpfs_files(pids):
            key = procmem.device_text(status.st_dev), status.st_ino
            if key not in self.objects:
                self._add_whole(key, path, FileAt(path), status.st_size)
        for segment in self._segments.values():
            key = self._internal, segment.number
            if key in self.objects or segment.attached:
                continue
            if segment.in_memory and (os.geteuid() != 0 or _last_detach_destroys()):
                hidden += 1
            elif segment.in_memory or segment.swapped:
                name = f"System V segment {segment.number}"
                self._add_whole(key, name, SystemV(segment.number), segment.size)
        return hidden

    def _add_whole(
        self, key: tuple[str, int], name: str, place: FileAt | SystemV, size: int
    ) -> None:
        shared = self.objects[key] = SharedObject(key, name)
        shared.places.append(place)
        whole = 0, -(-size // PAGE_SIZE)
        shared.ranges.append(whole)
        if self.stays(key):
            shared.locked.append(whole)


def _internal_device() -> str:
    """The device number of shared memory that no mount shows."""
    try:
        fd = os.memfd_create("pyzram", os.MFD_CLOEXEC)
    except OSError:
        return "00:01"
    number = os.fstat(fd).st_dev
    os.close(fd)
    return procmem.device_text(number)


# ---- System V ------------------------------------------------------------------------------------


class Segment(NamedTuple):
    """A line of ``/proc/sysvipc/shm``; sizes in bytes."""

    number: int
    locked: bool
    size: int
    attached: int
    in_memory: int
    swapped: int


def segments(path: str = "/proc/sysvipc/shm") -> list[Segment]:
    """System V segments of this IPC namespace; none where the kernel has them not."""
    try:
        lines = read_text(path).split("\n")
    except OSError:
        return []
    columns = {name: i for i, name in enumerate(lines[0].split())}
    found = []
    for words in map(str.split, lines[1:]):
        if words:
            found.append(
                Segment(
                    int(words[columns["shmid"]]),
                    bool(int(words[columns["perms"]], 8) & SHM_LOCKED),
                    *(int(words[columns[name]]) for name in ("size", "nattch", "rss", "swap")),
                )
            )
    return found


def _last_detach_destroys() -> bool:
    try:
        return read_text("/proc/sys/kernel/shm_rmid_forced").strip() != "0"
    except OSError:
        return True


# ---- tmpfs ---------------------------------------------------------------------------------------


class TmpfsMount(NamedTuple):
    """A mount of tmpfs: where it is reached from here, and its device number as in maps."""

    path: str
    dev: str
    unswappable: bool


def tmpfs_mounts(pid: str = "self", root: str = "") -> list[TmpfsMount]:
    """Mounts of tmpfs that a process sees; none if that cannot be told."""
    try:
        mounts = parse_mountinfo(read_text(f"/proc/{pid}/mountinfo"))
    except OSError:
        return []
    return [
        TmpfsMount(
            root + mount.point,
            procmem.mapped_number(mount.number),
            "noswap" in mount.super_options.split(","),
        )
        for mount in mounts
        if mount.fstype in ("tmpfs", "devtmpfs")
    ]


def tmpfs_files(pids: list[int]) -> Iterator[tuple[str, os.stat_result]]:
    """Files with memory of all tmpfs mounts, also those that only other mount namespaces see."""
    seen: set[str] = set()
    spaces: set[str] = set()
    views = [("self", "")] + [(str(pid), f"/proc/{pid}/root") for pid in pids]
    for pid, root in views:
        try:
            space = os.readlink(f"/proc/{pid}/ns/mnt")
        except OSError:
            continue
        if space in spaces:
            continue
        spaces.add(space)
        for mount in tmpfs_mounts(pid, root):
            if mount.dev not in seen and _is_on(mount):
                seen.add(mount.dev)
                yield from _files(mount)


def _is_on(mount: TmpfsMount) -> bool:
    """Whether the mount is what its path leads to, and not hidden below another."""
    try:
        return procmem.device_text(os.stat(mount.path).st_dev) == mount.dev
    except OSError:
        return False


def _files(mount: TmpfsMount) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [mount.path]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if procmem.device_text(status.st_dev) != mount.dev:
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)
            elif stat.S_ISREG(status.st_mode) and status.st_blocks:
                yield entry.path, status
