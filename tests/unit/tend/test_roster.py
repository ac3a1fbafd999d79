# SPDX-License-Identifier: MIT
"""The handles of devices: open while a device is tended, closed once it is not."""

from __future__ import annotations

import errno

import pytest
from fake_roots import Machine

from pyzram.device.zram import Zram
from pyzram.errors import DeviceNotFoundError, ZramOSError
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.roster import Roster
from pyzram.tend.state import Unfinished


@pytest.fixture
def roster(machine: Machine):
    machine.add(1)
    machine.attribute("diskseq", 1).write_text("99\n")
    found = Roster(Sysfs(str(machine.root)), lambda: [0, 1])
    yield found
    found.close()


def is_open(device: Zram) -> bool:
    try:
        device.read_disksize()
    except ValueError:
        return False
    return True


def test_one_that_is_no_longer_named_is_closed(roster: Roster):
    zero, one = roster.enumerate(set())
    roster.numbers = lambda: [0]
    assert roster.enumerate(set()) == [zero]
    assert (is_open(zero.device), is_open(one.device)) == (True, False)
    assert list(roster.known) == [zero.key]


def test_one_that_is_gone_is_closed_and_another_opened_in_its_place(
    roster: Roster, machine: Machine, monkeypatch
):
    zero, one = roster.enumerate(set())
    real = Zram.read

    def read(device: Zram, name: str):
        if device is one.device:
            raise DeviceNotFoundError(errno.ENODEV, "zram1: disksize: No such device", None)
        return real(device, name)

    machine.attribute("diskseq", 1).write_text("100\n")
    monkeypatch.setattr(Zram, "read", read)
    again, other = roster.enumerate(set())
    monkeypatch.undo()
    assert again is zero and other.key == "100" and is_open(other.device)
    assert not is_open(one.device)
    assert roster.known.keys() == {zero.key, "100"}


def test_one_that_cannot_be_read_for_a_moment_stays(roster: Roster, monkeypatch):
    before = roster.enumerate(set())

    def read(_device: Zram, _name: str):
        raise ZramOSError(errno.EIO, "disksize: Input/output error", None)

    monkeypatch.setattr(Zram, "read", read)
    assert roster.enumerate(set()) == before
    monkeypatch.undo()
    assert all(is_open(one.device) for one in before)


def test_an_interruption_closes_only_what_was_just_opened(roster: Roster, monkeypatch):
    roster.numbers = lambda: [0]
    (zero,) = roster.enumerate(set())
    roster.numbers = lambda: [0, 1, 2]
    real, opened = roster._open, []

    def interrupted(number: int, errors: set[str]):
        if number == 2:
            raise KeyboardInterrupt
        opened.append(real(number, errors))
        return opened[-1]

    monkeypatch.setattr(roster, "_open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        roster.enumerate(set())
    assert is_open(zero.device) and not is_open(opened[0].device)
    assert roster.known == {zero.key: zero}


def test_what_an_earlier_process_left_is_given_once(roster: Roster):
    left = Unfinished(limit=4096)
    roster.before = {"99": left, "7": Unfinished(limit=1)}
    _zero, one = roster.enumerate(set())
    assert one.unfinished() == left
    assert roster.before.keys() == {"7"}  # which is not here, and may come
