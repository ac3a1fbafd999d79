# SPDX-License-Identifier: MIT
"""Who keeps a mounted file system busy: processes, mounts on it, its files in use as devices."""

from __future__ import annotations

import os

from ..text import quote
from ..units import format_count
from .blocked_reads import COMMAND_SECONDS, read_in_thread
from .holder_words import process_name
from .parse import parse_mountinfo, parse_swaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .parse import Mount
    from .sysfs import Sysfs

NAMED = 5  # more would not fit in a line


def mount_holders(sysfs: Sysfs, mount: Mount) -> str:
    """Return one phrase that names who holds a mount, as far as the caller may see, or nothing."""
    phrases = [*_mounts(sysfs, mount), *_files_in_use(sysfs, mount.point)]
    phrases += _processes(sysfs, mount)
    more = len(phrases) - NAMED
    return ", ".join(phrases[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _mounts(sysfs: Sysfs, mount: Mount) -> Iterator[str]:
    for other in parse_mountinfo(sysfs.read("proc/self/mountinfo")):
        if other.parent == mount.id and other.id != mount.id:
            yield f"{quote(other.source)} is mounted on {quote(other.point)}"


def _files_in_use(sysfs: Sysfs, point: str) -> Iterator[str]:
    for name in sorted(_names(sysfs.path("sys/block"))):
        if name.startswith("loop"):
            path = _text(sysfs, f"sys/block/{name}/loop/backing_file").removesuffix("\n")
            if _is_below(path, point):
                yield f"{name} is on {quote(path)}"
    for area in parse_swaps(_text(sysfs, "proc/swaps")):
        if area.type == "file" and _is_below(area.path, point):
            yield f"{quote(area.path)} is swap"


def _processes(sysfs: Sysfs, mount: Mount) -> list[str]:
    pids = sorted(filter(str.isdigit, _names(sysfs.path("proc"))), key=int)
    holding = [pid for pid in pids if _uses(sysfs, f"proc/{pid}", mount)]
    others = [pid for pid in pids if pid not in holding]
    looked_at: list[str] = []

    def look() -> None:
        for pid in others:
            looked_at.append(pid)
            if _maps(sysfs, f"proc/{pid}", mount):
                holding.append(pid)

    # Up to 6.16, reading mappings waits for any call of the process that has its memory map locked,
    # which need not end. So a thread reads, for a time that all processes share.
    unknown = ""
    try:
        read_in_thread(look, COMMAND_SECONDS)
    except TimeoutError:
        last = looked_at[-1]
        rest = len(others) - others.index(last) - 1
        unknown = f"process {_name(sysfs, last) or last} (cannot be looked at"
        unknown += f", nor {format_count(rest, 'process', 'processes')} after it)" if rest else ")"
    # A process without a name is gone.
    phrases = [f"in use by {name}" for pid in holding.copy() if (name := _name(sysfs, pid))]
    return [*phrases, unknown] if unknown else phrases


def _name(sysfs: Sysfs, pid: str) -> str:
    try:
        return process_name(sysfs, pid)
    except OSError:
        return ""


def _uses(sysfs: Sysfs, proc: str, mount: Mount) -> bool:
    # By the mount's own number; a path may belong to another mount, or another root.
    tag = f"\nmnt_id:\t{mount.id}\n"
    for fd in _names(sysfs.path(proc, "fdinfo")):
        if tag in _text(sysfs, f"{proc}/fdinfo/{fd}"):
            return True
    # For what the kernel names only by path.
    for link in ("cwd", "root", "exe"):
        if _is_below(_link(sysfs.path(proc, link)), mount.point):
            return True
    return False


def _maps(sysfs: Sysfs, proc: str, mount: Mount) -> bool:
    lines = _text(sysfs, f"{proc}/maps").split("\n")
    return any(_is_below(line[at:], mount.point) for line in lines if (at := line.find("/")) > 0)


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(f"{point}/")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _text(sysfs: Sysfs, path: str) -> str:
    try:
        return sysfs.read(path)
    except OSError:
        return ""
