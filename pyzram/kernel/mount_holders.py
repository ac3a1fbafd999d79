# SPDX-License-Identifier: MIT
"""Who keeps a mounted file system busy: processes, mounts on it, its files in use as devices."""

from __future__ import annotations

import os

from ..text import quote
from ..units import format_count
from .blocked_reads import COMMAND_SECONDS, read_in_thread
from .parse import parse_mountinfo, parse_swaps
from .process_folder import ProcessFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from .parse import Mount
    from .sysfs import Sysfs

    T = TypeVar("T")

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
    for name in sorted(_tried(os.listdir, sysfs.path("sys/block")) or ()):
        if name.startswith("loop"):
            path = _tried(sysfs.read, f"sys/block/{name}/loop/backing_file") or ""
            path = path.removesuffix("\n")
            if _is_below(path, point):
                yield f"{name} is on {quote(path)}"
    for area in parse_swaps(_tried(sysfs.read, "proc/swaps") or ""):
        if area.type == "file" and _is_below(area.path, point):
            yield f"{quote(area.path)} is swap"


def _processes(sysfs: Sysfs, mount: Mount) -> list[str]:
    pids = sorted(filter(str.isdigit, _tried(os.listdir, sysfs.path("proc")) or ()), key=int)
    holding = {pid: name for pid in pids if (name := _name_if(_uses, sysfs, pid, mount))}
    others = [pid for pid in pids if pid not in holding]
    looked_at: list[str] = []

    def maps(process: ProcessFolder, mount: Mount) -> bool:
        looked_at[-1] = process.name()
        return _maps(process, mount)

    def look() -> None:
        for pid in others:
            looked_at.append(pid)
            if name := _name_if(maps, sysfs, pid, mount):
                holding[pid] = name

    # Up to 6.16, reading mappings waits for any call of the process that has its memory map locked,
    # which need not end. So a thread reads, for a time that all processes share.
    unknown = ""
    try:
        if others:
            read_in_thread(look, COMMAND_SECONDS)
    except OSError:
        # None, if there are no more threads, or this process was stopped before its thread began.
        unknown = f"process {looked_at[-1] if looked_at else others[0]} (cannot be looked at"
        rest = len(others) - max(len(looked_at), 1)
        unknown += f", nor {format_count(rest, 'process', 'processes')} after it)" if rest else ")"
    phrases = [f"in use by {name}" for name in holding.copy().values()]
    return [*phrases, unknown] if unknown else phrases


def _name_if(
    uses: Callable[[ProcessFolder, Mount], bool], sysfs: Sysfs, pid: str, mount: Mount
) -> str:
    """Name a process if it uses a mount; one that ends meanwhile is not named."""
    try:
        with ProcessFolder(sysfs, pid) as process:
            return process.name() if uses(process, mount) else ""
    except OSError:
        return ""


def _uses(process: ProcessFolder, mount: Mount) -> bool:
    # By the mount's own number; a path may belong to another mount, or another root.
    tag = f"\nmnt_id:\t{mount.id}\n"
    for fd in _tried(process.names, "fdinfo") or ():
        if tag in (_tried(process.read, f"fdinfo/{fd}") or ""):
            return True
    # For what the kernel names only by path.
    links = (_tried(process.link, name) or "" for name in ("cwd", "root", "exe"))
    return any(_is_below(link, mount.point) for link in links)


def _maps(process: ProcessFolder, mount: Mount) -> bool:
    lines = process.read("maps").split("\n")
    return any(_is_below(line[at:], mount.point) for line in lines if (at := line.find("/")) > 0)


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(f"{point}/")


def _tried(read: Callable[[str], T], path: str) -> T | None:
    try:
        return read(path)
    except OSError:
        return None
