# SPDX-License-Identifier: MIT
"""Proactive reclaim: what is asked of whom, and when of nobody."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import _native
from pyzram.cli.tend import configured, reclaimed
from pyzram.config.parser import ConfigError, parse_config
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.reclaim import MIB, MOST, Group, Reclaimer, System, refusal, wanted

GIB = 1 << 30
AT_WORK = System(4 * GIB, GIB, 2 * GIB, GIB, damon=False)
PSI = "some avg10={} avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0"

groups = st.builds(
    Group,
    name=st.just("user.slice"),
    current=st.integers(0, 1 << 50),
    protected=st.integers(0, 1 << 50) | st.just(float("inf")),
    some10=st.none() | st.floats(0, 100),
)


@given(groups)
def test_what_is_asked_for_is_bounded(group):
    size = wanted(group)
    assert 0 <= size <= min(MOST, group.current / 2000)
    assert size == 0 or group.current - size >= group.protected
    if group.some10 is None or group.some10 >= 0.1:
        assert size == 0


@given(groups, st.floats(0, 1), st.floats(0, 1))
def test_who_waits_longer_is_asked_for_less(group, one, other):
    less, more = sorted((one, other))
    assert wanted(group._replace(some10=more)) <= wanted(group._replace(some10=less))


def test_the_rule_at_single_points():
    group = Group("a", 2 * GIB, 0, 0.0)
    assert wanted(group) == 2 * GIB // 2000
    assert wanted(group._replace(some10=0.05)) == pytest.approx(GIB / 2000, abs=1)
    assert wanted(group._replace(current=1000 * GIB)) == MOST == 64 * MIB
    assert wanted(group._replace(protected=2 * GIB - 8192)) == 8192
    assert wanted(group._replace(current=4 * MIB)) == 0  # not a page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"damon": True}, "DAMON_RECLAIM is on"),
        ({"damon": None}, "whether DAMON_RECLAIM is on cannot be told"),
        ({"swap": 0}, "no swap on zram"),
        ({"swap_used": 1.6 * GIB}, "more than 75% of the swap on zram is used"),
        ({"available": 2.1 * GIB}, "more than 50% of memory is available"),
    ],
)
def test_when_nobody_is_asked(changes, reason):
    assert refusal(AT_WORK._replace(**changes)) == reason


def machine(root: Path) -> Sysfs:
    """Short of memory, with swap on zram, and one control group."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text("MemTotal: 4194304 kB\nMemAvailable: 1048576 kB\n")
    (root / "proc/swaps").write_text(
        "Filename Type Size Used Priority\n/dev/zram0 partition 2097152 1048576 100\n"
        "/dev/sda2 partition 9999999 9999999 -2\n"
    )
    group(root, "user.slice", 2 * GIB)
    return Sysfs(str(root))


def group(root: Path, name: str, current: int, **files: str) -> Path:
    folder = root / "sys/fs/cgroup" / name
    folder.mkdir(parents=True)
    contents = {"current": f"{current}\n", "low": "0\n", "min": "0\n", "reclaim": ""}
    contents |= {"pressure": PSI.format("0.00"), **files}
    for file, text in contents.items():
        (folder / f"memory.{file}").write_text(text)
    return folder


def test_named_groups_are_asked_and_no_others(tmp_path):
    sysfs = machine(tmp_path)
    kept = group(tmp_path, "system.slice/kept", GIB, low="max\n")
    busy = group(tmp_path, "busy", GIB, pressure=PSI.format("0.30"))
    other = group(tmp_path, "other", GIB)
    told: list[str] = []
    reclaimer = Reclaimer(sysfs, told.append)
    assert reclaimed(reclaimer) == {}
    reclaimer.names = ("user.slice", "system.slice/kept", "busy", "gone")
    reclaimer.step()
    size = str(2 * GIB // 2000)
    assert (tmp_path / "sys/fs/cgroup/user.slice/memory.reclaim").read_text() == size
    assert {(folder / "memory.reclaim").read_text() for folder in (kept, busy, other)} == {""}
    assert reclaimed(reclaimer)["reclaim"]["asked"]["user.slice"] == 2 * GIB // 2000
    assert told == []
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n")
    reclaimer.step()
    assert reclaimer.reason == "no swap on zram"
    assert reclaimer.asked == {"user.slice": 2 * GIB // 2000}


def test_what_cannot_be_asked_is_told_once(tmp_path, monkeypatch):
    sysfs = machine(tmp_path)
    (tmp_path / "sys/fs/cgroup/v1").mkdir()
    told: list[str] = []
    reclaimer = Reclaimer(sysfs, told.append)
    reclaimer.names = ("user.slice", "v1")

    numbers = [errno.EAGAIN, errno.EACCES, errno.EACCES, errno.ENOENT]

    def write(path, value):
        raise OSError(numbers.pop(0), "no", path)

    monkeypatch.setattr(_native, "attr_write", write)
    while numbers:
        reclaimer.step()
    assert told == [
        "control group v1: no memory.current: not of cgroup v2, or without memory controller",
        "control group user.slice: ask for memory: no",
        "control group user.slice: no memory.reclaim (Linux 5.19)",
    ]
    assert reclaimer.asked["user.slice"] == 2 * GIB // 2000  # EAGAIN: as much as there was


def unreadable(monkeypatch, code: int, *ends: str) -> None:
    """Let files with these ends answer an errno, whoever asks."""
    real = os.open

    def refuse(path, *words, **named):
        if str(path).endswith(ends):
            raise OSError(code, os.strerror(code), path)
        return real(path, *words, **named)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("kind", ["low", "min", "current", "pressure"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_a_group_that_cannot_be_read_is_not_taken_for_another(tmp_path, monkeypatch, kind, code):
    """Neither for one without protection, nor for one of cgroup v1, nor for one without psi."""
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("user.slice",)
    with monkeypatch.context() as patch:
        unreadable(patch, code, f"user.slice/memory.{kind}")
        reclaimer.step()
        reclaimer.step()
    (line,) = told
    assert line.endswith(f"memory.{kind}: read: {os.strerror(code)}")
    assert reclaimer.asked == {} and list(reclaimer.left_out) == ["user.slice"]
    reclaimer.step()
    assert reclaimer.asked and reclaimer.left_out == {} and told == [line]


def test_a_group_that_is_gone_or_tells_no_pressure_is_no_error(tmp_path, monkeypatch):
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("gone", "user.slice")
    unreadable(monkeypatch, errno.EOPNOTSUPP, "memory.pressure")  # psi=0
    reclaimer.step()
    assert reclaimer.left_out == {"gone": "no such control group now"} and reclaimer.asked == {}
    assert told == ["control group user.slice: the kernel tells no pressure of it (psi=1)"]


def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_gone(tmp_path, monkeypatch):
    """By a file in its place: what is asked of below it gives ENOTDIR; a loop gives ELOOP."""
    folder = tmp_path / "sys/fs/cgroup"
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    (folder / "loop").symlink_to("loop")
    (folder / "file").write_text("")
    reclaimer.names = ("loop", "file/below")
    reclaimer.step()
    assert reclaimer.left_out["file/below"] == "no such control group now"
    (line,) = told
    assert os.strerror(errno.ELOOP) in line


def test_whether_damon_reclaims_is_not_guessed(tmp_path, monkeypatch):
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("user.slice",)
    enabled = tmp_path / "sys/module/damon_reclaim/parameters/enabled"
    enabled.parent.mkdir(parents=True)
    enabled.write_text("Y\n")
    with monkeypatch.context() as patch:
        unreadable(patch, errno.EACCES, "damon_reclaim/parameters/enabled")
        reclaimer.step()
        reclaimer.step()
    assert reclaimer.reason == "whether DAMON_RECLAIM is on cannot be told"
    assert len(told) == 1 and told[0].endswith(os.strerror(errno.EACCES))
    reclaimer.step()
    assert reclaimer.reason == "DAMON_RECLAIM is on" and reclaimer.asked == {}


def test_a_stop_is_heeded_between_groups(tmp_path):
    reclaimer = Reclaimer(machine(tmp_path), print)
    group(tmp_path, "system.slice", GIB)
    reclaimer.names = ("user.slice", "system.slice")
    reclaimer.stopping = lambda: bool(reclaimer.asked)
    reclaimer.step()
    assert list(reclaimer.asked) == ["user.slice"]


def test_the_configuration_names_groups(tmp_path):
    path = tmp_path / "zram"
    path.write_text('ZRAM_SIZE_0=64M\nTEND_RECLAIM="/user.slice system.slice user.slice"\n')
    assert configured(str(path))[2] == ("user.slice", "system.slice")
    path.write_text("TEND=no\nTEND_RECLAIM=user.slice\n")
    assert configured(str(path))[2] == ()
    assert parse_config("ZRAM_SIZE_0=64M\n", ram=GIB, cpus=1).tend_reclaim == ()
    for wrong in ("/", "../etc", "a//b", "./a"):
        with pytest.raises(ConfigError, match="TEND_RECLAIM"):
            parse_config(f"TEND_RECLAIM='{wrong}'\n", ram=GIB, cpus=1)
