# SPDX-License-Identifier: MIT
"""Files in memory that have no name and remain because a process has them open."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from ... import _native_memory
from ...kernel.holders import DELETED
from ...kernel.parse import parse_fdinfo
from ...kernel.sysfs import GONE

if TYPE_CHECKING:
    from .mappings import MemoryDevices
    from .process import Process

SOCKET = "socket:"


class HeldFile(NamedTuple):
    """An open tmpfs file or memfd, by the number of its descriptor."""

    number: int
    dev: str
    inode: int
    name: str


class HeldFiles(NamedTuple):
    """What the descriptors of a process hold."""

    files: tuple[HeldFile, ...]
    in_flight: int
    """files of any kind that were sent to its sockets and not yet received"""


NOTHING = HeldFiles((), 0)


def held_files(process: Process, devices: MemoryDevices, known: set[str]) -> HeldFiles:
    """What a process holds open, as far as it may be files in memory without a name.

    The mount that a file was opened on tells its kind; the mount itself is not asked, because it
    may belong to a server that does not answer. Sockets with files on their way are added to
    ``known``, so that they count once; the rest may be too many to remember.

    Raises:
        OSError: ESRCH, it has exited; EACCES, its files are hidden.
    """
    files: list[HeldFile] = []
    in_flight = 0
    for number in _native_memory.open_files(process.fd):
        try:
            name = _name(process, number)
            if name.endswith(DELETED):
                info = parse_fdinfo(process.read(f"fdinfo/{number}"))
                if dev := devices.mounts.get(info.get("mnt_id", "")):
                    files.append(HeldFile(number, dev, _inode(process, number, info), name))
            elif name.startswith(SOCKET) and name not in known:
                info = parse_fdinfo(process.read(f"fdinfo/{number}"))
                if on_their_way := int(info.get("scm_fds", 0)):
                    known.add(name)
                    in_flight += on_their_way
        except OSError as err:
            if err.errno not in GONE:
                raise
    return HeldFiles(tuple(files), in_flight) if files or in_flight else NOTHING


def _inode(process: Process, number: int, info: dict[str, str]) -> int:
    """Its inode; the kernel says it there from Linux 5.14 on."""
    if "ino" in info:
        return int(info["ino"])
    return os.stat(f"fd/{number}", dir_fd=process.fd).st_ino


def _name(process: Process, number: int) -> str:
    try:
        return os.readlink(f"fd/{number}", dir_fd=process.fd)
    except OSError as err:
        if err.errno != errno.ENAMETOOLONG:
            raise
        return DELETED  # it may be: the kernel writes that behind the path
