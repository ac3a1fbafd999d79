# SPDX-License-Identifier: MIT
"""The one table of figures: what is known about a device, in which unit, and from which file.

Parsers, columns, JSON, metrics and help take their names and meanings from here; the snapshots
of :mod:`pyzram.device.stat_files` and zram_stats(8) are tested against it. Rows of one kernel file
are in the order of that file.

A figure that a new kernel adds takes a row here, a field in :mod:`pyzram.device.stat_files` (or,
with a file of its own, a method of :class:`pyzram.device.zram.Zram`) and an entry in zram_stats(8);
all else is generated or follows (docs/architecture.md).

It does no I/O and imports nothing, because statistics commands start with it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

BYTES, PAGES, REQUESTS, EVENTS = "bytes", "pages", "requests", "events"
BD_UNITS, SECTORS, MILLISECONDS = "units of 4096 bytes", "units of 512 bytes", "milliseconds"
PERCENT, FACTOR, STREAMS, PRIORITY = "percent", "factor", "streams", "priority"
FLAG, TEXT = "0 or 1", ""

# A counter never falls while a device stays configured; info has text as its value.
GAUGE, COUNTER, INFO = "gauge", "counter", "info"

SWAPS, MOUNTS, BLOCK = "/proc/swaps", "/proc/self/mountinfo", "/sys/class/block"


class Figure:
    """One figure of a device.

    ``source`` is the file below ``/sys/block/zramN`` or a path, and empty if ``derive`` computes
    the figure from others. ``metric`` is its Prometheus name without ``zram_``, unit and
    ``_total``, which is mostly its own name; it is empty for a figure that is not exported.
    """

    __slots__ = ("derive", "help", "kind", "metric", "name", "source", "unit")

    def __init__(
        self,
        name: str,
        source: str,
        unit: str,
        kind: str,
        text: str,
        metric: str | None = None,
        derive: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.unit = unit
        self.kind = kind
        self.help = text
        self.metric = name if metric is None else metric
        self.derive = derive

    def of(self, values: Mapping[str, Any]) -> Any:
        """The figure among a device's values; ``None`` if it does not exist."""
        return values[self.name] if self.derive is None else self.derive(values)


# ---- derived figures -----------------------------------------------------------------------------


def percent(part: int | None, whole: int | None) -> int | None:
    """Whole percent, rounded down; ``None`` if either is missing or ``whole`` is 0."""
    return None if part is None or not whole else part * 100 // whole


def avg_compr_ratio(compr_data_size: int | None, orig_data_size: int | None) -> int | None:
    """Compressed data in whole percent of uncompressed data; ``None`` for an empty device."""
    return percent(compr_data_size, orig_data_size)


def mem_overhead(mem_used_total: int | None, compr_data_size: int | None) -> int | None:
    """Memory beyond the compressed data, in whole percent of that; ``None`` without data."""
    if mem_used_total is None or not compr_data_size:
        return None
    return percent(mem_used_total - compr_data_size, compr_data_size)


def comp_ratio(orig_data_size: int | None, mem_used_total: int | None) -> float | None:
    """How many bytes are stored in one byte of memory; ``None`` for an empty device."""
    if orig_data_size is None or not mem_used_total:
        return None
    return round(orig_data_size / mem_used_total, 4)


def _avg_compr_ratio(values: Mapping[str, Any]) -> int | None:
    return avg_compr_ratio(values["compr_data_size"], values["orig_data_size"])


def _mem_overhead(values: Mapping[str, Any]) -> int | None:
    return mem_overhead(values["mem_used_total"], values["compr_data_size"])


def _comp_ratio(values: Mapping[str, Any]) -> float | None:
    return comp_ratio(values["orig_data_size"], values["mem_used_total"])


def fill(*parts: tuple[int | None, int | None]) -> int | None:
    """The fullest of several (part, whole), in whole percent."""
    return max(
        (share for part, whole in parts if (share := percent(part, whole)) is not None),
        default=None,
    )


def _fill(values: Mapping[str, Any]) -> int | None:
    return fill(
        (values["orig_data_size"], values["disksize"]),
        (values["mem_used_total"], values["mem_limit"]),
        (values["swap_used"], values["swap_size"]),
    )


def _writeback_limit(values: Mapping[str, Any]) -> int | None:
    # The kernel keeps a number here even while nothing is limited.
    limit: int | None = values["writeback_limit"]
    return limit if values["writeback_limit_enable"] else None


def _place(values: Mapping[str, Any]) -> list[str]:
    swap = [] if values["swap_size"] is None else ["[SWAP]"]
    points: list[str] = values["mount_points"]
    return swap + points


# ---- the table -----------------------------------------------------------------------------------

FIGURES = (
    Figure("name", "", TEXT, INFO, "device", ""),
    Figure("disksize", "disksize", BYTES, GAUGE, "size it offers, uncompressed: not memory"),
    # mm_stat
    Figure("orig_data_size", "mm_stat", BYTES, GAUGE, "data stored, uncompressed"),
    Figure("compr_data_size", "mm_stat", BYTES, GAUGE, "data stored, compressed"),
    Figure(
        "mem_used_total", "mm_stat", BYTES, GAUGE, "memory taken now, overhead included", "mem_used"
    ),
    Figure("mem_limit", "mm_stat", BYTES, GAUGE, "most memory it may take; 0 is no limit"),
    Figure("mem_used_max", "mm_stat", BYTES, GAUGE, "most memory taken so far: a peak"),
    Figure("same_pages", "mm_stat", PAGES, GAUGE, "pages of one repeated word, without memory"),
    Figure("pages_compacted", "mm_stat", PAGES, COUNTER, "pages freed by compaction, not bytes"),
    Figure("huge_pages", "mm_stat", PAGES, GAUGE, "incompressible pages, stored as they are"),
    Figure("huge_pages_since", "mm_stat", PAGES, COUNTER, "incompressible pages ever stored"),
    # io_stat
    Figure("failed_reads", "io_stat", REQUESTS, COUNTER, "reads that failed"),
    Figure("failed_writes", "io_stat", REQUESTS, COUNTER, "writes that failed, mem_limit included"),
    Figure("invalid_io", "io_stat", REQUESTS, COUNTER, "requests not aligned to a page"),
    Figure("notify_free", "io_stat", PAGES, COUNTER, "pages freed by swap or discard"),
    # bd_stat
    Figure("bd_count", "bd_stat", BD_UNITS, GAUGE, "data on the backing device now"),
    Figure("bd_reads", "bd_stat", BD_UNITS, COUNTER, "read from the backing device"),
    Figure("bd_writes", "bd_stat", BD_UNITS, COUNTER, "written to the backing device: its wear"),
    # debug_stat
    Figure("writestall", "debug_stat", EVENTS, COUNTER, "stores that waited for memory"),
    Figure("miss_free", "debug_stat", EVENTS, COUNTER, "pages not freed because they were locked"),
    # stat, the block layer's; as metrics under the names that node_exporter gives other disks
    Figure("read_ios", "stat", REQUESTS, COUNTER, "completed reads", "reads_completed"),
    Figure("read_merges", "stat", REQUESTS, COUNTER, "reads merged", "reads_merged"),
    Figure("read_sectors", "stat", SECTORS, COUNTER, "data read", "read"),
    Figure("read_ticks", "stat", MILLISECONDS, COUNTER, "time spent reading", "read_time"),
    Figure("write_ios", "stat", REQUESTS, COUNTER, "completed writes", "writes_completed"),
    Figure("write_merges", "stat", REQUESTS, COUNTER, "writes merged", "writes_merged"),
    Figure("write_sectors", "stat", SECTORS, COUNTER, "data written", "written"),
    Figure("write_ticks", "stat", MILLISECONDS, COUNTER, "time spent writing", "write_time"),
    Figure("in_flight", "stat", REQUESTS, GAUGE, "requests not yet completed", "io_now"),
    Figure("io_ticks", "stat", MILLISECONDS, COUNTER, "time with requests in flight", "io_time"),
    Figure(
        "time_in_queue",
        "stat",
        MILLISECONDS,
        COUNTER,
        "time of all requests together",
        "io_time_weighted",
    ),
    Figure(
        "discard_ios",
        "stat",
        REQUESTS,
        COUNTER,
        "discards; zram does not count them",
        "discards_completed",
    ),
    Figure("discard_merges", "stat", REQUESTS, COUNTER, "discards merged", "discards_merged"),
    Figure("discard_sectors", "stat", SECTORS, COUNTER, "data discarded", "discarded"),
    Figure("discard_ticks", "stat", MILLISECONDS, COUNTER, "time spent discarding", "discard_time"),
    Figure("flush_ios", "stat", REQUESTS, COUNTER, "flushes", "flush_requests"),
    Figure(
        "flush_ticks", "stat", MILLISECONDS, COUNTER, "time spent flushing", "flush_requests_time"
    ),
    # files of one value
    Figure("comp_algorithm", "comp_algorithm", TEXT, INFO, "algorithm that compresses new pages"),
    Figure("recomp_algorithm", "recomp_algorithm", TEXT, INFO, "algorithms for recompression", ""),
    Figure(
        "max_comp_streams",
        "max_comp_streams",
        STREAMS,
        GAUGE,
        "compression streams; no effect since 4.7",
        "",
    ),
    Figure("backing_dev", "backing_dev", TEXT, INFO, "where writeback goes"),
    Figure(
        "writeback_limit",
        "writeback_limit",
        BD_UNITS,
        GAUGE,
        "writeback still allowed, where it is limited",
        derive=_writeback_limit,
    ),
    Figure(
        "writeback_batch_size",
        "writeback_batch_size",
        REQUESTS,
        GAUGE,
        "requests that writeback keeps in flight",
        "",
    ),
    Figure(
        "compressed_writeback",
        "compressed_writeback",
        FLAG,
        GAUGE,
        "whether writeback writes pages as they are stored",
        "",
    ),
    # the system's tables
    Figure("swap_size", SWAPS, BYTES, GAUGE, "size of the swap area"),
    Figure("swap_used", SWAPS, BYTES, GAUGE, "swap slots in use: not data stored in zram"),
    Figure("swap_priority", SWAPS, PRIORITY, GAUGE, "priority as swap, the highest is used first"),
    Figure(
        "mount_point",
        MOUNTS,
        TEXT,
        INFO,
        "where it is mounted; [SWAP] as swap",
        "mount",
        derive=_place,
    ),
    Figure("bd_size", BLOCK, BYTES, GAUGE, "size of the backing device"),
    # computed, or under a historic name
    Figure("num_reads", "stat", REQUESTS, COUNTER, "completed reads", "", lambda v: v["read_ios"]),
    Figure(
        "num_writes", "stat", REQUESTS, COUNTER, "completed writes", "", lambda v: v["write_ios"]
    ),
    Figure(
        "zero_pages",
        "mm_stat",
        PAGES,
        GAUGE,
        "same_pages under its historic name",
        "",
        lambda v: v["same_pages"],
    ),
    Figure(
        "avg_compr_ratio",
        "",
        PERCENT,
        GAUGE,
        "compr_data_size / orig_data_size, rounded down",
        "",
        _avg_compr_ratio,
    ),
    Figure(
        "mem_overhead",
        "",
        PERCENT,
        GAUGE,
        "overhead as a share of compr_data_size, rounded down",
        "",
        _mem_overhead,
    ),
    Figure("comp_ratio", "", FACTOR, GAUGE, "orig_data_size / mem_used_total", "", _comp_ratio),
    Figure("fill", "", PERCENT, GAUGE, "of disksize, mem_limit or swap: the fullest", "", _fill),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
_OF_FILE: dict[str, tuple[str, ...]] = {}
for _figure in FIGURES:
    if _figure.derive is None:
        _OF_FILE[_figure.source] = (*_OF_FILE.get(_figure.source, ()), _figure.name)


def of_file(file: str) -> tuple[str, ...]:
    """The kernel's names of the figures in one of its files, in that file's order."""
    return _OF_FILE.get(file, ())
