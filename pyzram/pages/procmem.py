# SPDX-License-Identifier: MIT
"""Memory of processes that could go to swap: private (anonymous) pages and shared memory.

Pages of files are never swapped and the kernel's page of zeros is nobody's, so neither counts.
Nothing here stops a process. See proc_pid_maps(5) and Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import errno
import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

from .. import _native
from ..errors import ZramOSError, from_errno
from ..kernel.sysfs import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ANON = _native.PAGES_ANON
SHMEM = _native.PAGES_SHMEM
PF_KTHREAD = 0x00200000
# The walk of pagemap costs 8 bytes of reading for each page of a hole; beyond this many bytes of
# mapping it pays to ask the kernel first how many pages there are.
SPARSE = 1 << 30


class Mapping(NamedTuple):
    """One line of ``/proc/PID/maps``; addresses in bytes."""

    start: int
    end: int
    perms: str
    offset: int
    dev: str
    inode: int
    path: str


class SwappableMapping(NamedTuple):
    """A mapping with swappable pages."""

    mapping: Mapping
    kind: int
    """:data:`ANON` or :data:`SHMEM`"""
    present: int
    """pages in memory"""
    swapped: int
    """pages in swap already, as far as the page table shows them"""


class ProcessPages(NamedTuple):
    """What of a process could go to swap, counted in pages."""

    pid: int
    start_time: int
    mappings: list[SwappableMapping]
    skipped: int
    """mappings that hold memory of devices or of the kernel, or guard others"""

    @property
    def present(self) -> int:
        """Pages in memory."""
        return sum(m.present for m in self.mappings)

    @property
    def swapped(self) -> int:
        """Pages in swap."""
        return sum(m.swapped for m in self.mappings)


def parse_maps(text: str) -> Iterator[Mapping]:
    """``/proc/PID/maps``, line by line."""
    for line in text.splitlines():
        words = line.split(None, 5)
        start, _, end = words[0].partition("-")
        yield Mapping(
            int(start, 16),
            int(end, 16),
            words[1],
            int(words[2], 16),
            words[3],
            int(words[4]),
            words[5] if len(words) > 5 else "",
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
            for line in read_text("/proc/self/mountinfo").splitlines():
                left, _, right = line.partition(" - ")
                kind = right.split(" ", 1)[0]
                if kind in ("tmpfs", "devtmpfs"):
                    shmem.add(_dev(left.split()[2]))
                elif kind == "hugetlbfs":
                    huge.add(_dev(left.split()[2]))
        except OSError:
            pass  # without mounts to see, memory without a mount is still found
        try:
            fd = os.memfd_create("pyzram", os.MFD_CLOEXEC)
        except OSError:
            return cls(frozenset(shmem), frozenset(huge))
        number = os.fstat(fd).st_dev
        os.close(fd)
        shmem.add(f"{os.major(number):02x}:{os.minor(number):02x}")
        return cls(frozenset(shmem), frozenset(huge))


def _dev(decimal: str) -> str:
    major, _, minor = decimal.partition(":")
    return f"{int(major):02x}:{int(minor):02x}"


def swappable_kind(mapping: Mapping, devices: MemoryDevices) -> int | None:
    """:data:`ANON`, :data:`SHMEM`, or ``None`` for what never goes to swap.

    A private mapping of a file is ``ANON``: the pages that were written to are.
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


def process_pages(
    pid: int, *, method: str = "auto", devices: MemoryDevices | None = None
) -> ProcessPages:
    """Count the swappable pages of a process.

    ``method`` is ``"ioctl"`` (PAGEMAP_SCAN, Linux 6.7), ``"pagemap"`` or ``"auto"``, which takes
    the first that the kernel has. Without the privilege to see page frames, ``"pagemap"`` cannot
    tell the kernel's page of zeros from others.

    Raises:
        AccessError: the process may not be looked at.
        ZramOSError: ESRCH, there is no such process, it has exited, or it is the kernel's own.
    """
    what = f"process {pid}: read its memory map"
    devices = devices or MemoryDevices.of_this_system()
    try:
        start_time, kernel_thread = _stat(pid)
        if kernel_thread:
            raise from_errno(errno.ESRCH, what, remedy="a kernel thread has no memory of its own")
        memory = _native.ProcMem(pid, method)
        try:
            return _count(pid, start_time, memory, devices)
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


def _stat(pid: int) -> tuple[int, bool]:
    # The name in brackets may hold anything, so count from behind it.
    words = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(words[19]), bool(int(words[6]) & PF_KTHREAD)


def _count(
    pid: int, start_time: int, memory: _native.ProcMem, devices: MemoryDevices
) -> ProcessPages:
    walks_holes = memory.method() == "pagemap"
    limits: dict[int, int] | None = None
    found, skipped = [], 0
    for mapping in parse_maps(read_text(f"/proc/{pid}/maps")):
        kind = swappable_kind(mapping, devices)
        if kind is None:
            skipped += mapping.path.startswith(("[v", "/dev/", "anon_inode:"))
            continue
        limit = _native.U64_MAX
        if walks_holes and mapping.end - mapping.start > SPARSE:
            if limits is None:
                limits = _resident(pid)
            limit = limits.get(mapping.start, limit)
        present, swapped = memory.count(mapping.start, mapping.end, kind, limit)
        if present or swapped:
            found.append(SwappableMapping(mapping, kind, present, swapped))
        elif mapping.perms.startswith("---"):
            skipped += 1
    return ProcessPages(pid, start_time, found, skipped)


def _resident(pid: int) -> dict[int, int]:
    """Pages in memory and in swap of each mapping, by its start: ``/proc/PID/smaps``."""
    pages: dict[int, int] = {}
    size = os.sysconf("SC_PAGE_SIZE")
    start = 0
    for line in read_text(f"/proc/{pid}/smaps").splitlines():
        if line.startswith(("Rss:", "Swap:")):
            pages[start] = pages.get(start, 0) + int(line.split()[1]) * 1024 // size
        elif not line.split(None, 1)[0].endswith(":"):
            start = int(line.partition("-")[0], 16)
    return pages


class ProcessReader:
    """Reads single pages of a process that was counted before.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_memory", "pid")

    def __init__(self, pages: ProcessPages, *, method: str = "auto") -> None:
        self.pid = pages.pid
        memory = _native.ProcMem(pages.pid, method)
        if _stat(pages.pid)[0] != pages.start_time:
            memory.close()
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        self._memory = memory

    def close(self) -> None:
        """Let go of the process."""
        self._memory.close()

    def addresses(
        self, where: SwappableMapping, ranks: array[int], start: int | None = None
    ) -> array[int]:
        """Addresses of the present pages at these places (ascending, from 0) of a mapping.

        Places count from the address ``start``, by default the mapping's. Fewer addresses come
        back if the process has shrunk since it was counted.
        """
        found = array("Q", bytes(8 * len(ranks)))
        mapping = where.mapping
        start = mapping.start if start is None else start
        count = self._memory.pick(start, mapping.end, where.kind, ranks, found)
        del found[count:]
        return found

    def read(self, addresses: array[int], pages: memoryview) -> list[bool]:
        """Read pages into a buffer, one behind the other; says which could be read."""
        _, flags = self._memory.read(addresses, pages)
        return [flag == 1 for flag in flags]


def all_processes() -> list[int]:
    """Process numbers of ``/proc``, ascending."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
