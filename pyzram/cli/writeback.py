# SPDX-License-Identifier: MIT
"""``pyzram writeback``: write pages of a device to its backing device now."""

from __future__ import annotations

import argparse
import sys

from ..device.backing import WRITEBACK_TYPES
from ..device.zram import Zram
from ..errors import InvalidValueError
from ..postprocess.bounded_steps import PAGE_SIZE
from ..postprocess.writeback import remaining_budget, write_back, write_back_pages
from ..units import format_size, parse_size
from .postprocess_report import add_common_arguments, progress, report, terminable


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    out = argparse.ArgumentParser(
        prog="pyzram writeback",
        description="Write pages of a zram device to its backing device and print what moved.",
        epilog="From cron, `pyzram writeback zram0 --mark` writes the pages that nobody used "
        "since the last time and marks the rest anew; it works on every kernel.",
    )
    out.add_argument(
        "-t", "--type", choices=WRITEBACK_TYPES, help="which pages to write (default: idle)"
    )
    out.add_argument(
        "--pages",
        type=ranges,
        metavar="N|LOW-HIGH[,...]",
        help="write the pages at these places of the device instead",
    )
    out.add_argument(
        "--mark", action="store_true", help="mark all pages idle afterwards, for the next time"
    )
    size = out.add_mutually_exclusive_group()
    size.add_argument("--limit", metavar="SIZE", help="write at most so much (64M, 1G)")
    size.add_argument("--max-pages", type=int, metavar="N", help="write at most so many pages")
    add_common_arguments(out)
    return out


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = parser()
    options = arguments.parse_args(argv)
    if options.pages and (options.type or options.age is not None):
        arguments.error("--pages goes with neither --type nor --age")
    if options.max_pages is not None and options.max_pages < 0:
        arguments.error("--max-pages: negative")
    try:
        limit = None if options.limit is None else parse_size(options.limit)
    except InvalidValueError as err:
        arguments.error(f"--limit: {err}")
    if options.max_pages is not None:
        limit = options.max_pages * PAGE_SIZE
    with (
        Zram(options.device) as device,
        terminable(),
        progress(options.quiet, lambda done: f"{format_size(done)} written") as show,
    ):
        if options.pages:
            run = write_back_pages(
                device, options.pages, limit=limit, timeout=options.timeout, progress=show
            )
        else:
            run = write_back(
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
    status = report(device.name, run, as_json=options.json, quiet=options.quiet)
    if budget is not None and not options.json and not options.quiet:
        print(f"the device's own limit leaves {format_size(budget)}")
    return status


def ranges(text: str) -> list[tuple[int, int]]:
    """``5``, ``0-99`` or several with commas between, as ``(first, last)``."""
    found = []
    for word in text.split(","):
        low, dash, high = word.partition("-")
        ends = (low, high) if dash else (low, low)
        if not all(end.isascii() and end.isdigit() for end in ends):
            raise argparse.ArgumentTypeError(f"{word!r}: not a page or a range of pages")
        pair = (int(ends[0]), int(ends[1]))
        if pair[1] < pair[0]:
            raise argparse.ArgumentTypeError(f"{word!r}: ends before it starts")
        found.append(pair)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
