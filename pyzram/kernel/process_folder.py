# SPDX-License-Identifier: MIT
"""The folder of a process in /proc.

There is :class:`pyzram.pages.process.process.Process` as well: it reads memory, so it has to know
start times and threads, and is always this machine's. Here thousands are asked for names and links,
below any root.
"""

from __future__ import annotations

import os

from ..descriptor import Opened
from ..text import quote
from .sysfs import Sysfs, read_text

FOLDER = os.O_RDONLY | os.O_DIRECTORY


class ProcessFolder:
    """The folder of a process, held, so that a later one with its number is not taken for it.

    Once the process is gone, nothing in it can be read, whoever has the number then.

    Raises:
        OSError: there is none.
    """

    __slots__ = ("_opened", "pid")

    def __init__(self, sysfs: Sysfs, pid: str) -> None:
        self.pid = pid
        self._opened = Opened(sysfs.path("proc", pid), FOLDER)

    def open(self, path: str, flags: int) -> Opened:
        """Open something in it."""
        return Opened(path, flags, dir_fd=self._opened.fd)

    def read(self, path: str) -> str:
        """Read one of its files."""
        return read_text(path, dir_fd=self._opened.fd)

    def link(self, path: str) -> str:
        """Return what one of its links says."""
        return os.readlink(path, dir_fd=self._opened.fd)

    def names(self, path: str) -> list[str]:
        """List a folder in it."""
        with self.open(path, FOLDER) as folder:
            return os.listdir(folder)

    def name(self) -> str:
        """Return ``comm[pid]``."""
        return f"{quote(self.read('comm').removesuffix(chr(10)))}[{self.pid}]"

    def __enter__(self) -> ProcessFolder:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._opened.close()
