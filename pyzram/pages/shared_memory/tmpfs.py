# SPDX-License-Identifier: MIT
"""File systems in memory: where they are mounted, and the files on them."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from ...errors import from_errno
from ...kernel.parse import parse_mountinfo
from ...kernel.sysfs import GONE, pass_over, read_text
from ..process.mappings import device_text, mapped_number
from ..process.mount_views import MountViews, view_of
from .descent import FOLDER, Descent
from .shared_object import OURS

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

SMALL = 1 << 16
"""Bytes: files below are remembered by folder, as long as there are not too many."""
ROOM = 4 << 20
"""Bytes that remembering them may take here."""
FILE, LINKED, PATH = 24, 150, 700
"""Bytes that each file takes beside its name, one that has several, and each path beside it."""
DEEP = 1 << 10
"""Characters: a larger file takes of this room, too, if its path is longer."""


class TmpfsMount(NamedTuple):
    """A mount of tmpfs: where it can be reached from here, and its device number as in maps."""

    path: str
    dev: str
    unswappable: bool


def tmpfs_mounts(pid: str = "self", root: str = "") -> list[TmpfsMount]:
    """The tmpfs mounts that a process sees; none if they are unknown."""
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


class TmpfsFiles:
    """Files with memory on all tmpfs mounts, even those that only other mount namespaces see.

    Iterate over it once, for folder, name and status of each file; then the counts are known. Files
    in ``known`` (by device number, inode and an empty text) are passed over; one with many names
    comes once. Mounts and folders may be anybody's, who can make them fail with any error: only
    what is wrong in this process ends the search.

    Raises:
        ZramOSError: this process has run out of descriptors or memory.
    """

    def __init__(self, pids: list[int], known: Container[tuple[str, int, str]] = ()) -> None:
        self._views = [("self", "")] + [(str(pid), f"/proc/{pid}/root") for pid in pids]
        self.hidden = 0
        """files and folders that could not be examined"""
        self.too_many = 0
        """files, small or deep, beyond those that there is room to remember"""
        self._room = ROOM
        self._known = known
        self._linked: set[tuple[str, int, str]] = set()

    def __iter__(self) -> Iterator[tuple[str, str, os.stat_result]]:
        seen: set[str] = set()
        met = MountViews()
        try:
            for pid, root in self._views:
                try:
                    view = view_of(f"/proc/{pid}")
                    if view in met:
                        continue
                    mounts = tmpfs_mounts(pid, root)
                    met.add(view, f"/proc/{pid}")
                except OSError as err:
                    if err.errno != errno.EINVAL:  # it is about to exit
                        self._miss(err)
                    continue
                for mount in mounts:
                    if mount.dev not in seen and (fd := self._root(mount)) >= 0:
                        seen.add(mount.dev)
                        yield from self._files(mount.path, fd)
        finally:
            met.close()

    def _root(self, mount: TmpfsMount) -> int:
        """Open what is mounted; -1 if its path does not lead there: another mount covers it."""
        try:
            fd = os.open(mount.path, FOLDER)
        except OSError as err:
            self._miss(err)
            return -1
        if device_text(os.fstat(fd).st_dev) == mount.dev:
            return fd
        os.close(fd)
        return -1

    def _miss(self, err: OSError) -> None:
        """Go on without a file or a folder; nothing is missing if it is gone.

        Raises:
            ZramOSError: an error that says nothing about it.
        """
        if err.errno in OURS:
            raise from_errno(err.errno, "tmpfs: look for files") from err
        if err.errno not in GONE:
            self.hidden += 1

    def _files(self, path: str, fd: int) -> Iterator[tuple[str, str, os.stat_result]]:
        """Those of one mount; its descriptor is closed in the end."""
        descent = Descent(path.rstrip("/"), fd)
        left: list[list[str]] = [[]]  # in each folder on the way, those still to be entered
        try:
            yield from self._listed(descent, left[0])
            while left[0] or len(left) > 1:
                try:
                    if left[-1]:
                        descent.down(left[-1].pop())
                    elif not descent.up():
                        lost = left[len(descent.names) :]
                        self.hidden += max(1, sum(map(len, lost)))
                except OSError as err:
                    self._miss(err)
                    continue
                if len(descent.names) > len(left):
                    left.append([])
                    yield from self._listed(descent, left[-1])
                else:
                    del left[len(descent.names) :]
        finally:
            descent.close()

    def _listed(
        self, descent: Descent, below: list[str]
    ) -> Iterator[tuple[str, str, os.stat_result]]:
        """The files of a folder; its folders are added to ``below``."""
        folder: str | None = None
        room = descent.length + PATH
        dev = device_text(descent.device)
        try:
            with os.scandir(descent.fd) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError as err:
                        self._miss(err)
                        continue
                    if status.st_dev != descent.device:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        below.append(entry.name)
                    elif (
                        stat.S_ISREG(status.st_mode)
                        and status.st_blocks
                        and not self._is_known((dev, status.st_ino, ""))
                        and self._has_room(status, entry.name, room, folder is None)
                    ):
                        if status.st_nlink > 1:
                            self._linked.add((dev, status.st_ino, ""))
                        if folder is None:
                            folder = "/".join(descent.names)
                        yield folder, entry.name, status
        except OSError as err:
            self._miss(err)

    def _is_known(self, key: tuple[str, int, str]) -> bool:
        return key in self._known or key in self._linked

    def _has_room(self, status: os.stat_result, name: str, folder: int, is_first: bool) -> bool:
        """Whether to take a file: a million of them must not take a gibibyte here."""
        if is_small(status):
            room = FILE + len(name) + (folder if is_first else 0)
        else:
            room = folder if folder > DEEP else 0
        if status.st_nlink > 1:
            room += LINKED
        if room > self._room:
            self.too_many += 1
            return False
        self._room -= room
        return True


def is_small(status: os.stat_result) -> bool:
    """Whether a file is remembered with the others of its folder."""
    return status.st_blocks * 512 < SMALL
