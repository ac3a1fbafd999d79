# SPDX-License-Identifier: MIT
"""The bench's made-up machines: the same seed gives the same, and no run breaks the budget."""

from __future__ import annotations

import importlib
import json
import random
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench"
pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")


@pytest.fixture(scope="module")
def fleet() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module("simulator.fleet")
    finally:
        sys.path.remove(str(BENCH))


# Seeds whose budget is used up to the last megabyte, where steps that do not add up show.
@pytest.mark.parametrize(("trace", "seed"), [("leak", 17), ("leak", 19), ("leak", 54)])
@pytest.mark.parametrize("kills", [0, 12])
def test_no_run_writes_more_than_the_budget(fleet: ModuleType, trace: str, seed: int, kills: int):
    outcome = fleet.do(fleet.Job(trace, seed, ("tend",), 2, kills))["tend"]
    assert outcome.violations == 0
    assert outcome.flash_bytes_per_day > 100 << 20


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
