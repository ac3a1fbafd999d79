# SPDX-License-Identifier: MIT
"""``pyzram recompress``: recompress pages of a device with a secondary algorithm now."""

from __future__ import annotations

import argparse
import sys

from ..device.algorithms import RECOMPRESS_TYPES
from ..device.zram import Zram
from ..postprocess.recompression import recompress_pages
from .postprocess_report import add_common_arguments, progress, report, terminable


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    out = argparse.ArgumentParser(
        prog="pyzram recompress",
        description="Recompress pages of a zram device with one of its secondary algorithms, "
        "and print what that brought.",
    )
    out.add_argument(
        "-t", "--type", choices=RECOMPRESS_TYPES, help="which pages (default: all that are stored)"
    )
    out.add_argument("-a", "--algorithm", metavar="NAME", help="the algorithm, by its name")
    out.add_argument(
        "-p", "--priority", type=int, metavar="N", help="the algorithm, by its priority (default 1)"
    )
    out.add_argument(
        "--threshold", type=int, metavar="BYTES", help="leave pages that are smaller already"
    )
    out.add_argument("--max-pages", type=int, metavar="N", help="try at most so many pages")
    out.add_argument(
        "--compact", action="store_true", help="pack the pool afterwards, which frees the holes"
    )
    add_common_arguments(out)
    return out


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = parser()
    options = arguments.parse_args(argv)
    if options.age is not None and "idle" not in (options.type or ""):
        arguments.error("--age goes with --type idle or huge_idle")
    with (
        Zram(options.device) as device,
        terminable(),
        progress(options.quiet, lambda done: f"{done} pages tried") as show,
    ):
        run = recompress_pages(
            device,
            options.type,
            age=options.age,
            threshold=options.threshold,
            algorithm=options.algorithm,
            priority=options.priority,
            max_pages=options.max_pages,
            timeout=options.timeout,
            compact=options.compact,
            progress=show,
        )
    return report(device.name, run, as_json=options.json, quiet=options.quiet)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
