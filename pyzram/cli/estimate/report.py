# SPDX-License-Identifier: MIT
"""What ``pyzram estimate`` says to people."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from ...pages.codec.codec import length_bounds, zstd_release
from ...pages.estimate.estimate import AlgorithmEstimate, Estimate, size_histogram
from ...pages.estimate.recommend import Recommendation, holds, recommend
from ...text import quote
from ...units import format_count, format_fine_size, format_size
from ..source_arguments import skipped_line
from .config_text import conf_d, zram_generator
from .offered import offered
from .owners import owners_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...device.features import Features

BAR = 40
LABEL = 20  # columns before a bar
LEAST = 40  # no terminal is narrower
# With less, partly filled zspages weigh as much as what is in them, whatever the algorithm.
TOO_LITTLE = 1 << 20


def report(result: Estimate, ram: int, kernel: Features | None, width: int | None = None) -> str:
    """The report for people, at most ``width`` columns wide if that is given.

    Nothing is cut off: columns that do not fit are continued below the table.
    """
    return "\n".join(folded(_report(result, ram, kernel, width), width))


def folded(lines: Iterable[str], width: int | None) -> list[str]:
    """Fold lines that are too long, except tables and indented lines."""
    if width is None:
        return list(lines)
    shown: list[str] = []
    for line in lines:
        # Tables and indented lines have two spaces in a row. All other lines can be wrapped.
        if "  " in line or len(line) <= width:
            shown.append(line)
        else:
            shown += textwrap.wrap(
                line, max(width, LEAST), break_long_words=False, break_on_hyphens=False
            )
    return shown


def _report(result: Estimate, ram: int, kernel: Features | None, width: int | None) -> list[str]:
    lines = [_head(result)]
    if result.skipped:
        lines.append(skipped_line(result.skipped))
    if result.lost:
        lines.append(f"gone before they could be read: {format_count(result.lost, 'page')}")
    if not result.pages or not result.sampled:
        return [*lines, "There is nothing to compress."]
    lines += _gaps(result)
    lines += ["", *_table(result, width)]
    best = recommend(result, ram, offered(result.algorithms, kernel))
    shown = (
        result.algorithms[best.algorithm] if best else next(iter(result.algorithms.values()), None)
    )
    if shown and result.processes:
        lines += ["", *owners_report(result, shown, width)]
    if shown:
        lines += ["", f"Stored sizes with {shown.label}, share of the pages:"]
        lines += _histogram(result, shown, min(BAR, max(width or BAR + LABEL, LEAST) - LABEL))
        lines += ["", *_meaning(result, ram, width or 100)]
    if best and result.pages * result.pool.page_size < TOO_LITTLE:
        lines += ["", f"Less than {format_size(TOO_LITTLE)} is too little to recommend anything."]
    elif best:
        lines += ["", *_advice(best, kernel)]
    return lines


def _head(result: Estimate) -> str:
    size = format_size(result.pages * result.pool.page_size)
    sampled = "all read" if result.census else f"{result.sampled} sampled"
    text = f"{quote(result.source)}: {size} in {format_count(result.pages, 'page')}, {sampled}"
    if result.swapped:
        text += f"; {format_size(result.swapped * result.pool.page_size)} more is in swap already"
    return text


def _bounds(result: Estimate, a: AlgorithmEstimate, text: str) -> str:
    if length_bounds(a.name, a.level):
        return text
    if result.exact:
        return "exact"
    return "of what is seen" if result.census else text


def _sizes(a: AlgorithmEstimate) -> str:
    if a.mem_used_total is None:
        return "-"
    bounds = a.mem_used_total.low, a.mem_used_total.high
    return " - ".join(format_fine_size(round(bound)) for bound in bounds)


def _gaps(result: Estimate) -> list[str]:
    """What this caller cannot see, so that nobody overrates the figures."""
    lines = []
    if result.by_share:
        lines.append(
            "counted by share (PSS), because only root sees which pages are the same: "
            f"{format_count(result.by_share, 'page')} that several processes map"
        )
    if result.by_page_table:
        lines.append(
            "seen only through page tables, without pages that are in swap or that these processes "
            f"did not touch: {format_count(result.by_page_table, 'object')} of shared memory"
        )
    return lines


def _libraries(result: Estimate) -> list[str]:
    """Which lengths come from a library on this machine rather than from the kernel's algorithm."""
    lines = []
    names = {a.name for a in result.algorithms.values()}
    bounded = {a.name for a in result.algorithms.values() if length_bounds(a.name, a.level)}
    if "zstd" in names:
        version, kernel = zstd_release()
        whose = f"which matches Linux {kernel}" if kernel else "which matches no kernel"
        differ = "on other kernels single pages differ, by 0.01 % in total at level 3"
        if "zstd" in bounded:
            differ = "the bounds allow for its difference from the kernel's"
        lines.append(f"(zstd: libzstd {version}, {whose}; {differ})")
    lines += [
        f"({name}: the bounds allow for this processor's difference)"
        for name in sorted(bounded & {"lzo", "lzo-rle"})
    ]
    if "lz4hc" in names:
        lines.append("(lz4hc: liblz4; the bounds allow for its difference from the kernel's)")
    return lines


def _table(result: Estimate, width: int | None) -> list[str]:
    head = (
        "algorithm",
        "ratio",
        "95 % bounds",
        "memory",
        "95 % bounds",
        "same",
        "raw",
        "compress us",
        "decompress us",
    )
    rows = [head]
    for a in result.algorithms.values():
        pages = a.figures.pages
        rows.append(
            (
                a.label,
                f"{a.compression_ratio.mean:.1%}",
                _bounds(
                    result, a, f"{a.compression_ratio.low:.1%} - {a.compression_ratio.high:.1%}"
                ),
                format_fine_size(a.figures.mem_used_total),
                _bounds(result, a, _sizes(a)),
                f"{a.figures.same_pages / pages:.1%}",
                f"{a.figures.huge_pages / pages:.1%}",
                _time(a.compress_us, a.compress_us_p99),
                _time(a.decompress_us, a.decompress_us_p99),
            )
        )
    lines = laid_out(rows, width)
    if any(a.compress_us is not None for a in result.algorithms.values()):
        lines.append("(times: median and 99th percentile of a page on one core)")
    return lines + _libraries(result)


def laid_out(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Cells in columns; those that do not fit follow below, next to the first column again."""
    first, *columns = (
        [cell.rjust(max(map(len, column))) for cell in column] for column in zip(*rows, strict=True)
    )
    names = [cell.strip().ljust(len(cell)) for cell in first]
    lines: list[str] = []
    block = names
    for column in columns:
        if width is not None and block is not names and len(block[0] + column[0]) + 2 > width:
            lines += [*block, ""]
            block = names
        block = [f"{line}  {cell}" for line, cell in zip(block, column, strict=True)]
    return lines + block


def _time(median: float | None, p99: float | None) -> str:
    return "-" if median is None or p99 is None else f"{median:.1f} {p99:7.1f}"


def _histogram(result: Estimate, a: AlgorithmEstimate, longest: int) -> list[str]:
    bins = 16
    counts = size_histogram(a, result.pool, bins)
    raw = a.figures.huge_pages
    step = result.pool.page_size // bins
    rows = [("same-filled", counts[0])]
    rows += [
        (f"{i * step + 1}-{(i + 1) * step}", count - (raw if i == bins - 1 else 0))
        for i, count in enumerate(counts[1:])
    ]
    rows.append(("kept raw", raw))
    encoding = getattr(sys.stdout, "encoding", None) or ""
    block = "█" if "utf" in encoding.lower() else "#"
    most = max(count for _, count in rows) or 1
    wide = max(len(name) for name, _ in rows)
    bars = [block * round(count * longest / most) for _, count in rows]
    return [
        f"{name:>{wide}} {count / result.pages:6.1%} {bar}".rstrip()
        for (name, count), bar in zip(rows, bars, strict=True)
    ]


def _meaning(result: Estimate, ram: int, width: int) -> list[str]:
    amounts = {a.label: holds(a, ram) for a in result.algorithms.values()}
    known = [f"{format_size(n)} with {name}" for name, n in amounts.items() if n is not None]
    if not known:
        return ["All of this takes no memory: every page is same-filled."]
    known[0] = known[0].replace(" with ", " of this with ", 1)
    return textwrap.wrap(f"{format_size(ram)} of RAM would hold about {', '.join(known)}.", width)


def _advice(best: Recommendation, kernel: Features | None) -> list[str]:
    names = kernel.algorithms if kernel else None
    among = f" (this kernel offers {' '.join(names)})" if names else ""
    return [
        f"Recommended: {best.algorithm}{among}: it {best.reason}.",
        "",
        "/etc/conf.d/zram:",
        *("    " + line for line in conf_d(best).splitlines()),
        "/etc/systemd/zram-generator.conf:",
        *("    " + line for line in zram_generator(best).splitlines()),
    ]
