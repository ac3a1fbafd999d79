# SPDX-License-Identifier: MIT
"""Compare snapshots that were taken on several machines.

Usage: compare_machines.py --save FILE   on each machine
       compare_machines.py FILE...       anywhere
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyzram


def look(devices: list[pyzram.Zram]) -> list[dict[str, Any]]:
    """Return snapshots of the devices that have not been removed since they were listed."""
    found = []
    for device in devices:
        try:
            found.append(device.stats().as_dict())
        except pyzram.DeviceNotFoundError:
            continue
    return found


def main(*words: str) -> int:
    """Save this machine's snapshots, or print a line for each that was saved."""
    if words[:1] == ("--save",):
        with pyzram.devices() as devices:
            snapshots = look(devices)
        Path(words[1]).write_text(json.dumps(snapshots))
        return 0
    for file in words:
        for values in json.loads(Path(file).read_text()):
            stats = pyzram.Stats.from_dict(values)
            ratio = stats.mm_stat.memory_ratio
            shown = "empty" if ratio is None else f"{ratio:.1%} of {stats.mm_stat.orig_data_size}"
            print(f"{file}: {stats.name} {stats.comp_algorithm}: {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
