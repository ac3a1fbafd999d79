# SPDX-License-Identifier: MIT
"""The devices of a configuration and whether they run, as ``status`` prints them."""

from __future__ import annotations

from ..text import quote
from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config.config import Config
    from ..service.observed import ObservedSystem
    from .service import Call

# Exit statuses of the command status, as in the Linux Standard Base.
STOPPED = 3


def show_status(call: Call) -> int:
    """Print our devices; return the exit status: 0 all run, 3 none does, 1 only some do."""
    config, machine = call.service._observed()
    rows = _rows(config, machine)
    running = sum(row["state"] == "running" for row in rows)
    if call.json:
        call.print_json(rows)
    else:
        for device in machine.devices:
            if device.busy:
                call.warn(f"{device.name}: a writeback or recompression holds up its figures")
        for row in rows:
            words = [row["name"] or f"device {row['index']}", row["state"]]
            words += [row["what"]] if row["what"] else []
            if row["state"] == "running":
                words += [f"size {format_size(row['disksize'])}", row["algorithm"] or "-"]
                if row["used"] is not None:
                    words += [f"used {format_size(row['used'])}", f"priority {row['priority']}"]
            if row["also_mounted"]:
                words.append(f"(also mounted by others on {' '.join(row['also_mounted'])})")
            print(quote(" ".join(words)))
    if running == len(rows) and (rows or config is not None):
        return 0
    return 1 if running else STOPPED


def _rows(config: Config | None, machine: ObservedSystem) -> list[dict[str, Any]]:
    """Return a row for each of our devices and for each one that is missing."""
    rows: list[dict[str, Any]] = []
    own = [device for device in machine.devices if device.index is not None]
    for device in own:
        rows.append(
            {
                "index": device.index,
                "name": device.name,
                "state": "running" if device.running and device.ready else "incomplete",
                "what": "swap" if device.area else " ".join(device.mounts),
                "also_mounted": list(device.others),
                "disksize": device.disksize,
                "algorithm": device.algorithm,
                "used": device.area.used if device.area else None,
                "priority": device.area.priority if device.area else None,
                "mem_used_total": device.mem_used,
            }
        )
    have = {device.index for device in own}
    for desired in config.devices if config else ():
        if desired.index not in have:
            rows.append(
                {
                    "index": desired.index,
                    "name": None,
                    "state": "missing",
                    "what": desired.what,
                    "also_mounted": [],
                    "disksize": desired.disksize,
                    "algorithm": None,
                    "used": None,
                    "priority": None,
                    "mem_used_total": 0,
                }
            )
    return sorted(rows, key=lambda row: int(row["index"]))
