# SPDX-License-Identifier: MIT
"""What the live view of zram_stats shows, as lines for a terminal of any size."""

from __future__ import annotations

from ...kernel.figures import BY_NAME
from ...units import format_size
from .. import colour, stats_columns
from ..bars import BARS, graph
from ..device_history import DeviceHistory, Histories, rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST_GRAPH = 3
NO_ROLES: dict[str, str] = {}

READ = tuple(
    BY_NAME[name]
    for name in (
        *(column.name for column in stats_columns.DEFAULT),
        "fill",
        "read_ios",
        "write_ios",
        "notify_free",
    )
)
# Heading, width and rank: a narrow terminal drops the highest rank first and keeps 0.
SHOWN = (
    ("NAME", 7, 0),
    ("ALGORITHM", 9, 8),
    ("DISKSIZE", 8, 7),
    ("DATA", 6, 1),
    ("COMPR", 6, 4),
    ("TOTAL", 6, 2),
    ("RATIO", 6, 3),
    ("FILL", 4, 3),
    ("READ/s", 8, 5),
    ("WRITE/s", 8, 5),
    ("FREE/s", 8, 6),
    ("SWAP-USED", 9, 9),
    ("MOUNTPOINT", 10, 10),
)
LEFT_ALIGNED = ("NAME", "ALGORITHM", "MOUNTPOINT")


def cells_of(device: DeviceHistory) -> tuple[str, ...]:
    """The cells of :data:`SHOWN`."""
    figures = device.figures
    assert figures is not None
    texts = {
        stats_columns.heading(column): stats_columns.cell(column, column.of(figures), False)
        for column in stats_columns.DEFAULT
    }
    ratio = BY_NAME["comp_ratio"].of(figures)
    fill = BY_NAME["fill"].of(figures)
    return (
        str(figures["name"]),
        texts["ALGORITHM"],
        texts["DISKSIZE"],
        texts["DATA"],
        texts["COMPR"],
        texts["TOTAL"],
        "-" if ratio is None else f"{ratio:.2f}",
        "-" if fill is None else f"{fill}%",
        *(rate(device.rates.get(key)) for key in ("read_ios", "write_ios", "notify_free")),
        texts["SWAP-USED"],
        texts["MOUNTPOINT"],
    )


def roles_of(device: DeviceHistory) -> dict[str, str]:
    """The roles of cells that have a colour, by heading."""
    figures = device.figures
    assert figures is not None
    ratio = BY_NAME["comp_ratio"].of(figures)
    return {
        "RATIO": colour.of_ratio(ratio, figures["orig_data_size"]),
        "FILL": colour.of_fill(BY_NAME["fill"].of(figures)),
    }


def fitting(width: int) -> tuple[tuple[str, int, int], ...]:
    """The columns that fit into ``width``; the first one is always among them."""
    shown = list(SHOWN)
    while len(shown) > 1 and sum(column[1] + 1 for column in shown) - 1 > width:
        shown.remove(max(shown, key=lambda column: column[2]))
    return tuple(shown)


def layout(
    cells: list[str],
    shown: tuple[tuple[str, int, int], ...],
    roles: Mapping[str, str] = NO_ROLES,
) -> str:
    """Put cells under their headings, in the colours of their roles."""
    return " ".join(
        # Pad before colouring, because escape sequences have no width.
        colour.paint(
            cell.ljust(width) if heading in LEFT_ALIGNED else cell.rjust(width),
            roles.get(heading, ""),
        )
        for cell, (heading, width, _) in zip(cells, shown, strict=True)
    ).rstrip()


def picture(
    watch: Histories,
    width: int,
    height: int,
    title: str,
    *,
    notes: Sequence[str] = (),
    bars: str = BARS,
    coloured: bool = False,
) -> list[str]:
    """All lines of the view for a terminal of that size."""
    shown = fitting(width)
    indexes = [SHOWN.index(column) for column in shown]
    out = [title, layout([column[0] for column in shown], shown)]
    # What does not fit on the screen is counted, so that nobody takes the rest for everything.
    devices = list(watch.devices.values())
    room = height - len(out) - len(notes)
    count = len(devices) if len(devices) <= room else max(room - 1, 0)
    rows: dict[str, str] = {}
    for device in devices[:count]:
        every = cells_of(device)
        cells = [every[index] for index in indexes]
        out.append(layout(cells, shown))
        if coloured:
            rows[out[-1]] = layout(cells, shown, roles_of(device))
    if count < len(devices):
        out.append(f"{len(devices) - count} more")
    if not devices:
        out.append("no configured device")
    out += notes
    out.extend(graphs(watch, width, height - len(out), bars))
    # A line that had to be cut is no longer one of the rows, and stays uncoloured.
    return [rows.get(line[:width], line[:width]) for line in out[:height]]


def graphs(watch: Histories, width: int, room: int, bars: str) -> list[str]:
    """The history of as many devices as fit, memory above ratio."""
    wanted = [
        (f"{name} {what}", history, form)
        for name, device in watch.devices.items()
        for what, history, form in (
            ("TOTAL", device.memory, _size),
            ("RATIO", device.ratio, _factor),
        )
    ]
    count = min(len(wanted), room // (LEAST_GRAPH + 1))
    out = []
    for label, history, form in wanted[:count]:
        seen = history[-width:]
        out.append(f"{label} now {form(seen[-1])}, {form(min(seen))} to {form(max(seen))}")
        out += graph(history, width, room // count - 1, bars)
    return out


def _size(value: float) -> str:
    return format_size(int(value))


def _factor(value: float) -> str:
    return f"{value:.2f}"
