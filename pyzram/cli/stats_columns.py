# SPDX-License-Identifier: MIT
"""The one table of columns: what can be shown of a device, and how it is written.

The block, the table and JSON all take their figures from here.
"""

from __future__ import annotations

from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ..kernel.attributes import Attributes

    Getter = Callable[[Attributes], Any]

BYTES, PERCENT, UNITS, TEXT = "bytes", "%", "units of 4096 bytes", ""


class Column:
    """A figure that can be shown; ``name`` is the key in blocks and JSON."""

    __slots__ = ("get", "heading", "help", "name", "right", "unit")

    def __init__(
        self, name: str, heading: str, unit: str, text: str, get: Getter | None = None
    ) -> None:
        self.name = name
        self.heading = heading or name.upper().replace("_", "-")
        self.unit = unit
        self.help = text
        self.right = unit != TEXT
        self.get = get or (lambda figures: figures[name])


def percent(part: int | None, whole: int | None) -> int | None:
    """Whole percent, rounded down; ``None`` of nothing."""
    return None if part is None or not whole else part * 100 // whole


def _overhead(figures: Attributes) -> int | None:
    used, stored = figures["mem_used_total"], figures["compr_data_size"]
    return None if used is None else percent(used - stored, stored)


def _factor(figures: Attributes) -> float | None:
    data, used = figures["orig_data_size"], figures["mem_used_total"]
    return None if data is None or not used else round(data / used, 4)


def _limit(figures: Attributes) -> int | None:
    return figures["writeback_limit"] if figures["writeback_limit_enable"] else None


def _place(figures: Attributes) -> list[str]:
    swap = [] if figures["swap_size"] is None else ["[SWAP]"]
    points: list[str] = figures["mount_points"]
    return swap + points


COLUMNS = (
    Column("name", "", TEXT, "device", lambda f: f["name"]),
    # The historic eleven, in their order.
    Column("disksize", "", BYTES, "size the device offers, uncompressed: not memory"),
    Column("num_reads", "", "requests", "completed reads", lambda f: f["read_ios"]),
    Column("num_writes", "", "requests", "completed writes", lambda f: f["write_ios"]),
    Column("invalid_io", "", "requests", "requests not aligned to a page"),
    Column("notify_free", "", "pages", "pages freed by swap or discard"),
    Column(
        "zero_pages", "", "pages", "same_pages under its historic name", lambda f: f["same_pages"]
    ),
    Column("orig_data_size", "DATA", BYTES, "data stored, uncompressed"),
    Column("compr_data_size", "COMPR", BYTES, "data stored, compressed"),
    Column("mem_used_total", "TOTAL", BYTES, "memory taken now, overhead included"),
    Column(
        "avg_compr_ratio",
        "",
        PERCENT,
        "COMPR / DATA, rounded down",
        lambda f: percent(f["compr_data_size"], f["orig_data_size"]),
    ),
    Column("mem_overhead", "", PERCENT, "(TOTAL - COMPR) / COMPR, rounded down", _overhead),
    # What today's kernels tell.
    Column("comp_algorithm", "ALGORITHM", TEXT, "algorithm that compresses new pages"),
    Column("recomp_algorithm", "", TEXT, "algorithms for recompression"),
    Column("max_comp_streams", "STREAMS", "streams", "compression streams; no effect since 4.7"),
    Column("same_pages", "", "pages", "pages of one repeated word, stored without memory"),
    Column("huge_pages", "", "pages", "incompressible pages, stored as they are"),
    Column("huge_pages_since", "", "pages", "incompressible pages ever stored"),
    Column("mem_limit", "", BYTES, "most memory the device may take; 0 is no limit"),
    Column("mem_used_max", "", BYTES, "most memory taken so far: a peak"),
    Column("pages_compacted", "", "pages", "pages freed by compaction: a count, not bytes"),
    Column("failed_reads", "", "requests", "reads that failed"),
    Column("failed_writes", "", "requests", "writes that failed, those beyond mem_limit included"),
    Column("writestall", "", "events", "stores that waited for memory"),
    Column("miss_free", "", "events", "pages not freed because they were locked"),
    Column("backing_dev", "", TEXT, "where writeback goes"),
    Column("bd_count", "", UNITS, "data on the backing device now"),
    Column("bd_reads", "", UNITS, "read from the backing device"),
    Column("bd_writes", "", UNITS, "written to the backing device: its wear"),
    Column("writeback_limit", "", UNITS, "writeback still allowed, where that is limited", _limit),
    Column("swap_size", "", BYTES, "size of the swap area"),
    Column("swap_used", "", BYTES, "slots of it in use: not data stored in zram"),
    Column("swap_priority", "", "priority", "the highest is used first"),
    Column("comp_ratio", "", "factor", "DATA / TOTAL", _factor),
    Column("mount_point", "MOUNTPOINT", TEXT, "where it is mounted; [SWAP] as swap", _place),
    # The block layer's file, for those who want all of it.
    Column("read_ios", "", "requests", "completed reads"),
    Column("read_merges", "", "requests", "reads merged"),
    Column("read_sectors", "", "units of 512 bytes", "read"),
    Column("read_ticks", "", "ms", "time spent reading"),
    Column("write_ios", "", "requests", "completed writes"),
    Column("write_merges", "", "requests", "writes merged"),
    Column("write_sectors", "", "units of 512 bytes", "written"),
    Column("write_ticks", "", "ms", "time spent writing"),
    Column("in_flight", "", "requests", "requests not yet completed"),
    Column("io_ticks", "", "ms", "time with requests in flight"),
    Column("time_in_queue", "", "ms", "time of all requests together"),
    Column("discard_ios", "", "requests", "discards; zram does not account them"),
    Column("discard_merges", "", "requests", "discards merged"),
    Column("discard_sectors", "", "units of 512 bytes", "discarded"),
    Column("discard_ticks", "", "ms", "time spent discarding"),
    Column("flush_ios", "", "requests", "flushes"),
    Column("flush_ticks", "", "ms", "time spent flushing"),
)
BY_NAME = {column.name: column for column in COLUMNS}
HISTORIC = COLUMNS[1:12]
# comp_ratio says the same as avg_compr_ratio and mem_overhead; the block layer's file is detail.
MODERN = tuple(
    column
    for column in COLUMNS[12 : COLUMNS.index(BY_NAME["read_ios"])]
    if column.name != "comp_ratio"
)
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


def choose(words: str) -> tuple[Column, ...]:
    """Columns of a list such as ``name,DATA`` or ``+same_pages`` (added to the default ones).

    Raises:
        ValueError: an unknown column; its message is the word.
    """
    known = {column.heading: column for column in COLUMNS}
    chosen = []
    for word in words.removeprefix("+").split(","):
        key = word.strip().upper().replace("_", "-")
        column = known.get(key) or BY_NAME.get(ALIASES.get(key, key.lower().replace("-", "_")))
        if column is None:
            raise ValueError(word)
        chosen.append(column)
    return (*DEFAULT, *chosen) if words.startswith("+") else tuple(chosen)


def printable(text: str) -> str:
    """Text that stays on its line: what cannot be printed is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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
    return "-" if value is None else printable(value)


def block(row: Sequence[Any]) -> str:
    """The values of :data:`BLOCK` as lines: the historic ones, then those that are known.

    Plain numbers, bytes where it is bytes.
    """
    lines = []
    for column, value in zip(BLOCK, row, strict=True):
        if value is None:
            if column in HISTORIC:
                lines.append(_line(column.name, "-"))
        elif column.unit == PERCENT:
            lines.append(_line(column.name, f"{value} %"))
        elif isinstance(value, list):
            lines += [_line(column.name, printable(place)) for place in value]
        else:
            lines.append(_line(column.name, text(value)))
    return "".join(lines)


def _line(key: str, value: str) -> str:
    return f"{key + ':':<18}{value:>20}\n"


def cell(column: Column, value: Any, exact: bool) -> str:
    """One cell of a table: sizes for people, or in bytes if ``exact``."""
    if value is None:
        return "-"
    if column.unit == BYTES:
        return str(value) if exact else format_size(value)
    if column.unit == PERCENT:
        return f"{value}%"
    return f"/dev/{value}" if column.name == "name" else text(value)


def table(
    rows: Iterable[Sequence[Any]],
    columns: tuple[Column, ...],
    *,
    exact: bool = False,
    headings: bool = True,
    raw: bool = False,
) -> str:
    """A line for each row of values; ``raw`` is one blank between cells and none in them."""
    lines = [
        [cell(column, value, exact) for column, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    if not lines:
        return ""
    if headings:
        lines.insert(0, [column.heading for column in columns])
    if raw:
        return "".join(" ".join(c.replace(" ", "\\x20") for c in line) + "\n" for line in lines)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    form = " ".join(
        f"{{:{'>' if column.right else '<'}{width}}}"
        for column, width in zip(columns, widths, strict=True)
    )
    return "".join(form.format(*line).rstrip() + "\n" for line in lines)
