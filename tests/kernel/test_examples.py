# SPDX-License-Identifier: MIT
"""The scripts in examples/ as users would run them, with every warning an error."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pyzram

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it

EXAMPLES = Path(__file__).parents[2] / "examples"
STRICT = [sys.executable, "-X", "dev", "-W", "error", "-I"]


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*STRICT, str(EXAMPLES / name), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    return done


def said(name: str, *words: str) -> str:
    done = run(name, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def zram():
    with pyzram.Zram.add() as device:
        device.configure(disksize="16M")
        with open(device.node, "wb") as file:
            file.write(os.urandom(1 << 20))
        yield device


def test_the_readme_shows_what_runs(tmp_path):
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    script = tmp_path / "shown.py"
    script.write_text(block.replace("1.5G", "64M") + "print(device.name)\n")
    done = subprocess.run(
        [*STRICT, script], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    rate, name = done.stdout.split()
    assert math.isfinite(float(rate))
    assert not Path("/sys/block", name).exists()


def test_a_monitoring_check_names_the_fullest_device(zram):
    zram.set_mem_limit(zram.read_mm_stat().mem_used_total)
    done = run("monitor_check.py", "50", "90")
    assert done.returncode == 2
    assert "CRITICAL: zram" in done.stdout
    assert "100% full (mem_limit)" in done.stdout


def test_a_log_gets_a_row_for_each_device_and_they_can_be_read_back(zram, tmp_path):
    database = str(tmp_path / "log")
    with pyzram.devices() as found:
        count = len(found)
    assert said("log_to_sqlite.py", database) == f"{count} rows\n"
    assert said("log_to_sqlite.py", database) == f"{2 * count} rows\n"


def test_swap_is_provisioned(add_zram):
    words = said("provision_swap.py", "16M").split()
    with pyzram.Zram(words[0].rstrip(":")) as device:
        try:
            assert device.read_swap_area().priority == 100
            assert device.read_disksize() == 16 << 20
        finally:
            device.remove(release=True)


def test_a_ram_disk_has_a_quota_and_goes(tmp_path):
    with pyzram.devices() as found:
        before = [device.name for device in found]
    done = run("ram_disk.py", "16M", "sh", "-c", 'head -c 99M /dev/urandom > "$TMPDIR/x"')
    assert done.returncode != 0
    assert "No space left" in done.stderr
    assert "bytes of memory" in done.stderr
    with pyzram.devices() as found:
        assert before == [device.name for device in found]


def test_rates_are_watched(zram):
    lines = said("watch_rates.py", "2", "0.05").splitlines()
    assert sum(line.startswith(f"{zram.name}: ") for line in lines) == 2


def test_machines_are_compared(zram, tmp_path):
    file = str(tmp_path / "one.json")
    assert said("compare_machines.py", "--save", file) == ""
    line = next(x for x in said("compare_machines.py", file).splitlines() if zram.name in x)
    assert f"of {zram.read_mm_stat().orig_data_size}" in line


def test_the_fixture_works_and_leaves_nothing():
    done = subprocess.run(
        [*STRICT, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / "pytest_fixture.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_threads_and_processes_agree(zram):
    threads, processes = said("threads_and_processes.py").splitlines()
    assert threads.split()[1] == processes.split()[1] != "0"


def test_pages_are_written_back_or_the_reason_is_one_line(zram):
    done = run("write_back_idle.py", zram.name, "1")
    if zram.has("writeback"):
        assert done.returncode == 1
        assert "No such device" in done.stderr
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "no attribute" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_service_is_reloaded_as_shown(box):
    box.fine("start")
    box.write("ZRAM_SIZE_0=48M\nZRAM_PRIORITY_0=1\n")
    script = EXAMPLES / "reload_service.py"
    program = f"""
import runpy, sys
from pyzram.service import registry, service
service.Service.__init__.__kwdefaults__["directory"] = {str(box.run_dir)!r}
sys.argv = ["x", {str(box.conf)!r}, "--yes"]
runpy.run_path({str(script)!r}, run_name="__main__")
"""
    done = box.run(*STRICT, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "device 0: add a device" in done.stdout
    deadline = time.monotonic() + 5
    while [row["disksize"] for row in box.rows()] != [48 << 20]:
        assert time.monotonic() < deadline


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_what_make_run_shows_comes_to_its_end():
    """The first command of README, on its own device."""
    before = set(os.listdir("/sys/block"))
    done = run("../tools/demo.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the object is the same as without that limit" in done.stdout
    assert done.stdout.endswith("swapped off and removed: nothing is left behind\n")
    assert set(os.listdir("/sys/block")) == before
