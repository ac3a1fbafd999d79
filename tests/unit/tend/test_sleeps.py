# SPDX-License-Identifier: MIT
"""Sleep makes no page older, whoever saw it: this process, an earlier one, or nobody."""

from __future__ import annotations

import json
import math
import os

import pytest
from fake_roots import Machine
from tended_machines import HOUR, MIB, Watch, tender

from pyzram.cli import pyzram as command
from pyzram.device.zram import Zram
from pyzram.kernel.sysfs import BOOT_ID
from pyzram.tend import sleeps
from pyzram.tend.actions import Recompress, WriteBack
from pyzram.tend.machine import Clocks
from pyzram.tend.sleeps import Sleeps
from pyzram.tend.tended import NOT_REMEMBERED

SLEPT = "slept less than two minutes ago, as far as is known"


def all_used(machine: Machine, at: float) -> None:
    """Make all pages last used then, by the clock that counts sleep."""
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    state.write_text("".join(f"{place:12} {at:19.6f} ......\n" for place in range(12000)))


@pytest.mark.parametrize("hours", [50, 100, 1000])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_sleep_before_the_process_began_is_no_age(machine, at_once, hours):
    """Pages used a minute before, which is 50 hours ago by the clock of the kernel's ages."""
    watch = Watch()
    all_used(machine, watch.now - 60)
    watch.asleep = hours * HOUR
    watch.now += 10
    tending, writer = tender(machine, watch, at_once=at_once)
    for _ in range(60):
        tending.round()
        watch.now += 60
    assert writer.steps == []
    watch.now += 47 * HOUR + 60
    assert tending.round().written == 32 * MIB


def test_after_a_sleep_the_older_page_still_comes_first(machine):
    """Of two pages below two days awake and above it, both above it by the kernel's clock."""
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    watch.asleep += 10 * HOUR
    tending.observer.look()
    ages = {5: 45, 9: 50}
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    state.write_text(
        "".join(
            f"{place:12} {watch.boottime() - (10 + hours) * HOUR:19.6f} ......\n"
            for place, hours in ages.items()
        )
    )
    (one,) = tending.roster.known.values()
    action = WriteBack("zram0", 24 * HOUR, 4096, 48 * HOUR)
    assert list(tending.writing.pieces(one, action, 4096)) == [[(9, 9)]]


def test_sleep_makes_no_page_old_enough_for_recompression(machine, monkeypatch):
    watch = Watch()
    tending, _ = tender(machine, watch)
    tending.observer.look()
    watch.asleep += 3600
    tending.observer.look()
    (one,) = tending.roster.known.values()
    asked: list[int] = []
    monkeypatch.setattr(Zram, "mark_idle", lambda _device, age: asked.append(age))
    action = Recompress("zram0", 1200.0, 5.0)
    for awake, ages in ((1100, []), (1300, [1200 + 3600 + 1])):
        all_used(machine, watch.boottime() - 3600 - awake)
        one.remembered = NOT_REMEMBERED
        tending.recompressing.recompress(one, action)
        assert asked == ages, awake


def test_a_sleep_too_short_to_be_one_holds_nothing_up():
    """Between reading two clocks some time passes, which looks like one."""
    watch = Watch()
    found = Sleeps(watch)
    for asleep, resumed in ((0.9, -math.inf), (1.1, -math.inf), (2.2, watch.now)):
        watch.asleep = asleep
        found.notice()
        assert (found.resumed, found.slept) == (resumed, pytest.approx(asleep))
    # Nor does a clock that is read a little later the next time: what was counted stays.
    watch.asleep = 2.1
    found.notice()
    assert found.slept == pytest.approx(2.2)


def test_with_once_a_sleep_that_nobody_saw_may_have_ended_just_now(machine):
    """As when a timer is late at resume; the next run knows since when the machine is awake."""
    watch = Watch()
    path = str(machine.root / "run" / sleeps.NAME)

    def once():
        tending, _ = tender(machine, watch)
        tending.observer.common = tending.observer.common._replace(
            sleeps=Sleeps(watch, path, "boot")
        )
        return tending.round().decision

    assert once().state.mode == "calm"
    watch.asleep += 600
    for passed, reasons in ((10, (SLEPT,)), (100, (SLEPT,)), (21, ())):
        watch.now += passed
        decision = once()
        assert decision.reasons == reasons or (not reasons and decision.state.mode == "calm")


@pytest.mark.parametrize("catches_up", [True, False])
def test_cron_on_a_laptop_that_sleeps_all_the_time_acts_in_each_spell(machine, catches_up):
    """Awake for half an hour, asleep for over an hour; a timer catches up at resume."""
    watch = Watch()
    path = str(machine.root / "run" / sleeps.NAME)
    started = watch.wall()
    spells = []
    for _ in range(9):
        woke, acted = watch.now, []
        watch.asleep += 4020
        due = watch.wall() if catches_up else started + 900 * -(-(watch.wall() - started) // 900)
        while due < watch.wall() + 1800 - (watch.now - woke):
            watch.now += due - watch.wall()
            tending, _ = tender(machine, watch)
            tending.observer.common = tending.observer.common._replace(
                sleeps=Sleeps(watch, path, "boot")
            )
            decision = tending.round().decision
            if decision.state.mode != "held":
                acted.append(watch.now - woke)
            tending.close()
            due = started + 900 * ((due - started) // 900 + 1)
        watch.now = woke + 1800
        spells.append(acted)
    assert all(spells) and min(map(min, spells)) >= 120


def test_an_earlier_process_tells_when_the_machine_slept(tmp_path):
    """So that a laptop's daemon that is restarted after months knows what is old."""
    watch = Watch()
    path = str(tmp_path / "run" / sleeps.NAME)
    first = Sleeps(watch, path, "boot")
    watch.asleep += 200 * HOUR
    watch.now += 10
    first.notice()
    at = first.resumed
    assert at == watch.now
    watch.now += 40 * HOUR
    second = Sleeps(watch, path, "boot")
    assert (second.slept, second.resumed) == (200 * HOUR, at)
    watch.now += 9 * HOUR
    watch.asleep += 3 * HOUR
    third = Sleeps(watch, path, "boot")
    assert (third.slept, third.resumed) == (3 * HOUR, watch.now)
    assert Sleeps(watch).slept == 203 * HOUR  # who knows nothing


@pytest.mark.parametrize(
    ("boot", "text"),
    [
        ("another", None),
        ("boot", ""),
        ("boot", "{"),
        ("boot", "[]"),
        ("boot", "[" * 100_000),
        ("boot", '{"boot": "boot", "asleep": 1e9, "resumed": null, "lengths": []}'),
        ("boot", '{"boot": "boot", "asleep": 7e4, "resumed": null, "lengths": [[1e9, 7e4]]}'),
        ("boot", '{"boot": "boot", "asleep": 7e4, "resumed": 1e9, "lengths": []}'),
        ("boot", '{"boot": "boot", "asleep": 7e4, "resumed": null, "lengths": [[1, NaN]]}'),
        ("boot", '{"boot": "boot", "asleep": NaN, "resumed": null, "lengths": []}'),
    ],
)
def test_a_file_that_does_not_fit_is_none(tmp_path, boot, text):
    """From another boot, damaged, or by the clocks of another time namespace."""
    watch = Watch()
    path = tmp_path / "run" / sleeps.NAME
    watch.asleep = 20 * HOUR
    Sleeps(watch, str(path), "boot")
    watch.now += 50 * HOUR
    if text is not None:
        path.write_text(text)
    found = Sleeps(watch, str(path), boot)
    assert (found.slept, found.resumed) == (20 * HOUR, watch.now)
    assert json.loads(path.read_text())["boot"] == boot  # and is replaced


def test_who_only_looks_keeps_nothing_and_waits_for_nothing(tmp_path):
    watch = Watch()
    path = tmp_path / "run" / sleeps.NAME
    watch.asleep = 20 * HOUR
    found = Sleeps(watch, str(path), "boot", read_only=True)
    assert (found.slept, found.resumed) == (20 * HOUR, -math.inf)
    assert not path.parent.parent.exists()
    Sleeps(watch, str(path), "boot")
    at, before = watch.now, path.read_text()
    watch.now += 60
    watch.asleep += HOUR
    found = Sleeps(watch, str(path), "boot", read_only=True)
    assert (found.slept, found.resumed) == (21 * HOUR, at)  # what the daemon saw
    assert path.read_text() == before


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path):
    watch = Watch()
    (tmp_path / "run").write_text("")
    found = Sleeps(watch, str(tmp_path / "run" / sleeps.NAME), "boot")
    watch.asleep += HOUR
    found.notice()
    assert found.slept == HOUR


def test_the_command_keeps_them_in_the_run_folder(machine, monkeypatch, capsys):
    asleep = 0.0
    monkeypatch.setattr(Clocks, "boottime", lambda clocks: clocks.awake() + asleep)
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))
    path = machine.root / "run" / sleeps.NAME
    (machine.root / BOOT_ID).parent.mkdir(parents=True)
    (machine.root / BOOT_ID).write_text("0c4f\n")

    def reasons(way: str) -> list[str]:
        assert command.main(["tend", way, "--json", "zram0"]) == 0
        return json.loads(capsys.readouterr().out)["reasons"]

    assert SLEPT not in reasons("--dry-run") and not path.exists()
    assert SLEPT not in reasons("--once")
    assert os.stat(path).st_mode & 0o777 == 0o600
    asleep = 3600.0
    assert SLEPT not in reasons("--dry-run")
    assert reasons("--once") == reasons("--once") == reasons("--dry-run") == [SLEPT]
