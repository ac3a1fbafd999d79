# SPDX-License-Identifier: MIT
"""Attributes for other programs: JSON, and OpenMetrics text for Prometheus."""

from __future__ import annotations

from ..kernel.parse import BD_UNIT, SECTOR_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..kernel.attributes import Attributes

GAUGE, COUNTER = "gauge", "counter"
MILLISECONDS = 0.001


class Family:
    """One metric family: a figure of the kernel in a base unit.

    ``scale`` is what one of the kernel's units is in ``unit``.
    """

    __slots__ = ("figure", "help", "kind", "name", "scale", "unit")

    def __init__(
        self, figure: str, kind: str, name: str, text: str, *, unit: str = "", scale: float = 1
    ) -> None:
        self.figure = figure
        self.kind = kind
        self.unit = unit
        self.name = f"zram_{name or figure}" + (f"_{unit}" if unit else "")
        self.help = text
        self.scale = scale


def _bytes(figure: str, kind: str, text: str, *, name: str = "", scale: int = 1) -> Family:
    return Family(figure, kind, name, text, unit="bytes", scale=scale)


def _seconds(figure: str, name: str, text: str) -> Family:
    return Family(figure, COUNTER, name, text, unit="seconds", scale=MILLISECONDS)


FAMILIES = (
    _bytes("disksize", GAUGE, "Size the device offers, uncompressed; not memory in use."),
    # mm_stat
    _bytes("orig_data_size", GAUGE, "Data stored, uncompressed."),
    _bytes("compr_data_size", GAUGE, "Data stored, compressed."),
    _bytes("mem_used_total", GAUGE, "Memory taken now, allocator overhead included."),
    _bytes("mem_limit", GAUGE, "Most memory the device may take; 0 is no limit."),
    _bytes("mem_used_max", GAUGE, "Most memory taken so far, a peak."),
    Family("same_pages", GAUGE, "", "Pages of one repeated word, stored without memory."),
    Family("pages_compacted", COUNTER, "", "Pages of memory freed by compaction."),
    Family("huge_pages", GAUGE, "", "Incompressible pages stored as they are."),
    Family("huge_pages_since", COUNTER, "", "Incompressible pages ever stored."),
    # io_stat
    Family("failed_reads", COUNTER, "", "Reads that failed."),
    Family("failed_writes", COUNTER, "", "Writes that failed, beyond mem_limit included."),
    Family("invalid_io", COUNTER, "", "Requests not aligned to a page."),
    Family("notify_free", COUNTER, "", "Pages freed by swap slots or discard."),
    # debug_stat
    Family("writestall", COUNTER, "", "Stores that waited for memory."),
    Family("miss_free", COUNTER, "", "Pages not freed because they were locked."),
    # bd_stat
    _bytes("bd_count", GAUGE, "Data on the backing device now.", scale=BD_UNIT),
    _bytes("bd_reads", COUNTER, "Read from the backing device.", scale=BD_UNIT),
    _bytes("bd_writes", COUNTER, "Written to the backing device.", scale=BD_UNIT),
    _bytes("writeback_limit", GAUGE, "Writeback still allowed.", scale=BD_UNIT),
    # stat
    Family("read_ios", COUNTER, "", "Completed reads."),
    Family("read_merges", COUNTER, "", "Reads merged with another."),
    _bytes("read_sectors", COUNTER, "Read.", name="read", scale=SECTOR_SIZE),
    _seconds("read_ticks", "read", "Time spent reading."),
    Family("write_ios", COUNTER, "", "Completed writes."),
    Family("write_merges", COUNTER, "", "Writes merged with another."),
    _bytes("write_sectors", COUNTER, "Written.", name="written", scale=SECTOR_SIZE),
    _seconds("write_ticks", "write", "Time spent writing."),
    Family("in_flight", GAUGE, "", "Requests not yet completed."),
    _seconds("io_ticks", "io", "Time with requests in flight."),
    _seconds("time_in_queue", "io_weighted", "Time of all requests together."),
    Family("discard_ios", COUNTER, "", "Discards; zram does not account them."),
    Family("discard_merges", COUNTER, "", "Discards merged with another."),
    _bytes("discard_sectors", COUNTER, "Discarded.", name="discarded", scale=SECTOR_SIZE),
    _seconds("discard_ticks", "discard", "Time spent discarding."),
    Family("flush_ios", COUNTER, "", "Completed flushes."),
    _seconds("flush_ticks", "flush", "Time spent flushing."),
    # swap
    _bytes("swap_size", GAUGE, "Size of the swap area on the device."),
    _bytes("swap_used", GAUGE, "Swap slots in use; not data stored in zram."),
    Family("swap_priority", GAUGE, "", "Priority of the swap area; the highest is used first."),
)


def json_text(devices: list[dict[str, Any]]) -> str:
    """JSON of devices: one object with a list, as util-linux's commands write it."""
    import json

    return json.dumps({"zram_stats": devices}, indent=3) + "\n"


def openmetrics(devices: Iterable[Attributes]) -> str:
    """OpenMetrics 1.0 text of every figure, in bytes and seconds.

    A figure that is not there has no sample. No metric is of a type that the older Prometheus
    text format lacks, so that node_exporter's textfile collector reads it as well.
    """
    devices = list(devices)
    lines = []
    for family in FAMILIES:
        suffix = "_total" if family.kind == COUNTER else ""
        samples = [
            _sample(family.name + suffix, {"device": device["name"]}, value)
            for device in devices
            if (value := _value(family, device)) is not None
        ]
        lines += _family(family.name, family.kind, family.help, family.unit, samples)
    lines += _family(
        "zram_comp_algorithm",
        GAUGE,
        "Algorithms in use; priority 0 compresses, the others recompress.",
        "",
        [
            _sample(
                "zram_comp_algorithm",
                {"device": device["name"], "priority": str(priority), "algorithm": name},
                1,
            )
            for device in devices
            for priority, name in {
                0: device["comp_algorithm"],
                **(device["recomp_algorithm"] or {}),
            }.items()
            if name is not None
        ],
    )
    lines += _family(
        "zram_backing_dev",
        GAUGE,
        "Where writeback goes.",
        "",
        [
            _sample(
                "zram_backing_dev", {"device": device["name"], "path": device["backing_dev"]}, 1
            )
            for device in devices
            if device["backing_dev"] not in (None, "none")
        ],
    )
    return "".join(line + "\n" for line in (*lines, "# EOF"))


def _value(family: Family, device: Attributes) -> float | None:
    figure: int | None = device[family.figure]
    if figure is None:
        return None
    if family.figure == "writeback_limit" and not device["writeback_limit_enable"]:
        return None
    # A division, since 0.001 is no binary fraction and 3 * 0.001 shows it.
    return figure / 1000 if family.scale == MILLISECONDS else figure * family.scale


def _family(name: str, kind: str, text: str, unit: str, samples: list[str]) -> list[str]:
    if not samples:
        return []
    head = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    if unit:
        head.append(f"# UNIT {name} {unit}")
    return head + samples


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    written = ",".join(f'{key}="{escape(text)}"' for key, text in labels.items())
    return f"{name}{{{written}}} {value!r}"


def escape(text: str) -> str:
    """A label's value: backslash, quote and newline are escaped; it is UTF-8 in any case."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
