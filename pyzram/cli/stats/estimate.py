# SPDX-License-Identifier: MIT
"""``zram_stats --estimate``: the historic block of a device that does not exist yet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from ...device.features import features
from ...errors import InvalidValueError
from ...kernel.figures import BY_NAME
from ...pages.estimate.estimator import estimate_pages
from ...pages.source.file_sources import open_files
from ...pages.source.process_sources import open_processes, open_system
from ...pages.source.sources import UNREADABLE, WITHOUT_MEMORY, Source, Stream
from ...text import is_whole
from .. import stats_columns
from ..options import UsageError, at_most_one
from ..source_arguments import progress_bar, require_read, say, skipped_line, standard_input
from ..stalled_command import end_when_stalled

if TYPE_CHECKING:
    from ...kernel.figure_reader import DeviceFigures
    from ...pages.estimate.estimate import Estimate
    from ..options import Arguments

# Where the kernel's own default is unknown.
ALGORITHM = "lzo-rle"


class Wanted(dict[str, Any]):
    """Figures of a device; those that only a real one has are ``None``."""

    def __missing__(self, key: str) -> None:
        return None


def filled(result: Estimate, algorithm: str) -> Wanted:
    """Return the attributes of a device that was just filled with the source."""
    figures = result.algorithms[algorithm].figures
    return Wanted(
        disksize=figures.orig_data_size,
        read_ios=0,
        write_ios=figures.pages,
        invalid_io=0,
        notify_free=0,
        same_pages=figures.same_pages,
        orig_data_size=figures.orig_data_size,
        compr_data_size=figures.compr_data_size,
        mem_used_total=figures.mem_used_total,
        comp_algorithm=algorithm,
        huge_pages=figures.huge_pages,
    )


def show_estimate(options: Arguments) -> int:
    """Run the option.

    Raises:
        UsageError: other options, an unknown algorithm, or sources that cannot be combined.
        ZramError: a source cannot be read.
    """
    operands = options.operands
    at_most_one(options, "estimate", *sorted(set(options.given) - {"estimate"}))
    end_when_stalled("zram_stats")
    algorithm = options.estimate or features().default_algorithm or ALGORITHM
    try:
        with open_operands(operands) as source, progress_bar("estimating") as progress:
            result = estimate_pages(source, [algorithm], timing=False, progress=progress)
    except InvalidValueError as err:
        raise UsageError(str(err)) from None
    require_read(result)  # the block has no bounds
    # Nor does it have room for this, but whoever named a process wants to know.
    left_out = {r: n for r, n in result.skipped.items() if r in (UNREADABLE, WITHOUT_MEMORY)}
    if left_out and operands not in ([], ["system"]) and sys.stderr is not None:
        print(f"zram_stats: {skipped_line(left_out)}", file=sys.stderr)
    figures = cast("DeviceFigures", filled(result, algorithm))
    known = (
        *stats_columns.HISTORIC,
        BY_NAME["comp_algorithm"],
        BY_NAME["huge_pages"],
    )
    row = [column.of(figures) if column in known else None for column in stats_columns.BLOCK]
    say(stats_columns.block(row).removesuffix("\n"))
    return 0


def open_operands(operands: list[str]) -> Source | Stream:
    """Open files, standard input (``-``), processes (``pid:NUMBER``) or the whole system."""
    if operands in ([], ["system"]):
        return open_system()
    if operands == ["-"]:
        return standard_input()
    numbers = [word.removeprefix("pid:") for word in operands if word.startswith("pid:")]
    if not numbers:
        return open_files(operands)
    if len(numbers) < len(operands) or not all(map(is_whole, numbers)):
        raise UsageError("--estimate takes either files or processes as pid:NUMBER")
    return open_processes(map(int, numbers))
