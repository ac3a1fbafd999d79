# SPDX-License-Identifier: MIT
"""A part of ``make faults``: one fault at some system calls of each command, judged alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.box import IN_GUEST

pytestmark = pytest.mark.slow  # each point starts five processes

WALK = Path(__file__).parents[2] / "faults" / "walk.py"
EVERY = "1511" if IN_GUEST else "211"  # emulated, a point takes many seconds


@pytest.mark.parametrize(
    "command",
    [
        *("start", "stop", "reload", "writeback", "recompress", "tend"),
        *("zram_stats", "estimate", "doctor", "import", "top"),
    ],
)
def test_a_fault_at_some_system_calls(command: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    # In its own mount namespace: one that somebody else makes meanwhile keeps no mount busy.
    words = ["unshare", "--mount", sys.executable, "-I", str(WALK), command]
    words += ["--every", EVERY, "--offset", "7"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    if "skipped: " in line:
        pytest.skip(line.partition("skipped: ")[2])
    assert line.startswith(f"{command}: ")
    assert line.endswith(" 0 failures")
    assert not line.startswith(f"{command}: 0 points")
