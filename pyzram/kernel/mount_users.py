# SPDX-License-Identifier: MIT
"""Who keeps a mounted file system busy: processes, mounts on it, files of it in use as devices."""

from __future__ import annotations

import os

from ..text import quote
from .held_reads import COMMAND_SECONDS, read_in_thread
from .holders import process_name
from .parse import parse_mountinfo, parse_swaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .parse import Mount
    from .sysfs import Sysfs

NAMED = 5  # more would not fit in a line


def mount_users(sysfs: Sysfs, mount: Mount) -> str:
    """Return one phrase that names users of a mount, as far as the caller may look; or nothing."""
    phrases = [*_mounts(sysfs, mount), *_files_in_use(sysfs, mount.point)]
    phrases += [f"in use by {who}" for who in _processes(sysfs, mount)]
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


def _processes(sysfs: Sysfs, mount: Mount) -> Iterator[str]:
    pids = sorted(map(int, filter(str.isdigit, _names(sysfs.path("proc")))))
    for pid in pids:
        try:
            if _uses(sysfs, f"proc/{pid}", mount):
                yield process_name(sysfs, str(pid))
        except OSError:
            continue  # gone, or not ours to look at


def _uses(sysfs: Sysfs, proc: str, mount: Mount) -> bool:
    # By the mount's own number; a path may belong to another mount, or another root.
    tag = f"\nmnt_id:\t{mount.id}\n"
    for fd in _names(sysfs.path(proc, "fdinfo")):
        if tag in _text(sysfs, f"{proc}/fdinfo/{fd}"):
            return True
    # What the kernel names only by path.
    for link in ("cwd", "root", "exe"):
        if _is_below(_link(sysfs.path(proc, link)), mount.point):
            return True
    # Up to 6.16 that waits for a call of the process that has its memory map locked.
    try:
        maps = read_in_thread(lambda: _text(sysfs, f"{proc}/maps"), COMMAND_SECONDS)
    except TimeoutError:
        return False
    lines = maps.split("\n")
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
