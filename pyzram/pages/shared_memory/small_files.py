# SPDX-License-Identifier: MIT
"""The small files of a tmpfs folder, which may be tens of thousands: about 30 bytes for each."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from ... import _native_memory
from ...errors import from_errno
from ...limits import PAGE_SIZE
from ..process.mappings import SHARED
from ..process.owner import Owner
from .shared_object import OURS, FileAt, SharedObject, object_pages, pages_of

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 1 << 52
"""More pages than any file has."""


class SmallFiles:
    """Files of one folder and device: those with pages in memory, as a :class:`.Segment`.

    A page is read by its place among those pages of its file that are in memory at that moment,
    because a small file is usually written as a whole.
    """

    __slots__ = (
        "_dev",
        "_ends",
        "_inodes",
        "_names",
        "_totals",
        "folder",
        "locked",
        "owner",
        "pages",
        "reserved",
        "resident",
        "swapped",
    )

    def __init__(self, folder: str, dev: str) -> None:
        self.folder = folder
        self.owner = Owner(0, f"small files in {folder or '/'}", SHARED)
        self.pages = self.swapped = self.locked = self.reserved = self.resident = 0
        self._dev = dev
        self._inodes = array("Q")
        self._names = bytearray()
        self._ends = array("I")  # of each name
        self._totals = array("Q")  # pages up to the end of each file

    def add(self, name: str, inode: int, size: int, stays: bool) -> None:
        """Add a file of that many pages, and whether it never goes to swap.

        Raises:
            OSError: it cannot be opened, see :meth:`.SharedObject.open`.
        """
        shared = self._object(name, inode)
        shared.ranges.append((0, size))
        if stays:
            shared.locked.append((0, size))
        pages, swapped, locked, reserved, _clean, resident = object_pages(shared)
        self.swapped += swapped
        self.locked += locked
        self.reserved += reserved
        self.resident += resident
        if len(pages):
            self._inodes.append(inode)
            self._names += os.fsencode(name)
            self._ends.append(len(self._names))
            self.pages += len(pages)
            self._totals.append(self.pages)

    def _object(self, name: str, inode: int) -> SharedObject:
        path = f"{self.folder}/{name}"
        shared = SharedObject((self._dev, inode), path)
        shared.places.append(FileAt(path))
        return shared

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`.Segment`; pages that were freed or swapped out meanwhile are not found.

        Raises:
            ZramOSError: this process has no descriptors or no memory left.
        """
        found: list[bool] = []
        done = 0
        while len(found) < len(ranks):
            at = len(found)
            file = bisect_right(self._totals, ranks[at])
            end = bisect_left(ranks, self._totals[file], at)
            first = self._totals[file - 1] if file else 0
            wanted = array("Q", [rank - first for rank in ranks[at:end]])
            got = self._read_file(file, wanted, out[done * PAGE_SIZE :])
            found += got
            done += sum(got)
        return found

    def _read_file(self, file: int, ranks: array[int], out: memoryview) -> list[bool]:
        start = self._ends[file - 1] if file else 0
        name = os.fsdecode(bytes(self._names[start : self._ends[file]]))
        shared = self._object(name, self._inodes[file])
        shared.ranges.append((0, WHOLE))
        try:
            fd = shared.open()
        except OSError as err:
            if err.errno in OURS:
                raise from_errno(err.errno, f"{shared.name}: open shared memory") from err
            return [False] * len(ranks)  # it is gone
        try:
            pages = pages_of(shared, fd).pages
            there = bisect_left(ranks, len(pages))
            numbers = array("Q", bytes(8 * there))
            pages.select(ranks[:there], numbers)
            _, flags = _native_memory.shmem_read(fd, numbers, out)
        except OSError:
            return [False] * len(ranks)
        finally:
            os.close(fd)
        return [flag == 1 for flag in flags] + [False] * (len(ranks) - there)

    def close(self) -> None:
        """Do nothing, because nothing is open."""
