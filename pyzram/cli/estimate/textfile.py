# SPDX-License-Identifier: MIT
"""``pyzram estimate --textfile``: a survey of a fleet before zram is set up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...errors import ZramError
from ...kernel.figures import GAUGE
from ...named_files import write_textfile
from ..metrics import Family, labels, scrape, text_format
from ..options import at_most_one
from ..source_arguments import require_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...pages.estimate.estimate import Estimate


def textfile(options: Any, estimated: Callable[[], Estimate]) -> int:
    """Write the metrics, whatever could be read, and return the exit status.

    Raises:
        UsageError: other output is requested too, or a value is invalid.
        ZramError: the file cannot be written.
    """
    for other in ("json", "plot", "idle"):
        at_most_one(options, "textfile", other)
    found: list[Family] = []
    success = True
    try:
        result = estimated()
        require_read(result)  # a metric is read without its bounds
        found = families(result)
    except ZramError as err:
        success = False
        print(f"pyzram estimate: {err}", file=sys.stderr)
    write_textfile(options.textfile, text_format([*found, *scrape("estimate", success)]))
    return 0


def nothing(path: str) -> int:
    """Record that there is no estimate."""
    write_textfile(path, text_format(scrape("estimate", False)))
    return 0


def families(result: Estimate) -> list[Family]:
    """Sizes, page counts and the ratio with its bounds, for each algorithm."""
    data = Family("zram_estimate_orig_data_size", GAUGE, "memory that was examined", "bytes")
    data.add(result.pages * result.pool.page_size)
    compressed, used, same, huge, ratio, low, high = of_algorithms = (
        Family("zram_estimate_compr_data_size", GAUGE, "the same compressed", "bytes"),
        Family(
            "zram_estimate_mem_used", GAUGE, "memory zram would take, including overhead", "bytes"
        ),
        Family("zram_estimate_same_pages", GAUGE, "pages of one repeated word"),
        Family("zram_estimate_huge_pages", GAUGE, "pages that do not compress"),
        Family(
            "zram_estimate_compression_ratio",
            GAUGE,
            "compressed size / original size, smaller is better",
        ),
        Family(
            "zram_estimate_compression_ratio_lower_bound", GAUGE, "lower 95 % bound of the ratio"
        ),
        Family(
            "zram_estimate_compression_ratio_upper_bound", GAUGE, "upper 95 % bound of the ratio"
        ),
    )
    for label, a in result.algorithms.items():
        of = labels(algorithm=label)
        compressed.add(a.figures.compr_data_size, of)
        used.add(a.figures.mem_used_total, of)
        same.add(a.figures.same_pages, of)
        huge.add(a.figures.huge_pages, of)
        if a.figures.pages:
            ratio.add(a.compression_ratio.mean, of)
            low.add(a.compression_ratio.low, of)
            high.add(a.compression_ratio.high, of)
    return [data, *of_algorithms]
