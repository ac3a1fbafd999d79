# SPDX-License-Identifier: MIT
"""The examples that need no device, with every warning an error."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from fake_roots import Machine

import pyzram

EXAMPLES = Path(__file__).parents[2] / "examples"
STRICT = [sys.executable, "-X", "dev", "-W", "error", "-I"]


def said(name: str, *words: str) -> str:
    command = [*STRICT, str(EXAMPLES / name), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_an_algorithm_is_chosen_for_a_running_program():
    # A small process: for this one's memory, an emulated processor takes ten minutes.
    command = [sys.executable, "-Ic", "print(flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as program:
        program.stdout.readline()
        lines = said("choose_algorithm.py", str(program.pid)).splitlines()
        program.communicate(b"\n")
    assert [line.split()[0] for line in lines[:4]] == ["lzo-rle", "lz4", "zstd", "zstd:9"]
    assert lines[4].startswith("take ")


def test_a_folder_has_a_histogram(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(3 * 4096))
    (tmp_path / "noise").write_bytes(os.urandom(2 * 4096 - 100))
    lines = said("folder_histogram.py", str(tmp_path)).splitlines()
    counts = [int(line.split()[1]) for line in lines]
    assert counts == [3, 0, 0, 0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize(
    "name", ["log_to_sqlite", "watch_rates", "monitor_check", "compare_machines"]
)
def test_a_device_that_is_removed_after_it_was_listed_is_left_out(
    name, tmp_path, capsys, monkeypatch
):
    """The second of two goes before it is read or, if rates are watched, between two looks."""
    here = Machine(tmp_path / "root", "vm-7.x-multi")
    here.add(1)
    looks = []

    class Going(pyzram.Zram):
        def stats(self):
            looks.append(self.name)
            if looks.count("zram1") == 1 + (name == "watch_rates"):
                (here.root / "sys/block/zram1").rename(tmp_path / "gone")
            return super().stats()

    def devices():
        opened = pyzram.device.device_list.DeviceList()
        opened.extend(Going(number, sysfs=pyzram.Sysfs(str(here.root))) for number in (0, 1))
        return opened

    monkeypatch.setattr(pyzram, "devices", devices)
    words = {
        "log_to_sqlite": [str(tmp_path / "log")],
        "watch_rates": ["1", "0"],
        "monitor_check": [],
        "compare_machines": ["--save", str(tmp_path / "saved")],
    }
    assert runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](*words[name]) == 0
    assert "zram1" not in capsys.readouterr().out


def test_idle_pages_are_written_back(tmp_path, capsys, monkeypatch):
    """On a captured kernel, to which the test adds what the real one would have moved: a page."""
    here = Machine(tmp_path / "root", "vm-7.x-multi")

    class Moving(pyzram.Zram):
        def writeback(self, *words, **more):
            super().writeback(*words, **more)
            here.attribute("bd_stat").write_text("13 34 57\n")
            memory = here.attribute("mm_stat")
            memory.write_text(memory.read_text().replace("2252800", "2248704"))

    example = runpy.run_path(str(EXAMPLES / "write_back_idle.py"))
    opened = partial(Moving, sysfs=pyzram.Sysfs(str(here.root)))
    monkeypatch.setattr(pyzram, "Zram", opened)
    assert example["main"]("zram0", "7") == 0
    assert capsys.readouterr().out == "4096 bytes written, 4096 bytes of memory freed\n"
    asked = {name: here.attribute(name).read_text() for name in ("idle", "writeback")}
    assert asked == {"idle": "7", "writeback": "idle"}
    here.attribute("backing_dev").write_text("none\n")
    assert example["main"]("zram0", "7") == 1
    assert "zram0: write back: No such device (it has no backing" in capsys.readouterr().err


def test_there_are_twelve():
    assert len(list(EXAMPLES.glob("*.py"))) == 12
