# SPDX-License-Identifier: MIT
"""What tells a device from others that had its number, with diskseq and as if there were none."""

from __future__ import annotations

import errno

import pytest

import pyzram
from pyzram.device.key import key_of
from pyzram.errors import DeviceNotFoundError, UnsupportedError


@pytest.mark.parametrize("told", [True, False])
def test_no_two_devices_have_one_key(monkeypatch, told):
    if not told:

        def lacks(_device):
            raise UnsupportedError(errno.ENOENT, "no diskseq")

        monkeypatch.setattr(pyzram.Zram, "read_diskseq", lacks)
    keys, numbers = set(), set()
    for _ in range(5):
        with pyzram.Zram.add() as device:
            numbers.add(device.number)
            keys.add(key_of(device))
            assert key_of(device) in keys
            with pyzram.Zram(device.number) as other:
                assert key_of(other) in keys
    assert len(keys) == 5
    assert len(numbers) == 1  # the same one again: adding takes the lowest that is free


def test_one_that_is_gone_has_none():
    with pyzram.Zram.add() as device:
        other = pyzram.Zram(device.number)
    with other, pytest.raises(DeviceNotFoundError):
        key_of(other)
