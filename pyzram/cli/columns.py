# SPDX-License-Identifier: MIT
"""The one table of columns: what can be shown of a device, and how it is written.

The block, the table and JSON all take their figures from here.
"""

from __future__ import annotations

from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..figures import Figures

    Getter = Callable[[Figures], Any]

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


def _overhead(figures: Figures) -> int | None:
    used, stored = figures["mem_used_total"], figures["compr_data_size"]
    return None if used is None else percent(used - stored, stored)


def _factor(figures: Figures) -> float | None:
    data, used = figures["orig_data_size"], figures["mem_used_total"]
    return None if data is None or not used else round(data / used, 4)


def _recompression(figures: Figures) -> str | None:
    configured = figures["recomp_algorithm"]
    if configured is None:
        return None
    return " ".join(f"#{priority} {name}" for priority, name in configured.items()) or "none"


def _limit(figures: Figures) -> int | None:
    return figures["writeback_limit"] if figures["writeback_limit_enable"] else None


def _place(figures: Figures) -> str | None:
    if figures["swap_size"] is not None:
        return "[SWAP]"
    return ", ".join(figures["mount_points"]) or None


COLUMNS = (
    Column("name", "", TEXT, "device"),
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
    Column("recomp_algorithm", "", TEXT, "algorithms for recompression", _recompression),
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
    Column("mount_point", "MOUNTPOINT", TEXT, "where it is mounted, or [SWAP]", _place),
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
    """Text that stays on its line: what can not be printed is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def block(figures: Figures) -> str:
    """The historic lines, then today's; plain numbers, bytes where it is bytes."""
    lines = [_line(column, column.get(figures)) for column in HISTORIC]
    for column in MODERN:
        if column.name == "mount_point":
            lines += [_line(column, point) for point in figures["mount_points"]]
        elif (value := column.get(figures)) is not None:
            lines.append(_line(column, value))
    return "".join(lines)


def _line(column: Column, value: Any) -> str:
    if value is None:
        text = "-"
    elif column.unit == PERCENT:
        text = f"{value} %"
    else:
        text = printable(str(value))
    return f"{column.name + ':':<18}{text:>20}\n"


def cell(column: Column, figures: Figures, exact: bool) -> str:
    """One cell of a table: sizes for people, or in bytes if ``exact``."""
    value = column.get(figures)
    if value is None:
        return "-"
    if column.name == "name":
        return f"/dev/{value}"
    if column.unit == BYTES and not exact:
        return format_size(value)
    if column.unit == PERCENT:
        return f"{value}%"
    return f"{value:.4f}" if isinstance(value, float) else printable(str(value))


def table(
    devices: Iterable[Figures],
    columns: tuple[Column, ...],
    *,
    exact: bool = False,
    headings: bool = True,
    raw: bool = False,
) -> str:
    """A line for each device; ``raw`` is one blank between cells and none in them."""
    rows = [[cell(column, figures, exact) for column in columns] for figures in devices]
    if not rows:
        return ""
    if headings:
        rows.insert(0, [column.heading for column in columns])
    if raw:
        return "".join(" ".join(c.replace(" ", "\\x20") for c in row) + "\n" for row in rows)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "".join(
        " ".join(
            text.rjust(width) if column.right else text.ljust(width)
            for column, width, text in zip(columns, widths, row, strict=True)
        ).rstrip()
        + "\n"
        for row in rows
    )


def values(figures: Figures, columns: tuple[Column, ...]) -> dict[str, Any]:
    """Figures as they are, for JSON: the kernel's names, numbers as numbers."""
    return {
        column.name: figures["mount_points"]
        if column.name == "mount_point"
        else figures["recomp_algorithm"]
        if column.name == "recomp_algorithm"
        else column.get(figures)
        for column in columns
    }
