# SPDX-License-Identifier: MIT
"""System V segments of shared memory, as the kernel lists them."""

from __future__ import annotations

import os
from typing import NamedTuple

from ...kernel.sysfs import read_text

SHM_LOCKED = 0o2000
ATTACHED = "/SYSV"  # how the path of a segment's mapping begins


class SystemVSegment(NamedTuple):
    """A line of ``/proc/sysvipc/shm``; sizes in bytes."""

    number: int
    locked: bool
    size: int
    attached: int
    in_memory: int
    swapped: int


def segments(path: str = "/proc/sysvipc/shm") -> list[SystemVSegment]:
    """System V segments of this IPC namespace; none if the kernel does not support them."""
    try:
        lines = read_text(path).split("\n")
    except FileNotFoundError:
        return []
    columns = {name: i for i, name in enumerate(lines[0].split())}
    found = []
    for words in map(str.split, lines[1:]):
        if words:
            found.append(
                SystemVSegment(
                    int(words[columns["shmid"]]),
                    bool(int(words[columns["perms"]], 8) & SHM_LOCKED),
                    *(int(words[columns[name]]) for name in ("size", "nattch", "rss", "swap")),
                )
            )
    return found


def ipc_space(fd: int | None = None) -> str:
    """The IPC namespace of a process, given its folder in /proc, or of this one; never empty."""
    try:
        return os.readlink("/proc/self/ns/ipc" if fd is None else "ns/ipc", dir_fd=fd)
    except FileNotFoundError:
        return "ipc"  # the kernel has only one


def last_detach_destroys() -> bool:
    """Whether the kernel removes a segment when its last user detaches (kernel.shm_rmid_forced)."""
    try:
        return read_text("/proc/sys/kernel/shm_rmid_forced").strip() != "0"
    except FileNotFoundError:
        return True
