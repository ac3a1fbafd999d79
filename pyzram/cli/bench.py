# SPDX-License-Identifier: MIT
"""``pyzram bench``: ratio against speed on your own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidValueError
from ..pages.estimate.benchmark import (
    LEVELS,
    PRECISION,
    BenchResult,
    bench_pages,
    best_of,
    candidates,
    read_sample,
)
from ..pages.pool.zsmalloc import PoolModel
from ..text import quote
from ..units import MIB, format_count, format_size
from .options import FILE, Command, Option, UsageError
from .source_arguments import (
    ALGORITHM_OPTION,
    SOURCES,
    SOURCES_ARE,
    algorithm_names,
    opened,
    progress_bar,
    say,
    skipped_line,
    source_options,
)
from .stalled_command import end_when_stalled

if TYPE_CHECKING:
    from collections.abc import Sequence


_LEVELS = "; ".join(f"{name} {' '.join(map(str, each))}" for name, each in LEVELS.items())
COMMAND = Command(
    "pyzram bench",
    "Measure all algorithms, at every level that makes a difference, on a sample of the memory of "
    "processes, of files, core dumps and block devices, or of this whole system.",
    (
        *source_options(PRECISION),
        ALGORITHM_OPTION,
        Option("", "json", "", "print JSON, speeds in bytes per second"),
        Option(
            "",
            "plot",
            "FILE",
            "plot ratio against speed into a .png, .svg or .pdf file (needs matplotlib)",
            values=FILE,
        ),
    ),
    operands=SOURCES,
    takes=FILE,
    count=(0, None),
    notes=f"{SOURCES_ARE} Levels: {_LEVELS}. Speeds are uncompressed bytes per second of one "
    "core's time, without same-filled pages; for all threads, they are multiplied by the measured "
    "speedup. A * marks results that no other beats in both ratio and compression speed.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    names = algorithm_names(options) or None
    try:
        if options.plot:
            from ..pages.plot.bench import plot_bench
            from ..pages.plot.plot import check_plot

            check_plot(options.plot)
        candidates(names)
        end_when_stalled("pyzram bench")
        with opened(options) as source:
            label, page_size, skipped = source.label, source.page_size, skipped_line(source.skipped)
            pages = read_sample(
                source,
                precision=options.precision / 100,
                full=options.full,
                seed=options.seed,
            )
        with progress_bar("measuring", "algorithms") as progress:
            rows = bench_pages(
                pages,
                names,
                pool=PoolModel(page_size=page_size),
                threads=options.threads,
                progress=progress,
            )
    except InvalidValueError as err:
        raise UsageError(str(err)) from None
    if options.json:
        import json

        from .json_documents import of_bench

        say(json.dumps([of_bench(row) for row in rows], indent=2))
    else:
        size, count = format_size(len(pages)), format_count(len(pages) // page_size, "page")
        say(f"{quote(label)}: measured on {count} ({size})")
        if skipped:
            say(skipped)
        say("")
        say("\n".join(table(rows)))
    if options.plot:
        plot_bench(rows, label, options.plot)
    return 0


def table(rows: Sequence[BenchResult]) -> list[str]:
    """The results as lines."""
    if not rows:
        return []
    best = {row.label for row in best_of(list(rows))}
    cells = [
        (
            "",
            "algorithm",
            "ratio",
            "memory",
            "compress MiB/s",
            "decompress MiB/s",
            f"{format_count(rows[0].threads, 'thread')} MiB/s",
            "speedup",
        )
    ]
    for row in rows:
        figures = row.figures
        cells.append(
            (
                "*" if row.label in best else "",
                row.label,
                "-" if figures.compression_ratio is None else f"{figures.compression_ratio:.1%}",
                "-" if row.memory_ratio is None else f"{row.memory_ratio:.1%}",
                _speed(row.compress_bytes_per_second),
                _speed(row.decompress_bytes_per_second),
                _speed(row.compress_threads_bytes_per_second),
                "-" if row.speedup is None else f"{row.speedup:.2f}",
            )
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [
        " ".join(
            [
                line[0].ljust(1),
                line[1].ljust(widths[1]),
                *(f" {c:>{w}}" for c, w in zip(line[2:], widths[2:], strict=True)),
            ]
        )
        for line in cells
    ]


def _speed(speed: float) -> str:
    return f"{speed / MIB:.0f}" if speed else "-"
