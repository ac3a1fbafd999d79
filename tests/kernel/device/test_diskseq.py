# SPDX-License-Identifier: MIT
"""What distinguishes a device from others that had its number."""

from __future__ import annotations

import pytest

import pyzram
from pyzram.errors import DeviceNotFoundError


def test_no_two_devices_have_one_diskseq():
    keys, numbers = set(), set()
    for _ in range(5):
        with pyzram.Zram.add() as device:
            numbers.add(device.number)
            keys.add(device.read_diskseq())
            assert device.read_diskseq() in keys
            with pyzram.Zram(device.number) as other:
                assert other.read_diskseq() in keys
    assert len(keys) == 5
    assert len(numbers) == 1  # the same one again: adding takes the lowest free number


def test_one_that_is_gone_has_none():
    with pyzram.Zram.add() as device:
        other = pyzram.Zram(device.number)
    with other, pytest.raises(DeviceNotFoundError):
        other.read_diskseq()
