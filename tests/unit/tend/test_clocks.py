# SPDX-License-Identifier: MIT
"""The real clocks in time namespaces, whose CLOCK_BOOTTIME jumps (time_namespaces(7))."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
DAY = 86400
CODE = """
import json, sys
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.ledger import Ledger
from pyzram.tend.machine import Clocks, read_clock
folder, write = sys.argv[1], int(sys.argv[2])
clocks = Clocks()
ledger = Ledger(folder, read_clock(Sysfs("/"), clocks))
if write:
    ledger.reserve("disk", "7", 0, write)
    ledger.settle("disk", "7", write)
ledger.save()
print(json.dumps([ledger.left("disk", 256 << 20), clocks.boottime() - clocks.awake()]))
"""


def in_namespace(folder: Path, jump: int, write: int = 0) -> tuple[int, float]:
    """What is left of 256 MiB, and how long the machine slept, with CLOCK_BOOTTIME moved."""
    command = ["unshare", "--time", "--boottime", str(jump)] if jump else []
    words = [sys.executable, "-Ic", CODE, str(folder), str(write)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if "unshare:" in done.stderr:
        pytest.skip(f"no time namespace here: {done.stderr.strip()}")
    assert not done.stderr
    left, slept = json.loads(done.stdout)
    return left, slept


@pytest.mark.parametrize("jump", [3600, 26 * 3600, 30 * DAY])
def test_a_jump_forward_gives_nothing_for_the_other_clock_knows_better(tmp_path, jump):
    assert in_namespace(tmp_path, 0, 100 * MIB)[0] == 156 * MIB
    left, slept = in_namespace(tmp_path, jump)
    assert slept > jump - 100  # it did jump
    assert left == 156 * MIB
    assert in_namespace(tmp_path, 0)[0] == 156 * MIB


def test_a_jump_back_gives_nothing(tmp_path):
    assert in_namespace(tmp_path, 2 * DAY, 200 * MIB)[0] == 56 * MIB
    for jump in (0, 0, 12 * 3600):
        assert in_namespace(tmp_path, jump)[0] == 56 * MIB
