# SPDX-License-Identifier: MIT
"""The record of our devices when it, or the kernel, is not as it should be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyzram.errors import ZramError, ZramOSError
from pyzram.kernel.sysfs import Sysfs
from pyzram.service.registry import Registry


@pytest.fixture
def state(tmp_path: Path) -> Registry:
    """A machine on which the next device is zram7."""
    for directory in ("sys/class/zram-control", "sys/block/zram7", "run"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "sys/class/zram-control/hot_add").write_text("7\n")
    (tmp_path / "sys/block/zram7/diskseq").write_text("70\n")
    (tmp_path / "sys/block/zram7/initstate").write_text("0\n")
    return Registry("/zram", directory=str(tmp_path / "run"), sysfs=Sysfs(str(tmp_path)))


def test_a_device_that_is_added_is_recorded(state: Registry) -> None:
    with state:
        assert state.add_device(0, {"disksize": "4096"}).number == 7
    state.load()
    assert [record.number for record in state.records] == [7]
    assert state.records[0].settings == {"disksize": "4096"}, "known before it is configured"
    assert not os.path.exists(state.adding), "the number may be another's tomorrow"


def test_what_hot_add_says_is_not_hidden(state: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOMEM, "")

    monkeypatch.setattr("pyzram.service.registry.os.preadv", refuse)
    with state, pytest.raises(ZramOSError) as caught:
        state.add_device(0, {})
    assert caught.value.errno == errno.ENOMEM


@pytest.mark.parametrize(
    "line", ["device 0", "device 0 7 70", "device x 7 70 ready", "device 0 7 70 read", "junk", ""]
)
def test_a_damaged_record_is_refused_and_says_so(state: Registry, line: str) -> None:
    Path(state.path).write_text(f"boot unknown\n{line}\n")
    with pytest.raises(ZramError, match="it is damaged"):
        state.load()


@pytest.mark.parametrize("text", ["", "0", "0 ", "x 7", "0 7 7", "0 \u00b2", "\0\0"])
def test_an_addition_that_says_nothing_is_none(state: Registry, text: str) -> None:
    Path(state.adding).write_text(text)
    state.load()
    assert state.records == []
