# SPDX-License-Identifier: MIT
"""Absence has one form: if a kernel lacks something, reading fails and snapshots have ``None``."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from fake_roots import Machine

import pyzram
from pyzram.errors import UnsupportedError
from pyzram.hints import as_written
from pyzram.kernel.figures import BY_NAME
from pyzram.kernel.sysfs import Sysfs

# Read from another file than the attribute they are named after.
FILES = {
    "algorithms": "comp_algorithm",
    "backing_file": "backing_dev",
    "recomp_algorithms": "recomp_algorithm",
}
# Not part of this kernel's zram: the file asked for is in /proc, which every kernel has.
ELSEWHERE = {"swap_area", "mount_points"}
DEBUGFS = {"block_state", "pool_classes"}
# What every kernel since 6.1 has, whatever it was built with; the rest depends on it.
OPTIONAL = {"recomp_algorithms", "bd_stat", "debug_stat", "backing_dev"}


def readers() -> list[str]:
    found = []
    for name, function in inspect.getmembers(pyzram.Zram, inspect.isfunction):
        if name.startswith("read_") and len(inspect.signature(function).parameters) == 1:
            found.append(name.removeprefix("read_"))
    return sorted(set(found) - ELSEWHERE)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "vm-7.x-multi")


@pytest.mark.parametrize("name", readers())
def test_a_read_of_what_the_kernel_lacks_says_so(machine, name):
    attribute = machine.attribute(FILES.get(name, name))
    assert name in DEBUGFS or attribute.exists() or name in BY_NAME
    attribute.unlink(missing_ok=True)
    with pyzram.Zram(0, sysfs=Sysfs(machine.root)) as device:
        with pytest.raises(UnsupportedError) as caught:
            getattr(device, f"read_{name}")()
        assert caught.value.errno
    if name in OPTIONAL:
        with pyzram.Zram(0, sysfs=Sysfs(machine.root)) as device:
            assert getattr(device.stats(), name) is None


def test_a_snapshot_has_none_for_what_a_kernel_may_lack_alone(machine):
    hints = as_written(pyzram.Stats)
    none = {name for name, hint in hints.items() if hint.endswith("| None")}
    # The kernel may mark no algorithm, and a device need not be swap.
    assert none == OPTIONAL | {"comp_algorithm", "swap"}


@pytest.mark.parametrize("name", ["recomp_algorithms", "bd_stat", "backing_dev", "mm_stat"])
def test_what_cannot_be_read_is_no_absence(machine, name):
    file = machine.attribute(FILES.get(name, name))
    file.unlink()
    file.mkdir()  # so reading it is an error, for root too
    with pyzram.Zram(0, sysfs=Sysfs(machine.root)) as device:
        for call in (getattr(device, f"read_{name}"), device.stats):
            with pytest.raises(pyzram.ZramOSError) as caught:
                call()
            assert not isinstance(caught.value, UnsupportedError)
