# SPDX-License-Identifier: MIT
"""``pyzram writeback``: write pages of a device to its backing device now."""

from __future__ import annotations

from .. import interruption
from ..device.zram import Zram
from ..kernel.sysfs import given_sysfs
from ..limits import PAGE_SIZE, WRITEBACK_TYPES
from ..postprocess.writeback import remaining_budget, writeback_pages, writeback_ranges
from ..text import is_whole
from ..units import format_size, parse_size
from .options import DEVICE, Command, Option, UsageError, at_most_one, whole
from .postprocess_report import COMMON, progress, report


def ranges(text: str) -> list[tuple[int, int]]:
    """``5``, ``0-99`` or several separated by commas, as ``(first, last)``."""
    found = []
    for word in text.split(","):
        low, dash, high = word.partition("-")
        ends = (low, high) if dash else (low, low)
        if not all(map(is_whole, ends)):
            raise ValueError(f"{word!r}: not a page or a range of pages")
        pair = (int(ends[0]), int(ends[1]))
        if pair[1] < pair[0]:
            raise ValueError(f"{word!r}: ends before it starts")
        found.append(pair)
    return found


COMMAND = Command(
    "pyzram writeback",
    "Write pages of a zram device to its backing device and print what moved.",
    (
        Option(
            "t",
            "type",
            "TYPE",
            f"which pages to write: {', '.join(WRITEBACK_TYPES)} (default idle)",
            values=WRITEBACK_TYPES,
        ),
        Option(
            "",
            "pages",
            "N|LOW-HIGH[,...]",
            "write the pages at these places of the device instead",
            convert=ranges,
        ),
        Option("", "mark", "", "mark all pages idle afterwards, for the next time"),
        Option("", "limit", "SIZE", "write at most this much (64M, 1G)", convert=parse_size),
        Option("", "max-pages", "N", "write at most this many pages", convert=whole),
        *COMMON,
    ),
    operands="DEVICE",
    takes=DEVICE,
    count=(1, 1),
    notes="From cron, `pyzram writeback zram0 --mark` writes the pages that nobody used since the "
    "last time and marks the rest anew; it works on every kernel.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    if options.pages and (options.type or options.age is not None):
        raise UsageError("--pages goes with neither --type nor --age")
    at_most_one(options, "limit", "max-pages")
    limit = options.limit
    if options.max_pages is not None:
        limit = options.max_pages * PAGE_SIZE
    interruption.take_note()
    with (
        Zram(options.operands[0], sysfs=given_sysfs()) as device,
        progress(options.quiet, lambda done: f"{format_size(done)} written") as show,
    ):
        if options.pages:
            result = writeback_ranges(
                device, options.pages, limit=limit, timeout=options.timeout, progress=show
            )
        else:
            result = writeback_pages(
                device,
                options.type or "idle",
                age=options.age,
                limit=limit,
                timeout=options.timeout,
                progress=show,
            )
        if options.mark:
            device.mark_idle()
        budget = remaining_budget(device)
    status = report(device.name, result, as_json=options.json, quiet=options.quiet)
    if budget is not None and not options.json and not options.quiet:
        print(f"the device's own limit leaves {format_size(budget)}")
    return status
