# SPDX-License-Identifier: MIT
"""The way from what is mounted down to one of its folders."""

from __future__ import annotations

import errno
import os

from .shared_object import OURS

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
AGAIN = 1 << 18
"""Folders that one descent opens again because others were moved. After so many it goes back to the
top each time: the time that neighbours can cost has an end."""


class Descent:
    """Goes from folder to folder by descriptor: a path may be longer than the kernel takes.

    Two descriptors are open, however deep it is: what is mounted (``top``; it is closed with this)
    and where it is now. Whoever moves a folder meanwhile may hide what is below it, and no more.
    """

    def __init__(self, path: str, top: int) -> None:
        self.fd = self._top = top
        self.names = [path]
        """the way to ``fd``: the path of the mount, and the name of each folder"""
        self.length = len(path) + 1
        """the characters of that path, and one more: to add them up at each step takes too long"""
        status = os.fstat(top)
        self.device = status.st_dev
        self._inodes = [status.st_ino]
        self._again = AGAIN

    def down(self, name: str) -> None:
        """Enter a folder from which there is a way back.

        Raises:
            OSError: there is none of that name, or it may not be entered.
        """
        self._inodes.append(self._enter(name))
        self.names.append(name)
        self.length += len(name) + 1

    def up(self) -> bool:
        """Go back to the folder above; if that is elsewhere, to the last that is where it was.

        Returns: whether it is the one above.

        Raises:
            OSError: an error that says nothing about the folders.
        """
        self._drop(len(self.names) - 1)
        try:
            self._enter("..", self._inodes[-1])
            return True
        except OSError as err:
            if err.errno in OURS:
                raise
        self._move(self._top)
        depth = 1
        try:
            while depth < len(self.names) and self._again:
                self._again -= 1
                self._enter(self.names[depth], self._inodes[depth])
                depth += 1
        except OSError as err:
            if err.errno in OURS:
                raise
        self._drop(depth)
        return False

    def close(self) -> None:
        """Close both descriptors."""
        self._move(self._top)
        os.close(self._top)

    def _enter(self, name: str, inode: int | None = None) -> int:
        """Go to a folder, and return its inode; with ``inode``, only to that one."""
        fd = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=self.fd)
        try:
            status = os.fstat(fd)
            if status.st_dev != self.device or inode not in (None, status.st_ino):
                raise FileNotFoundError(errno.ENOENT, "another one is in its place", name)
            if inode is None:
                os.stat("..", dir_fd=fd)  # a folder may be readable but not searchable
        except OSError:
            os.close(fd)
            raise
        self._move(fd)
        return status.st_ino

    def _drop(self, depth: int) -> None:
        self.length -= sum(len(name) + 1 for name in self.names[depth:])
        del self.names[depth:], self._inodes[depth:]

    def _move(self, fd: int) -> None:
        if self.fd != self._top:
            os.close(self.fd)
        self.fd = fd
