# SPDX-License-Identifier: MIT
"""Whose memory an estimate covers: what would become free, by kind and by process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...text import quote
from ...units import format_change, format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...pages.estimate.estimate import AlgorithmEstimate, Estimate, PartEstimate

ROWS = 10
NAME, LEAST_NAME = 50, 12  # columns of a name
FIGURES = 30  # and of the sizes behind it
KINDS = {
    "heap": "heap",
    "stack": "stacks",
    "data": "changed pages of files",
    "shared": "shared memory",
}


class Row(NamedTuple):
    """A line of a table; sizes in bytes."""

    name: str
    size: int
    taken: int

    @property
    def freed(self) -> int:
        """Bytes of memory that become free."""
        return self.size - self.taken


def owners_report(
    result: Estimate, shown: AlgorithmEstimate, width: int | None = None
) -> list[str]:
    """How much of the processes' memory one algorithm would free, and what would stay."""
    size = result.pages * result.pool.page_size
    taken = shown.figures.mem_used_total
    lines = [
        f"RAM freed with {shown.label}: {format_change(size - taken)} "
        f"({format_size(size)} that can go to swap, less {format_size(taken)} that zram takes)"
    ]
    lines += _stays(result)
    lines += ["", *_rows("by kind", _by_kind(result, shown.label))]
    lines += ["", *_rows("by process", _by_process(result, shown.label, width))]
    return lines


def _stays(result: Estimate) -> list[str]:
    page_size = result.pool.page_size
    lines = [f"left alone: {format_size(result.file_backed)} of files"]
    lines += [
        f"left alone: {format_size(count * page_size)} {reason}"
        for reason, count in sorted(result.left_out.items())
    ]
    if result.swapped:
        lines.append(f"in swap already: {format_size(result.swapped * page_size)}")
    if result.zero_pages:
        zeros = format_size(result.zero_pages * page_size)
        keeper = (
            "which swap remembers itself: they never reach zram"
            if _swap_keeps_zeros()
            else "which zram only marks"
        )
        lines.append(f"zero pages: {zeros} of the same-filled pages, {keeper}")
    return lines


def _swap_keeps_zeros() -> bool:
    """Whether swap remembers zero pages itself (Linux 6.12): if so, the kernel counts them."""
    try:
        with open("/proc/vmstat", "rb") as file:
            return b"\nswpout_zero " in file.read()
    except OSError:
        return False


def _by_kind(result: Estimate, label: str) -> list[Row]:
    kinds = (part.owner.part for part in result.parts)
    return [
        _sum(
            KINDS.get(kind, kind), (p for p in result.parts if p.owner.part == kind), result, label
        )
        for kind in dict.fromkeys(kinds)
    ]


def _by_process(result: Estimate, label: str, width: int | None) -> list[Row]:
    longest = NAME if width is None else max(LEAST_NAME, min(NAME, width - FIGURES))
    owners: dict[tuple[int, str], list[PartEstimate]] = {}
    for part in result.parts:
        owners.setdefault((part.owner.pid, part.owner.name), []).append(part)
    rows = []
    for (pid, name), parts in owners.items():
        shown = f"{pid} {name}" if pid else f"shared {name}"
        rows.append((pid, _sum(quote(shown)[:longest], parts, result, label)))
    rows.sort(key=lambda row: -row[1].freed)
    if len(rows) <= ROWS:
        return [row for _, row in rows]
    rest = rows[ROWS - 1 :]
    shared = sum(not pid for pid, _ in rest)
    counts = (len(rest) - shared, "more"), (shared, "shared")
    name = ", ".join(f"{count} {what}" for count, what in counts if count)
    size, taken = (sum(sizes) for sizes in zip(*(row[1:] for _, row in rest), strict=True))
    return [*(row for _, row in rows[: ROWS - 1]), Row(name, size, taken)]


def _sum(name: str, parts: Iterable[PartEstimate], result: Estimate, label: str) -> Row:
    pages = taken = 0
    for part in parts:
        pages += part.pages
        taken += part.mem_used_total[label]
    return Row(name, pages * result.pool.page_size, taken)


def _rows(title: str, rows: list[Row]) -> list[str]:
    width = max(len(title), *(len(row.name) for row in rows)) if rows else len(title)
    lines = [f"{title:<{width}}  {'memory':>8}  {'in zram':>8}  {'freed':>8}"]
    lines += [
        f"{row.name:<{width}}  {format_size(row.size):>8}  {format_size(row.taken):>8}  "
        f"{format_change(row.freed):>8}"
        for row in rows
    ]
    return lines
