# SPDX-License-Identifier: MIT
"""Rows of pages that are read in one way: of a file, or of a process."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Protocol

from . import procmem

if TYPE_CHECKING:
    from collections.abc import Sequence


class Segment(Protocol):
    """A row of pages that are read in one way."""

    pages: int

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """Read the pages at these ascending places into ``out``, one behind the other.

        Says for each whether it was there; a page that was not takes no room in ``out``.
        """

    def close(self) -> None:
        """Let go of what is open."""


class FileSegment:
    """A range of a file or block device; the last page is filled up with zeros."""

    __slots__ = ("_fd", "_length", "_offset", "_page_size", "pages")

    def __init__(self, fd: int, offset: int, length: int, page_size: int) -> None:
        self._fd = fd
        self._offset = offset
        self._length = length
        self._page_size = page_size
        self.pages = -(-length // page_size)

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`; what a file has lost since it was opened is zeros."""
        size = self._page_size
        if len(ranks) > 1 and ranks[-1] - ranks[0] == len(ranks) - 1:
            self._fill(ranks[0] * size, out[: len(ranks) * size])
        else:
            for i, rank in enumerate(ranks):
                self._fill(rank * size, out[i * size : (i + 1) * size])
        return [True] * len(ranks)

    def _fill(self, start: int, out: memoryview) -> None:
        wanted = min(len(out), self._length - start)
        done = 0
        while done < wanted:
            got = os.preadv(self._fd, [out[done:wanted]], self._offset + start + done)
            if got == 0:
                break
            done += got
        if done < len(out):
            out[done:] = bytes(len(out) - done)

    def close(self) -> None:
        """The file belongs to the source."""


class ProcessSegment:
    """The swappable pages in memory of one process, mapping by mapping."""

    __slots__ = ("_mappings", "_next", "_pages", "_reader", "_starts", "pages")

    def __init__(
        self, pages: procmem.ProcessPages, mappings: list[procmem.SwappableMapping]
    ) -> None:
        self._pages = pages
        self._mappings = [m for m in mappings if m.present]
        self._starts = [0]
        for mapping in self._mappings:
            self._starts.append(self._starts[-1] + mapping.present)
        self.pages = self._starts[-1]
        self._reader: procmem.ProcessReader | None = None
        # Mapping, place and address where the last read ended: the next one goes on from there.
        self._next = (-1, 0, 0)

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`; pages that were freed or swapped out meanwhile are not there."""
        try:
            if self._reader is None:
                self._reader = procmem.ProcessReader(self._pages)
            wanted = array("Q")
            found: list[bool] = []
            for i, mapping in enumerate(self._mappings):
                first = self._starts[i]
                low = bisect_left(ranks, first)
                high = bisect_left(ranks, self._starts[i + 1])
                if low == high:
                    continue
                local = array("Q", [rank - first for rank in ranks[low:high]])
                addresses = self._addresses(i, mapping, local)
                wanted += addresses
                found += [True] * len(addresses) + [False] * (high - low - len(addresses))
            was_read = iter(self._reader.read(wanted, out))
            return [there and next(was_read) for there in found]
        except OSError:
            return [False] * len(ranks)  # it has exited, or it is no longer ours to look at

    def _addresses(
        self, i: int, mapping: procmem.SwappableMapping, ranks: array[int]
    ) -> array[int]:
        assert self._reader is not None
        at, place, address = self._next
        if at != i or place > ranks[0]:
            place, address = 0, mapping.mapping.start
        found = self._reader.addresses(mapping, array("Q", [r - place for r in ranks]), address)
        if len(found) == len(ranks):
            self._next = (i, ranks[-1] + 1, found[-1] + os.sysconf("SC_PAGE_SIZE"))
        return found

    def close(self) -> None:
        """Let go of the process."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
