# SPDX-License-Identifier: MIT
"""Only what a killed run of these tests has left is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import leftovers
import pytest
from kernel.conftest import OwnDevice

MAKER = f"""
import sys, time
sys.path.insert(0, {str(Path(leftovers.__file__).parent)!r})
import leftovers, pyzram
device = pyzram.Zram.add()
leftovers.hold(device.number)
device.configure(disksize="16M")
device.mkswap()
device.swapon(priority=1)
print(device.number, flush=True)
time.sleep(60)
"""


def test_a_killed_run_s_swap_is_taken_away_a_living_one_s_stays():
    with subprocess.Popen(
        [sys.executable, "-Ic", MAKER], stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        device = OwnDevice(int(maker.stdout.readline()))
        assert device.diskseq
        try:
            assert device.name not in leftovers.take_away()
            assert device.exists()
        finally:
            maker.kill()
    assert device.node in Path("/proc/swaps").read_text()
    assert device.name in leftovers.take_away()
    assert not device.exists()
    assert device.node not in Path("/proc/swaps").read_text()


def test_another_s_device_of_that_number_stays(
    zram_device: OwnDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(leftovers, "FOLDER", tmp_path)
    left = tmp_path / f"{zram_device.number}-{int(zram_device.diskseq) - 1}"
    left.touch()
    assert leftovers.take_away() == []
    assert zram_device.exists() and not left.exists()


def test_what_its_maker_takes_away_meanwhile_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(leftovers, "FOLDER", tmp_path)
    (tmp_path / "7-70").touch()
    opens = os.open

    def slowly(path, *words):
        Path(path).unlink()
        return opens(path, *words)

    monkeypatch.setattr(os, "open", slowly)
    assert leftovers.take_away() == []
