# SPDX-License-Identifier: MIT
"""Machines for tend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_roots import Machine
from tended_machines import OPEN, of_two_days

from pyzram.device import block_state
from pyzram.tend.machine import Clocks


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return of_two_days(tmp_path)


@pytest.fixture(autouse=True)
def offsets_are_places(monkeypatch):
    """Make offsets mean what they mean in the kernel's block_state; the tests' is a plain file."""

    def text_at(fd: int, size: int, place: int) -> bytes:
        lines = os.pread(fd, 1 << 24, 0).splitlines(keepends=True)
        left = [line for line in lines if int(line.split()[0]) >= place]
        return b"".join(left[: size // 40])

    monkeypatch.setattr(block_state, "_text_at", text_at)


@pytest.fixture(autouse=True)
def never_slept(monkeypatch):
    """Pretend so, whatever the machine that runs the tests did."""
    monkeypatch.setattr(Clocks, "boottime", Clocks.awake)


@pytest.fixture(autouse=True)
def closed():
    yield
    while OPEN:
        OPEN.pop().close()
