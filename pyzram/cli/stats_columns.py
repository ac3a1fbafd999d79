# SPDX-License-Identifier: MIT
"""Which figures are shown, in which order, under which headings and in what form.

The block, the table and JSON take their figures from here; :mod:`pyzram.kernel.figures` says what
each figure is.
"""

from __future__ import annotations

from ..kernel.figures import BY_NAME, BYTES, PERCENT, TEXT, Figure, of_file
from ..text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any


# Headings that differ from the name.
HEADINGS = {
    "orig_data_size": "DATA",
    "compr_data_size": "COMPR",
    "mem_used_total": "TOTAL",
    "comp_algorithm": "ALGORITHM",
    "max_comp_streams": "STREAMS",
    "mount_point": "MOUNTPOINT",
}
# The eleven historic figures, in their order.
ELEVEN = (
    "disksize",
    "num_reads",
    "num_writes",
    "invalid_io",
    "notify_free",
    "zero_pages",
    "orig_data_size",
    "compr_data_size",
    "mem_used_total",
    "avg_compr_ratio",
    "mem_overhead",
)
# What today's kernels add.
TODAY = (
    "comp_algorithm",
    "recomp_algorithm",
    "max_comp_streams",
    "same_pages",
    "huge_pages",
    "huge_pages_since",
    "mem_limit",
    "mem_used_max",
    "pages_compacted",
    "failed_reads",
    "failed_writes",
    "writestall",
    "miss_free",
    "backing_dev",
    "bd_count",
    "bd_reads",
    "bd_writes",
    "writeback_limit",
    "writeback_batch_size",
    "compressed_writeback",
    "swap_size",
    "swap_used",
    "swap_priority",
    "comp_ratio",
    "mount_point",
    "bd_size",
    "fill",
)
# The block layer's file comes last, for those who want all of it.
LAST = of_file("stat")
# Columns of a plain line.
WIDTH = 38
# Figures that have no place above, such as one of a new kernel.
NEW = tuple(name for name in BY_NAME if name not in ("name", *ELEVEN, *TODAY, *LAST))
COLUMNS = tuple(BY_NAME[name] for name in ("name", *ELEVEN, *TODAY, *NEW, *LAST))
HISTORIC = tuple(BY_NAME[name] for name in ELEVEN)
# comp_ratio says the same as avg_compr_ratio and mem_overhead, fill the same as others.
MODERN = tuple(BY_NAME[name] for name in (*TODAY, *NEW) if name not in ("comp_ratio", "fill"))
BLOCK = HISTORIC + MODERN
DEFAULT = tuple(
    BY_NAME[name]
    for name in (
        "name",
        "comp_algorithm",
        "disksize",
        "orig_data_size",
        "compr_data_size",
        "mem_used_total",
        "comp_ratio",
        "swap_used",
        "mount_point",
    )
)
# zramctl's headings that mislead: understood, but shown under the kernel's names.
ALIASES = {"MEM-USED": "mem_used_max", "MIGRATED": "pages_compacted"}


def heading(column: Figure) -> str:
    """The heading of a figure."""
    return HEADINGS.get(column.name) or column.name.upper().replace("_", "-")


def choose(words: str) -> tuple[Figure, ...]:
    """Columns of a list such as ``name,DATA`` or ``+same_pages``.

    Columns after a ``+`` are added to the default ones, unless they are among them.

    Raises:
        ValueError: an unknown column; its message is the word.
    """
    known = {heading(column): column for column in COLUMNS}
    chosen = []
    for word in words.removeprefix("+").split(","):
        key = word.strip().upper().replace("_", "-")
        column = known.get(key) or BY_NAME.get(ALIASES.get(key, key.lower().replace("-", "_")))
        if column is None:
            raise ValueError(word)
        chosen.append(column)
    if words.startswith("+"):
        # No column is repeated, because a program that looks up cells by heading needs one of each.
        return tuple(dict.fromkeys((*DEFAULT, *chosen)))
    return tuple(chosen)


def text(value: Any) -> str:
    """A value in one line: a list with commas, recompression as ``#priority algorithm``."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        value = [f"#{priority} {name}" for priority, name in value.items()] or ["none"]
    if isinstance(value, list):
        value = ", ".join(value) or None
    return "-" if value is None else quote(value)


def block(row: Sequence[Any]) -> str:
    """The values of :data:`BLOCK` as lines: the historic ones, then those that are known.

    Numbers are plain, and sizes are in bytes.
    """
    lines = []
    for column, value in zip(BLOCK, row, strict=True):
        if value is None:
            if column in HISTORIC:
                lines.append(_line(column.name, "-"))
        elif column.unit == PERCENT:
            lines.append(_line(column.name, f"{value} %"))
        elif isinstance(value, list):
            lines += [_line(column.name, quote(place)) for place in value]
        else:
            lines.append(_line(column.name, text(value)))
    return "".join(lines)


def _line(key: str, value: str) -> str:
    name = f"{key + ':':<18}"
    return f"{name}{value:>{WIDTH - len(name)}}\n"


def cell(column: Figure, value: Any, exact: bool) -> str:
    """One cell of a table: sizes for people, or in bytes if ``exact``."""
    if value is None:
        return "-"
    if column.unit == BYTES and not exact:
        # Imported here, because lines and metrics do not need it.
        from ..units import format_size

        return format_size(value)
    if column.unit == PERCENT:
        return f"{value}%"
    return f"/dev/{value}" if column.name == "name" else text(value)


def table(
    rows: Iterable[Sequence[Any]],
    columns: tuple[Figure, ...],
    *,
    exact: bool = False,
    headings: bool = True,
    raw: bool = False,
    paint: Callable[[int, str, Any, str], str] | None = None,
) -> str:
    """A line for each row of values; ``raw`` puts one blank between cells and none within.

    ``paint`` colours a cell, given the row's number, the figure's name, its value and its text.
    """
    rows = list(rows)
    lines = [
        [cell(column, value, exact) for column, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    if not lines:
        return ""
    if headings:
        lines.insert(0, [heading(column) for column in columns])
    if raw:
        return "".join(" ".join(c.replace(" ", "\\x20") for c in line) + "\n" for line in lines)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    forms = [
        f"{{:{'<' if column.unit == TEXT else '>'}{width}}}"
        for column, width in zip(columns, widths, strict=True)
    ]
    if paint is not None:
        first = len(lines) - len(rows)
        for number, (line, row) in enumerate(zip(lines[first:], rows, strict=True)):
            for at, (column, value) in enumerate(zip(columns, row, strict=True)):
                # Pad before colouring, because escape sequences have no width.
                line[at] = paint(number, column.name, value, forms[at].format(line[at]))
    form = " ".join(forms)
    return "".join(form.format(*line).rstrip() + "\n" for line in lines)
