# SPDX-License-Identifier: MIT
"""File systems in memory: where they are mounted, and the files on them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import pass_over, read_text
from .mappings import device_text, mapped_number
from .mount_views import MountViews, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class TmpfsMount(NamedTuple):
    """A mount of tmpfs: where it is reached from here, and its device number as in maps."""

    path: str
    dev: str
    unswappable: bool


def tmpfs_mounts(pid: str = "self", root: str = "") -> list[TmpfsMount]:
    """Mounts of tmpfs that a process sees; none if that is unknown."""
    try:
        mounts = parse_mountinfo(read_text(f"/proc/{pid}/mountinfo"))
    except OSError as err:
        pass_over(err)
        return []
    return [
        TmpfsMount(
            root + mount.point,
            mapped_number(mount.number),
            "noswap" in mount.super_options.split(","),
        )
        for mount in mounts
        if mount.fstype in ("tmpfs", "devtmpfs")
    ]


def tmpfs_files(pids: list[int]) -> Iterator[tuple[str, os.stat_result]]:
    """Files with memory of all tmpfs mounts, also those that only other mount namespaces see."""
    seen: set[str] = set()
    met = MountViews()
    views = [("self", "")] + [(str(pid), f"/proc/{pid}/root") for pid in pids]
    try:
        for pid, root in views:
            try:
                view = view_of(f"/proc/{pid}")
                if view in met:
                    continue
                mounts = tmpfs_mounts(pid, root)
                met.add(view, f"/proc/{pid}")
            except OSError as err:
                pass_over(err)
                continue
            for mount in mounts:
                if mount.dev not in seen and _is_on(mount):
                    seen.add(mount.dev)
                    yield from _files(mount)
    finally:
        met.close()


def _is_on(mount: TmpfsMount) -> bool:
    """Whether the mount is what its path leads to, and not hidden below another."""
    try:
        return device_text(os.stat(mount.path).st_dev) == mount.dev
    except OSError:
        return False


def _files(mount: TmpfsMount) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [mount.path]
    device = os.stat(mount.path).st_dev
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
            if status.st_dev != device:
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)
            elif stat.S_ISREG(status.st_mode) and status.st_blocks:
                yield entry.path, status
