# SPDX-License-Identifier: MIT
"""Mappings of a process: ``/proc/PID/maps``, and which of them have memory that could be swapped.

See proc_pid_maps(5).
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ... import _native_memory
from ...errors import from_errno
from ...kernel.mount_id import mount_id
from ...kernel.parse import parse_mountinfo
from ...kernel.sysfs import pass_over, read_text
from .mount_views import MountViews, view_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .process import Process

ANON = _native_memory.PAGES_ANON
SHMEM = _native_memory.PAGES_SHMEM

# What private memory is used for, as far as its mapping shows.
HEAP = "heap"
STACK = "stack"
DATA = "data"
SHARED = "shared"

KNOWN_MAX = 4096
HUGE_SIZES = "/sys/kernel/mm/hugepages"
MFD_HUGE_SHIFT = 26  # log2 of the size stands from here on
LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+) *(.*)$", re.MULTILINE)


class Mapping(NamedTuple):
    """One line of ``/proc/PID/maps``; addresses in bytes."""

    start: int
    end: int
    perms: str
    offset: int
    dev: str
    inode: int
    path: str


def parse_maps(text: str) -> list[Mapping]:
    """``/proc/PID/maps``, line by line. Only a newline ends a line: names may have the rest."""
    return [
        Mapping(int(start, 16), int(end, 16), perms, int(offset, 16), dev, int(inode), path)
        for start, end, perms, offset, dev, inode, path in LINE.findall(text)
    ]


class MemoryDevices:
    """Device numbers, as maps writes them, of file systems that live in memory."""

    def __init__(self, shmem: Iterable[str] = (), huge: Iterable[str] = ()) -> None:
        self.shmem = set(shmem)
        self.huge = set(huge)
        self.mounts: dict[str, str] = {}
        """numbers of mounts, as fdinfo writes them, to the devices of ``shmem``"""
        self._views = MountViews()

    @classmethod
    def of_this_system(cls) -> MemoryDevices:
        """Read the mounts; find shared memory without a mount by making some."""
        found = cls()
        found.see("/proc/self")
        if internal := _made(0):
            device, mount = internal
            found.shmem.add(device)
            found.mounts[mount] = device
        found.huge.update(huge_devices())
        return found

    def see(self, folder: str, dir_fd: int | None = None) -> bool:
        """Read the mounts of a process, which differ in a container; return whether any is new.

        The process is given by its folder in /proc.
        """
        try:
            view = view_of(folder, dir_fd)
            if view in self._views:
                return False
            mounts = parse_mountinfo(read_text(f"{folder}/mountinfo", dir_fd=dir_fd))
            self._views.add(view, folder, dir_fd)
        except OSError as err:
            pass_over(err)
            return False  # without mounts to see, memory without a mount is still found
        for mount in mounts:
            if mount.fstype in ("tmpfs", "devtmpfs"):
                device = self.mounts[str(mount.id)] = mapped_number(mount.number)
                self.shmem.add(device)
            elif mount.fstype == "hugetlbfs":
                self.huge.add(mapped_number(mount.number))
        return True

    def close(self) -> None:
        """Release the namespaces."""
        self._views.close()


def internal_device() -> str | None:
    """The device number of shared memory that no mount shows; ``None`` if none can be made.

    Raises:
        ZramOSError: this process can open no more files (EMFILE, ENFILE, ENOMEM).
    """
    made = _made(0)
    return made and made[0]


def huge_devices() -> list[str]:
    """Device numbers of huge pages (hugetlb) that no mount shows; the kernel has one for each size.

    Empty objects, which reserve no pages, reveal them. Raises as above.
    """
    try:
        names = os.listdir(HUGE_SIZES)
    except OSError as err:
        pass_over(err)
        return []
    sizes = [int(name[len("hugepages-") : -len("kB")]) * 1024 for name in names]
    found = [_made(os.MFD_HUGETLB | size.bit_length() - 1 << MFD_HUGE_SHIFT) for size in sizes]
    return [made[0] for made in found if made]


def _made(flags: int) -> tuple[str, str] | None:
    """The device number of such an object, and the number of the mount that it is on."""
    try:
        fd = os.memfd_create("pyzram", os.MFD_CLOEXEC | flags)
    except OSError as err:
        # The kernel lacks it or pages of this size, or filters the system call.
        if err.errno in (errno.ENOSYS, errno.EPERM, errno.EACCES):
            return None
        if flags and err.errno in (errno.EINVAL, errno.ENODEV, errno.ENOENT):
            return None
        raise from_errno(err.errno or 0, "make an object of shared memory to look at") from err
    try:
        return device_text(os.fstat(fd).st_dev), str(mount_id(fd))
    finally:
        os.close(fd)


def device_text(number: int) -> str:
    """A device number from stat(2) as maps writes it."""
    return f"{os.major(number):02x}:{os.minor(number):02x}"


def mapped_number(decimal: str) -> str:
    """A device number from mountinfo as maps writes it."""
    major, _, minor = decimal.partition(":")
    return f"{int(major):02x}:{int(minor):02x}"


def swappable_kind(perms: str, dev: str, path: str, devices: MemoryDevices) -> int | None:
    """:data:`ANON`, :data:`SHMEM`, or ``None`` for what never goes to swap.

    A private mapping of a file is ``ANON``, because its pages become anonymous when written to. One
    of shared memory is ``SHMEM``, and has such pages too.
    """
    if path.startswith(("[v", "anon_inode:", "socket:", "/anon_hugepage", "/sys/", "/proc/")):
        return None
    if dev in devices.huge:
        return None
    if dev in devices.shmem and not path.startswith("/dev/zero"):
        if path.startswith("/dev/") and not path.startswith("/dev/shm/"):
            return None
        return SHMEM
    if path.startswith("/dev/zero"):
        return SHMEM if perms[3] == "s" else ANON
    if path.startswith("/dev/") or perms[3] == "s":
        return None
    return ANON


def part_of(path: str) -> str:
    """:data:`HEAP`, :data:`STACK`, or :data:`DATA` for changed pages of a file."""
    if not path or path.startswith(("[heap", "[anon", "/dev/zero")):
        return HEAP
    return STACK if path.startswith("[stack") else DATA


class Kind(NamedTuple):
    """What a mapping's line says about its pages."""

    kind: int | None
    """:func:`swappable_kind`"""
    part: str
    """:func:`part_of`"""
    private: bool
    """may have private pages that go to swap"""
    guard: bool
    """nobody may touch it"""
    special: bool
    """memory of a device or of the kernel"""


class Kinds:
    """Kinds of mappings, remembered because those of libraries recur in every process.

    Before asking about the mappings of a process, :meth:`turn` to it.
    """

    def __init__(self, devices: MemoryDevices) -> None:
        self.devices = devices
        self._known: dict[str, Kind] = {}

    def turn(self, process: Process) -> None:
        """Learn what is mounted for a process."""
        if self.devices.see(".", process.fd):
            self._known.clear()

    def close(self) -> None:
        """Release what was mounted for processes."""
        self.devices.close()

    def of(self, rest: str) -> Kind:
        """The kind for what a line of maps says after the addresses."""
        found = self._known.get(rest)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()  # programs choose the names, so there may be any number
            found = self._known[rest] = self._kind_of(rest)
        return found

    def _kind_of(self, rest: str) -> Kind:
        match = LINE.match(f"0-0 {rest}")
        if match is None:
            raise from_errno(errno.EPROTO, f"read a line of maps: {rest!r}")
        _, _, perms, _, dev, _, path = match.groups()
        kind = swappable_kind(perms, dev, path, self.devices)
        return Kind(
            kind,
            part_of(path),
            kind == ANON or (kind == SHMEM and perms[3] == "p"),
            perms.startswith("---"),
            kind is None and path.startswith(("[v", "/dev/", "anon_inode:")),
        )
