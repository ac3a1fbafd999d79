# SPDX-License-Identifier: MIT
"""What a scrape costs: instructions of zram_stats, by valgrind, relative to a start of Python.

No time is measured, so other work on the machine changes nothing. The kernel's work for them is not
included; bench/zram_stats.py measures the time, which includes it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_roots import Machine

COMMAND = str(Path(sys.executable).with_name("zram_stats"))
MOST = 1.35
# A folder that may be somebody else's is opened component by component.
MOST_TO_A_FILE = 1.40
COUNT = re.compile(r"^==\d+== I +refs: +([\d,]+)$", re.M)


def instructions(root: Path, *words: str) -> int:
    """Instructions of one complete run."""
    done = subprocess.run(
        ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        + [sys.executable, "-I", *words],
        env={"PATH": os.defpath, "PYZRAM_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (count,) = COUNT.findall(done.stderr)
    return int(count.replace(",", ""))


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """One device, as a captured one, with swap on it."""
    machine = Machine(tmp_path_factory.mktemp("machine"), "6.18")
    machine.swap("/dev/zram0 partition 65532 1468 100")
    return machine.root


@pytest.fixture(scope="module")
def start(here) -> int:
    if not shutil.which("valgrind"):
        pytest.skip("needs valgrind")
    # Python compiles everything in this first run.
    subprocess.run([COMMAND, "--help"], check=True, stdout=subprocess.DEVNULL)
    return instructions(here, "-c", "pass")


@pytest.mark.parametrize(("form", "most"), [("--prometheus", MOST), ("--textfile", MOST_TO_A_FILE)])
def test_metrics_take_at_most_so_much_of_a_start_of_python(here, start, form, most, tmp_path):
    words = [form] + [str(tmp_path / "zram.prom")] * (form == "--textfile")
    taken = instructions(here, COMMAND, *words) / start
    print(f"zram_stats {form}: {taken:.3f} of the instructions of a start of Python")
    assert taken <= most


def test_the_count_sees_a_module_that_is_loaded_for_nothing(here, start):
    """The run loads a module that metrics do not need, to show that the gate can fail."""
    wasteful = "import argparse, json, sys; sys.argv[1:] = ['--prometheus']\n"
    wasteful += "from pyzram.cli.zram_stats import main; main()"
    assert instructions(here, "-c", wasteful) / start > MOST
