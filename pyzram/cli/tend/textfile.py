# SPDX-License-Identifier: MIT
"""``pyzram tend --textfile``: what the daemon last saw, for node_exporter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ZramError
from ...kernel.figures import COUNTER, GAUGE
from ...named_files import write_textfile
from ...tend.state import CALM, CHOKED, HELD, PRESSED, TIGHT
from ...tend_status import read_status
from ..metrics import Family, labels, scrape, text_format

if TYPE_CHECKING:
    from collections.abc import Callable


class Metric(NamedTuple):
    """A metric of each device."""

    name: str
    """Its name without ``zram_tend_`` and the unit."""
    kind: str
    text: str
    unit: str
    key: str
    """Its key in the daemon's status."""
    convert: Callable[[Any], float] = int
    of_medium: bool = True
    """Whether it needs a backing device."""


FIGURES = (
    Metric("budget", GAUGE, "how much may be written to the medium in any 24 hours", "bytes",
           "budget"),
    Metric("budget_left", GAUGE, "how much of the budget is left now", "bytes", "left"),
    Metric("backing_free", GAUGE, "free space on the backing device", "bytes", "free"),
    Metric("written", COUNTER, "written to the backing device since the daemon started", "bytes",
           "written"),
    Metric("regret", GAUGE, "what came back in a day, as a share of what was written", "ratio",
           "regret", float),
    Metric("caution", GAUGE, "times the usual age that a page must have to be written", "ratio",
           "caution", float),
    Metric("backoff", GAUGE, "how long the device is left alone after its last error, 0 after a "
           "day without one", "seconds", "backoff", float, False),
)  # fmt: skip


def textfile(path: str, run: str) -> int:
    """Write the file even if no daemon runs; then it says only that.

    Raises:
        ZramError: the file cannot be written.
    """
    up = Family("zram_tend_up", GAUGE, "whether pyzram tend runs")
    found, success = [up], True
    try:
        status = read_status(run)
        up.add(int(status is not None))
        if status is not None:
            found += _figures(status)
    except ZramError as err:
        success = False
        print(f"pyzram tend: {err}", file=sys.stderr)
    except (PermissionError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        success = False  # not readable for this user, or of another version of pyzram
    write_textfile(path, text_format([*found, *scrape("tend", success)]))
    return 0


def _figures(status: dict[str, Any]) -> list[Family]:
    mode = Family("zram_tend_mode", GAUGE, "1 for pyzram tend's present mode, else 0")
    for name in (CALM, TIGHT, PRESSED, CHOKED, HELD):
        mode.add(int(status["mode"] == name), labels(mode=name))
    pressure = Family(
        "zram_tend_pressure", GAUGE, "shortage of memory as pyzram tend judges it, 0 to 1", "ratio"
    )
    pressure.add(float(status["pressure"]))
    last = Family(
        "zram_tend_last_round_timestamp", GAUGE, "when pyzram tend last looked", "seconds"
    )
    last.add(float(status["time"]))
    found = [mode, pressure, last]
    families = {row: Family(f"zram_tend_{row.name}", *row[1:4]) for row in FIGURES}
    for device in status["seen"]["devices"]:
        known = {**device, **status["devices"][device["name"]]}
        for row, family in families.items():
            if known["medium"] or not row.of_medium:
                family.add(row.convert(known[row.key]), labels(device=known["name"]))
    return [*found, *families.values()]
