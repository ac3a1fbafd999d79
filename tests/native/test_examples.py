# SPDX-License-Identifier: MIT
"""Those of examples/ that need no device, with every warning an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
STRICT = [sys.executable, "-X", "dev", "-W", "error", "-I"]


def said(name: str, *words: str) -> str:
    command = [*STRICT, str(EXAMPLES / name), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_an_algorithm_is_chosen_for_a_running_program():
    lines = said("choose_algorithm.py", str(os.getpid())).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["lzo-rle", "lz4", "zstd", "zstd:9"]
    assert lines[4].startswith("take ")


def test_a_folder_has_a_histogram(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(3 * 4096))
    (tmp_path / "noise").write_bytes(os.urandom(2 * 4096 - 100))
    lines = said("folder_histogram.py", str(tmp_path)).splitlines()
    counts = [int(line.split()[1]) for line in lines]
    assert counts == [3, 0, 0, 0, 0, 0, 0, 0, 2]


def test_there_are_twelve():
    assert len(list(EXAMPLES.glob("*.py"))) == 12
