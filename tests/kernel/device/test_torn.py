# SPDX-License-Identifier: MIT
"""An exclusive check of a device leaves no descriptor behind, wherever a signal handler raises."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kernel.conftest import OwnDevice
from torn import at_each_instruction

import pyzram
from pyzram import _native
from pyzram.device.swap import refuse_used


class Torn(BaseException):
    """What a program's own handler raises."""


def happens() -> None:
    raise Torn


def nodes() -> list[str]:
    """Descriptors of this process that are zram devices."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue  # that of the folder
    return [path for path in found if path.startswith("/dev/zram")]


def test_a_look_that_is_interrupted_leaves_nothing_open(
    add_zram: Callable[[], OwnDevice],
) -> None:
    own = add_zram()
    with pyzram.Zram(own.number) as device:
        device.configure(disksize=1 << 20)

        def work() -> None:
            try:
                refuse_used(device, "look")
            except Torn:
                assert nodes() == []

        functions = (refuse_used, _native.blkdev_unused, _native.check)
        count = at_each_instruction(work, {function.__code__ for function in functions}, happens)
        assert count > 20
        # Such a descriptor used to keep the device from ever being removed.
        device.remove()
    assert not own.exists()


def test_a_descriptor_would_be_seen(zram_device: OwnDevice) -> None:
    with pyzram.Zram(zram_device.number) as device:
        device.configure(disksize=1 << 20)
    fd = _native.blkdev_open(zram_device.node)
    try:
        assert nodes() == [zram_device.node]
        with pytest.raises(pyzram.DeviceBusyError), pyzram.Zram(zram_device.number) as device:
            device.reset()
    finally:
        os.close(fd)
