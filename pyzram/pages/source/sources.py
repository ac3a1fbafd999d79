# SPDX-License-Identifier: MIT
"""Where pages come from: sources that can be read anywhere, and a stream that passes once.

:mod:`.process_sources` and :mod:`.file_sources` open them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from warnings import warn

from ... import _native
from ...errors import InvalidValueError, from_errno
from ...limits import PAGE_SIZE
from ...units import format_count
from ...value import documented
from ..process.process import ProcessReader
from ..shared_memory.closed import (
    CLOSED_BY,
    CLOSED_FILES,
    CLOSED_OBJECTS,
    CLOSED_SEGMENTS,
    TOO_MANY_FILES,
)
from .segments import OpenObjects, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

# Why processes are skipped.
UNREADABLE = "unreadable processes"
WITHOUT_MEMORY = "kernel threads and exited processes"
# Why more pages were found than the kernel says that these processes are worth (PSS).
OTHERS_TOO = "pages shared with other processes, or added meanwhile"
# Why shared memory may count that others lock.
HIDDEN_LOCKS = "other processes that hide which of their memory is locked"
NOT_TOLD_CLEAN = "shared pages never written to, which cannot be told from others"
# Why memory that only open files hold may be missing.
HIDDEN_DESCRIPTORS = "processes whose open files are hidden"
IN_FLIGHT = "open files in flight between sockets"
# What the kernel counts for the whole system beyond all that was found.
UNSEEN_SHARED = "pages of shared memory that belong to no visible process or mount"
UNSEEN_SWAPPED = "pages in swap that belong to no visible process or mount"
# Why it is unknown which pages stay in memory.
PINNED_SOMEWHERE = "pinned pages (the kernel does not say which)"
# Reasons that may hide memory that should count, or count what belongs to others.
HIDDEN = (
    UNREADABLE,
    CLOSED_SEGMENTS,
    CLOSED_OBJECTS,
    CLOSED_FILES,
    TOO_MANY_FILES,
    *CLOSED_BY.values(),
    OTHERS_TOO,
    HIDDEN_DESCRIPTORS,
    HIDDEN_LOCKS,
    NOT_TOLD_CLEAN,
    IN_FLIGHT,
    UNSEEN_SHARED,
    UNSEEN_SWAPPED,
    PINNED_SOMEWHERE,
)


class _Readable:
    """What a source and a stream have in common."""

    label: str
    """What it is, in words."""
    skipped: dict[str, int]
    """How much could not be inspected, by reason."""

    def __init__(self, label: str, page_size: int) -> None:
        self.label = label
        self.skipped = {}
        self._page_size = page_size
        self._closed = False
        self._process = _native.forks

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        return self._page_size

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def _require_open(self) -> None:
        """Refuse one that is closed or another process's, whose descriptors may be others here.

        Raises:
            InvalidValueError: it is closed or another process's.
        """
        what = type(self).__name__.lower()
        if self._closed:
            raise InvalidValueError(f"{self.label}: the {what} is closed")
        if self._process != _native.forks:
            raise InvalidValueError(
                f"{self.label}: the {what} is that of the process before fork: open it anew in "
                "this one"
            )

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"source {self.label!r}: it holds open files and cannot be copied or pickled: "
            "pass what it was opened from, and open it there"
        )


@documented
class Source(_Readable):
    """Where pages come from: segments of pages, and what was left out on the way to them.

    A source belongs to the process that opened it: in a child of a fork it refuses to be read and
    closes nothing. If it is dropped while open, it gives a ResourceWarning.

    Besides the pages it has facts that an estimate has under the same names.

    Synchronization: one thread at a time.
    """

    swapped: int
    """Further pages that are already in swap."""
    left_out: dict[str, int]
    """Pages that never go to swap, by reason."""
    processes: int
    """How many processes were inspected."""
    pss: int
    """Bytes of all memory of the processes; shared memory is divided by the number of sharers."""
    file_backed: int
    """How many of those bytes belong to files."""
    by_share: int
    """Private pages that processes share and that are counted by share (PSS), not by frame."""
    by_page_table: int
    """Objects of shared memory that were seen only through page tables."""

    def __init__(self, label: str, page_size: int) -> None:
        super().__init__(label, page_size)
        self.swapped = 0
        self.left_out = {}
        self.processes = 0
        self.pss = 0
        self.file_backed = 0
        self.by_share = 0
        self.by_page_table = 0
        self._segments: list[Segment] = []
        self._reader = ProcessReader()  # reads the processes of the segments
        self._objects = OpenObjects()
        self._fds: list[int] = []

    def __repr__(self) -> str:
        state = "closed" if self.closed else format_count(self.pages, "page")
        return f"<Source {self.label!r}, {state}>"

    @property
    def pages(self) -> int:
        """Pages that can be read."""
        return sum(segment.pages for segment in self._segments)

    def _skip(self, reason: str, count: int = 1) -> None:
        """Count something that was left out."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def _leave_out(self, reason: str, count: int) -> None:
        """Count pages that stay where they are."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count

    def _keep_open(self, fd: int) -> int:
        """Close a descriptor together with the source."""
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        """Release files and processes."""
        self._closed = True
        for segment in self._segments:
            segment.close()
        if self._process != _native.forks:
            # A child may have closed its parent's descriptors, and others may have their numbers
            # now.
            self._reader.abandon()
            self._objects.abandon()
            self._fds.clear()
            return
        self._reader.close()
        self._objects.close()
        while self._fds:
            os.close(self._fds.pop())

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        fds = getattr(self, "_fds", None)
        if fds is None or not (fds or self._reader.is_open or self._objects.are_open):
            return
        if self._process == _native.forks:
            warn(f"source {self.label!r} was never closed", ResourceWarning, stacklevel=2)
        self.close()


@documented
class Stream(_Readable):
    """Standard input, or another descriptor that can be read only once.

    Its length is unknown until its end, so its sample is a plain random one, drawn on the way
    (a reservoir), and held in memory.

    It belongs to the process that opened it, and is read neither in a child of a fork nor once it
    is closed; the descriptor stays the caller's.

    Synchronization: one thread at a time.
    """

    def __init__(self, fd: int, label: str, page_size: int | None = None) -> None:
        super().__init__(label, page_size or PAGE_SIZE)
        self.pages: int = 0
        """Pages read so far."""
        self._fd = fd

    def __repr__(self) -> str:
        state = "closed" if self.closed else format_count(self.pages, "page") + " read"
        return f"<Stream {self.label!r}, {state}>"

    def close(self) -> None:
        """Read no more; the descriptor belongs to the caller and stays open."""
        self._closed = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _chunks(self, out: memoryview) -> Iterator[int]:
        """Fill ``out`` again and again; yield how many pages it holds each time.

        Raises:
            InvalidValueError: it is closed, or another process's.
            ZramOSError: reading failed.
        """
        size = self.page_size
        while True:
            done = 0
            while done < len(out):
                self._require_open()
                try:
                    got = os.readv(self._fd, [out[done:]])
                except OSError as err:
                    raise from_errno(err.errno or 0, f"{self.label}: read") from err
                if got == 0:
                    break
                done += got
            if done == 0:
                return
            pages = -(-done // size)
            out[done : pages * size] = bytes(pages * size - done)
            self.pages += pages
            yield pages
            if done < len(out):
                return
