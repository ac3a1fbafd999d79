# SPDX-License-Identifier: MIT
"""Which part of the pressure is our own, and how little of each kind counts."""

from __future__ import annotations

import math

import pytest

from pyzram.tend.observation import DeviceObserved, Observation
from pyzram.tend.pressure import foreign, observed_pressure, own_part, plenty
from pyzram.tend.state import State

GIB = 1 << 30
SEEN = Observation(1000.0, 8 * GIB, 3 * GIB)
BEFORE = State(now=900.0, stalled=50.0, waited=20.0, ours300=6.0)
KEPT = math.exp(-100 / 300)


@pytest.mark.parametrize(
    ("stalled", "waited", "share", "percent"),
    [
        (58.0, 22.0, 0.25, 2.0),
        (58.0, 28.0, 1.0, 8.0),
        (58.0, 38.0, 1.0, 18.0),  # estimates may exceed what was measured
        (50.0, 22.0, 0.0, 2.0),
        (58.0, 20.0, 0.0, 0.0),
        # A counter that went back, as that of a device that is gone or was reset.
        (58.0, 10.0, 0.0, 0.0),
        (40.0, 22.0, 0.0, 2.0),
        (600.0, 220.0, 200 / 550, 100.0),
    ],
)
def test_our_part_is_what_was_waited_for_of_what_was_stalled(stalled, waited, share, percent):
    seen = SEEN._replace(stalled=stalled, waited=waited)
    expected = 6.0 * KEPT + percent * (1 - KEPT)
    assert own_part(seen, BEFORE) == (pytest.approx(share), pytest.approx(expected))


@pytest.mark.parametrize("passed", [0.0, -5.0, 86400.0, math.inf])
def test_of_a_look_too_long_ago_or_just_now_nothing_follows(passed):
    seen = SEEN._replace(stalled=58.0, waited=28.0)
    assert own_part(seen, BEFORE._replace(now=1000.0 - passed)) == (0.0, 6.0)


def test_a_second_is_enough_to_tell_whose_the_waiting_was():
    seen = SEEN._replace(stalled=50.5, waited=20.5)
    share, percent = own_part(seen, BEFORE._replace(now=999.0))
    assert share == 1.0
    assert 6.0 < percent < 6.5


def test_what_is_left_is_foreign():
    seen = SEEN._replace(some10=8.0, some300=2.0, full10=4.0, trigger="some")
    assert foreign(seen, 0.0, 0.0) is seen
    assert foreign(seen, 0.25, 0.0) == seen._replace(some10=6.0, full10=3.0)
    assert foreign(seen, 0.0, 0.5) == seen._replace(some300=1.5)
    assert foreign(seen, 0.0, 9.0).some300 == 0.0
    for share, trigger in ((0.5, "some"), (0.51, "")):
        assert foreign(seen, share, 0.0).trigger == trigger


def test_pressure_that_is_unknown_stays_so_without_our_part():
    assert foreign(SEEN, 0.25, 1.0) == SEEN


def pool(share: float, gentle: bool = False, limit: int = 0) -> Observation:
    """A machine whose pool takes that share of its memory."""
    device = DeviceObserved(
        "zram0", "1", mem_used_total=int(share * 8 * GIB), mem_limit=limit, gentle=gentle
    )
    return SEEN._replace(devices=(device,))


@pytest.mark.parametrize(
    ("share", "pressure"), [(0.2, 0.0), (0.245, 0.1), (0.2675, 0.15), (0.28, 0.16), (0.9, 0.16)]
)
def test_a_pool_is_pressure_by_its_share_of_memory_but_little(share, pressure):
    assert observed_pressure(pool(share)) == pytest.approx(pressure)
    assert observed_pressure(pool(share, gentle=True)) == 0.0


def test_two_pools_count_together():
    (one,) = pool(0.1225).devices
    two = SEEN._replace(devices=(one, one._replace(name="zram1", key="2")))
    assert observed_pressure(two) == pytest.approx(0.1)


def test_of_several_kinds_the_greatest_counts():
    seen = pool(0.28)._replace(some10=4.0, some300=0.0)
    assert observed_pressure(seen) == pytest.approx(0.2)
    assert observed_pressure(seen._replace(some10=1.0)) == pytest.approx(0.16)
    assert observed_pressure(seen._replace(some300=0.02)) == pytest.approx(0.4)
    assert observed_pressure(seen._replace(some10=None, scanning=1000.0)) == pytest.approx(0.5)
    assert observed_pressure(seen._replace(available=int(0.06 * 8 * GIB))) == pytest.approx(0.3)
    assert observed_pressure(pool(0.28, limit=int(0.28 * 8 * GIB))) == 1.0


@pytest.mark.parametrize(
    ("changes", "so"),
    [
        ({}, True),
        ({"some10": 0.99}, True),
        ({"some10": 1.0}, False),
        ({"some10": 1.2}, False),
        ({"trigger": "some"}, False),
        ({"available": 4 * GIB}, False),
    ],
)
def test_memory_is_plentiful_while_half_is_available_and_nobody_waits(changes, so):
    assert plenty(SEEN._replace(**{"available": 4 * GIB + 1, **changes})) is so
