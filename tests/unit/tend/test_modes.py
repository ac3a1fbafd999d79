# SPDX-License-Identifier: MIT
"""The bounds between modes, and what holds the machine."""

from __future__ import annotations

import math

import pytest

from pyzram.tend.modes import just_slept, mode_of, quiet_since, why_held
from pyzram.tend.observation import Observation
from pyzram.tend.state import CALM, CHOKED, PRESSED, TIGHT, State

SEEN = Observation(1000.0, 8 << 30, 4 << 30)


@pytest.mark.parametrize(
    ("battery", "low_before", "low"),
    [
        (20.0, False, True), (20.1, False, False), (24.0, True, True), (24.1, True, False),
        (0.0, False, True), (None, True, False),
    ],
)  # fmt: skip
def test_a_battery_is_low_up_to_a_fifth_and_until_it_has_a_little_more(battery, low_before, low):
    why, found = why_held(SEEN._replace(battery=battery), State(low_battery=low_before))
    assert (bool(why), found) == (low, low)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"started": 701.0}, "just started"),
        ({"started": 700.0}, ""),
        ({"resumed": 881.0}, "slept less than two minutes ago, as far as is known"),
        ({"resumed": 880.0}, ""),
        ({}, ""),
    ],
)
def test_a_start_and_a_sleep_hold_for_a_while_and_make_no_battery_low(changes, why):
    assert why_held(SEEN._replace(battery=50.0, **changes), State()) == (why, False)


def test_what_cannot_be_read_comes_first_and_changes_nothing():
    seen = SEEN._replace(battery_error="BAT0: no", battery=5.0, started=999.0)
    for low in (False, True):
        found = why_held(seen, State(low_battery=low))
        assert found == ("the battery cannot be read: BAT0: no", low)


def test_two_minutes_after_a_sleep_it_is_over():
    assert [just_slept(now, 1000.0) for now in (1000.0, 1119.9, 1120.0)] == [True, True, False]
    assert not just_slept(0.0, -math.inf)


@pytest.mark.parametrize(
    ("mode", "changes", "loud"),
    [
        (PRESSED, {"some10": 1.0}, True),
        (PRESSED, {"some10": 0.99}, False),
        (PRESSED, {"trigger": "some"}, True),
        (PRESSED, {"some10": 0.0, "full10": 9.0}, False),
        (PRESSED, {}, False),
        # A choked machine is quiet as soon as some process gets on.
        (CHOKED, {"full10": 2.0}, True),
        (CHOKED, {"full10": 1.99, "some10": 90.0}, False),
        (CHOKED, {"trigger": "full"}, True),
        (CHOKED, {"trigger": "some"}, False),
        (CHOKED, {}, False),
    ],
)
def test_what_keeps_a_mode_from_ending(mode, changes, loud):
    seen = SEEN._replace(**changes)
    assert quiet_since(seen, State(mode=mode)) == (math.inf if loud else 1000.0)
    before = quiet_since(seen, State(mode=mode, quiet_since=970.0))
    assert before == (math.inf if loud else 970.0)


@pytest.mark.parametrize(
    ("changes", "pressure", "before", "quiet", "mode"),
    [
        ({"full10": 10.0}, 0.0, CALM, 0.0, CHOKED),
        ({"full10": 9.9}, 0.0, CALM, 0.0, CALM),
        ({"trigger": "full"}, 0.0, CALM, 0.0, CHOKED),
        ({"trigger": "some"}, 0.0, CALM, 0.0, PRESSED),
        ({"some10": 5.0}, 0.0, CALM, 0.0, PRESSED),
        ({"some10": 4.9}, 0.0, CALM, 0.0, CALM),
        ({}, 0.0, CHOKED, 59.0, CHOKED),
        ({}, 0.0, CHOKED, 60.0, CALM),
        ({"some10": 6.0}, 0.0, CHOKED, 60.0, PRESSED),
        ({}, 0.0, PRESSED, 59.0, PRESSED),
        ({}, 0.0, PRESSED, 60.0, CALM),
        ({}, 0.5, PRESSED, 60.0, TIGHT),
        ({}, 0.05, CALM, 0.0, TIGHT),
        ({}, 0.049, CALM, 0.0, CALM),
        ({}, 0.04, TIGHT, 0.0, TIGHT),
        ({}, 0.039, TIGHT, 0.0, CALM),
    ],
)
def test_where_each_mode_begins_and_ends(changes, pressure, before, quiet, mode):
    seen = SEEN._replace(**changes)
    assert mode_of(seen, State(mode=before), pressure, 1000.0 - quiet) == mode
