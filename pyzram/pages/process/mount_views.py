# SPDX-License-Identifier: MIT
"""Which processes see the same mounts, so that each table of mounts is read once."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from ...descriptor import Opened

HELD_MAX = 256
"""The most namespaces to hold; beyond that, each process is asked."""


class View(NamedTuple):
    """Which mounts a process sees: those of its namespace, below its root."""

    space: str
    root: str
    """As the caller sees it; everything outside the caller's root is ``/``."""
    device: int
    inode: int


def view_of(folder: str, dir_fd: int | None = None) -> View:
    """The view of a process, given by its folder in /proc.

    Raises:
        OSError: it has exited, or may not be inspected.
    """
    root = os.stat(f"{folder}/root/.", dir_fd=dir_fd)
    return View(
        os.readlink(f"{folder}/ns/mnt", dir_fd=dir_fd),
        os.readlink(f"{folder}/root", dir_fd=dir_fd),
        root.st_dev,
        root.st_ino,
    )


class MountViews:
    """The views met so far.

    A namespace that everybody has left is gone, and the next one may get its number. So each that
    was met is held until :meth:`close`.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        self._seen: set[View] = set()
        self._held: dict[str, Opened] = {}

    def __contains__(self, view: View) -> bool:
        return view in self._seen

    def add(self, view: View, folder: str, dir_fd: int | None = None) -> None:
        """Remember a view whose mounts were read, if there is room for it.

        Raises:
            OSError: the process has exited.
        """
        if view.space not in self._held and len(self._held) < HELD_MAX:
            try:
                held = Opened(f"{folder}/ns/mnt", os.O_RDONLY, dir_fd=dir_fd)
            except OSError as err:
                if err.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                return
            # The process may meanwhile have moved to another namespace or root.
            if f"mnt:[{os.fstat(held.fd).st_ino}]" == view.space:
                self._held[view.space] = held
            else:
                held.close()
        if view.space in self._held:
            self._seen.add(view)

    def close(self) -> None:
        """Release the namespaces."""
        while self._held:
            self._held.popitem()[1].close()
        self._seen.clear()
