# SPDX-License-Identifier: MIT
"""Whose pages an estimate covers, and what zram takes for each owner."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from ...value import FrozenDict
from ..process.owner import Owner
from .estimate import AlgorithmEstimate, PartEstimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..source.segments import Segment
    from .tally import Tally


class Owners:
    """The owners of pages: the place of each, its pages, and how many of them were examined."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._places: dict[Owner, int] = {}
        self.pages = array("Q")
        for segment in segments:
            at = self._places.setdefault(segment.owner, len(self.pages))
            if at == len(self.pages):
                self.pages.append(0)
            self.pages[at] += segment.pages
        self.sampled = array("Q", bytes(8 * len(self.pages)))

    def __getitem__(self, owner: Owner) -> int:
        return self._places[owner]

    def __iter__(self) -> Iterator[tuple[Owner, int]]:
        return iter(sorted(self._places.items(), key=lambda item: -self.pages[item[1]]))


def parts_of(
    owners: Owners,
    tallies: dict[str, Tally],
    found: dict[str, AlgorithmEstimate],
    page_size: int,
) -> tuple[PartEstimate, ...]:
    """The owners with what each algorithm makes of their pages, the largest first."""
    parts = []
    # Most of a thousand small processes were not sampled; equally many pages give equal bytes.
    average: dict[int, FrozenDict[str, int]] = {}
    for owner, at in owners:
        pages, sampled = owners.pages[at], owners.sampled[at]
        memory = None if sampled else average.get(pages)
        if memory is None:
            memory = FrozenDict(
                (label, round(_share_of(tally, at, sampled, found[label]) * pages * page_size))
                for label, tally in tallies.items()
            )
        if not sampled:
            average[pages] = memory
        parts.append(PartEstimate(owner, pages, sampled, memory))
    return tuple(parts)


def _share_of(tally: Tally, at: int, sampled: int, all_pages: AlgorithmEstimate) -> float:
    """What a page of an owner takes, as a share of a page."""
    return tally.parts[at] / sampled if sampled else all_pages.memory_ratio or 0.0
