# SPDX-License-Identifier: MIT
"""Stretches of a process's memory, what smaps says of them, and which are pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...limits import PAGE_SIZE
from .smaps import parse_smaps

if TYPE_CHECKING:
    from .mappings import Mapping
    from .process import Process


class Details(NamedTuple):
    """What ``/proc/PID/smaps`` says about one mapping, in pages except for ``locked``."""

    in_use: int
    lazily_freed: int
    locked: bool


def details_of(process: Process) -> dict[int, Details]:
    """What smaps says, by the start of each mapping."""
    found = parse_smaps(process.read("smaps"), "Rss:", "LazyFree:", "Swap:")
    return {
        start: Details((resident + swapped) // PAGE_SIZE, freed // PAGE_SIZE, locked)
        for start, _end, locked, (resident, freed, swapped) in found
    }


def clean_shared(process: Process, shared: list[tuple[Mapping, bool]]) -> list[tuple[Mapping, int]]:
    """Pages of shared memory that were never written to and that a process maps."""
    mappings = {mapping.start: mapping for mapping, _locked in shared}
    found = parse_smaps(process.read("smaps"), "Shared_Clean:", "Private_Clean:")
    return [
        (mappings[start], sum(clean) // PAGE_SIZE)
        for start, _end, _locked, clean in found
        if start in mappings and any(clean)
    ]


class Private(NamedTuple):
    """A mapping with private pages, or several adjacent mappings of one kind."""

    start: int
    end: int
    part: str
    guard: bool
    mapping: int
    """where the first mapping starts"""
    pinned: bool = False


def split(
    private: list[Private], pinned: list[tuple[int, int]], known: dict[int, Details]
) -> list[Private]:
    """Separate what is pinned from what is not."""
    out = []
    for item in private:
        details = known.get(item.mapping)
        # smaps says only for whole mappings what was given up.
        inside = [] if details and details.lazily_freed else pinned
        at = item.start
        for start, end in inside:
            low, high = max(start, at), min(end, item.end)
            if low < high:
                if at < low:
                    out.append(item._replace(start=at, end=low))
                out.append(item._replace(start=low, end=high, pinned=True))
                at = high
        if at < item.end:
            out.append(item._replace(start=at))
    return out


def shared_pieces(
    shared: list[tuple[Mapping, bool]], pinned: list[tuple[int, int]]
) -> list[Mapping]:
    """Which shared memory is pinned."""
    return [
        mapping._replace(start=low, end=high, offset=mapping.offset + low - mapping.start)
        for mapping, _locked in shared
        for start, end in pinned
        if (low := max(start, mapping.start)) < (high := min(end, mapping.end))
        and mapping.perms.endswith("s")
    ]


def uncut(private: list[Private], pinned: list[tuple[int, int]], known: dict[int, Details]) -> int:
    """Pages that are pinned in mappings that were not split."""
    found = 0
    for item in private:
        details = known.get(item.mapping)
        if details and details.lazily_freed:
            for start, end in pinned:
                found += max(0, min(end, item.end) - max(start, item.start))
    return found // PAGE_SIZE
