# SPDX-License-Identifier: MIT
"""``pyzram recompress``: recompress a device's pages with a secondary algorithm now."""

from __future__ import annotations

from .. import interruption
from ..device.zram import Zram
from ..kernel.sysfs import given_sysfs
from ..limits import RECOMPRESS_TYPES
from ..postprocess.recompression import recompress_pages
from ..units import format_count
from .options import ALGORITHM, DEVICE, Command, Option, UsageError, whole
from .postprocess_report import COMMON, progress, report

COMMAND = Command(
    "pyzram recompress",
    "Recompress pages of a zram device with one of its secondary algorithms, and print what that "
    "gained.",
    (
        Option(
            "t",
            "type",
            "TYPE",
            f"which pages: {', '.join(RECOMPRESS_TYPES)} (default all)",
            values=RECOMPRESS_TYPES,
        ),
        Option("a", "algorithm", "NAME", "the algorithm, by its name", values=ALGORITHM),
        Option("p", "priority", "N", "the algorithm, by its priority (default 1)", convert=whole),
        Option("", "threshold", "BYTES", "skip pages that are already smaller", convert=whole),
        Option("", "max-pages", "N", "try at most this many pages", convert=whole),
        Option("", "compact", "", "compact the pool afterwards, which frees the holes in it"),
        *COMMON,
    ),
    operands="DEVICE",
    takes=DEVICE,
    count=(1, 1),
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    if options.age is not None and "idle" not in (options.type or ""):
        raise UsageError("--age goes with --type idle or huge_idle")
    interruption.take_note()
    with (
        Zram(options.operands[0], sysfs=given_sysfs()) as device,
        progress(options.quiet, lambda done: format_count(done, "page") + " tried") as show,
    ):
        result = recompress_pages(
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
    return report(device.name, result, as_json=options.json, quiet=options.quiet)
