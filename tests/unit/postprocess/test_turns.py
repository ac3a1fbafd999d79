# SPDX-License-Identifier: MIT
"""Runs of pyzram that take turns on a device."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyzram import own_files
from pyzram.errors import DeviceBusyError
from pyzram.kernel.sysfs import Sysfs
from pyzram.postprocess.bounded_steps import StepSizer
from pyzram.postprocess.turns import Turns, exclusive


@pytest.fixture
def device(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(name="zram9", path="/sys/block/zram9", sysfs=Sysfs(str(tmp_path)))


def test_turns_of_one_run_follow_each_other(device):
    turns = Turns(device)
    for _ in range(5):
        with turns.turn():
            pass


def test_whoever_comes_between_two_turns_is_noticed(device):
    turns = Turns(device)
    with turns.turn():
        pass
    with exclusive(device, StepSizer(0.0)):
        pass
    with pytest.raises(DeviceBusyError, match="came between"), turns.turn():
        raise AssertionError


def test_whoever_is_at_work_is_not_waited_for_longer_than_a_step(device, monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.turns.STEP_SECONDS", 0.01)
    with (
        exclusive(device, StepSizer(None)),
        pytest.raises(DeviceBusyError, match="is under way"),
        Turns(device).turn(),
    ):
        raise AssertionError


def test_where_nothing_can_be_noticed_all_turns_look_like_others(device, monkeypatch):
    def refused(*_given):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "ftruncate", refused)
    turns = Turns(device)
    with turns.turn():
        pass
    with pytest.raises(DeviceBusyError), turns.turn():
        raise AssertionError


def test_whoever_waits_comes_next_however_short_the_pause_between_turns(device, monkeypatch):
    """The lock is asked for five times a second, and is free for far less."""
    waits, real = threading.Event(), own_files.lock
    ours = threading.get_ident()

    def lock(path: str, seconds: float | None):
        if threading.get_ident() != ours and path.endswith("zram9"):
            waits.set()
        return real(path, seconds)

    monkeypatch.setattr(own_files, "lock", lock)
    came: list[float] = []

    def other() -> None:
        with exclusive(device, StepSizer(None)):
            came.append(time.monotonic())

    thread = threading.Thread(target=other)
    turns = Turns(device)
    steps = 0
    with turns.turn():
        thread.start()
        assert waits.wait(30)
        time.sleep(0.3)  # so that it asks seldom by now
    with pytest.raises(DeviceBusyError):
        while steps < 100_000:
            with turns.turn():
                steps += 1
    thread.join()
    assert came and steps == 0
