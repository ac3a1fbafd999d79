# SPDX-License-Identifier: MIT
"""In a guest: ``pyzram tend`` writes back as fast as it may, until power or budget run out.

``tend_powercut.py FOLDER BUDGET``; FOLDER/seen.json always says in time what was written so far.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pyzram
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.ledger import Ledger
from pyzram.tend.machine import Clocks, read_clock
from pyzram.tend.medium import medium_of

sys.path.insert(0, str(Path(__file__).parent))  # -I leaves it out

from tend_trial import AT_ONCE, PAGE, Daemon, M, bd, noise, put

BACKING = "/dev/vda2"
QUIET = 20.0
"""Seconds without a write after which there will be none."""


def tell(folder: Path, **found: object) -> None:
    """Write it completely or not at all, and on the other side when this returns."""
    part = folder / "seen.part"
    with part.open("w") as file:
        json.dump(found, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / "seen.json")


def main() -> int:
    folder, budget = Path(sys.argv[1]), int(sys.argv[2])
    sysfs = Sysfs()
    if not Path("/sys/kernel/debug/zram").exists():
        os.system("mount -t debugfs none /sys/kernel/debug")
    ledger = Ledger(os.environ["PYZRAM_STATE"], read_clock(sysfs, Clocks()))
    charged = ledger.written(medium_of(sysfs, BACKING).key)
    constants = {
        **AT_ONCE, "OLDEST": 0.5, "FLOOR": 0.5, "FLOOR_PRESSED": 0.5, "HUGE_FLOOR": 0.5,
        "ROUNDS": dict.fromkeys(AT_ONCE["ROUNDS"], 0.0), "LOOK": 0.1, "PIECE_MOST": 16,
        "CHUNK_LEAST": M // 2,
    }  # fmt: skip
    with pyzram.Zram.add() as device:
        device.configure(disksize="64M", algorithm="lz4", backing_dev=BACKING, force=True)
        put(device, 0, noise(64, 1) * 16)
        running = Daemon(device.name, "--budget", str(budget), **constants)
        last, since, turn = 0, time.monotonic(), 1
        while time.monotonic() - since < QUIET:
            assert running.alive
            count, _, writes = bd(device)
            if writes > last:
                last, since = writes, time.monotonic()
            elif count >= 1000:
                # All is there: give it something anew.
                put(device, 0, noise(64, turn) * 16)
                turn += 1
            tell(folder, writes=writes * PAGE, charged_at_start=charged, over=False)
            time.sleep(0.02)
        running.end()
        tell(folder, writes=bd(device)[2] * PAGE, charged_at_start=charged, over=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
