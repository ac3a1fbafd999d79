# SPDX-License-Identifier: MIT
"""What ``pyzram writeback`` and ``pyzram recompress`` share: arguments, progress and report."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..limits import PAGE_SIZE
from ..units import format_count, format_size
from .durations import duration
from .options import Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..postprocess.bounded_steps import PostprocessResult

STOPPED = {
    "timeout": "the time is up",
    "limit": "the limit is reached",
    "full": "the backing device is full",
}


# The options of both commands.
COMMON = (
    Option(
        "",
        "age",
        "TIME",
        "first mark as idle pages not used for this long (90, 15m, 2h, 1d)",
        convert=duration,
    ),
    Option("", "timeout", "TIME", "stop after this time, between two steps", convert=duration),
    Option("", "json", "", "print JSON, sizes in bytes"),
    Option("q", "quiet", "", "print errors only"),
)


@contextmanager
def progress(quiet: bool, text: Callable[[int], str]) -> Iterator[Callable[[int], None] | None]:
    """Show a line of progress on a terminal, and remove it at the end."""
    if quiet or not sys.stderr.isatty():
        yield None
        return

    def show(amount: int) -> None:
        sys.stderr.write(f"\r\033[K{text(amount)}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\033[K")


def report(name: str, result: PostprocessResult, *, as_json: bool, quiet: bool) -> int:
    """Print what a run did; the exit status is 1 if the backing device is full."""
    if as_json:
        print(json.dumps({"device": name, **figures(result)}, indent=2))
    elif not quiet:
        print(table(name, result), end="")
    if result.stopped == "full":
        print(f"pyzram: {name}: {STOPPED['full']}", file=sys.stderr)
        return 1
    return 0


def figures(result: PostprocessResult) -> dict[str, object]:
    """The result as plain values: sizes in bytes, counts of pages."""
    mm_before, mm_after = vars(result.mm_before), vars(result.mm_after)
    found: dict[str, object] = {
        "mm_stat": {name: [mm_before[name], mm_after[name]] for name in mm_before},
        "pages_written": result.pages_written,
        "bytes_written": result.bytes_written,
        "compressed_freed": result.compressed_freed,
        "memory_freed": result.memory_freed,
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
    }
    if result.bd_before is not None and result.bd_after is not None:
        bd_before, bd_after = vars(result.bd_before), vars(result.bd_after)
        found["bd_stat"] = {name: [bd_before[name], bd_after[name]] for name in bd_before}
    return found


def table(name: str, result: PostprocessResult) -> str:
    """The result as lines of text."""
    before, after = result.mm_before, result.mm_after
    rows: list[tuple[str, int | None, int | None, Callable[[int], str]]] = [
        ("stored", before.orig_data_size, after.orig_data_size, format_size),
        ("compressed", before.compr_data_size, after.compr_data_size, format_size),
        ("memory", before.mem_used_total, after.mem_used_total, format_size),
        ("huge pages", before.huge_pages, after.huge_pages, str),
    ]
    if result.bd_before is not None and result.bd_after is not None:
        first, last = result.bd_before.bd_count_bytes, result.bd_after.bd_count_bytes
        rows += [
            ("on backing device", first, last, format_size),
            ("pages there", (first or 0) // PAGE_SIZE, (last or 0) // PAGE_SIZE, str),
        ]
    lines = [f"{name:<18} {'before':>12} {'after':>12}"]
    for label, old, new, text in rows:
        cells = ["-" if value is None else text(value) for value in (old, new)]
        lines.append(f"{label:<18} {cells[0]:>12} {cells[1]:>12}")
    freed = result.memory_freed
    summary = f"{'memory freed' if freed >= 0 else 'memory grown'}: {format_size(abs(freed))}"
    if result.bytes_written:
        written = format_count(result.pages_written, "page")
        summary += f", written: {written}, {format_size(result.bytes_written)}"
    lines.append(f"{summary}, in {result.seconds:.1f} s")
    if result.stopped:
        lines.append(f"stopped early: {STOPPED[result.stopped]}")
    return "\n".join(lines) + "\n"
