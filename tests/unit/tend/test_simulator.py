# SPDX-License-Identifier: MIT
"""The bench's made-up machines: a seed always gives the same, and no run exceeds the budget."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

TREE = Path(__file__).resolve().parents[3]
BENCH, DOCS = TREE / "bench", TREE / "docs"
pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")


@pytest.fixture(scope="module")
def fleet() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module("simulator.fleet")
    finally:
        sys.path.remove(str(BENCH))


# Seeds that use the budget to the last megabyte, which shows steps that do not add up.
@pytest.mark.parametrize(("trace", "seed"), [("leak", 17), ("leak", 19), ("leak", 54)])
@pytest.mark.parametrize("kills", [0, 12])
def test_no_run_writes_more_than_the_budget(fleet: ModuleType, trace: str, seed: int, kills: int):
    outcome = fleet.do(fleet.Job(trace, seed, ("tend",), 2, kills))["tend"]
    assert outcome.violations == 0
    assert outcome.flash_bytes_per_day > 100 << 20


def test_who_is_killed_writes_no_more(fleet: ModuleType):
    """What comes back soon after a start is no shortage, and caution is kept."""

    def written(kills: int) -> float:
        jobs = (fleet.Job("desktop", seed, ("tend",), 2, kills) for seed in range(1, 11))
        return sum(fleet.do(job)["tend"].flash_bytes_per_day for job in jobs)

    assert 1 << 30 < written(8) < 1.2 * written(0)


def test_the_same_seed_gives_the_same(fleet: ModuleType):
    job = fleet.Job("server", 3, ("mmd", "tend"), 1, 1)
    assert fleet.do(job) == fleet.do(job)


def test_a_violation_is_counted(fleet: ModuleType):
    log = [(0.0, 60.0), (40000.0, 60.0), (86399.0, 1.0), (86401.0, 30.0)]
    assert fleet.violations(log, 100) == 2
    assert fleet.violations(log, 121) == 0


@pytest.fixture(scope="module")
def replay(fleet: ModuleType) -> ModuleType:
    return importlib.import_module("simulator.replay")


def recording(minutes: int, **changes: object) -> list[dict[str, object]]:
    """A server of 2 GiB that swaps, on battery after an hour, and sleeps for ten minutes once."""
    rows = []
    for minute in range(minutes):
        held = (512 + minute % 60) << 20
        rows.append(
            {
                "v": 1,
                "time": 1_700_000_000 + 60 * minute,
                "awake": 1000 + 60 * minute,
                "asleep": 600 if minute > 90 else 0,
                "total": 2 << 30,
                "available": 600 << 20,
                "stalled": minute * 0.05,
                "battery": None if minute < 60 else 50.0,
                "pages": [minute * 300, minute * 400, 0, minute],
                "devices": {
                    "zram0": {
                        "memory": [held, held // 3, held // 3, 100],
                        "flash": [0, 0, 0],
                        "medium": "card",
                        "ages": [0] * 12 + [50000],
                    }
                },
                **changes,
            }
        )
    return rows


def test_a_recording_becomes_machines_that_fit_it(replay: ModuleType, fleet: ModuleType, tmp_path):
    path = tmp_path / "file"
    path.write_text("".join(json.dumps(row) + "\n" for row in recording(180)))
    rows = replay.load(str(path))
    trace = replay.draw(rows, random.Random(1))
    assert trace.ram == 2 << 30 and trace.medium == "mmc"
    assert len(trace.activity) == len(trace.extra) == len(trace.charge) == 18
    assert trace.suspend_for == [600.0] and trace.suspend_at == [91 * 60]
    assert trace.charge[0] == -1 and trace.charge[-1] == 50
    assert replay.stalled(rows) == pytest.approx(0.05 / 60 * 86400)
    compressed = sum(size for _, size, _ in trace.units) / len(trace.units) / 4096
    assert compressed == pytest.approx(1 / 3, rel=0.1)
    machines = [replay.draw(rows, random.Random(seed)).units for seed in (1, 1, 2)]
    assert machines[0] == machines[1] != machines[2]
    outcome = fleet.run(trace, fleet.POLICIES["tend"](), 180 / 1440)
    assert outcome.violations == 0


def test_more_memory_asked_for_means_more_swapped(replay: ModuleType):
    from simulator.model import Machine

    def swapped(extra: int) -> float:
        rows = recording(60)
        for row in rows[30:]:
            row["available"] -= extra
        trace = replay.draw(replay._one_clock(rows), random.Random(1))
        machine = Machine(trace, 60 / 1440)
        while machine.m.now < machine.m.end:
            machine.run(machine.m.end)
        return machine.m.stored_pages

    assert swapped(400 << 20) > swapped(0) + (200 << 20) // 4096


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", "x\n", '{"v": 2}\n'])
def test_what_is_no_recording_is_said(replay: ModuleType, tmp_path, text: str):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(SystemExit, match="file"):
        replay.load(str(path))


@pytest.fixture(scope="module")
def command(fleet: ModuleType) -> ModuleType:
    del fleet  # which has made its folder known
    spec = importlib.util.spec_from_file_location("bench_tend", BENCH / "tend.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCH))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH))
    return module


def said(command: ModuleType, monkeypatch, capsys, *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["tend.py", *map(str, words)])
    assert command.main() == 0
    return capsys.readouterr().out


def test_the_documents_say_what_came_of_the_run(command: ModuleType, monkeypatch, capsys):
    page = (DOCS / "tend.md").read_text(encoding="utf-8")
    tables = page.partition("<!-- tables -->\n")[2].partition("<!-- end of tables -->\n")[0]
    figures = DOCS / "tend.json"
    assert tables == said(command, monkeypatch, capsys, "--from", figures, "--markdown")
    assert "missed" not in tables
    found = json.loads(figures.read_text())
    assert (found["seeds"], found["first"], len(found["traces"])) == (100, 30001, 7)
    assert found["kills"] > 0 and found["killed"].keys() == found["traces"].keys()


@pytest.mark.parametrize(
    ("trace", "policy", "changes", "told"),
    [
        ("server", "tend", {"stall_seconds": 370.0}, "at most 0.9, **missed**"),
        ("calm", "tend_4gib", {"stall_seconds": 8.7}, "at most 0.01 %, **missed**"),
        ("calm", "tend", {"flash_bytes_per_day": 129 << 20}, "at most 128, **missed**"),
        ("board", "tend", {"violations": 1}, "in all runs: 1, **missed**."),
    ],
)
def test_an_aim_that_is_missed_is_told(
    command: ModuleType, monkeypatch, capsys, tmp_path, trace, policy, changes, told
):
    found = json.loads((DOCS / "tend.json").read_text())
    # Only the aim in question: cron and mmd are far above all others.
    for other in ("cron", "mmd") if trace == "calm" else ():
        found["traces"][trace][other] |= {"stall_seconds": 1e3, "flash_bytes_per_day": 1e12}
    found["traces"][trace][policy] |= changes
    (tmp_path / "a.json").write_text(json.dumps(found))
    text = said(command, monkeypatch, capsys, "--from", tmp_path / "a.json", "--markdown")
    assert text.count(told) == text.count("missed") == 1


def test_too_much_written_by_one_that_was_killed_is_told(
    command: ModuleType, monkeypatch, capsys, tmp_path
):
    found = json.loads((DOCS / "tend.json").read_text())
    found["killed"]["leak"]["tend"]["violations"] = 2
    found["killed"]["leak"]["tend_4gib"]["stall_seconds"] = 99.0
    (tmp_path / "a.json").write_text(json.dumps(found))
    text = said(command, monkeypatch, capsys, "--from", tmp_path / "a.json", "--markdown")
    last = text.splitlines()[-1]
    share = 99.0 / found["traces"]["leak"]["tend_4gib"]["stall_seconds"]
    assert f"stalls for at most {share:.2f} times" in last
    assert last.endswith("writes above its budget: 2, **missed**.")


def test_what_was_printed_is_taken_up_again(command: ModuleType, monkeypatch, capsys, tmp_path):
    """And only tend is killed, in runs of their own."""
    words = ("--seeds", 1, "--days", 1, "--traces", "calm", "--policies", "mmd", "tend")
    text = said(command, monkeypatch, capsys, *words, "--json", "--kills", 3)
    plain = said(command, monkeypatch, capsys, *words, "--json")
    assert json.loads(text)["traces"] == json.loads(plain)["traces"]
    assert json.loads(text)["killed"]["calm"].keys() == {"tend"}
    (tmp_path / "a.json").write_text(text)
    tables = said(command, monkeypatch, capsys, "--from", tmp_path / "a.json", "--markdown")
    assert "| calm |" in tables and "aim" not in tables  # without those it is compared with
    again = said(command, monkeypatch, capsys, "--from", tmp_path / "a.json", "--json")
    assert json.loads(again) == json.loads(text)


@pytest.mark.parametrize(
    "words",
    [
        ["--kills", "-3"],
        ["--first", "-3"],
        ["--seeds", "0"],
        ["--json", "--markdown"],
        ["--plot", "/nonexistent/x.svg"],
        ["--plot", "/x.nothing"],
        ["--plot", "/tmp"],
        ["--from", "/nonexistent/x.json"],
        ["--from", "/dev/null"],
        ["--from", "/proc/self/mem"],
        ["--replay", "/nonexistent/x"],
    ],
)
def test_what_cannot_be_is_one_line_before_anything_runs(
    command: ModuleType, monkeypatch, capsys, words: list[str]
):
    def runs(_jobs: object) -> None:
        raise AssertionError("it runs")

    monkeypatch.setattr(command.fleet, "fleet", runs)
    monkeypatch.setattr(sys, "argv", ["tend.py", *words])
    with pytest.raises(SystemExit) as raised:
        command.main()
    told = raised.value.code if isinstance(raised.value.code, str) else capsys.readouterr().err
    assert words[-1].rpartition("/")[2] in told and "Traceback" not in told
    assert raised.value.code not in (0, None)


def test_a_compiler_that_knows_no_native_processor_makes_the_model(
    fleet: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those for RISC-V and POWER."""
    assert fleet
    (tmp_path / "bin").mkdir()
    compiler = tmp_path / "bin" / "cc"
    compiler.write_text(
        f'#!/bin/sh\nfor word; do [ "$word" != -march=native ] || exit 1; done\n'
        f'exec {shutil.which("cc")} "$@"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = sys.modules["simulator.model"]
    assert model.library.__wrapped__()
