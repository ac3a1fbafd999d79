# SPDX-License-Identifier: MIT
"""What each device may write in one round, in bytes."""

from __future__ import annotations

import pytest

from pyzram.tend.allotment import LEAST, Allotment
from pyzram.tend.observation import DeviceObserved, Observation
from pyzram.tend.state import CALM, CHOKED, PRESSED, TIGHT

MIB = 1 << 20
GIB = 1 << 30
ONE = DeviceObserved(
    "zram0", "0", mem_used_total=GIB, free=8 * GIB, budget=GIB, left=GIB, medium="a"
)


def allotment(*devices: DeviceObserved, battery: float | None = None) -> Allotment:
    return Allotment(Observation(0.0, 8 * GIB, GIB, battery=battery, devices=devices))


def device(number: int, **changes: object) -> DeviceObserved:
    return ONE._replace(name=f"zram{number}", key=f"{number}", **changes)


@pytest.mark.parametrize(
    ("mode", "pressure", "left", "size"),
    [
        (CALM, 0.0, GIB, 128 * MIB),
        (CALM, 1.0, GIB - 28 * MIB, 100 * MIB),
        (CALM, 0.0, GIB - 200 * MIB, -72 * MIB),
        (TIGHT, 0.0, GIB, 128 * MIB),  # what calm allows
        (TIGHT, 0.0, GIB - 200 * MIB, GIB // 24),
        (TIGHT, 0.5, GIB - 200 * MIB, GIB // 12),
        (TIGHT, 1.0, GIB - 200 * MIB, GIB // 8),
        (TIGHT, 0.5, 50 * MIB, 50 * MIB),
        (PRESSED, 0.0, GIB - 200 * MIB, 128 * MIB),
        (CHOKED, 0.0, 100 * MIB, 100 * MIB),
    ],
)
def test_a_round_has_a_part_of_the_budget(mode, pressure, left, size):
    assert allotment().pace(mode, pressure, ONE._replace(left=left)) == size


@pytest.mark.parametrize(
    ("mode", "left", "size"),
    [
        (CALM, GIB, 64 * MIB),
        (CALM, GIB - 28 * MIB, 36 * MIB),
        (PRESSED, GIB, 64 * MIB),
        (PRESSED, GIB // 2 + 5 * MIB, 5 * MIB),
        (TIGHT, GIB - 200 * MIB, GIB // 48),
    ],
)
def test_on_battery_it_is_of_half_the_budget(mode, left, size):
    seen = ONE._replace(left=left)
    assert allotment(seen, battery=50.0).pace(mode, 0.0, seen) == size


def test_of_a_small_budget_a_part_is_enough_for_a_round():
    small = ONE._replace(budget=16 * MIB, left=8 * MIB)
    paces = [allotment().pace(mode, 0.0, small) for mode in (CALM, TIGHT, PRESSED)]
    assert paces == [-4 * MIB, LEAST, LEAST]


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, 128 * MIB),
        ({"free": 100 * MIB}, 99 * MIB),
        ({"own_limit": 50 * MIB}, 50 * MIB),
        ({"own_limit": 0}, 0),
        ({"left": 7 * MIB}, 7 * MIB),
        ({"left": -MIB}, 0),
        ({"mem_used_total": 0}, LEAST),
    ],
)
def test_the_smallest_bound_decides(changes, size):
    seen = ONE._replace(**changes)
    assert allotment(seen).of(PRESSED, 0.0, seen) == size


def test_devices_share_by_their_pools():
    large, small = device(0, mem_used_total=3 * GIB), device(1, mem_used_total=GIB)
    other = device(2, medium="b")
    given = allotment(large, small, other)
    assert [given.of(PRESSED, 0.0, one) for one in (large, small, other)] == [
        96 * MIB, 32 * MIB, 128 * MIB,
    ]  # fmt: skip


def test_a_part_too_little_for_a_round_is_enlarged_while_others_leave_it():
    large = device(0, mem_used_total=31 * GIB, budget=64 * MIB, left=64 * MIB)
    small = [large._replace(name=f"zram{n}", key=f"{n}", mem_used_total=GIB // 2) for n in (1, 2)]
    given = allotment(large, *small)
    # 8 MiB in this round: the large one's part is 7.75 of them.
    assert given.of(PRESSED, 0.0, small[0]) == LEAST
    assert given.of(PRESSED, 0.0, large) == LEAST
    assert given.of(PRESSED, 0.0, small[1]) < LEAST
    # What is too little is not taken from the others.
    given = allotment(large, *small)
    assert given.of(PRESSED, 0.0, large) == int(7.75 * MIB)
    assert given.of(PRESSED, 0.0, small[0]) == MIB // 4
    assert given.of(PRESSED, 0.0, small[1]) == MIB // 4


def test_of_several_media_each_bounds_and_each_is_taken_from():
    both = device(0, media=("a", "b"))
    first, second = device(1, media=("a",)), device(2, media=("b",), mem_used_total=3 * GIB)
    given = allotment(both, first, second)
    assert given.of(PRESSED, 0.0, both) == 32 * MIB  # a quarter of b
    assert given.of(PRESSED, 0.0, first) == 64 * MIB
    assert given.of(PRESSED, 0.0, second) == 96 * MIB


@pytest.mark.parametrize(
    ("changes", "battery", "why"),
    [
        ({"lost": True, "left": 0}, None, "its backing device cannot be found"),
        ({"left": LEAST - 1}, None, "3 MiB left of its budget"),
        ({"own_limit": LEAST - 1, "free": 0}, None, "3 MiB left of its writeback_limit"),
        ({"own_limit": LEAST, "free": LEAST}, None, "4 MiB free on its backing device"),
        ({"own_limit": LEAST, "left": GIB // 2 + LEAST - 1}, 50.0,
         "half of its budget is kept while on battery, 515 MiB left of its budget"),
        ({"left": GIB // 2}, None, "enough written for now, 512 MiB left of its budget"),
        ({"left": GIB // 2 + LEAST}, 50.0, "enough written for now, 516 MiB left of its budget"),
        ({"left": LEAST}, None, "enough written for now, 4 MiB left of its budget"),
        ({}, None, "others write to its medium in this round, 1024 MiB left of its budget"),
    ],
)  # fmt: skip
def test_the_reason_is_the_bound_in_the_way(changes, battery, why):
    seen = ONE._replace(**changes)
    assert allotment(seen, battery=battery).why_not(CALM, 0.0, seen) == why
