# SPDX-License-Identifier: MIT
"""The parts of the view as plain values: a line is a row of texts, each with a role.

Roles are "" (text), "label", "head", "full", "second" and "rest" (of bars), "mark", and those of
:mod:`pyzram.cli.colour`.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ...kernel.figures import BY_NAME
from ...limits import BD_UNIT
from ...text import quote
from ...units import format_size
from .. import colour, stats_columns
from ..bars import ASCII_BARS, ASCII_LINE, BARS, LINE, bar, graph
from ..device_history import rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .look import Device, Look

Span = tuple[str, str]
Line = tuple[Span, ...]

LABEL = 9  # width of the words at the left
VALUES = 20  # and the figures behind a graph
HIGHEST = 2  # lines of a graph
REASONS = 2  # of tend, in the overview
DELAY_MAX = 3600.0  # seconds between two refreshes


def letters() -> tuple[str, str]:
    """Characters for graphs and bars that standard output can show."""
    whole = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return (BARS, LINE) if whole else (ASCII_BARS, ASCII_LINE)


def width_of(line: Line) -> int:
    """The width of a line in columns."""
    return sum(len(text) for text, _ in line)


def spread(left: Line, right: Line, width: int) -> Line:
    """Two ends of a line; the right one goes if there is no room."""
    room = width - width_of(left) - width_of(right)
    return (*left, (" " * room, ""), *right) if room > 0 else left


def cut(text: str, width: int) -> str:
    """Text in that many columns, with an ellipsis if it is cut."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 0 else ""


def labelled(label: str, *spans: Span) -> Line:
    """A line with a word at its left."""
    return ((label.ljust(LABEL), "label"), *spans)


def bar_line(label: str, part: float, whole: float, text: str, width: int, role: str = "") -> Line:
    """A bar with a word before it and figures after it."""
    room = width - LABEL - 1 - 26
    words = cut(text, width - LABEL - 1 - max(room, 4))
    full, rest = bar(part / whole if whole else 0.0, max(room, 4), letters()[1])
    return labelled(label, (full, role or "full"), (rest, "rest"), (" " + words, ""))


# ---- the overview --------------------------------------------------------------------------------


def overview(look: Look, width: int, title: str, right: str) -> list[Line]:
    """The lines above the devices."""
    lines = [spread(((title, "head"),), ((right, "label"),), width)]
    if look.total:
        used = look.total - look.available
        pools = sum(device.known["mem_used_total"] or 0 for device in look.devices)
        text = f"{format_size(used)} of {format_size(look.total)}, zram {format_size(pools)}"
        share = 100 * used / look.total
        lines.append(bar_line("memory", used, look.total, text, width, colour.of_fill(share)))
    lines.append(pressure_line(look))
    lines += [
        tuple((cut(text, width), role) if len(line) == 1 else (text, role) for text, role in line)
        for line in tend_lines(look.tend, width)
    ]
    lines += [((cut(note, width), colour.WARN),) for note in look.notes]
    return lines


def pressure_line(look: Look) -> Line:
    """Share of the last ten seconds in which a task waited."""
    spans: list[Span] = []
    for resource, found in look.pressure.items():
        if found is not None:
            role = colour.BAD if found.full10 >= 10 else colour.WARN if found.some10 >= 10 else ""
            spans += [(f"{resource} ", ""), (f"{found.some10:.2f} %", role), ("  ", "")]
    # One that could not be read is among the notes.
    known = any(found is None for found in look.pressure.values())
    nothing = "not reported (boot with psi=1)" if known else "unknown"
    return labelled("pressure", *(spans or [(nothing, "label")]))


def tend_lines(status: dict[str, Any] | str | None, width: int) -> list[Line]:
    """State and last reasons of the daemon."""
    if not isinstance(status, dict):
        return [labelled("tend", (status or "not running", "label"))]
    mode, pressure = quote(str(status.get("mode"))), status.get("pressure")
    text = f"{mode}, pressure {pressure:.2f}" if isinstance(pressure, (int, float)) else mode
    lines = [labelled("tend", (text, colour.BAD if mode == "choked" else ""))]
    for reason in tend_reasons(status)[-REASONS:]:
        lines.append(labelled("", (cut(reason, width - LABEL), "label")))
    return lines


def tend_reasons(status: dict[str, Any] | str | None) -> list[str]:
    """The daemon's last reasons, safe to print."""
    if not isinstance(status, dict):
        return []
    last = status.get("last_round")
    # Between rounds nothing is decided, so the last one's reasons stay what keeps it from more.
    for place in (status, last if isinstance(last, dict) else {}):
        found = place.get("reasons")
        if isinstance(found, list) and found:
            return [quote(str(reason)) for reason in found]
    return []


# ---- the devices ---------------------------------------------------------------------------------


class Column(NamedTuple):
    """A column of the devices: its heading, how it is written and sorted.

    On a narrow terminal the highest rank is left out first; 0 stays. ``words`` are written from
    the left and sorted upwards first.
    """

    heading: str
    width: int
    rank: int
    key: Callable[[Device], Any]
    spans: Callable[[Device], Line]
    words: bool = False


def _figure(name: str) -> Callable[[Device], Any]:
    get = BY_NAME[name].of
    return lambda device: get(device.known)


def _plain(name: str) -> Callable[[Device], Line]:
    column = BY_NAME[name]
    return lambda device: ((stats_columns.cell(column, column.of(device.known), False), ""),)


def _rate(name: str) -> tuple[Callable[[Device], Any], Callable[[Device], Line]]:
    return (
        lambda device: device.rates.get(name),
        lambda device: ((rate(device.rates.get(name)), ""),),
    )


def _ratio(device: Device) -> Line:
    ratio = _figure("comp_ratio")(device)
    return (
        (
            "-" if ratio is None else f"{ratio:.2f}",
            colour.of_ratio(ratio, _figure("orig_data_size")(device)),
        ),
    )


FILL_BAR = 6


def _fill(device: Device) -> Line:
    percent = _figure("fill")(device)
    if percent is None:
        return (("-", ""),)
    role = colour.of_fill(percent)
    full, rest = bar(percent / 100, FILL_BAR, letters()[1])
    return ((full, role or "full"), (rest, "rest"), (f"{percent:>4}%", role))


COLUMNS = (
    Column("NAME", 7, 0, lambda d: int(d.name[4:]), lambda d: ((d.name, "head"),), True),
    Column("ALGORITHM", 9, 8, _figure("comp_algorithm"), _plain("comp_algorithm"), True),
    Column("DISKSIZE", 8, 7, _figure("disksize"), _plain("disksize")),
    Column("DATA", 6, 1, _figure("orig_data_size"), _plain("orig_data_size")),
    Column("COMPR", 6, 9, _figure("compr_data_size"), _plain("compr_data_size")),
    Column("TOTAL", 6, 2, _figure("mem_used_total"), _plain("mem_used_total")),
    Column("RATIO", 5, 3, _figure("comp_ratio"), _ratio),
    Column("FILL", FILL_BAR + 5, 4, _figure("fill"), _fill),
    Column("READ/s", 7, 5, *_rate("read_ios")),
    Column("WRITE/s", 7, 5, *_rate("write_ios")),
    Column("FREE/s", 7, 10, *_rate("notify_free")),
    Column("BACKED", 6, 11, _figure("bd_count"), lambda d: ((backed(d), ""),)),
    Column("MOUNTPOINT", 14, 12, lambda d: place(d), lambda d: ((place(d), ""),), True),
)
SORTS = {column.heading.lower(): column for column in COLUMNS}


def backed(device: Device) -> str:
    """What is on the backing device."""
    count = device.known["bd_count"]
    return "-" if count is None else format_size(count * BD_UNIT)


def place(device: Device) -> str:
    """Where it is used."""
    return stats_columns.text(_figure("mount_point")(device))


@cache
def fitting(width: int) -> tuple[Column, ...]:
    """The columns that fit into ``width``."""
    shown = list(COLUMNS)
    while len(shown) > 1 and sum(column.width + 1 for column in shown) - 1 > width:
        shown.remove(max(shown, key=lambda column: column.rank))
    return tuple(shown)


def ordered(devices: Sequence[Device], column: Column, reverse: bool) -> list[Device]:
    """Sort by a column; devices without a value come last in both directions."""
    keys = [(column.key(device), device) for device in devices]
    known = sorted(
        (pair for pair in keys if pair[0] is not None), key=lambda pair: pair[0], reverse=reverse
    )
    return [device for _, device in known] + [device for key, device in keys if key is None]


def row(device: Device, columns: Sequence[Column]) -> Line:
    """The cells of a device, one blank between them."""
    out: list[Span] = []
    for column in columns:
        spans = column.spans(device)
        room = column.width - width_of(spans)
        if room < 0:
            spans = ((cut("".join(text for text, _ in spans), column.width), spans[0][1]),)
        pad = (" " * max(room, 0), "")
        out += [*spans, pad] if column.words else [pad, *spans]
        out.append((" ", ""))
    return joined(out)


def joined(spans: Sequence[Span]) -> Line:
    """The same with as few texts as possible, because each costs time when it is drawn."""
    out: list[Span] = []
    for text, role in spans:
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + text, role)
        elif text:
            out.append((text, role))
    return tuple(out)


def headings(columns: Sequence[Column], by: Column, reverse: bool) -> Line:
    """The first line; the column that is sorted by is marked."""
    out: list[Span] = []
    for column in columns:
        text = column.heading.ljust(column.width) if column.words else ""
        text = text or column.heading.rjust(column.width)
        out += [(text, "mark" if column is by else "label"), (" ", "label")]
    return joined(out)


def column_at(columns: Sequence[Column], x: int) -> Column | None:
    """The column whose heading is at this place."""
    at = 0
    for column in columns:
        if at <= x <= at + column.width:
            return column
        at += column.width + 1
    return None


# ---- one device ----------------------------------------------------------------------------------


def about(device: Device) -> str:
    """A short description of a device."""
    known = device.known
    words = [str(known["comp_algorithm"] or "no algorithm")]
    words += [f"then {name}" for name in (known["recomp_algorithm"] or {}).values() if name]
    if known["swap_size"] is not None:
        words.append(f"swap with priority {known['swap_priority']}")
    words += [f"on {quote(point)}" for point in known["mount_points"]]
    return ", ".join(words)


def bars(device: Device, total: int, width: int) -> list[Line]:
    """Its bars: pool, limit, data, swap and backing device, those that it has."""
    known = device.known
    memory, data = known["mem_used_total"] or 0, known["orig_data_size"] or 0
    rows = [("pool", memory, total, "of memory", False)]
    if known["mem_limit"]:
        rows.append(("limit", memory, known["mem_limit"], "", True))
    rows.append(("data", data, known["disksize"] or 0, "of disksize", True))
    if known["swap_size"]:
        rows.append(("swap", known["swap_used"], known["swap_size"], "of slots", True))
    if known["bd_size"] and known["bd_count"] is not None:
        rows.append(("backing", known["bd_count"] * BD_UNIT, known["bd_size"], "", True))
    lines = []
    for label, part, whole, what, judged in rows:
        text = f"{format_size(part)} of {format_size(whole)} {what.removeprefix('of ')}".rstrip()
        role = colour.of_fill(100 * part / whole) if judged and whole else ""
        lines.append(bar_line(label, part, whole, text, width, role))
    return lines


def histories(device: Device, width: int, room: int, highest: int = HIGHEST) -> list[Line]:
    """Graphs of memory, ratio and requests, as many and as high as there is room for."""
    wanted: list[tuple[str, list[float], Callable[[float], str]]] = [
        ("memory", device.memory, lambda value: format_size(int(value))),
        ("ratio", device.ratio, lambda value: f"{value:.2f}"),
        ("reads/s", device.reads, rate),
        ("writes/s", device.writes, rate),
    ]
    count = min(len(wanted), room)
    height = max(1, min(room // count, highest)) if count > 0 else 0
    columns = max(width - LABEL - VALUES, 4)
    lines: list[Line] = []
    for at, (label, history, form) in enumerate(wanted[: max(count, 0)]):
        seen = history[-columns:]
        *above, last = graph(seen, columns, height, letters()[0])
        # Two alternating colours keep graphs above one another apart.
        role = "full" if at % 2 == 0 else "second"
        lines += [labelled("", (picture, role)) for picture in above]
        figures = cut(f" {form(seen[-1])}, max {form(max(seen))}", VALUES)
        lines.append(labelled(label, (last, role), (figures, "")))
    return lines


def detail(device: Device | None, total: int, width: int, height: int) -> list[Line]:
    """The part below the list: the device under the cursor."""
    if device is None:
        nothing: Line = (("no configured device", "label"),)
        return [nothing][:height]
    title: Line = ((device.name, "head"), ("  ", ""), (cut(about(device), width - 9), "label"))
    lines = [title, *bars(device, total, width)]
    lines += histories(device, width, height - len(lines))
    return lines[:height]
