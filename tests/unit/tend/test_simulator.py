# SPDX-License-Identifier: MIT
"""The bench's made-up machines: the same seed gives the same, and no run breaks the budget."""

from __future__ import annotations

import importlib
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
