# SPDX-License-Identifier: MIT
"""What ``pyzram tend`` says about itself: --status after a round, --dry-run beside a daemon."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from fake_roots import Machine
from tended_machines import MIB, Watch, booted, tender

from pyzram.cli import pyzram as command
from pyzram.cli.tend.daemon import Told
from pyzram.cli.tend.status import status_lines
from pyzram.cli.top.parts import tend_reasons
from pyzram.errors import ZramOSError
from pyzram.own_files import write_file
from pyzram.tend.handover import NAME as HANDOVER
from pyzram.tend.handover import Handover, save
from pyzram.tend.state import PRESSED, State
from pyzram.tend_status import NAME, write_status

NOBODY = SimpleNamespace(names=(), asked={}, reason="")
WALL = 1.7e9


@pytest.fixture(autouse=True)
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run/pyzram"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))


def look(tending, told: Told, wall: float = WALL) -> dict:
    """One look of a daemon, as a reader of its status finds it."""
    return {"pid": 1, "time": wall, **told.status(tending.round(), NOBODY, wall)}


def test_the_last_round_is_told_of_until_the_next_one(machine: Machine) -> None:
    watch, told = Watch(), Told()
    tending, writer = tender(machine, watch)
    writer.error = None
    first = look(tending, told)
    assert first["last_round"]["written"] == first["written"] == 32 * MIB
    watch.now += 60
    later = look(tending, told, WALL + 60)
    assert (later["written"], later["actions"], later["reasons"]) == (0, [], [])
    assert later["last_round"] == first["last_round"]
    assert later["last_round"]["time"] == WALL
    assert (first["next_round"], later["next_round"]) == (3600, 3540)
    assert later["devices"]["zram0"]["written"] == 32 * MIB
    lines = status_lines(later, WALL + 72)
    assert lines[0] == "calm, pressure 0.00, process 1, looked 12 s ago"
    assert lines[1].startswith("last round 1.2 min ago, calm: 32M written, ")
    assert lines[1].endswith("; the next one in at most 59 min")
    assert lines[2].startswith("  asked for: zram0: write up to 32M of pages kept raw not used")
    assert "224M of 256M left to write, 32M written since the daemon started" in lines[-1]
    watch.now += 3600
    third = look(tending, told, WALL + 3660)
    assert third["last_round"]["actions"] == []
    (reason,) = third["last_round"]["reasons"]
    assert "left of its budget" in reason
    watch.now += 60
    fourth = look(tending, told, WALL + 3720)
    assert fourth["reasons"] == [] and f"  {reason}" in status_lines(fourth, WALL + 3720)
    assert tend_reasons(fourth) == [reason]  # pyzram top


def test_a_device_that_fails_is_told_of_until_a_day_after(machine: Machine) -> None:
    watch, told = Watch(), Told()
    tending, writer = tender(machine, watch)
    writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
    look(tending, told)
    found = []
    for seconds, error in (
        (60, True),
        (3600, True),
        (60, True),
        (3600, False),
        (86400 + 121, False),
    ):
        if not error:
            writer.error = None
        watch.now += seconds
        known = look(tending, told)["devices"]["zram0"]
        found.append((known["held"], known["backoff"]))
    assert found == [(60, 60), (0, 60), (120, 120), (0, 120), (0, 0)]


def test_a_device_left_alone_is_told_of_with_the_reason(machine: Machine) -> None:
    watch, told = Watch(), Told()
    tending, writer = tender(machine, watch)
    writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
    look(tending, told)
    watch.now += 60
    found = look(tending, told)
    assert "zram0: left alone for 1 min more, after an error" in status_lines(found, WALL)
    found["devices"]["zram0"].update(backoff=0, caution=1.3, regret=0.1)
    lines = status_lines(found, WALL)
    assert "zram0: left alone for 1 min more, after its writeback_limit was raised" in lines
    assert any("1.3 times as old as usual, because 10% of what" in line for line in lines)


def test_a_status_without_a_backing_device_or_a_round(machine: Machine) -> None:
    watch, told = Watch(), Told()
    machine.attribute("backing_dev").write_text("none\n")
    tending, _ = tender(machine, watch, at_once=False)
    lines = status_lines(look(tending, told), WALL)
    assert lines[1:3] == ["just started", "no round yet"]
    assert lines[-1].endswith("of memory, no backing device")


def foretold(capsys, *words: str) -> dict:
    assert command.main(["tend", "--dry-run", "--json", *words, "zram0"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_counts_the_pages(machine: Machine, monkeypatch, capsys) -> None:
    from pyzram.cli.tend import command as tend

    watch = Watch()
    monkeypatch.setattr(tend, "Clocks", lambda: watch)
    found = foretold(capsys)
    assert (found["daemon"], found["next_round"]) == (None, None)
    huge, others = found["actions"]
    assert (huge["huge"], huge["pages"], others["pages"]) == (True, 0, 32 * MIB // 4096)
    assert found["written"] == 0 and machine.attribute("bd_stat").read_text() == "0 0 0\n"
    # Up for less time than that, so the limit is not a promise.
    watch.now = 810_000.0
    assert [action["pages"] for action in foretold(capsys)["actions"]] == [0, 0]
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out = capsys.readouterr().out
    assert "no daemon runs: this is what --once would do" in out
    assert "not used for 48.0 h, the oldest first: there is no such page\n" in out
    assert "0B written" not in out
    block_state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    block_state.rename(block_state.with_name("none"))
    assert [action["pages"] for action in foretold(capsys)["actions"]] == [None, None]
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    assert "is not known without block_state" in capsys.readouterr().out


def test_raw_pages_are_not_counted_twice(machine: Machine, monkeypatch, capsys) -> None:
    from pyzram.cli.tend import command as tend

    block_state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    block_state.write_text(
        "".join(
            f"{n:12} {800000:12}.000000 {'..h...' if n < 100 else '......'}\n" for n in range(500)
        )
    )
    monkeypatch.setattr(tend, "Clocks", Watch)
    assert [action["pages"] for action in foretold(capsys)["actions"]] == [100, 400]


def test_pages_that_are_written_first_are_not_recompressed(
    machine: Machine, monkeypatch, capsys
) -> None:
    """Writing takes 100 raw and 350 other pages, 50 of which were tried; 50 young ones are left."""
    from pyzram.cli.tend import command as tend

    flags = ["..h..."] * 100 + ["....r."] * 50 + ["......"] * 300
    lines = [f"{n:12} {800000:12}.000000 {flag}\n" for n, flag in enumerate(flags)]
    lines += [f"{n:12} {950000:12}.000000 ......\n" for n in range(450, 500)]
    block_state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    block_state.write_text("".join(lines))
    machine.attribute("recomp_algorithm").write_text("#1: lz4 [zstd]\n")
    monkeypatch.setattr(tend, "Clocks", Watch)
    found = foretold(capsys)["actions"]
    assert [(a["action"], a["huge"], a["pages"]) for a in found if a["action"] != "Compact"] == [
        ("WriteBack", True, 100),
        ("WriteBack", False, 350),
        ("Recompress", True, 0),
        ("Recompress", False, 50),
    ]


def test_a_dry_run_beside_a_daemon_goes_by_what_that_remembers(
    machine: Machine, monkeypatch, capsys
) -> None:
    from pyzram.cli.tend import command as tend

    watch, told, run = Watch(), Told(), str(machine.root / "run/pyzram")
    monkeypatch.setattr(tend, "Clocks", lambda: watch)
    booted(machine)
    tending, writer = tender(machine, watch, at_once=False, handover=f"{run}/{HANDOVER}")
    write_status(run, told.status(tending.round(), NOBODY, WALL))
    found = foretold(capsys)
    assert (found["mode"], found["reasons"]) == ("held", ["just started"])
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    assert "would do nothing" in capsys.readouterr().out
    watch.now += 301
    writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
    tending.round()
    watch.now += 10
    write_status(run, told.status(tending.round(), NOBODY, WALL))
    capsys.readouterr()
    found = foretold(capsys)
    assert found["daemon"] and found["next_round"] == 3590
    assert found["reasons"] == ["zram0: held for 60 s more"] and found["actions"] == []
    assert found["devices"]["zram0"]["backoff"] == 60
    watch.now += 61
    assert foretold(capsys)["actions"]  # a round now, though its own is later
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out = capsys.readouterr().out
    assert "would do this in a round now; its next one is in at most 59.8 min" in out


@pytest.mark.parametrize(
    ("seen", "due", "handover"),
    [
        ({}, 1, None),
        ({}, 1, "{}"),
        ({}, 1, '{"state": {"later": 1}}'),
        (None, 1, "of now"),
        ({}, "soon", "of now"),
    ],
)
def test_a_daemon_of_another_version_runs_but_is_not_asked(
    machine: Machine, capsys, seen, due, handover
) -> None:
    run = str(machine.root / "run/pyzram")
    booted(machine)
    if handover == "of now":
        save(f"{run}/{HANDOVER}", "this-start", Handover(State(mode=PRESSED, pressure=1.0)))
    elif handover:
        write_file(f"{run}/{HANDOVER}", handover)
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    capsys.readouterr()
    write_status(run, {"mode": "calm", "seen": seen, "next_round": due})
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["daemon"], found["next_round"]) == (os.getpid(), None)
    assert found["mode"] == "calm", "of what is half understood, nothing is taken over"
    assert "is not of this version of pyzram" in err
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out, _ = capsys.readouterr()
    assert f"a daemon runs, process {os.getpid()}, but what it remembers cannot be read" in out
    assert "no daemon runs" not in out and "--once" not in out
    assert command.main(["tend", "--status"]) == 1
    assert "not one of this version" in capsys.readouterr().err


def test_whether_a_daemon_runs_is_not_known_from_a_damaged_status(machine: Machine, capsys) -> None:
    run = str(machine.root / "run/pyzram")
    write_status(run, {"mode": "calm"})
    status = machine.root / "run/pyzram" / NAME
    status.write_text(status.read_text()[:-5])
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    out, err = capsys.readouterr()
    assert "whether a daemon runs is not known: this is what --once would do if none does" in out
    assert "cannot be read" in err and str(status) in err
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    assert json.loads(capsys.readouterr().out)["daemon"] is None
