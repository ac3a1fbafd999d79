# SPDX-License-Identifier: MIT
"""A part of ``make faults``: one fault at some system calls of each command, all judged alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each point starts five processes

WALK = Path(__file__).parents[2] / "faults" / "walk.py"


@pytest.mark.parametrize("command", ["start", "stop", "reload", "zram_stats"])
def test_a_fault_at_some_system_calls(command: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    words = [sys.executable, "-I", str(WALK), command, "--every", "311", "--offset", "7"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{command}: ")
    assert line.endswith(" 0 failures")
    assert not line.startswith(f"{command}: 0 of")
