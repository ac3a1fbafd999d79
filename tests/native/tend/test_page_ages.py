# SPDX-License-Identifier: MIT
"""The C code of tend/ages.py, compared with plain Python, and given any bytes at all."""

from __future__ import annotations

import errno
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram._native_page_ages import AgesSelection, PageAges, ages_counts

LETTERS = "swhirn"
SAME, WRITTEN_BACK, HUGE, RECOMPRESSED, INCOMPRESSIBLE = 1, 2, 4, 16, 32
TURN, KEPT = 0x7FFF, 0x8000
PLACES = 40
NOW = 200_000.0

SLOTS = st.dictionaries(
    st.integers(0, PLACES + 4),
    st.tuples(st.sampled_from([0, 0, 1, 64, 150_000, 199_999, 3_000_000]), st.integers(0, 63)),
)
WORDS = st.lists(
    st.one_of(st.just(0), st.integers(1, TURN), st.integers(KEPT + 1, KEPT + TURN)),
    min_size=PLACES,
    max_size=PLACES,
)
UNITS = st.sampled_from([1, 64])
TIMES = st.one_of(st.just(NOW), st.floats(2.0, 4e6))


def text_of(slots: dict[int, tuple[int, int]]) -> bytes:
    lines = []
    for place, (seconds, flags) in sorted(slots.items()):
        marks = "".join(LETTERS[i] if flags >> i & 1 else "." for i in range(6))
        lines.append(f"{place:12d} {seconds:12d}.{seconds % 7:06d} {marks}\n")
    return "".join(lines).encode()


def microseconds(seconds: int) -> int:
    return seconds * 1_000_000 + seconds % 7


def table_of(words: list[int]) -> bytearray:
    return bytearray(b"".join(word.to_bytes(2, sys.byteorder) for word in words))


def words_of(table: bytearray) -> list[int]:
    return list(memoryview(table).cast("H"))


def number(units: int) -> int:
    return (units - 1) % TURN + 1


def used(words: list[int], unit: int, place: int, time: int, now: float) -> float:
    """The latest past time of that number, exactly, by trying."""
    if time:
        return time // 1_000_000 + 1
    word = words[place] if place < len(words) else 0
    if not word & KEPT:
        return now
    units = int(now // unit) + 1
    while number(units) != word & TURN:
        units -= 1
    return units * unit


def tried(slots: dict[int, tuple[int, int]]) -> int:
    return sum(flags >> bit & 1 for _, flags in slots.values() for bit in (4, 5))


@given(SLOTS, WORDS, UNITS, TIMES, TIMES)
def test_what_is_remembered(slots, words, unit, now, since):
    table, counts = table_of(words), ages_counts()
    text = text_of(slots)
    assert PageAges(table, unit).remember(text, now, since, counts) == len(text)
    untried = [
        flags
        for seconds, flags in slots.values()
        if 0 < microseconds(seconds) <= since * 1e6
        and not flags & (SAME | WRITTEN_BACK | RECOMPRESSED | INCOMPRESSIBLE)
    ]
    huge = [flags for flags in untried if flags & HUGE]
    assert (counts.untried, counts.huge) == (len(untried), len(huge))
    assert counts.tried == tried(slots)
    for place, (seconds, _) in slots.items():
        if place >= PLACES:
            continue
        if microseconds(seconds):
            words[place] = number(microseconds(seconds) // 1_000_000 // unit + 1)
        elif not words[place] & KEPT:
            words[place] = KEPT | number(int(now // unit) + 1)
    assert words_of(table) == words


@given(SLOTS, WORDS)
def test_what_is_kept(slots, words):
    table, counts = table_of(words), ages_counts()
    text = text_of(slots)
    assert PageAges(table, 64).keep(text, counts) == len(text)
    assert counts.tried == tried(slots)
    for place, (seconds, _) in slots.items():
        if place < PLACES and not microseconds(seconds) and words[place]:
            words[place] |= KEPT
    assert words_of(table) == words


@given(SLOTS, WORDS, UNITS, TIMES, st.integers(1, 6), st.booleans(), st.data())
def test_what_is_selected(slots, words, unit, now, cap, huge, data):
    least = sorted(data.draw(st.lists(st.floats(0.0, 4e5), min_size=1, max_size=5)), reverse=True)
    known = PageAges(table_of(words), unit)
    found = AgesSelection(now, least, cap, huge, bytearray(AgesSelection.size_of(len(least), cap)))
    text = text_of(slots)
    taken = found.add(text, known)
    wanted: list[list[int]] = [[] for _ in least]
    read = 0
    for place, (seconds, flags) in sorted(slots.items()):
        if len(wanted[0]) == cap:
            break
        read += 1
        age = now - used(words, unit, place, microseconds(seconds), now)
        steps = [step for step, floor in enumerate(least) if age >= floor]
        if flags & (SAME | WRITTEN_BACK) or (huge and not flags & HUGE) or not steps:
            continue
        if len(wanted[steps[0]]) < cap:
            wanted[steps[0]].append(place)
    assert [found.places(step, cap) for step in range(len(least))] == wanted
    assert found.places(0, 0) == []
    assert found.places(0, 1) == wanted[0][:1]
    assert found.full == (len(wanted[0]) == cap)
    assert text[:taken].count(b"\n") == read


@given(WORDS, UNITS, TIMES, st.integers(0, PLACES + 2), st.integers(0, 10**13))
def test_when_a_page_was_used(words, unit, now, place, time):
    known = PageAges(table_of(words), unit)
    assert known.used(place, time, now) == used(words, unit, place, time, now)


@given(st.binary(), WORDS)
def test_any_bytes_are_taken_or_refused(data, words):
    known, counts = PageAges(table_of(words), 64), ages_counts()
    calls = (
        lambda: known.remember(data, NOW, NOW, counts),
        lambda: known.keep(data, counts),
        lambda: AgesSelection(NOW, [9.0], 9, False, bytearray(72)).add(data, known),
    )
    for call in calls:
        try:
            taken = call()
        except OSError as err:
            assert err.errno in (errno.EINVAL, errno.ERANGE)
        else:
            assert taken == data.rfind(b"\n") + 1


@pytest.mark.parametrize("place", [PLACES, 2**44, 2**64 - 1])
def test_places_beyond_the_table_are_not_known(place):
    table, counts = table_of([0] * PLACES), ages_counts()
    known = PageAges(table, 64)
    for seconds in (5, 0):
        text = text_of({place: (seconds, RECOMPRESSED)})
        known.remember(text, NOW, NOW, counts)
        known.keep(text, counts)
    assert words_of(table) == [0] * PLACES
    assert known.used(place, 0, NOW) == NOW
