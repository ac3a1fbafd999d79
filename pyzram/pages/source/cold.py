# SPDX-License-Identifier: MIT
"""Cold memory: how much of processes stays untouched for a while, mapping by mapping.

The kernel notes in the page table which pages were touched. Writing ``1`` to
``/proc/PID/clear_refs`` clears these notes, and ``Referenced`` in ``/proc/PID/smaps`` counts those
that have come back (Documentation/filesystems/proc.rst). Nothing else changes for the process; the
kernel, which uses the same notes when memory is short, knows a little less for a while.
"""

from __future__ import annotations

import errno
import os
import time
from bisect import bisect
from typing import TYPE_CHECKING, NamedTuple

from ... import _native_memory
from ...errors import from_errno
from ...limits import PAGE_SIZE
from ..process.mappings import ANON, SHMEM, parse_maps
from ..process.owner import Owner
from ..process.process import Process
from ..process.procmem import Inspector
from ..process.smaps import parse_smaps
from ..process.stretches import Private, shared_pieces, split
from ..shared_memory.others_locks import add_others_locks
from ..shared_memory.shared_memory import SharedMemory
from .process_sources import pages_or_skip, seen_segments, why_left_out
from .segments import ObjectSegment, ProcessSegment, Thinned
from .sources import HIDDEN_LOCKS, PINNED_SOMEWHERE, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..process.mappings import Mapping
    from ..process.process import Chosen


class Use(NamedTuple):
    """What smaps says about the use of a mapping, in bytes."""

    start: int
    end: int
    resident: int
    referenced: int
    """of these, touched since the notes were cleared"""
    locked: bool
    freed: int = 0
    """of the resident ones, lazily freed: these never go to swap"""

    @property
    def cold(self) -> int:
        """Of the resident ones, not touched, nor locked, nor lazily freed."""
        return 0 if self.locked else max(0, self.resident - self.referenced - self.freed)


def parse_use(text: str) -> list[Use]:
    """``/proc/PID/smaps``: how each mapping was used, by address."""
    return [
        Use(start, end, resident, referenced, locked, freed)
        for start, end, locked, (resident, referenced, freed) in parse_smaps(
            text, "Rss:", "Referenced:", "LazyFree:"
        )
    ]


def cold_share(then: list[Use], last: list[Use], start: int, end: int) -> float:
    """The share of a mapping's memory that had not been touched by the look ``then``.

    It is a share of the memory that the last look found between these addresses, since mappings
    grow, split and merge with their neighbours meanwhile. What did not exist counts as touched.
    """
    resident = sum(use.resident * part for use, part in _between(last, start, end))
    cold = sum(use.cold * part for use, part in _between(then, start, end))
    return min(1.0, cold / resident) if resident else 0.0


def _between(uses: list[Use], start: int, end: int) -> Iterator[tuple[Use, float]]:
    """The mappings that overlap the range of addresses, and how much of each lies in it."""
    for at in range(bisect(uses, start, key=lambda use: use.end), len(uses)):
        use = uses[at]
        if use.start >= end:
            return
        yield use, (min(end, use.end) - max(start, use.start)) / (use.end - use.start)


class _Watched:
    """One process, and how much of each of its mappings was cold at each look."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.looks: list[list[Use]] = []

    def clear(self) -> None:
        fd = os.open("clear_refs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self.process.fd)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)

    def look(self) -> None:
        self.looks.append(parse_use(self.process.read("smaps")))

    def share(self, look: int | None, mapping: Mapping) -> float:
        """The share of a mapping that was cold at one look; all of it for ``None``."""
        if look is None:
            return 1.0
        return cold_share(self.looks[look], self.looks[-1], mapping.start, mapping.end)

    def private_share(self, look: int | None, private: Private) -> float:
        """The same for private memory, and for ``None`` all that could go to swap."""
        last = self.looks[-1]
        if look is None:
            # Only what lies there: a process may have as many mappings as stretches.
            here = _between(last, private.start, private.end)
            then = [use._replace(referenced=0) for use, _ in here]
        else:
            then = self.looks[look]
        return cold_share(then, last, private.start, private.end)

    def locks(self, mapping: Mapping) -> bool:
        """Whether the last look found it locked."""
        return any(use.locked for use, _ in _between(self.looks[-1], mapping.start, mapping.end))


class Age(NamedTuple):
    """How much stayed untouched for a given time."""

    seconds: float
    source: Source
    """the cold pages: from each mapping as many as were cold, spread over it"""
    returns: float
    """cold pages that were touched again, per minute"""
    window: float
    """seconds in which these were counted, since the previous look"""

    @property
    def cold_bytes(self) -> int:
        """Bytes that were not touched."""
        return self.source.pages * self.source.page_size


class Watch:
    """Watches processes for a while; as a context manager it releases them at the end.

    Synchronization: one thread at a time.
    """

    def __init__(self, chosen: Chosen, label: str = "") -> None:
        self.label = label
        self.skipped: dict[str, int] = {}
        self._watched: list[_Watched] = []
        self._seconds: list[float] = []
        self._began = 0.0
        failures: list[OSError] = []
        for pid, start_time in chosen.items():
            try:
                self._begin(pid, start_time)
            except OSError as err:
                if err.errno == errno.EMFILE:
                    what = f"{label or 'processes'}: watch {len(self._watched) + 1} at once"
                    self.close()
                    more = "allow more open files, as ulimit -n does"
                    raise from_errno(errno.EMFILE, what, remedy=more) from err
                failures.append(err)
                self._skip(why_left_out(err))
        if failures and not self._watched:
            first = failures[0]
            remedy = "not yours; run as root" if os.geteuid() else ""
            code = first.errno or errno.EIO
            code = errno.ESRCH if code == errno.ENOENT else code
            raise from_errno(code, f"{label or 'processes'}: watch their memory", remedy=remedy)

    def _begin(self, pid: int, start_time: int | None) -> None:
        process = Process(pid, start_time)
        watched = _Watched(process)
        try:
            if process.is_kernel:
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            watched.clear()
        except OSError:
            process.close()
            raise
        self._watched.append(watched)
        self._began = time.monotonic()

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def look(self) -> float:
        """Note what has not been touched so far; return the seconds since the beginning."""
        self._seconds.append(time.monotonic() - self._began)
        left = []
        for watched in self._watched:
            try:
                watched.look()
                left.append(watched)
            except OSError as err:
                self._skip(why_left_out(err))
                watched.process.close()
        self._watched = left
        return self._seconds[-1]

    def ages(self) -> list[Age]:
        """What each look found, in order; the sources belong to the caller."""
        found: list[Age] = []
        for index, seconds in enumerate(self._seconds):
            source = self._source(index)
            returns, window = 0.0, seconds
            if found:
                fewer = max(0, found[-1].source.pages - source.pages)
                window = max(1e-9, seconds - found[-1].seconds)
                returns = fewer * 60 / window
            found.append(Age(seconds, source, returns, window))
        return found

    def everything(self) -> Source:
        """All mapped memory that could go to swap, cold or not."""
        return self._source(None)

    def _source(self, look: int | None) -> Source:
        """The pages that were cold at one look; all of them for ``None``."""
        source = Source(self.label, PAGE_SIZE)
        source.skipped = dict(self.skipped)
        coldest: dict[tuple[str, int], float] = {}
        with Inspector() as inspector, SharedMemory() as shared:
            for watched in self._watched:
                process = watched.process
                try:
                    memory = inspector.memory(process)
                    private: list[Private] = []
                    theirs = []
                    lines = process.read("maps").split("\n")[:-1]
                    pinned = inspector.pinned(process, lines)
                    for line in lines:
                        kind = inspector.kinds.of(line.partition(" ")[2])
                        if kind.kind is None:
                            continue
                        (mapping,) = parse_maps(line)
                        if kind.kind == SHMEM:
                            theirs.append((mapping, watched.locks(mapping)))
                        if kind.private:
                            at = mapping.start
                            private.append(Private(at, mapping.end, kind.part, kind.guard, at))
                    free = [
                        (item, watched.private_share(look, item))
                        for item in split(private, pinned.ranges, {})
                        if not item.pinned
                    ]
                    _add_private(source, process, inspector, memory, free)
                    shared.add_mappings(process, theirs)
                    for mapping in shared_pieces(theirs, pinned.ranges):
                        shared.add_lock(process, mapping)
                except OSError as err:
                    source._skip(why_left_out(err))
                    continue
                source.processes += 1
                source._skip(PINNED_SOMEWHERE, pinned.elsewhere)
                for mapping, _locked in theirs:
                    key = (mapping.dev, mapping.inode)
                    cold = watched.share(look, mapping)
                    coldest[key] = min(cold, coldest.get(key, 1.0))
            chosen = {watched.process.pid for watched in self._watched}
            source._skip(HIDDEN_LOCKS, add_others_locks(shared, chosen))
            self._add_shared(source, shared, coldest)
        return source

    def _add_shared(
        self, source: Source, shared: SharedMemory, coldest: dict[tuple[str, int], float]
    ) -> None:
        for item in shared.objects.values():
            cold = coldest.get(item.key, 1.0)
            segments = seen_segments(source, item)
            if item.ranges:
                found = pages_or_skip(source, item)
                if not found:
                    continue
                segments.append(ObjectSegment(item, found.pages, source._objects))
            for segment in segments:
                thinned = Thinned(segment, round(segment.pages * cold))
                if thinned.pages:
                    source._segments.append(thinned)

    def close(self) -> None:
        """Release the processes."""
        while self._watched:
            self._watched.pop().process.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _add_private(
    source: Source,
    process: Process,
    inspector: Inspector,
    memory: _native_memory.ProcMem,
    private: Iterable[tuple[Private, float]],
) -> None:
    """Add the given share of each stretch."""
    parts: dict[str, int] = {}
    walks = [
        _native_memory.walk(
            item.start,
            item.end,
            ANON,
            pages=parts.setdefault(item.part, len(parts)),
            flags=_native_memory.WALK_THIN,
            weight=round(cold * _native_memory.WEIGHT_ONE),
        )
        for item, cold in private
        if cold > 0.0
    ]
    sets = [_native_memory.PageSet() for _ in parts]
    inspector.collect(memory, walks, sets)
    for part, at in parts.items():
        if len(sets[at]):
            owner = Owner(process.pid, process.name, part)
            source._segments.append(
                ProcessSegment(owner, process.start_time, sets[at], source._reader)
            )


def watch(
    chosen: Chosen,
    seconds: Sequence[float],
    *,
    label: str = "",
    progress: Callable[[float], None] | None = None,
) -> Watch:
    """Watch processes and look after each of these numbers of seconds (ascending).

    This clears the referenced bits of their pages once, at the beginning, and leaves nothing to
    undo.
    ``progress`` is called with the seconds that have passed, about once a second.

    Raises:
        AccessError: none of them may be watched.
        ZramOSError: ESRCH if none of them exists.
    """
    found = Watch(chosen, label)
    try:
        began = time.monotonic()
        for at in sorted(seconds):
            while (left := began + at - time.monotonic()) > 0:
                time.sleep(min(left, 1.0))
                if progress:
                    progress(time.monotonic() - began)
            found.look()
    except BaseException:
        found.close()
        raise
    return found
