# SPDX-License-Identifier: MIT
"""A walk through the memory of one process: its private pages by kind, and what it shares."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ... import _native_memory
from ...limits import PAGE_SIZE
from ...units import U64_MAX
from .held_files import held_files
from .mappings import ANON, SHMEM, parse_maps
from .process_pages import LAZILY_FREED, LOCKED, PINNED, PageCounts, ProcessPages
from .rollup import NOTHING, Rollup, rollup
from .stretches import Details, Private, clean_shared, details_of, shared_pieces, split, uncut

if TYPE_CHECKING:
    from .process import Process
    from .procmem import Inspector

# Walking pagemap reads 8 bytes even for each page of a hole; for mappings of more bytes than this,
# it pays to ask the kernel first how many pages there are.
SPARSE = 1 << 30


class Walk:
    """A walk through the mappings of one process."""

    def __init__(
        self, inspector: Inspector, process: Process, memory: _native_memory.ProcMem
    ) -> None:
        self._inspector = inspector
        self._process = process
        self._memory = memory
        self._known: dict[int, Details] = {}
        self._flags = 0

    def pages(self) -> ProcessPages:
        """See :meth:`.Inspector.pages`; raises the OSError of a process that has exited (ESRCH)."""
        process = self._process
        sums = rollup(process)
        found = ProcessPages(process.pid, process.start_time, process.name, sums)
        found.by_frame = self._memory.shows_frames()
        if sums.anon_huge:
            self._flags = _native_memory.WALK_HUGE
        lines = process.read("maps").split("\n")[:-1]
        self._hold(found)
        if lines and self._inspector.spaces.met(process.task, lines[0].partition(" ")[0]):
            found.rollup = NOTHING
            return found
        if (
            sums.locked
            or sums.lazily_freed
            or (self._memory.method() == "pagemap" and any(map(_is_sparse, lines)))
        ):
            self._known = details_of(process)
        private = self._sort_out(lines, found)
        if found.shared and sums.clean > PAGE_SIZE:
            found.clean_shared = clean_shared(process, found.shared)
        pinned = self._inspector.pinned(process, lines)
        if any(pinned):
            private = split(private, pinned.ranges, self._known)
            found.pinned_shared = shared_pieces(found.shared, pinned.ranges)
            found.pinned_elsewhere = pinned.elsewhere + uncut(private, pinned.ranges, self._known)
        weight = 0 if found.by_frame else self._weight_of(private, sums, found)
        self._collect(private, found, weight)
        found.swapped = _in_swap(found.swapped, sums, found.by_frame)
        return found

    def _hold(self, found: ProcessPages) -> None:
        """Note the files that the process has open."""
        try:
            found.held = held_files(
                self._process, self._inspector.kinds.devices, self._inspector.sockets
            )
        except OSError as err:
            if err.errno not in (errno.EACCES, errno.EPERM):
                raise
            found.held_unknown = True

    def _sort_out(self, lines: list[str], found: ProcessPages) -> list[Private]:
        """Note shared mappings, and return those with private pages."""
        begun: list[tuple[str, str, bool]] = []
        ends: list[str] = []
        kind_of = self._inspector.kinds.of
        # A library's mappings are adjacent and are walked as one, unless one of them is special.
        joined = "", ""
        for line in lines:
            addresses, _, rest = line.partition(" ")
            kind, part, has_own, guard, special = kind_of(rest)
            if kind == SHMEM:
                (mapping,) = parse_maps(line)
                details = self._known.get(mapping.start)
                found.shared.append((mapping, bool(details and details.locked)))
            if has_own:
                start, _, end = addresses.partition("-")
                if joined == (start, part) and not guard:
                    ends[-1] = end
                else:
                    begun.append((start, part, guard))
                    ends.append(end)
                joined = ("", "") if guard or self._known else (end, part)
            elif special:
                found.skipped += 1
        return [
            Private(at := int(start, 16), int(end, 16), part, guard, at)
            for (start, part, guard), end in zip(begun, ends, strict=True)
        ]

    def _weight_of(self, private: list[Private], sums: Rollup, found: ProcessPages) -> int:
        """What a page that others also map is worth, in parts of WEIGHT_ONE."""
        counts = self._count(private)
        shared = sum(count.shared for count in counts)
        whole = sum(count.present + count.locked for count in counts)
        if sums.pss_anon >= whole * PAGE_SIZE:
            return _native_memory.WEIGHT_ONE  # nobody else maps them
        own = whole - shared
        found.proportional = shared
        worth = (sums.pss_anon / PAGE_SIZE - own) / shared if shared else 0
        return int(min(1.0, max(0.0, worth)) * _native_memory.WEIGHT_ONE)

    def _count(
        self, private: list[Private], flags: int = 0, weight: int = _native_memory.WEIGHT_ONE
    ) -> list[PageCounts]:
        """Count, regardless of what was seen before."""
        walks = [self._walk_stretch(item, -1, self._flags | flags, weight) for item in private]
        return [PageCounts(*counts) for counts in self._memory.collect(walks, [])]

    def _collect(self, private: list[Private], found: ProcessPages, weight: int) -> None:
        thin, pinned = None, 0
        if found.pinned_elsewhere:
            thin, pinned = self._thinned(private, found, weight)
        parts: dict[str, int] = {}
        freed: dict[int, int] = {}
        walks: list[tuple[int, ...]] = []
        for item in private:
            its_flags, its_weight = self._flags, weight
            if item.pinned:
                its_flags |= _native_memory.WALK_LOCKED
            details = self._known.get(item.mapping)
            if thin is not None and self._may_be_pinned(item):
                its_flags |= _native_memory.WALK_THIN
                its_weight = thin
            if details:
                if details.locked:
                    its_flags |= _native_memory.WALK_LOCKED
                if details.lazily_freed and found.by_frame:
                    # pagemap does not show which of these frames were written to again.
                    its_flags |= _native_memory.WALK_FRAMES
                    marked = max(1, self._count([item], its_flags, 0)[0].freed)
                    again = max(0.0, 1 - details.lazily_freed / marked)
                    its_weight = int(again * _native_memory.WEIGHT_ONE)
                elif details.lazily_freed:
                    # Which pages were given up is hidden: a share of all stands for the rest.
                    freed[len(walks)] = details.lazily_freed
                    whole = max(1, self._count([item])[0].present)
                    rest = max(0.0, 1 - details.lazily_freed / whole)
                    its_flags |= _native_memory.WALK_THIN
                    its_weight = int(rest * _native_memory.WEIGHT_ONE)
            pages = parts.setdefault(item.part, len(parts))
            walks.append(self._walk_stretch(item, pages, its_flags, its_weight))
        sets = [_native_memory.PageSet() for _ in parts]
        for at, counts in enumerate(self._inspector.collect(self._memory, walks, sets)):
            if any(counts) or at in freed:
                part = private[at].part
                present, swapped, _, given_up, locked, _ = counts
                found.distinct += present + given_up + locked
                _add(found.swapped, part, swapped)
                _add(found.left_out, PINNED if private[at].pinned else LOCKED, locked)
                _add(found.left_out, LAZILY_FREED, given_up + freed.get(at, 0))
            elif private[at].guard:
                found.skipped += 1
        _add(found.left_out, PINNED, pinned)
        found.proportional += sum(freed.values())
        found.parts = {part: sets[at] for part, at in parts.items() if len(sets[at])}

    def _may_be_pinned(self, item: Private) -> bool:
        """Whether pages pinned somewhere are taken out here, where pages count one by one."""
        details = self._known.get(item.mapping)
        return not (item.pinned or (details and (details.locked or details.lazily_freed)))

    def _thinned(self, private: list[Private], found: ProcessPages, weight: int) -> tuple[int, int]:
        """What each page is worth if some are pinned, in parts of WEIGHT_ONE, and how many are.

        At most as many as there are count as pinned: the others may be in shared memory.
        """
        counts = self._count([item for item in private if self._may_be_pinned(item)])
        whole = sum(count.present for count in counts)
        hidden = 0 if found.by_frame else min(whole, sum(count.shared for count in counts))
        worth = whole - hidden * (1 - weight / _native_memory.WEIGHT_ONE)
        pinned = min(found.pinned_elsewhere, int(worth))
        share = (worth - pinned) / whole if whole else 1
        return int(share * _native_memory.WEIGHT_ONE), pinned

    def _walk_stretch(self, item: Private, pages: int, flags: int, weight: int) -> tuple[int, ...]:
        details = self._known.get(item.mapping) if self._known else None
        return _native_memory.walk(
            item.start,
            item.end,
            ANON,
            pages=pages,
            flags=flags,
            weight=weight,
            seen_max=details.in_use if details else U64_MAX,
        )


def _in_swap(counted: dict[str, int], sums: Rollup, by_frame: bool) -> dict[str, int]:
    """How much of each part is in swap; in a page table, marks of userfaultfd(2) look the same."""
    total = sum(counted.values())
    share = 1.0 if by_frame or not sums.swap else sums.swap_pss / sums.swap
    if total * PAGE_SIZE > sums.swap:
        share *= sums.swap / (total * PAGE_SIZE)
    if share == 1:
        return counted
    scaled = {part: round(n * share) for part, n in counted.items()}
    return {part: n for part, n in scaled.items() if n}


def _is_sparse(line: str) -> bool:
    start, _, end = line.partition(" ")[0].partition("-")
    return int(end, 16) - int(start, 16) > SPARSE


def _add(counts: dict[str, int], key: str, count: int) -> None:
    if count:
        counts[key] = counts.get(key, 0) + count
