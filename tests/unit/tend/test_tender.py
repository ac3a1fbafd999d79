# SPDX-License-Identifier: MIT
"""The daemon's looks and steps on made-up machines, with the test's own clocks and worker."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from fake_roots import Machine, unreadable
from tended_machines import HOUR, MIB, Steps, Watch, press, tender

from pyzram.cli import pyzram as command
from pyzram.cli.tend.report import report_dict, round_line
from pyzram.device.zram import Zram
from pyzram.errors import (
    BlockedError,
    DeviceBusyError,
    DeviceNotFoundError,
    UnsupportedError,
    ZramOSError,
)
from pyzram.kernel.holders import block_size
from pyzram.kernel.psi import read_pressure
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend import ages
from pyzram.tend.actions import Compact, Recompress, WriteBack
from pyzram.tend.ledger import Ledger
from pyzram.tend.machine import Battery, Clocks, read_battery, read_clock
from pyzram.tend.medium import medium_of
from pyzram.tend.recompressing import gain
from pyzram.tend.tended import Tended
from pyzram.tend_status import NAME, write_status


def test_calm_round_writes_what_is_two_days_old_within_an_eighth_of_the_budget(machine):
    tending, writer = tender(machine, Watch())
    report = tending.round()
    assert report.decision.state.mode == "calm"
    assert report.written == 32 * MIB  # of 256 MiB for a card
    pages = {page for ranges, _ in writer.steps for first, last in ranges
             for page in range(first, last + 1)}  # fmt: skip
    assert max(pages) < 10000  # none that is young
    assert tending.ledger.left("1b534d30", 256 * MIB) == 224 * MIB
    assert tending.round().written == 0


def test_medium_is_found_below_a_partition_and_has_its_budget(machine):
    found = medium_of(Sysfs(str(machine.root)), "/dev/mmcblk0p3")
    assert found == ("1b534d30", "card", "mmcblk0")


@pytest.mark.skipif(os.geteuid() != 0, reason="a device node takes root")
def test_a_mapping_is_known_by_its_number_whatever_its_node_is_called(machine, tmp_path):
    """Without udev, dmsetup makes /dev/mapper/NAME a node; a path is no name of the kernel's."""
    node = tmp_path / "dev/mapper/cache"
    node.parent.mkdir(parents=True)
    try:
        os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(254, 7))
    except PermissionError:
        pytest.skip("no device nodes here")
    mapping = tmp_path / "sys/devices/virtual/block/dm-7"
    (mapping / "slaves").mkdir(parents=True)
    (mapping / "slaves/mmcblk0p3").symlink_to(tmp_path / "sys/class/block/mmcblk0p3")
    (mapping / "size").write_text("2048\n")
    (tmp_path / "sys/dev/block").mkdir(parents=True, exist_ok=True)
    (tmp_path / "sys/dev/block/254:7").symlink_to(mapping)
    (tmp_path / "sys/class/block/dm-7").symlink_to(mapping)
    sysfs = Sysfs(str(tmp_path))
    assert block_size(sysfs, "/dev/mapper/cache") == MIB
    assert medium_of(sysfs, "/dev/mapper/cache") == ("1b534d30", "card", "mmcblk0")


def test_never_more_than_the_budget_in_a_day_whatever_the_pressure(machine):
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.budget = 64 * MIB
    total = 0
    for turn in range(60):
        press(machine.root, 90.0, total=turn * 10_000_000, available=1000)
        total += tending.round("some").written
        watch.now += 61
    assert 60 * MIB <= total <= 64 * MIB


@pytest.mark.parametrize("age", [48 * HOUR, 48 * HOUR + 0.5, 48 * HOUR + 1])
def test_times_cut_to_whole_seconds_make_no_page_older(machine, age):
    """7.x shows 800000 for a page that was used at 800000.993."""
    watch = Watch()
    watch.now = 800000 + age
    tending, writer = tender(machine, watch)
    tending.round()
    assert bool(writer.steps) == (age >= 48 * HOUR + 1)


def used_meanwhile(machine: Machine, places: range) -> None:
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    lines = state.read_text().split("\n")
    for place in places:
        lines[place] = f"{place:12} {1000000:12}.000000 ......"
    state.write_text("\n".join(line for line in lines if line))


def used_after_the_first_step(machine, writer, places: range) -> None:
    write = writer.write_pages

    def slowly(device, ranges, limit):
        write(device, ranges, limit)
        if len(writer.steps) == 1:
            used_meanwhile(machine, places)

    writer.write_pages = slowly


def test_what_is_used_while_a_round_goes_on_is_not_written(machine):
    """Pages are written by place, so by then another page, a moment old, may be there."""
    tending, writer = tender(machine, Watch())
    used_after_the_first_step(machine, writer, range(300, 500))
    tending.round()
    ranges = [piece for step, _ in writer.steps for piece in step]
    pages = [page for first, last in ranges for page in range(first, last + 1)]
    assert len(pages) > 2000 and len(set(pages)) == len(pages)
    assert not set(pages) & set(range(300, 500))


def test_a_step_with_nothing_left_of_it_ends_no_round(machine):
    tending, writer = tender(machine, Watch())
    used_after_the_first_step(machine, writer, range(256, 2000))
    assert tending.round().written > 4 * MIB
    assert all(first >= 2000 for step, _ in writer.steps[1:] for first, _ in step)


def test_sleep_between_the_look_and_the_act_makes_no_page_older(machine):
    watch = Watch()
    watch.now = 800000 + 47 * HOUR
    tending, _ = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    action = WriteBack("zram0", 48 * HOUR, 1 << 30, 48 * HOUR)
    watch.asleep += 10 * HOUR
    assert list(tending.writing.pieces(one, action, 1 << 30)) == []


def test_many_short_sleeps_are_a_long_one(machine):
    watch = Watch()
    watch.now = 800000 + 48 * HOUR - 100
    tending, _ = tender(machine, watch)
    for _ in range(200):
        watch.now += 0.1
        watch.asleep += 0.9
        tending.observer.look()
    (one,) = tending.roster.known.values()
    action = WriteBack("zram0", 48 * HOUR, 1 << 30, 48 * HOUR)
    assert watch.boottime() - 800000 > 48 * HOUR + 90
    assert list(tending.writing.pieces(one, action, 1 << 30)) == []


def test_a_hold_up_between_two_clocks_is_no_sleep(machine, monkeypatch):
    """What was once mistaken for sleep would be missing from every real sleep after it."""
    watch = Watch()
    watch.now = 800000 + 47 * HOUR
    tending, _ = tender(machine, watch)
    real, held = watch.boottime, [3000.0]

    def boottime():
        watch.now += held.pop() if held else 0.0
        return real()

    monkeypatch.setattr(watch, "boottime", boottime)
    tending.observer.look()
    assert tending.sleeps.slept == 0 and tending.sleeps.resumed < 0
    watch.asleep += 2000
    tending.observer.look()
    assert tending.sleeps.slept == 2000


class Marks:
    """The marks on a device without block_state: when each was set, by the age that it was for."""

    def __init__(self, machine, monkeypatch, recompression: bool, clears: bool = True) -> None:
        self.asked: list[int | None] = []
        (machine.root / "sys/kernel/debug/zram/zram0/block_state").unlink()
        machine.attribute("recomp_algorithm").write_text("#1: [zstd]\n" if recompression else "")
        if not clears:
            machine.attribute("writeback_batch_size").unlink()
        monkeypatch.setattr(Zram, "mark_idle", lambda _device, age=None: self.asked.append(age))


def test_without_block_state_ages_are_rounded_up_for_the_kernel(machine, monkeypatch):
    marks = Marks(machine, monkeypatch, recompression=False)
    tending, _ = tender(machine, Watch())
    tending.observer.look()
    (one,) = tending.roster.known.values()
    assert not one.tells_ages
    pieces = tending.writing.pieces(one, WriteBack("zram0", 7200.25, MIB, 7200.25), MIB)
    assert next(iter(pieces)) == [] and one.idle_age == 7202  # before each step again
    assert marks.asked == [7202]


def test_where_marks_stay_a_younger_age_leaves_none_for_an_older_one(machine, monkeypatch):
    """6.1 takes no mark away by age, so those for raw pages would stand for all.

    Having algorithm_params, like 6.12, does not mean that a kernel does.
    """
    marks = Marks(machine, monkeypatch, recompression=False, clears=False)
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    huge = WriteBack("zram0", 3 * HOUR, MIB, 48 * HOUR, huge=True)
    every = WriteBack("zram0", 24 * HOUR, MIB, 48 * HOUR)
    written = []
    for hour in range(30):
        for action in (huge, every):
            if next(iter(tending.writing.pieces(one, action, MIB)), None) is not None:
                written.append((hour, action.huge))
        watch.now += HOUR
    assert set(marks.asked) == {None}
    assert written[0] == (3, True) and written[-4:-2] == [(24, True), (24, False)]
    assert [hour for hour, huge in written if not huge] == [24]


def test_without_block_state_recompression_marks_nothing_that_writing_takes(machine, monkeypatch):
    marks = Marks(machine, monkeypatch, recompression=True)
    watch = Watch()
    tending, writer = tender(machine, watch)
    done = []
    writer.recompression = lambda _device, _huge, _pages: Steps(lambda: done.append(1))
    tending.observer.look()
    (one,) = tending.roster.known.values()
    write = WriteBack("zram0", 24 * HOUR, MIB, 48 * HOUR)
    recompress = Recompress("zram0", 6 * HOUR, 5.0)
    for hour in range(25):
        found = next(iter(tending.writing.pieces(one, write, MIB)), None)
        tending.recompressing.recompress(one, recompress, writes=True)
        assert (found is not None) == bool(done) == (hour == 24)
        watch.now += HOUR
    assert done == [1] and marks.asked == [None]  # of those that were marked for writing
    # If nothing may be written, it goes by its own age, and marks everything again after that.
    tending.recompressing.recompress(one, recompress)
    assert done == [1, 1] and marks.asked == [None, 6 * 3600 + 1] and one.marked is None


def test_recompression_goes_by_marks_only_where_some_were_set(machine, monkeypatch):
    """Otherwise it would find none to recompress, and the policy would see a poor gain."""
    Marks(machine, monkeypatch, recompression=True)
    tending, _ = tender(machine, Watch())
    ages = []

    def busy(_device, age=None):
        if age is None:
            raise DeviceBusyError(16, "zram0: idle: Device or resource busy", None)
        ages.append(age)

    monkeypatch.setattr(Zram, "mark_idle", busy)
    seen, decision = tending.decide()
    actions = (WriteBack("zram0", 24 * HOUR, MIB, 48 * HOUR), Recompress("zram0", 6 * HOUR, 5.0))
    monkeypatch.setattr(
        tending, "decide", lambda _trigger: (seen, decision._replace(actions=actions))
    )
    tending.round()
    assert ages == [6 * 3600 + 1]


@pytest.mark.parametrize("backing", [True, False])
def test_where_ages_are_unknown_pages_are_recompressed_once_their_marks_are_old(
    machine, monkeypatch, backing
):
    """Whether or not there is a backing device whose writeback sets marks."""
    marks = Marks(machine, monkeypatch, recompression=True)

    def mark_idle(_device: Zram, age: int | None = None) -> None:
        if age is not None:
            raise UnsupportedError(errno.EINVAL, "zram0: idle: Invalid argument", None)
        marks.asked.append(age)

    monkeypatch.setattr(Zram, "mark_idle", mark_idle)
    if not backing:
        machine.attribute("backing_dev").write_text("none\n")
    watch, done = Watch(), []
    start = watch.now
    tending, writer = tender(machine, watch)

    def recompression(_device: Zram, huge: bool, _pages: int) -> Steps:
        return Steps(lambda: done.append(((watch.now - start) / HOUR, huge)))

    writer.recompression = recompression
    tending.observer.look()
    (one,) = tending.roster.known.values()
    for _hour in range(9):
        for huge in (True, False):
            tending.recompressing.recompress(one, Recompress("zram0", 6 * HOUR, 5.0, huge))
        assert (one.gain is None) == (not done)
        watch.now += HOUR
    # Those that are marked then, and all again at the next occasion.
    assert done == [(6, True), (6, False)]
    assert marks.asked == [None, None]


def test_sleep_makes_no_page_older_and_holds_for_two_minutes(machine):
    watch = Watch()
    watch.now = 800000 + 47 * HOUR
    tending, writer = tender(machine, watch)
    tending.observer.look()
    watch.now += 60
    watch.asleep += 10 * HOUR
    (reason,) = tending.round().decision.reasons
    assert reason == "slept less than two minutes ago, as far as is known"
    watch.now += 120
    tending.round()
    assert writer.steps == []  # 47 hours awake, and more only by the clock
    watch.now += 61 * 60
    tending.round()
    assert writer.steps


def test_a_device_that_is_named_twice_is_one(machine):
    tending, _ = tender(machine, Watch())
    tending.roster.numbers = lambda: [0, 0]
    (first,) = tending.roster.enumerate(set())
    (again,) = tending.roster.enumerate(set())
    assert again is first  # and with it the ages it remembers
    assert len(tending.round().seen.devices) == 1


def test_start_holds_and_battery_holds(machine):
    watch = Watch()
    tending, writer = tender(machine, watch, at_once=False)
    assert tending.round().decision.reasons == ("just started",)
    watch.now += 300
    battery(machine.root, "BAT0", 15)
    assert tending.round().decision.reasons == ("battery at 15 %",)
    assert writer.steps == []


def battery(root: Path, name: str, percent: int, status: str = "Discharging", scope: str = ""):
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True)
    (folder / "type").write_text("Battery\n")
    (folder / "status").write_text(status + "\n")
    (folder / "capacity").write_text(f"{percent}\n")
    if scope:
        (folder / "scope").write_text(scope + "\n")


def test_battery_of_a_mouse_and_a_charging_one_do_not_count(tmp_path):
    sysfs = Sysfs(str(tmp_path))
    assert read_battery(sysfs) == (None, "")
    battery(tmp_path, "mouse", 5, scope="Device")
    battery(tmp_path, "BAT0", 9, status="Charging")
    assert read_battery(sysfs) == (None, "")
    battery(tmp_path, "BAT1", 70)
    battery(tmp_path, "BAT2", 60)
    battery(tmp_path, "BAT3", 80)
    assert read_battery(sysfs) == (60, "")


@pytest.mark.parametrize("attribute", ["type", "scope", "status", "capacity", ""])
def test_a_battery_that_cannot_be_read_is_no_mains(machine, monkeypatch, attribute):
    tending, writer = tender(machine, Watch())
    battery(machine.root, "BAT0", 90)
    at = str(machine.root / "sys/class/power_supply" / (f"BAT0/{attribute}" if attribute else ""))
    name = "open" if attribute else "listdir"
    real = getattr(os, name)

    def fails(path, *words, **more):
        if str(path).rstrip("/") == at.rstrip("/"):
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path, *words, **more)

    monkeypatch.setattr(os, name, fails)
    report = tending.round()
    at = at.rstrip("/")
    assert report.decision.reasons == (f"the battery cannot be read: {at}: Input/output error",)
    assert report.decision.state.mode == "held"
    monkeypatch.undo()
    if attribute != "scope":
        # What a worn-out battery does not report is taken neither for full nor for empty.
        (machine.root / "sys/class/power_supply/BAT0/capacity").write_text("\n")
        assert tending.round().decision.reasons[0].endswith("BAT0/capacity: no percentage")
    assert writer.steps == []


@pytest.mark.parametrize("resource", ["memory", "io", "cpu"])
def test_pressure_that_cannot_be_read_is_no_kernel_without_it(
    machine, monkeypatch, capsys, resource
):
    tending, _ = tender(machine, Watch())
    path = machine.root / "proc/pressure" / resource
    with monkeypatch.context() as patch:
        unreadable(patch, errno.EIO, f"proc/pressure/{resource}")
        report = tending.round()
    assert report.decision.reasons == (f"pressure cannot be read: {path}: Input/output error",)
    assert report.written == 32 * MIB
    path.write_text("some\n")
    assert tending.observer.look().pressure_error == f"{path}: not as the kernel documents it"
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    assert f"pressure: cannot be read: {path}: not as" in capsys.readouterr().out


def test_a_kernel_without_pressure_has_none(machine, monkeypatch):
    sysfs, errors = Sysfs(str(machine.root)), []
    with monkeypatch.context() as patch:  # psi=0
        unreadable(patch, errno.EOPNOTSUPP, "proc/pressure/memory")
        assert read_pressure(sysfs, "memory", errors) is None
    (machine.root / "proc/pressure/memory").unlink()
    assert read_pressure(sysfs, "memory", errors) is None
    assert errors == []


def test_which_start_of_the_machine_this_is_must_be_told(machine, monkeypatch):
    sysfs, boot = Sysfs(str(machine.root)), machine.root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text("1-2\n")
    assert read_clock(sysfs, Watch()).boot == "1-2"
    unreadable(monkeypatch, errno.EIO, str(boot))
    with pytest.raises(ZramOSError, match="boot_id") as caught:
        read_clock(sysfs, Watch())
    assert caught.value.errno == errno.EIO
    assert read_clock(sysfs, Watch(), "1-2").boot == "1-2"  # it is known by then
    monkeypatch.undo()
    boot.unlink()
    # Without one, no two boots are the same, so everything is charged again.
    assert read_clock(sysfs, Watch()).boot != read_clock(sysfs, Watch()).boot


def test_a_device_that_the_kernel_does_not_number_is_not_tended(machine, capsys):
    """Before 5.15 there is no diskseq, and by name alone it could get another's ages and budget."""
    machine.attribute("diskseq").unlink()
    tending, _ = tender(machine, Watch())
    assert not tending.observer.look().devices
    assert "zram0: read diskseq: this kernel has no attribute diskseq" in capsys.readouterr().out


def test_failing_medium_is_charged_for_nothing_and_left_alone(machine, capsys):
    watch = Watch()
    tending, writer = tender(machine, watch)
    writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
    assert tending.round().written == 0
    assert "Input/output error" in capsys.readouterr().out
    assert tending.ledger.written("1b534d30") == 0
    watch.now += HOUR
    decision = tending.round().decision
    assert decision.reasons == ("zram0: held for 60 s more",)


@pytest.mark.parametrize("error", [DeviceNotFoundError, DeviceBusyError])
def test_a_device_that_went_or_is_busy_has_not_failed(machine, capsys, error):
    watch = Watch()
    tending, writer = tender(machine, watch)
    writer.error = error(errno.ENODEV, "zram0: write back", None)
    assert tending.round().written == 0
    assert capsys.readouterr().out == ""
    writer.error = None
    watch.now += HOUR
    assert tending.round().written == 32 * MIB


@pytest.mark.parametrize("busy", [False, True])
def test_an_error_between_two_steps_is_no_second_allowance(machine, monkeypatch, busy):
    """What was written before is reported, kept, and deducted from what the round may write."""
    watch = Watch()
    machine.attribute("writeback_limit_enable").write_text("1\n")
    machine.attribute("writeback_limit").write_text("1000000\n")
    tending, writer = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    still, error = one.ages.still, DeviceBusyError if busy else ZramOSError
    seen, decision = tending.decide()
    action = WriteBack("zram0", 3 * HOUR, 4 * MIB, 48 * HOUR, whole=True)
    decision = decision._replace(actions=(action, action))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))

    def fails_once(*args):
        if writer.steps and one.ages.still is fails_once:
            one.ages.still = still
            raise error(5, "zram0: read block_state: Input/output error", None)
        return still(*args)

    one.ages.still = fails_once
    write = writer.write_pages

    def charged(device, ranges, limit):
        write(device, ranges, limit)
        machine.attribute("writeback_limit").write_text("5000\n")

    writer.write_pages = charged
    report = tending.round()
    total = int(machine.attribute("bd_stat").read_text().split()[2]) * 4096
    assert report.written == total == (4 * MIB if busy else MIB)
    assert one.failed is not busy
    assert one.limit == 5000 * 4096
    kept = Ledger(str(machine.root / "var"), read_clock(Sysfs(str(machine.root)), watch))
    assert kept.written("1b534d30") == total


def test_a_device_that_others_reset_in_a_step_has_written_what_it_says_since(machine, monkeypatch):
    """Its count starts over, which is neither a negative amount nor room for more."""
    machine.attribute("bd_stat").write_text("0 0 2000\n")
    tending, writer = tender(machine, Watch())
    tending.observer.look()
    seen, decision = tending.decide()
    action = WriteBack("zram0", 3 * HOUR, 4 * MIB, 48 * HOUR, whole=True)
    decision = decision._replace(actions=(action,))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))
    write = writer.write_pages

    def reset_once(device, ranges, limit):
        if not writer.steps:
            machine.attribute("bd_stat").write_text("0 0 0\n")
        write(device, ranges, limit)

    writer.write_pages = reset_once
    report = tending.round()
    total = int(machine.attribute("bd_stat").read_text().split()[2]) * 4096
    assert report.written == total == 4 * MIB
    assert "4M written" in round_line(report)


def second(machine: Machine, backing: str, key: str) -> None:
    """Another device, as old and as full, on a separate medium."""
    machine.add(1)
    machine.attribute("diskseq", 1).write_text("99\n")
    machine.attribute("backing_dev", 1).write_text(f"/dev/{backing}\n")
    disk = machine.root / f"sys/devices/card2/block/{backing}"
    (disk / "device").mkdir(parents=True)
    (disk / "size").write_text(f"{8 << 21}\n")
    (disk / "device/cid").write_text(f"{key}\n")
    for folder in ("sys/class/block", "sys/block"):
        (machine.root / folder / backing).symlink_to(disk)
    debug = machine.root / "sys/kernel/debug/zram/zram1"
    debug.mkdir()
    (debug / "block_state").write_text(
        (machine.root / "sys/kernel/debug/zram/zram0/block_state").read_text()
    )


def test_of_two_devices_the_one_that_is_full_is_no_matter_to_the_other(machine):
    second(machine, "mmcblk1", "abc")
    machine.attribute("bd_stat", 1).write_text(f"{2 << 20} 0 {2 << 20}\n")
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.roster.numbers = lambda: [0, 1]
    report = tending.round()
    assert [seen.free > 0 for seen in report.seen.devices] == [True, False]
    assert report.written == 32 * MIB and {a.device for a in report.decision.actions} == {"zram0"}
    assert tending.ledger.written("abc") == 8 << 30  # by others, and charged


def test_of_two_media_the_one_that_fails_is_left_alone_and_the_other_goes_on(machine, capsys):
    second(machine, "mmcblk1", "abc")
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.roster.numbers = lambda: [0, 1]
    write = writer.write_pages

    def fail(device, ranges, limit):
        if device.number == 1:
            raise ZramOSError(5, "zram1: write back: Input/output error", None)
        write(device, ranges, limit)

    writer.write_pages = fail
    assert tending.round().written == 32 * MIB
    assert "zram1: write back: Input/output error" in capsys.readouterr().out
    assert tending.ledger.written("abc") == 0
    assert tending.ledger.written("1b534d30") == 32 * MIB
    watch.now += 25 * HOUR
    report = tending.round()
    assert report.decision.reasons[0].startswith("zram1: held for ")
    assert {action.device for action in report.decision.actions} == {"zram0"}


def test_a_number_that_another_device_has_got_is_another_account(machine):
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.round()
    before = tending.ledger.written("1b534d30")
    machine.attribute("diskseq").write_text("1234\n")
    machine.attribute("bd_stat").write_text("0 0 0\n")
    watch.now += 60
    tending.close()  # its descriptors answer no more once it is gone
    assert tending.observer.look().devices[0].key == "1234"
    assert tending.ledger.written("1b534d30") == before > 0


def test_limit_of_somebody_else_is_kept_and_a_raised_one_holds(machine):
    watch = Watch()
    machine.attribute("writeback_limit_enable").write_text("1\n")
    machine.attribute("writeback_limit").write_text("2048\n")  # 8 MiB
    tending, _ = tender(machine, watch)
    assert tending.round().written == 8 * MIB
    machine.attribute("writeback_limit").write_text("4096\n")
    watch.now += HOUR
    assert tending.round().decision.reasons == ("zram0: held for 3600 s more",)


def test_device_that_goes_is_no_error(machine):
    tending, _ = tender(machine, Watch())
    tending.roster.numbers = lambda: [7]
    report = tending.round()
    assert report.seen.devices == () and report.decision.actions == ()


def test_what_others_write_between_the_look_and_a_step_counts(machine, monkeypatch):
    """A round may take minutes before it comes to a device; both together keep to the budget."""
    for others, own in ((0, 8), (6, 2), (8, 0), (20, 0)):
        machine.attribute("bd_stat").write_text("0 0 0\n")
        tending, _ = tender(machine, Watch())
        tending.ledger.media.clear()
        tending.budget = 8 * MIB
        seen, decision = tending.decide()
        action = WriteBack("zram0", 3 * HOUR, 8 * MIB, 48 * HOUR, whole=True)
        decision = decision._replace(actions=(action,))
        monkeypatch.setattr(tending, "decide", lambda _trigger, both=(seen, decision): both)
        (one,) = tending.roster.known.values()
        one.piece = 1024
        machine.attribute("bd_stat").write_text(f"0 0 {others * MIB // 4096}\n")
        assert tending.round().written == own * MIB
        assert tending.ledger.written("1b534d30") == (others + own) * MIB


@pytest.mark.parametrize(("others", "own"), [(0, 8), (6, 2), (8, 0), (20, 0)])
def test_what_others_write_while_a_step_waits_for_them_counts(machine, monkeypatch, others, own):
    tending, writer = tender(machine, Watch())
    tending.budget = 8 * MIB
    seen, decision = tending.decide()
    action = WriteBack("zram0", 3 * HOUR, 8 * MIB, 48 * HOUR, whole=True)
    decision = decision._replace(actions=(action,))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))
    left = [others]

    @contextlib.contextmanager
    def turn():
        pages = left.pop() * MIB // 4096 if left else 0
        count, reads, writes = map(int, machine.attribute("bd_stat").read_text().split())
        machine.attribute("bd_stat").write_text(f"{count} {reads} {writes + pages}\n")
        yield

    writer.turns = lambda _device: turn
    assert tending.round().written == own * MIB
    assert tending.ledger.written("1b534d30") == (others + own) * MIB


def test_nobody_comes_between_the_count_the_charge_and_the_write(machine, monkeypatch):
    """Or both together could write more than the budget."""
    tending, writer = tender(machine, Watch())
    told: list[str] = []

    @contextlib.contextmanager
    def turn():
        told.append("turn")
        yield
        told.append("end")

    def telling(owner, name, what):
        real = getattr(owner, name)

        def tell(*words):
            told.append(what)
            return real(*words)

        monkeypatch.setattr(owner, name, tell)

    writer.turns = lambda _device: turn
    telling(Tended, "written", "count")
    telling(tending.ledger, "reserve", "charge")
    telling(writer, "write_pages", "write")
    telling(tending.ledger, "settle", "settle")
    assert tending.round().written
    steps = " ".join(told[told.index("turn") :]).split("turn")[1:]
    assert len(steps) > 1
    for step in steps[:-1]:
        assert step.split() == ["count", "charge", "write", "count", "settle", "end"]


@pytest.mark.parametrize("readable", [True, False])
def test_what_another_device_on_the_medium_writes_between_two_steps_counts(
    machine, monkeypatch, readable
):
    """Or if it cannot be read then, it counts at the next look that can."""
    machine.add(1)
    machine.attribute("diskseq", 1).write_text("99\n")
    machine.attribute("disksize", 1).write_text(f"{64 * MIB}\n")
    tending, writer = tender(machine, Watch())
    tending.roster.numbers = lambda: [0, 1]
    tending.budget = 8 * MIB
    seen, decision = tending.decide()
    assert len(seen.devices) == 2
    action = WriteBack("zram0", 3 * HOUR, 8 * MIB, 48 * HOUR, whole=True)
    decision = decision._replace(actions=(action,))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))
    write = writer.write_pages

    def others_too(device, ranges, limit):
        write(device, ranges, limit)
        if len(writer.steps) == 1:
            text = f"0 0 {6 * MIB // 4096}\n" if readable else "nothing\n"
            machine.attribute("bd_stat", 1).write_text(text)

    writer.write_pages = others_too
    assert tending.round().written == (2 if readable else 8) * MIB
    assert tending.ledger.written("1b534d30") == 8 * MIB


@pytest.mark.parametrize(("percent", "before"), [(90, None), (15, 90)])
def test_a_battery_that_comes_into_use_or_gets_low_ends_a_round(machine, percent, before):
    tending, writer = tender(machine, Watch())
    if before:
        battery(machine.root, "BAT0", before)
    write = writer.write_pages

    def unplugged(device, ranges, limit):
        write(device, ranges, limit)
        if len(writer.steps) == 2:
            shutil.rmtree(machine.root / "sys/class/power_supply", ignore_errors=True)
            battery(machine.root, "BAT0", percent)

    writer.write_pages = unplugged
    tending.round()
    assert len(writer.steps) == 2


@pytest.mark.parametrize("how", ["sleep", "stop"])
def test_a_round_that_has_to_end_does_nothing_more(machine, monkeypatch, how):
    """Neither recompresses nor compacts, which would keep whoever opens the lid waiting."""
    watch = Watch()
    tending, writer = tender(machine, watch)
    seen, decision = tending.decide()
    done = []
    actions = (
        WriteBack("zram0", 3 * HOUR, 8 * MIB, 48 * HOUR, whole=True),
        Recompress("zram0", HOUR, 1.0),
        Compact("zram0"),
    )
    decision = decision._replace(actions=actions)
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))
    monkeypatch.setattr(tending.recompressing, "recompress", lambda *_asked: done.append("again"))
    monkeypatch.setattr(tending, "_compact", lambda *_asked: done.append("compact"))
    tending.round()
    assert done == ["again", "compact"]
    done.clear()
    write = writer.write_pages

    def ended(device, ranges, limit):
        write(device, ranges, limit)
        if how == "sleep":
            watch.asleep += HOUR
        else:
            tending.stopping = lambda: True

    writer.write_pages = ended
    tending.round()
    assert len(writer.steps) > 0 and done == []


def test_stop_is_heeded_between_steps(machine):
    tending, writer = tender(machine, Watch())
    tending.stopping = lambda: len(writer.steps) >= 2
    # The second step is twice the first, which was done at once.
    assert tending.round().written == 3 * MIB
    assert tending.ledger.written("1b534d30") == 3 * MIB


def test_steps_follow_the_time_they_take(machine):
    watch = Watch()
    tending, writer = tender(machine, watch)
    write, seconds = writer.write_pages, [2.0, 2.0, 0.3, 0.1, 0.1]

    def slowly(device, ranges, limit):
        write(device, ranges, limit)
        watch.now += seconds.pop(0)

    writer.write_pages = slowly
    tending.stopping = lambda: not seconds
    tending.round()
    sizes = [sum(last - first + 1 for first, last in ranges) for ranges, _ in writer.steps]
    assert sizes == [256, 128, 64, 64, 128]


def test_pages_recompressed_keep_their_age(machine):
    """The kernel forgets it: all their times are 0 then, which must not make them old."""
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    one.ages.remember(one.device, watch.boottime)
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    state.write_text("".join(f"{place:12} {0:12}.000000 ....r.\n" for place in range(13000)))
    one.ages.keep(one.device)
    action = WriteBack("zram0", 48 * HOUR, 1 << 30, 48 * HOUR)
    pieces = tending.writing.pieces(one, action, 1 << 30)
    places = {p for piece in pieces for a, b in piece for p in range(a, b + 1)}
    assert places == set(range(10000))  # the young ones, and those never seen before, are not old


def test_pages_that_somebody_else_recompressed_are_as_young_as_when_that_is_seen(machine):
    """They may have been stored just before, and the noted times are of what was there then."""
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"

    def old(floor: float) -> int:
        now = watch.boottime()
        ranges = one.ages.candidates(one.device, now, floor, floor, 1 << 20, huge=False)
        return sum(last - first + 1 for first, last in ranges)

    one.ages.remember(one.device, watch.boottime)
    assert old(48 * HOUR) == 10000
    state.write_text("".join(f"{place:12} {0:12}.000000 ....r.\n" for place in range(13000)))
    assert old(60.0) == 0
    watch.now += HOUR
    one.ages.remember(one.device, watch.boottime)  # before a recompression that finds nothing
    one.ages.keep(one.device)
    assert old(60.0) == 0
    watch.now += 3 * HOUR
    one.ages.remember(one.device, watch.boottime)
    assert (old(3 * HOUR - 128), old(3 * HOUR + 1)) == (13000, 0)


def test_pages_used_since_they_were_recompressed_lose_what_was_kept(machine):
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    forgotten = f"{0:12} {0:12}.000000 ....r.\n"
    one.ages.remember(one.device, watch.boottime)
    state.write_text(forgotten)
    one.ages.keep(one.device)
    assert one.ages.used(0, 0, watch.boottime()) == pytest.approx(800000, abs=64)
    state.write_text(f"{0:12} {999990:12}.000000 ......\n")
    one.ages.remember(one.device, watch.boottime)
    state.write_text(forgotten)
    assert one.ages.used(0, 0, watch.boottime()) == watch.boottime()
    one.ages.keep(one.device)
    assert one.ages.used(0, 0, watch.boottime()) >= 999990


def recompressed_until(machine, trouble):
    """The device as it is tended, after 500 of its pages were recompressed and then this came."""
    tending, writer = tender(machine, Watch())
    tending.observer.look()
    (one,) = tending.roster.known.values()
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"

    def ends():
        state.write_text("".join(f"{place:12} {0:12}.000000 ....r.\n" for place in range(500)))
        raise trouble

    writer.recompression = lambda _device, _huge, _pages: Steps(ends)
    with pytest.raises(type(trouble)) as caught:
        tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0))
    assert caught.value is trouble
    return one


def test_pages_done_before_a_recompression_failed_keep_their_age(machine):
    trouble = ZramOSError(errno.EIO, "zram0: recompress: Input/output error", None)
    one = recompressed_until(machine, trouble)
    assert one.gain is None
    assert one.ages.candidates(one.device, 1e6, 48 * HOUR, 48 * HOUR, 999, huge=False) == [(0, 499)]


def test_what_another_recompressed_while_tend_had_to_wait_is_not_its_own(machine):
    trouble = DeviceBusyError(errno.EBUSY, "zram0: recompress: another run is under way", None)
    one = recompressed_until(machine, trouble)
    assert one.ages.candidates(one.device, 1e6, 48 * HOUR, 48 * HOUR, 999, huge=False) == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_device_that_does_not_tell_has_freed_nothing_and_one_that_went_all(
    machine, monkeypatch, gone
):
    tending, writer = tender(machine, Watch())
    write = writer.write_pages

    def fails(device):
        if gone:
            raise DeviceNotFoundError(errno.ENODEV, "zram0: mm_stat: No such device", None)
        raise ZramOSError(errno.EIO, "zram0: mm_stat: Input/output error", None)

    def then_unreadable(device, ranges, limit):
        write(device, ranges, limit)
        monkeypatch.setattr(Zram, "read_mm_stat", fails)

    writer.write_pages = then_unreadable
    report = tending.round()
    used = report.seen.devices[0].mem_used_total
    assert report.written > 0 and used > 0
    assert report.freed == (used if gone else 0)


@pytest.mark.parametrize("action", [Recompress("zram0", 1200.0, 5.0), Compact("zram0")])
def test_what_is_freed_without_a_write_is_reported(machine, monkeypatch, action):
    watch = Watch()
    watch.now = 802000.0
    tending, writer = tender(machine, watch)
    seen, decision = tending.decide()
    decision = decision._replace(actions=(action,))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))

    def frees(*_words):
        mm = machine.attribute("mm_stat").read_text().split()
        mm[2] = str(int(mm[2]) - 3 * 4096)
        machine.attribute("mm_stat").write_text(" ".join(mm) + "\n")

    writer.recompression = lambda _device, _huge, _pages: Steps(frees)
    monkeypatch.setattr(Zram, "compact", frees)
    report = tending.round()
    assert (report.written, report.freed) == (0, 3 * 4096)


def test_a_compaction_whose_gain_cannot_be_read_is_told_and_not_judged(
    machine, monkeypatch, capsys
):
    tending, _ = tender(machine, Watch())
    seen, decision = tending.decide()
    (one,) = tending.roster.known.values()
    decision = decision._replace(actions=(Compact("zram0"),))
    monkeypatch.setattr(tending, "decide", lambda _trigger: (seen, decision))
    compacted: list[Zram] = []
    monkeypatch.setattr(Zram, "compact", lambda device: compacted.append(device))

    def fails(device):
        raise ZramOSError(errno.EIO, "zram0: mm_stat: Input/output error", None)

    monkeypatch.setattr(Zram, "read_mm_stat", fails)
    assert tending.round().freed == 0
    assert compacted == [one.device]
    assert one.compacted is None and not one.failed
    assert "zram0: mm_stat: Input/output error" in capsys.readouterr().out


@pytest.mark.parametrize("trouble", [ZramOSError, KeyboardInterrupt])
def test_a_device_that_cannot_be_opened_leaves_no_handle_open(
    machine, monkeypatch, capsys, trouble
):
    """The others are tended all the same, and ending the daemon leaves nothing behind either."""
    machine.add(1)
    tending, _ = tender(machine, Watch())
    tending.roster.numbers = lambda: [0, 1]
    real, opened = Zram.read_diskseq, []

    def read_diskseq(device):
        opened.append(device)
        if device.number == 1:
            raise trouble(errno.EIO, "zram1: diskseq: Input/output error", None)
        return real(device)

    monkeypatch.setattr(Zram, "read_diskseq", read_diskseq)
    if trouble is ZramOSError:
        for told in (1, 0):  # while it is the same
            assert [seen.name for seen in tending.observer.look().devices] == ["zram0"]
            assert capsys.readouterr().out.count("zram1: diskseq") == told
        closed = [device for device in opened if device.number == 1]
    else:
        with pytest.raises(trouble):
            tending.observer.look()
        closed = opened
    assert len(closed) == 2
    for device in closed:
        with pytest.raises(ValueError):
            device.read("disksize")


def recompressing(machine, writer, pages, freed):
    """Have a number of pages recompressed, which frees a number of bytes of their objects."""
    calls = []

    def recompress():
        calls.append(1)
        state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
        lines = state.read_text().split("\n")
        done = [line.replace("......", "....r.") for line in lines[:pages]]
        state.write_text("\n".join(done + lines[pages:]))
        mm = machine.attribute("mm_stat").read_text().split()
        mm[1] = str(int(mm[1]) - freed)
        machine.attribute("mm_stat").write_text(" ".join(mm) + "\n")

    writer.recompression = lambda _device, _huge, _pages: Steps(recompress)
    return calls


def test_recompression_of_nothing_is_no_poor_recompression(machine):
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    calls = recompressing(machine, writer, 0, 0)
    # 10000 pages of 800000 s, 2000 of 999999 s.
    for now, age, times in ((800000.0, 1200.0, 0), (802000.0, 1200.0, 1), (802000.0, 9000.0, 1)):
        watch.now = now
        tending.recompressing.recompress(one, Recompress("zram0", age, 5.0))
        assert len(calls) == times
        assert one.gain is None  # none was tried: the small ones are left alone
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0, huge=True))
    assert one.gain is None and len(calls) == 1  # none is kept raw


def test_what_recompression_gains_is_of_what_it_took(machine):
    """A few cold pages of a large pool are worth it, judged by what they took, not by the pool."""
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    mm = one.device.read_mm_stat()
    mean = mm.compr_data_size / (mm.orig_data_size // 4096 - mm.same_pages)
    recompressing(machine, writer, 20, int(20 * mean / 4))
    watch.now = 802000.0
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0))
    assert one.gain == pytest.approx(0.25, abs=0.01)
    assert one.gain * 20 * mean < 0.05 * mm.mem_used_total  # which the pool does not notice


def test_recompression_reads_the_pages_once_before_and_once_after(machine, monkeypatch):
    """The kernel takes a lock for each page that it reports."""
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    # One earlier page has both flags, each of which is counted before and after.
    lines = state.read_text().replace("......", "....rn", 1)
    state.write_text(lines.replace("......", "....r.", 1))
    recompressing(machine, writer, 22, 100_000)
    reads, real = [], ages.texts
    monkeypatch.setattr(ages, "texts", lambda device: reads.append(device) or real(device))
    watch.now = 802000.0
    mm = one.device.read_mm_stat()
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0))
    assert len(reads) == 2
    assert one.gain == gain(mm, one.device.read_mm_stat(), 20, False)


def test_pages_are_read_once_where_the_huge_ones_need_nothing(machine, monkeypatch):
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.observer.look()
    (one,) = tending.roster.known.values()
    calls = recompressing(machine, writer, 20, 100_000)
    reads, real = [], ages.texts
    monkeypatch.setattr(ages, "texts", lambda device: reads.append(device) or real(device))
    watch.now = 802000.0
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0, huge=True))
    assert (len(reads), len(calls)) == (1, 0)
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0))
    assert (len(reads), len(calls)) == (2, 1)  # and once more after it
    tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0))
    assert len(reads) == 4  # what was read before a recompression is of no use after it
    reads.clear()
    for _ in range(4):  # and what was read six seconds ago is used once, not for ever
        watch.now += 6
        tending.recompressing.recompress(one, Recompress("zram0", 1200.0, 5.0, huge=True))
    assert len(reads) == 2


def test_pages_are_read_only_until_there_are_enough_of_the_oldest(machine, monkeypatch):
    tending, _ = tender(machine, Watch())
    tending.observer.look()
    (one,) = tending.roster.known.values()
    texts, real = [], ages.texts

    def chunks(device):
        for text, rest in real(device):
            texts.append(text)
            yield text, rest

    monkeypatch.setattr(ages, "texts", chunks)
    for oldest, pages, read in ((48 * HOUR, 100, 1), (48 * HOUR, 20_000, 2), (96 * HOUR, 100, 2)):
        texts.clear()
        ranges = one.ages.candidates(one.device, 1e6, 48 * HOUR, oldest, pages, huge=False)
        # All are 55 hours old: of some that are older, more may come.
        assert ranges == [(0, min(pages, 10_000) - 1)]
        assert len(texts) == read


def test_ages_are_kept_however_long_the_machine_runs(machine):
    """The numbers cover 24 days: on the fiftieth day a page is not taken for older than it is."""
    tending, _ = tender(machine, watch := Watch())
    tending.observer.look()
    (one,) = tending.roster.known.values()
    day = 24 * HOUR
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    times = {0: 60 * day, 1: 60 * day - 3 * HOUR, 2: 58 * day}

    def write(forgotten: bool) -> None:
        state.write_text(
            "".join(
                f"{place:12} {0 if forgotten else int(at):12}.000000 ......\n"
                for place, at in times.items()
            )
        )

    write(forgotten=False)
    one.ages.remember(one.device, watch.boottime)
    write(forgotten=True)
    one.ages.keep(one.device)
    now = 60.0 * day + 60
    for floor, old in ((day, [2]), (2 * HOUR, [1, 2]), (200, [1, 2])):
        ranges = one.ages.candidates(one.device, now, floor, floor, 99, huge=False)
        assert [p for a, b in ranges for p in range(a, b + 1)] == old
    # Older than the numbers can express: taken for younger, not for older.
    assert now + 50 * day - one.ages.used(2, 0, now + 50 * day) < 4 * day


def test_dry_run_says_what_it_sees_and_writes_nothing(machine, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run/pyzram"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "var"))
    before = machine.attribute("bd_stat").read_text()
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out = capsys.readouterr().out
    assert "memory: 1G of 4G available" in out
    assert "left to write in 24 hours" in out
    assert "writeback_limit" not in out and "block_state" not in out and "at most" not in out
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mode"] == "calm" and found["seen"]["devices"][0]["budget"] == 256 * MIB
    assert machine.attribute("bd_stat").read_text() == before
    assert command.main(["tend", "--status"]) == 3


def test_a_dry_run_says_all_that_decides(machine, monkeypatch, capsys):
    """What makes a machine choked, puts recompression off or bounds a device is seen too."""
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run/pyzram"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "var"))
    for name, some, full in (("memory", 13, 11), ("io", 0, 25), ("cpu", 12, 0)):
        (machine.root / "proc/pressure" / name).write_text(
            f"some avg10={some} avg60=0.00 avg300=1.50 total=0\n"
            f"full avg10={full} avg60=0.00 avg300=0.00 total=0\n"
        )
    machine.attribute("writeback_limit_enable").write_text("1\n")
    machine.attribute("writeback_limit").write_text("2048\n")
    figures = machine.attribute("mm_stat").read_text().split()
    machine.attribute("mm_stat").write_text(" ".join([*figures[:3], str(64 * MIB), *figures[4:]]))
    (machine.root / "sys/kernel/debug/zram/zram0/block_state").unlink()
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out = capsys.readouterr().out
    assert "pressure: 13.00 % of 10 s, 1.50 % of 300 s; everybody waits 11.00 % of 10 s\n" in out
    assert "pressure on media 25.00 %, on processors 12.00 % of 10 s\n" in out
    assert "2.1M of memory, at most 64M\n" in out
    assert "zram0: 8M left of its writeback_limit\n" in out
    assert "zram0: no block_state that tells the ages of its pages\n" in out
    assert "choked, pressure" in out and "the medium is choked, too" in out


def test_only_one_tends_and_looking_disturbs_nobody(machine, monkeypatch, capsys):
    """All share one ledger; two would each take the whole budget for theirs."""
    from pyzram.cli.tend import command as tend

    run, state = machine.root / "run/pyzram", machine.root / "var"
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(run))
    monkeypatch.setenv("PYZRAM_STATE", str(state))
    monkeypatch.setattr(tend, "ONCE_PATIENCE", 0.0)
    monkeypatch.setattr(tend, "PATIENCE", 0.0)
    held = tend.lock_others_out(str(run), 0.0)
    # During another process's step: 64 MiB are charged that are not yet in bd_writes.
    ledger = Ledger(str(state), read_clock(Sysfs(str(machine.root)), Clocks()))
    ledger.reserve("1b534d30", "99", 0, 64 * MIB)
    before = (state / "ledger").read_bytes()
    for words in (["tend", "--once", "zram0"], ["tend", "zram0"]):
        assert command.main(words) == 1
        assert "another pyzram tend is running" in capsys.readouterr().err
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    assert json.loads(capsys.readouterr().out)["seen"]["devices"][0]["left"] <= 192 * MIB
    assert (state / "ledger").read_bytes() == before
    held.close()
    assert command.main(["tend", "--once", "--quiet", "zram0"]) == 0


def test_a_daemon_waits_for_what_cron_has_begun(machine, monkeypatch, capsys):
    waits = []

    def busy(_path, seconds):
        waits.append(seconds)
        raise BlockingIOError

    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setattr("pyzram.own_files.lock", busy)
    for words in (["tend", "zram0"], ["tend", "--once", "zram0"]):
        assert command.main(words) == 1
        assert "another pyzram tend is running" in capsys.readouterr().err
    assert waits == [10.0, 60.0]  # as pyzram-tend(8) says


@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "immutable"])
def test_a_look_reads_the_ledger_that_a_daemon_keeps(machine, monkeypatch, capsys, read_only):
    """If /var is not writable, that is the one in /run, with half the budget."""
    run, state = machine.root / "run/pyzram", machine.root / "var/lib/pyzram"
    (machine.root / "var").mkdir(mode=0o755)
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(run))
    monkeypatch.setenv("PYZRAM_STATE", str(state))

    def look() -> dict[str, object]:
        assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
        return json.loads(capsys.readouterr().out)["seen"]["devices"][0]

    clock = read_clock(Sysfs(str(machine.root)), Clocks())
    Ledger(str(run), clock).reserve("1b534d30", "99", 0, 64 * MIB)
    found = look()
    assert (found["budget"], found["left"]) == (256 * MIB, 192 * MIB)
    if read_only:
        real = os.statvfs

        def statvfs(path):
            found = real(path)
            if str(path) != str(machine.root / "var"):
                return found
            return os.statvfs_result((*found[:8], found.f_flag | os.ST_RDONLY, found[9]))

        monkeypatch.setattr(os, "statvfs", statvfs)
    elif os.geteuid():
        pytest.skip("what others cannot write to says nothing; and files of theirs root refuses")
    else:
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)["seen"]["devices"][0]
    assert (found["budget"], found["left"]) == (128 * MIB, 64 * MIB)
    assert f"a daemon would keep it in {run}" in err and "keeping it" not in err
    assert not state.exists()


def test_record_adds_a_line_of_what_the_bench_can_replay(machine: Machine, tmp_path, monkeypatch):
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    path = tmp_path / "recording"
    for _ in range(2):
        assert command.main(["tend", "--record", str(path), "--once"]) == 0
    first, second = map(json.loads, path.read_text().split("\n")[:2])
    assert first["v"] == 1 and first["awake"] <= second["awake"]
    assert first["total"] > first["available"] > 0
    device = first["devices"]["zram0"]
    assert len(device["memory"]) == 4 and device["medium"] == "card"
    assert sum(device["ages"]) == 12000
    assert len(path.read_bytes()) < 2 * 700


@pytest.mark.parametrize("what", ["mm_stat", "pressure", "battery"])
def test_a_recording_tells_nothing_as_absent_that_could_not_be_read(
    machine: Machine, tmp_path, monkeypatch, capsys, what: str
):
    """A device whose figures cannot be read, as during writeback on 7.x, is not one that went."""
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    path, asleep, second = tmp_path / "recording", [], pytest.MonkeyPatch()

    def blocked(_device: Zram):
        raise BlockedError(errno.ETIMEDOUT, "zram0: read mm_stat: no answer", None)

    def spoil(patch: pytest.MonkeyPatch) -> None:
        if what == "mm_stat":
            patch.setattr(Zram, "read_mm_stat", blocked)
        elif what == "pressure":
            unreadable(patch, errno.EIO, "proc/pressure/memory")
        else:
            broken = Battery(error="BAT0: Input/output error")
            patch.setattr("pyzram.tend.recording.read_battery", lambda _sysfs: broken)

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        second.undo()
        if len(asleep) == 1:
            spoil(second)
        if len(asleep) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    assert command.main(["tend", "--record", str(path)]) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [list(line["devices"]) for line in lines] == [["zram0"]] * 2
    assert capsys.readouterr().err.count("; no line is added for this minute\n") == 1
    spoil(monkeypatch)
    assert command.main(["tend", "--record", str(path), "--once"]) == 1
    assert len(path.read_text().splitlines()) == 2


def test_a_recording_that_cannot_be_kept_is_an_error(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    assert command.main(["tend", "--record", str(tmp_path / "no/such"), "--once"]) == 1
    assert "no/such" in capsys.readouterr().err


def textfile(tmp_path: Path) -> dict[tuple[str, str], float]:
    path = tmp_path / "tend.prom"
    assert command.main(["tend", "--textfile", str(path)]) == 0
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        (s.name, "".join(s.labels.get(key, "") for key in ("mode", "device"))): s.value
        for family in parser.text_string_to_metric_families(path.read_text())
        for s in family.samples
    }


def test_a_textfile_has_what_the_daemon_saw_last(machine: Machine, tmp_path, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setenv("PYZRAM_RUN", str(run))
    assert textfile(tmp_path)["zram_tend_up", ""] == 0
    write_status(str(run), report_dict(tender(machine, Watch())[0].round()))
    found = textfile(tmp_path)
    assert found["zram_tend_up", ""] == found["zram_scrape_success", ""] == 1
    assert {mode for (name, mode), value in found.items() if "mode" in name and value} == {"calm"}
    assert found["zram_tend_budget_bytes", "zram0"] == 256 * MIB
    assert found["zram_tend_budget_left_bytes", "zram0"] == 256 * MIB  # before the round
    assert found["zram_tend_pressure_ratio", ""] == 0
    told = json.loads((run / NAME).read_text())["time"]
    assert found["zram_tend_last_round_timestamp_seconds", ""] == pytest.approx(told)
    status = json.loads((run / NAME).read_text())
    (run / NAME).write_text(json.dumps({**status, "seen": None}))
    assert textfile(tmp_path)["zram_scrape_success", ""] == 0
    (run / NAME).write_text(json.dumps({**status, "pid": 1 << 22}))
    assert textfile(tmp_path)["zram_tend_up", ""] == 0
