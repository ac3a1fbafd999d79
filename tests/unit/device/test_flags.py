# SPDX-License-Identifier: MIT
"""Switches accept only True and False: any text, even ``"0"``, would switch them on."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_roots import Machine

import pyzram
from pyzram.kernel.sysfs import Sysfs


@pytest.mark.parametrize("name", ["writeback_limit_enable", "compressed_writeback"])
@pytest.mark.parametrize("wrong", ["0", "no", "", None, 2])
def test_text_switches_nothing_on(tmp_path: Path, name: str, wrong: object) -> None:
    machine = Machine(tmp_path, "vm-7.x-multi")
    before = machine.attribute(name).read_text()
    with (
        pyzram.Zram(0, sysfs=Sysfs(machine.root)) as device,
        pytest.raises(pyzram.InvalidValueError, match=f"{name} .*: neither True nor False"),
    ):
        getattr(device, f"set_{name}")(wrong)
    assert machine.attribute(name).read_text() == before


def test_a_device_is_not_reset_for_an_invalid_setting(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "vm-7.x-multi")
    before = machine.attribute("reset").read_text()
    with (
        pyzram.Zram(0, sysfs=Sysfs(machine.root)) as device,
        pytest.raises(pyzram.InvalidValueError, match="compressed_writeback '0': neither"),
    ):
        device.configure(disksize="1G", compressed_writeback="0")  # type: ignore[arg-type]
    assert machine.attribute("reset").read_text() == before
