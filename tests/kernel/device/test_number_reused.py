# SPDX-License-Identifier: MIT
"""A handle whose device is gone, while another device that is in use has its number."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import pyzram

CALLS = {
    "umount": lambda device: device.umount(),
    "swapoff": lambda device: device.swapoff(),
    "remove": lambda device: device.remove(release=True),
    "reset": lambda device: device.reset(),
    "mkfs": lambda device: device.mkfs("ext4"),
    "mkswap": lambda device: device.mkswap(),
    "keep": lambda device: device.keep(),
    "read_mount_points": lambda device: device.read_mount_points(),
    "read_swap_area": lambda device: device.read_swap_area(),
    "read_block_state": lambda device: device.read_block_state(),
    "read_pool_classes": lambda device: device.read_pool_classes(),
    "slots": lambda device: list(pyzram.slots(device)),
    "has": lambda device: device.has("nothing"),
    "stats": lambda device: device.stats(),
}


def test_what_another_device_with_the_number_has_mounted_stays(tmp_path: Path) -> None:
    gone = pyzram.Zram.add()
    with pyzram.Zram(gone.number) as stale:
        gone.remove()
        with pyzram.Zram.add() as other:
            assert other.number == stale.number  # adding takes the lowest free number
            other.configure(disksize="64M")
            other.mkfs("ext4", options=["-O", "^has_journal"])
            other.mount(tmp_path)
            (tmp_path / "theirs").write_text("yes")
            for call in CALLS.values():
                with pytest.raises(pyzram.DeviceNotFoundError, match=stale.name) as caught:
                    call(stale)
                assert caught.value.errno in (errno.ENODEV, errno.ENOENT)
            assert stale.removed()
            assert (tmp_path / "theirs").read_text() == "yes"
            assert os.path.ismount(tmp_path)
            assert other.read_mount_points() == (str(tmp_path),)
            assert other.read_disksize() == 64 << 20


def test_what_another_device_with_the_number_swaps_stays() -> None:
    gone = pyzram.Zram.add()
    with pyzram.Zram(gone.number) as stale:
        gone.remove()
        with pyzram.Zram.add() as other:
            assert other.number == stale.number
            other.configure(disksize="16M")
            other.mkswap()
            other.swapon(priority=1)
            for call in CALLS.values():
                with pytest.raises(pyzram.DeviceNotFoundError, match=stale.name):
                    call(stale)
            area = other.read_swap_area()
            assert area is not None
            assert area.priority == 1


def test_a_closed_handle_unmounts_nothing(tmp_path: Path) -> None:
    with pyzram.Zram.add() as device:
        device.configure(disksize="64M")
        device.mkfs("ext4", options=["-O", "^has_journal"])
        device.mount(tmp_path)
        closed = pyzram.Zram(device.number)
        closed.close()
        with pytest.raises(pyzram.InvalidValueError, match="the handle is closed"):
            closed.umount()
        assert device.read_mount_points() == (str(tmp_path),)
        device.umount()
        assert device.read_mount_points() == ()
