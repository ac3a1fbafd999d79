# SPDX-License-Identifier: MIT
"""How the caution follows from what came back."""

from __future__ import annotations

import math

import pytest

from pyzram.tend.caution import judged, regret
from pyzram.tend.observation import DeviceObserved
from pyzram.tend.state import DeviceState

MIB = 1 << 20
HOUR = 3600.0
SEEN = DeviceObserved(
    "zram0", "7", budget=1024 * MIB, left=1024 * MIB, bd_writes=2000 * MIB, bd_reads=100 * MIB
)
STATE = DeviceState("7", judged=1e6, writes=1000 * MIB, reads=100 * MIB)


@pytest.mark.parametrize(("left", "wrote"), [(1024, 0), (900, 124), (-5000, 2000)])
def test_at_first_it_goes_by_what_the_ledger_knows_of_a_day(left, wrote):
    found = judged(SEEN._replace(left=left * MIB), DeviceState("7", reads=40 * MIB), 1e6)
    assert (found.judged, found.wrote, found.came_back) == (1e6, wrote * MIB, 0.0)
    assert (found.reads, found.writes, found.caution) == (SEEN.bd_reads, SEEN.bd_writes, 1.0)


def test_it_is_judged_once_an_hour():
    assert judged(SEEN, STATE, 1e6 + HOUR - 1) is STATE
    assert judged(SEEN, STATE, 1e6 + HOUR).judged == 1e6 + HOUR


def test_what_was_written_and_came_back_is_forgotten_within_days():
    state = STATE._replace(wrote=500.0 * MIB, came_back=50.0 * MIB)
    found = judged(SEEN._replace(bd_reads=130 * MIB), state, 1e6 + 12 * HOUR)
    kept = math.exp(-0.5)
    assert found.wrote == pytest.approx((500 * kept + 1000) * MIB)
    assert found.came_back == pytest.approx((50 * kept + 30) * MIB)
    assert (found.reads, found.writes) == (130 * MIB, 2000 * MIB)
    # A device that was reset has counters that begin again.
    found = judged(SEEN._replace(bd_reads=0, bd_writes=0), state, 1e6 + 12 * HOUR)
    assert found.wrote == pytest.approx(500 * kept * MIB)
    assert found.came_back == pytest.approx(50 * kept * MIB)


@pytest.mark.parametrize(
    ("came_back", "before", "after"),
    [
        (81, 1.0, 1.3), (81, 2.0, 2.6), (81, 7.0, 8.0), (1000, 8.0, 8.0),
        (79, 2.0, 2.0), (51, 2.0, 2.0),
        (49, 2.0, 2.0 / 1.1), (0, 1.05, 1.0), (0, 1.0, 1.0),
    ],
)  # fmt: skip
def test_caution_rises_fast_and_falls_slowly(came_back, before, after):
    """Of a thousand MiB that were written within the hour."""
    seen = SEEN._replace(bd_reads=(100 + came_back) * MIB)
    found = judged(seen, STATE._replace(caution=before), 1e6 + HOUR)
    assert regret(found) == pytest.approx(came_back / 1000)
    assert found.caution == pytest.approx(after)


def test_of_little_that_was_written_much_may_come_back():
    state = DeviceState("7", wrote=10.0 * MIB, came_back=10.0 * MIB)
    assert regret(state) == pytest.approx(10 / 256)
