# SPDX-License-Identifier: MIT
"""``pyzram tend --textfile``: what the daemon last saw, for node_exporter."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import ZramError
from ..kernel.named_files import write_textfile
from ..metrics import GAUGE, Family, labels, scrape, text_format
from ..tend.state import CALM, CHOKED, HELD, PRESSED, TIGHT
from ..tend.status import read_status


def textfile(path: str, run: str) -> int:
    """Write it, also if no daemon runs: then that is all it says.

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
        success = False  # not for this user, or of another version of pyzram
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
    budget = Family(
        "zram_tend_budget",
        GAUGE,
        "how much may be written to the medium in any 24 hours",
        "bytes",
    )
    left = Family("zram_tend_budget_left", GAUGE, "how much of the budget is left now", "bytes")
    free = Family("zram_tend_backing_free", GAUGE, "free space on the backing device", "bytes")
    for device in status["seen"]["devices"]:
        if device["medium"]:
            name = labels(device=device["name"])
            budget.add(int(device["budget"]), name)
            left.add(int(device["left"]), name)
            free.add(int(device["free"]), name)
    return [mode, pressure, last, budget, left, free]
