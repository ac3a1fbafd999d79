# SPDX-License-Identifier: MIT
"""Rows of pages that are read in the same way: from a file, a process or shared memory."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, Protocol

from ... import _native_memory
from ...errors import ZramOSError, from_errno
from ...limits import PAGE_SIZE
from ..process.mappings import SHARED
from ..process.owner import Owner
from ..process.process import ProcessReader
from ..shared_memory.shared_object import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared_memory.shared_object import SharedObject


class Segment(Protocol):
    """A row of pages that are read in the same way."""

    pages: int
    owner: Owner

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """Read the pages at these ascending places into ``out``, one after the other.

        Return for each whether it was there; a missing page takes no room in ``out``.
        """

    def close(self) -> None:
        """Close what is open."""


class FileSegment:
    """A range of a file or block device; the last page is filled up with zeros."""

    __slots__ = ("_fd", "_length", "_offset", "_page_size", "owner", "pages")

    def __init__(self, fd: int, offset: int, length: int, page_size: int, name: str = "") -> None:
        self._fd = fd
        self._offset = offset
        self._length = length
        self._page_size = page_size
        self.pages = -(-length // page_size)
        self.owner = Owner(0, name, "file")

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`; what a file has lost since it was opened reads as zeros."""
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


def _numbers(pages: _native_memory.PageSet, ranks: array[int]) -> array[int]:
    numbers = array("Q", bytes(8 * len(ranks)))
    pages.select(ranks, numbers)
    return numbers


class ProcessSegment:
    """Pages in memory of one process; their reader may be shared with other segments."""

    __slots__ = ("_pages", "_process", "_reader", "owner", "pages")

    def __init__(
        self,
        owner: Owner,
        start_time: int,
        pages: _native_memory.PageSet,
        reader: ProcessReader,
        pid: int = 0,
    ) -> None:
        self.owner = owner
        self.pages = len(pages)
        self._pages = pages
        self._process = pid or owner.pid, start_time
        self._reader = reader

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`; pages that were freed or swapped out meanwhile are not there."""
        try:
            return self._reader.read(*self._process, _numbers(self._pages, ranks), out)
        except OSError:
            return [False] * len(ranks)  # it has exited, or we may no longer inspect it

    def close(self) -> None:
        """The reader belongs to the source."""


class OpenObjects:
    """The few objects that were read last; few, because descriptors are scarce."""

    MOST = 8

    def __init__(self) -> None:
        self._fds: dict[SharedObject, int] = {}

    def fd(self, shared: SharedObject) -> int:
        """A descriptor of an object, valid until the next call.

        Raises:
            OSError: nobody has it any more.
            ZramOSError: this process has run out of descriptors or memory.
        """
        if shared not in self._fds:
            while len(self._fds) >= self.MOST:
                os.close(self._fds.pop(next(iter(self._fds))))
            try:
                self._fds[shared] = shared.open()
            except OSError as err:
                if err.errno in OURS:
                    raise from_errno(err.errno, f"{shared.name}: open shared memory") from err
                raise
        return self._fds[shared]

    @property
    def are_open(self) -> bool:
        """Whether one is held."""
        return bool(self._fds)

    def close(self) -> None:
        """Release them."""
        while self._fds:
            os.close(self._fds.popitem()[1])

    def abandon(self) -> None:
        """Forget them without closing: after a fork they are the parent's."""
        self._fds.clear()


class ObjectSegment:
    """Pages in memory of an object of shared memory, which is opened when they are read."""

    __slots__ = ("_object", "_open", "_pages", "owner", "pages")

    def __init__(
        self, shared: SharedObject, pages: _native_memory.PageSet, opened: OpenObjects
    ) -> None:
        self.owner = Owner(0, shared.name, SHARED)
        self.pages = len(pages)
        self._object = shared
        self._pages = pages
        self._open = opened

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`; pages that were freed or swapped out meanwhile are not there."""
        try:
            fd = self._open.fd(self._object)
            _, flags = _native_memory.shmem_read(fd, _numbers(self._pages, ranks), out)
        except ZramOSError:
            raise
        except OSError:
            return [False] * len(ranks)  # nobody has it any more
        return [flag == 1 for flag in flags]

    def close(self) -> None:
        """The descriptor belongs to the source."""


class ZeroSegment:
    """Pages that are allocated but hold nothing yet: reading them would make them used."""

    __slots__ = ("owner", "pages")

    def __init__(self, owner: Owner, pages: int) -> None:
        self.owner = owner
        self.pages = pages

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`."""
        size = len(ranks) * PAGE_SIZE
        out[:size] = bytes(size)
        return [True] * len(ranks)

    def close(self) -> None:
        """Nothing is open."""


class Thinned:
    """Some pages of a segment, evenly spread over it."""

    __slots__ = ("_segment", "owner", "pages")

    def __init__(self, segment: Segment, pages: int) -> None:
        self._segment = segment
        self.owner = segment.owner
        self.pages = min(pages, segment.pages)

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Segment`."""
        for index, rank in enumerate(ranks):
            ranks[index] = rank * self._segment.pages // self.pages
        return self._segment.read(ranks, out)

    def close(self) -> None:
        """Release the segment."""
        self._segment.close()
