# SPDX-License-Identifier: MIT
"""Memory of a process that could go to swap: private (anonymous) pages, and what it shares.

Pages of files are never swapped and the kernel's page of zeros is nobody's, so neither counts; nor
does what is locked in memory or was given up. Nothing here stops or changes a process. See
proc_pid_maps(5), proc_pid_smaps(5) and Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .. import _native
from ..errors import ZramOSError, from_errno
from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import read_text
from ..limits import PAGE_SIZE

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

ANON = _native.PAGES_ANON
SHMEM = _native.PAGES_SHMEM
PF_KTHREAD = 0x00200000
# The walk of pagemap costs 8 bytes of reading for each page of a hole; beyond this many bytes of
# mapping it pays to ask the kernel first how many pages there are.
SPARSE = 1 << 30

# What private memory is for, as far as its mapping tells.
HEAP = "heap"
STACK = "stack"
DATA = "data"
SHARED = "shared"

# Why pages stay where they are.
LOCKED = "locked"
LAZILY_FREED = "lazily freed"


class Mapping(NamedTuple):
    """One line of ``/proc/PID/maps``; addresses in bytes."""

    start: int
    end: int
    perms: str
    offset: int
    dev: str
    inode: int
    path: str


class Rollup(NamedTuple):
    """Sums of ``/proc/PID/smaps_rollup``, bytes: what each page is worth divided by its sharers."""

    pss: int
    pss_anon: int
    pss_file: int
    swap: int
    swap_pss: int
    lazily_freed: int
    locked: int


class Counts(NamedTuple):
    """What a walk found, pages."""

    present: int
    swapped: int
    again: int
    freed: int
    locked: int
    shared: int


class Sightings:
    """Frames and slots of swap that were met before: what is shared counts once."""

    def __init__(self) -> None:
        self.frames = _native.Seen()
        self.slots = _native.Seen()


@dataclass(slots=True)
class ProcessPages:
    """What of a process could go to swap, and was not counted with another before. Pages."""

    pid: int
    start_time: int
    name: str
    rollup: Rollup
    parts: dict[str, _native.PageSet] = field(default_factory=dict)
    """private pages in memory, by :data:`HEAP`, :data:`STACK` and :data:`DATA`"""
    swapped: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """pages that stay in memory or vanish, by :data:`LOCKED` and :data:`LAZILY_FREED`"""
    shared: list[tuple[Mapping, bool]] = field(default_factory=list)
    """mappings of shared memory, and whether they are locked"""
    skipped: int = 0
    """mappings that hold memory of devices or of the kernel, or guard others"""
    by_frame: bool = False
    """shared pages count by frame; else by this process's share of them"""
    proportional: int = 0
    """private pages that it shares, where they count by share"""

    @property
    def present(self) -> int:
        """Private pages in memory."""
        return sum(len(pages) for pages in self.parts.values())


class Process:
    """A process, held by a descriptor: whoever gets its number later is another one.

    Raises:
        OSError: ENOENT or ESRCH, there is none.
    """

    __slots__ = ("fd", "is_kernel", "name", "parent", "pid", "start_time")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            text = self.read("stat")
        except OSError:
            self.close()
            raise
        # The name in brackets may hold anything, so count from behind it.
        head, _, tail = text.rpartition(")")
        words = tail.split()
        self.name = head.partition("(")[2]
        self.parent = int(words[1])
        self.is_kernel = bool(int(words[6]) & PF_KTHREAD)
        self.start_time = int(words[19])

    def read(self, name: str) -> str:
        """Read one of its files."""
        return read_text(name, dir_fd=self.fd)

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def parse_maps(text: str) -> Iterator[Mapping]:
    """``/proc/PID/maps``, line by line. Only a newline ends one: names may hold the rest."""
    for line in text.split("\n"):
        words = line.split(" ", 5)
        if len(words) < 5:
            continue
        start, _, end = words[0].partition("-")
        yield Mapping(
            int(start, 16),
            int(end, 16),
            words[1],
            int(words[2], 16),
            words[3],
            int(words[4]),
            words[5].lstrip(" ") if len(words) > 5 else "",
        )


class MemoryDevices(NamedTuple):
    """Device numbers, as maps writes them, of file systems that live in memory."""

    shmem: frozenset[str]
    huge: frozenset[str]

    @classmethod
    def of_this_system(cls) -> MemoryDevices:
        """Look at the mounts; shared memory without a mount is found by making some."""
        shmem, huge = set(), set()
        try:
            for mount in parse_mountinfo(read_text("/proc/self/mountinfo")):
                if mount.fstype in ("tmpfs", "devtmpfs"):
                    shmem.add(mapped_number(mount.number))
                elif mount.fstype == "hugetlbfs":
                    huge.add(mapped_number(mount.number))
        except OSError:
            pass  # without mounts to see, memory without a mount is still found
        try:
            fd = os.memfd_create("pyzram", os.MFD_CLOEXEC)
        except OSError:
            return cls(frozenset(shmem), frozenset(huge))
        number = os.fstat(fd).st_dev
        os.close(fd)
        shmem.add(device_text(number))
        return cls(frozenset(shmem), frozenset(huge))


def device_text(number: int) -> str:
    """A device number of stat(2) as maps writes it."""
    return f"{os.major(number):02x}:{os.minor(number):02x}"


def mapped_number(decimal: str) -> str:
    """A device number of mountinfo as maps writes it."""
    major, _, minor = decimal.partition(":")
    return f"{int(major):02x}:{int(minor):02x}"


def swappable_kind(mapping: Mapping, devices: MemoryDevices) -> int | None:
    """:data:`ANON`, :data:`SHMEM`, or ``None`` for what never goes to swap.

    A private mapping of a file is ``ANON``: the pages that were written to are. One of shared
    memory is ``SHMEM``, and has such pages too.
    """
    path = mapping.path
    if path.startswith(("[v", "anon_inode:", "socket:", "/anon_hugepage", "/sys/", "/proc/")):
        return None
    if mapping.dev in devices.huge:
        return None
    if mapping.dev in devices.shmem and not path.startswith("/dev/zero"):
        if path.startswith("/dev/") and not path.startswith("/dev/shm/"):
            return None
        return SHMEM
    if path.startswith("/dev/zero"):
        return SHMEM if mapping.perms[3] == "s" else ANON
    if path.startswith("/dev/") or mapping.perms[3] == "s":
        return None
    return ANON


def part_of(mapping: Mapping) -> str:
    """:data:`HEAP`, :data:`STACK`, or :data:`DATA` for changed pages of a file."""
    path = mapping.path
    if not path or path.startswith(("[heap", "[anon", "/dev/zero")):
        return HEAP
    return STACK if path.startswith("[stack") else DATA


def process_pages(
    pid: int,
    *,
    method: str = "auto",
    devices: MemoryDevices | None = None,
    sightings: Sightings | None = None,
) -> ProcessPages:
    """Count the swappable private pages of a process, and name the memory it shares.

    ``method`` is ``"ioctl"`` (PAGEMAP_SCAN, Linux 6.7), ``"pagemap"`` or ``"auto"``, which takes
    the first that the kernel has. With the privilege to see page frames, a page that was met
    before (``sightings``) does not count again; without it, of pages that several processes map
    each counts its share (PSS), and locked or lazily freed ones are known by mapping only.

    Raises:
        AccessError: the process may not be looked at.
        ZramOSError: ESRCH, there is no such process, it has exited, or it is the kernel's own.
    """
    what = f"process {pid}: read its memory map"
    devices = devices or MemoryDevices.of_this_system()
    try:
        with Process(pid) as process:
            if process.is_kernel:
                raise from_errno(
                    errno.ESRCH, what, remedy="a kernel thread has no memory of its own"
                )
            memory = _native.ProcMem(process.fd, method)
            try:
                return _Walk(process, memory, devices, sightings or Sightings()).pages()
            finally:
                memory.close()
    except ZramOSError:
        raise
    except OSError as err:
        remedy = ""
        code = err.errno or errno.EIO
        if code == errno.ENOENT:
            code = errno.ESRCH
        if code in (errno.EACCES, errno.EPERM):
            remedy = "not yours; run as root" if os.geteuid() else "it has privileges that you lack"
        raise from_errno(code, what, f"/proc/{pid}", remedy=remedy) from err


def rollup(process: Process) -> Rollup:
    """Read ``/proc/PID/smaps_rollup``; a figure that this kernel does not give is 0."""
    found: dict[str, int] = {}
    for line in process.read("smaps_rollup").split("\n")[1:]:
        name, _, rest = line.partition(":")
        if rest:
            found[name] = int(rest.split()[0]) * 1024
    return Rollup(
        found.get("Pss", 0),
        found.get("Pss_Anon", 0),
        found.get("Pss_File", 0),
        found.get("Swap", 0),
        found.get("SwapPss", 0),
        found.get("LazyFree", 0),
        found.get("Locked", 0),
    )


class _Details(NamedTuple):
    """What ``/proc/PID/smaps`` says of one mapping; pages, but for ``locked``."""

    in_use: int
    lazily_freed: int
    locked: bool


def _details(process: Process) -> dict[int, _Details]:
    found: dict[int, _Details] = {}
    size = PAGE_SIZE // 1024
    start = in_use = freed = 0
    for line in process.read("smaps").split("\n"):
        if line.startswith(("Rss:", "Swap:")):
            in_use += int(line.split()[1]) // size
        elif line.startswith("LazyFree:"):
            freed = int(line.split()[1]) // size
        elif line.startswith("VmFlags:"):
            found[start] = _Details(in_use, freed, "lo" in line.split())
            in_use = freed = 0
        elif line and not line.split(None, 1)[0].endswith(":"):
            start = int(line.partition("-")[0], 16)
    return found


class _Walk:
    """Goes through the mappings of one process."""

    def __init__(
        self,
        process: Process,
        memory: _native.ProcMem,
        devices: MemoryDevices,
        sightings: Sightings,
    ) -> None:
        self._process = process
        self._memory = memory
        self._devices = devices
        self._sightings = sightings
        self._known: dict[int, _Details] | None = None
        self._flags = 0
        self._weight = 0

    def pages(self) -> ProcessPages:
        process = self._process
        sums = rollup(process)
        found = ProcessPages(process.pid, process.start_time, process.name, sums)
        found.by_frame = self._memory.shows_frames()
        mappings = list(parse_maps(process.read("maps")))
        if sums.locked or (sums.lazily_freed and not found.by_frame):
            self._known = _details(process)
        if sums.lazily_freed and found.by_frame:
            self._flags = _native.WALK_FRAMES
        if not found.by_frame:
            self._weight = self._share(mappings, sums, found)
        for mapping in mappings:
            self._add(mapping, found)
        if not found.by_frame and sums.swap:
            share = sums.swap_pss / sums.swap
            found.swapped = {part: round(n * share) for part, n in found.swapped.items()}
        return found

    def _share(self, mappings: list[Mapping], sums: Rollup, found: ProcessPages) -> int:
        """What a page that others map too is worth, in parts of WEIGHT_ONE."""
        present = shared = 0
        for mapping in mappings:
            if self._is_private(mapping):
                counts = self._collect(mapping, None, _native.WEIGHT_ONE)
                present += counts.present + counts.locked
                shared += counts.shared
        found.proportional = shared
        own = present - shared
        worth = (sums.pss_anon / PAGE_SIZE - own) / shared if shared else 0
        return int(min(1.0, max(0.0, worth)) * _native.WEIGHT_ONE)

    def _is_private(self, mapping: Mapping) -> bool:
        kind = swappable_kind(mapping, self._devices)
        return kind == ANON or (kind == SHMEM and mapping.perms[3] == "p")

    def _add(self, mapping: Mapping, found: ProcessPages) -> None:
        kind = swappable_kind(mapping, self._devices)
        if kind is None:
            found.skipped += mapping.path.startswith(("[v", "/dev/", "anon_inode:"))
            return
        details = self._known.get(mapping.start) if self._known else None
        if kind == SHMEM:
            found.shared.append((mapping, bool(details and details.locked)))
            if not self._is_private(mapping):
                return
        part = part_of(mapping)
        pages = found.parts.get(part) or _native.PageSet()
        weight, flags = self._weight, self._flags
        if details and details.locked:
            flags |= _native.WALK_LOCKED
        freed_unseen = 0
        if details and details.lazily_freed and not found.by_frame:
            # Which of them were given up is hidden: as many others stand for the rest.
            freed_unseen = details.lazily_freed
            whole = self._collect(mapping, None, _native.WEIGHT_ONE).present
            flags |= _native.WALK_THIN
            found.proportional += freed_unseen
            weight = int(max(0.0, 1 - freed_unseen / max(1, whole)) * _native.WEIGHT_ONE)
        counts = self._collect(mapping, pages, weight, flags)
        if len(pages):
            found.parts[part] = pages
        _add(found.swapped, part, counts.swapped)
        _add(found.left_out, LOCKED, counts.locked)
        _add(found.left_out, LAZILY_FREED, counts.freed + freed_unseen)
        if not any(counts) and mapping.perms.startswith("---"):
            found.skipped += 1

    def _collect(
        self, mapping: Mapping, pages: _native.PageSet | None, weight: int, flags: int = 0
    ) -> Counts:
        limit = _native.U64_MAX
        if mapping.end - mapping.start > SPARSE and self._memory.method() == "pagemap":
            if self._known is None:
                self._known = _details(self._process)
            if details := self._known.get(mapping.start):
                limit = details.in_use
        counting = pages is None
        return Counts(
            *self._memory.collect(
                mapping.start,
                mapping.end,
                ANON,
                pages,
                seen=None if counting else self._sightings.frames,
                slots=None if counting else self._sightings.slots,
                flags=flags,
                weight=weight,
                seen_max=limit,
            )
        )


def _add(counts: dict[str, int], key: str, count: int) -> None:
    if count:
        counts[key] = counts.get(key, 0) + count


class ProcessReader:
    """Reads single pages of a process that was counted before.

    Synchronization: one thread at a time.

    Raises:
        OSError: ESRCH, it has exited.
    """

    __slots__ = ("_memory", "pid")

    def __init__(self, pid: int, start_time: int, *, method: str = "auto") -> None:
        self.pid = pid
        with Process(pid) as process:
            if process.start_time != start_time:
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            self._memory = _native.ProcMem(process.fd, method)

    def close(self) -> None:
        """Let go of the process."""
        self._memory.close()

    def read(self, numbers: array[int], out: memoryview) -> list[bool]:
        """Read pages by their numbers, one behind the other; says which could be read."""
        size = PAGE_SIZE
        for i, number in enumerate(numbers):
            numbers[i] = number * size
        _, flags = self._memory.read(numbers, out)
        return [flag == 1 for flag in flags]


def all_processes() -> list[int]:
    """Process numbers of ``/proc``, ascending."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
