# SPDX-License-Identifier: MIT
"""The daemon's bench still runs, although what it measures changes and it is rarely run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench/tend_daemon.py"


@pytest.fixture
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tend_daemon", BENCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_look_of_a_machine_with_a_backing_device_is_measured(bench: ModuleType, tmp_path):
    root = bench.machine(tmp_path)
    assert bench.look_seconds(root, tmp_path / "run", bench.environment(tmp_path, root), 2) > 0
    assert (tmp_path / "run/tend/handover.json").exists()


def test_the_ages_of_a_round_are_measured(bench: ModuleType, tmp_path):
    bench.block_state(tmp_path, 100)
    seconds, pages = bench.round_seconds(tmp_path)
    assert seconds > 0 and pages == 100
