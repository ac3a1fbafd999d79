# SPDX-License-Identifier: MIT
"""Ages kept across recompression: whatever happens, no page is taken for older than it is."""

from __future__ import annotations

import binascii
import errno
import zlib
from types import SimpleNamespace

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from pyzram._native_page_ages import PageAges
from pyzram.errors import ZramOSError
from pyzram.limits import PAGE_SIZE
from pyzram.tend import ages
from pyzram.tend.ages import Ages

SIZED = SimpleNamespace(name="zram7", read_disksize=lambda: 9 * PAGE_SIZE)
PLACES = 2
KEPT = PageAges.KEPT


class Kernel:
    """Pages, and their times in block_state: whole seconds, and none after recompression."""

    def __init__(self) -> None:
        self.now = 1000.5
        self.stored = dict.fromkeys(range(PLACES), self.now)
        self.told = dict.fromkeys(range(PLACES), int(self.now))
        self.ages = Ages()
        self.blind: set[int] = set()
        """Pages that were stored again without a trace, as the module describes."""
        self.changed: set[int] = set()
        """Those stored since the times were read."""
        self.between = False
        """Whether they were read for a recompression that is still running."""
        self.left = ""
        """What the next process finds."""

    def texts(self, _device: object) -> list[tuple[bytes, list[bytes]]]:
        lines = (
            f"{place:12d} {told:12d}.000000 {'......' if told else '....r.'}\n"
            for place, told in self.told.items()
        )
        return [("".join(lines).encode(), [])]

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def store(self, place: int) -> None:
        self.stored[place], self.told[place] = self.now, int(self.now)
        self.changed.add(place)
        self.blind.discard(place)

    def somebody_recompresses(self, place: int) -> None:
        kept = memoryview(self.ages._table).cast("H")[place] & KEPT
        if place in self.changed and (kept or self.between):
            self.blind.add(place)
        self.told[place] = 0

    def read(self) -> None:
        self.left = ""
        self.ages.remember(None, self.clock)
        self.changed.clear()
        self.left = self.ages.packed()

    def restart(self) -> None:
        self.ages = Ages()
        if self.left:
            self.ages.unpack(self.left)

    def recompress(
        self, places: set[int], before: list = (), after: list = (), killed: bool = False
    ) -> None:
        """Ours, and what others do before it and after it, while it goes on."""
        self.read()
        self.left = ""
        self.between = True
        self.act(before)
        # What was stored since is too young for it.
        self.told.update(dict.fromkeys(places - self.changed, 0))
        self.act(after)
        self.between = False
        if killed:
            self.restart()
            return
        self.ages.keep(None)
        self.left = self.ages.packed()

    def act(self, events: list) -> None:
        for name, *words in events:
            getattr(self, name)(*words)


OTHERS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.4, 65.0, 4000.0, 3e6])),
    st.tuples(st.just("store"), st.integers(0, PLACES - 1)),
    st.tuples(st.just("somebody_recompresses"), st.integers(0, PLACES - 1)),
)
EVENTS = st.one_of(
    OTHERS,
    st.tuples(st.just("read")),
    st.tuples(st.just("restart")),
    st.tuples(
        st.just("recompress"),
        st.sets(st.integers(0, PLACES - 1)),
        st.lists(OTHERS, max_size=3),
        st.lists(OTHERS, max_size=3),
        st.booleans(),
    ),
)


@given(st.lists(EVENTS, min_size=12, max_size=40))
@settings(max_examples=effort(400), deadline=None)
def test_no_page_is_taken_for_older_than_it_is(events):
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "texts", kernel.texts)
        for event in events:
            kernel.act([event])
            for place in set(range(PLACES)) - kernel.blind:
                used = kernel.ages.used(place, kernel.told[place] * 1_000_000, kernel.now)
                assert used >= kernel.stored[place], (event, place)


def test_a_process_knows_the_ages_that_the_one_before_it_left():
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "texts", kernel.texts)
        kernel.wait(1000.0)
        kernel.recompress({0})
        kernel.wait(4000.0)
        kernel.restart()
        assert kernel.ages.used(0, 0, kernel.now) == pytest.approx(1000.5, abs=2 * ages.UNIT)
        kernel.recompress(set(), killed=True)
        assert kernel.ages.used(0, 0, kernel.now) == kernel.now


@pytest.mark.parametrize(
    "change",
    [
        lambda word: word[:-9],
        lambda _word: "",
        lambda word: f"1{word}",
        lambda _word: "64 eJw=",
        lambda _word: f"{ages.UNIT} {binascii.b2a_base64(zlib.compress(b'ab')).decode()}",
    ],
)
def test_ages_that_are_damaged_are_none(change):
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "texts", kernel.texts)
        kernel.recompress({0})
    word = change(kernel.left)
    with pytest.raises((ValueError, zlib.error)):
        kernel.ages.unpack(word)


def test_an_error_that_somebody_keeps_does_not_keep_the_table_from_growing(monkeypatch):
    """As a traceback does; the table is held only during a call."""
    kept, text = Ages(), [b"no line\n"]
    monkeypatch.setattr(ages, "texts", lambda _device: [(text[0], [])])
    errors = []
    for call in (
        lambda: kept.remember(None, lambda: 1000.0),
        lambda: kept.keep(None),
        lambda: kept.candidates(SIZED, 1000.0, 9.0, 9.0, 9, huge=False),
    ):
        with pytest.raises(OSError, match="Invalid argument") as caught:
            call()
        errors.append(caught.value)
    text[0] = b"%12d %12d.000000 ......\n" % (1 << 20, 900)
    kept.remember(None, lambda: 1000.0)
    assert len(kept._table) > 2 << 20
    assert all(err.__traceback__ for err in errors)


def test_room_is_taken_for_what_the_device_has_and_want_of_it_names_the_step(monkeypatch):
    text = b"".join(b"%12d %12d.000000 ......\n" % (place, 1) for place in range(9))
    monkeypatch.setattr(ages, "texts", lambda _device: [(text, [])])
    asked, real = [], ages.mmap.mmap

    def mmap(fd, size, flags):
        asked.append((size, flags & ages.mmap.MAP_PRIVATE))
        return real(fd, size, flags)

    kept = Ages()
    monkeypatch.setattr(ages.mmap, "mmap", mmap)
    assert kept.candidates(SIZED, 1e6, 9.0, 9.0, 1 << 40, huge=False) == [(0, 8)]
    assert asked == [(9 * 8, ages.mmap.MAP_PRIVATE)]

    def refused(*_given):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(ages.mmap, "mmap", refused)
    with pytest.raises(ZramOSError, match="zram7: choose among 9 pages: Cannot") as caught:
        kept.candidates(SIZED, 1e6, 9.0, 9.0, 1 << 40, huge=False)
    assert caught.value.errno == errno.ENOMEM


def test_of_pages_nearly_as_old_the_older_ones_come_first(monkeypatch):
    """Each in another place than its age, from two days down to four hours."""
    hours = {0: 5, 1: 40, 2: 9, 3: 30, 4: 7, 5: 52, 6: 3, 7: 12, 8: 20}
    text = b"".join(b"%12d %12d.000000 ......\n" % (at, 1e6 - 3600 * h) for at, h in hours.items())
    monkeypatch.setattr(ages, "texts", lambda _device: [(text, [])])
    for pages in range(1, 9):
        ranges = Ages().candidates(SIZED, 1e6 + 1, 4 * 3600.0, 48 * 3600.0, pages, huge=False)
        found = [hours[at] for first, last in ranges for at in range(first, last + 1)]
        assert found == [52, 40, 30, 20, 12, 9, 7, 5][:pages]


def test_before_the_first_reading_no_page_gets_older():
    """As the manual says of those that were recompressed before it began."""
    kernel = Kernel()
    kernel.somebody_recompresses(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "texts", kernel.texts)
        kernel.wait(4000.0)
        assert kernel.ages.used(0, 0, kernel.now) == kernel.now
        kernel.read()
        first = kernel.now
        kernel.wait(4000.0)
        assert first <= kernel.ages.used(0, 0, kernel.now) <= first + 2 * ages.UNIT


def test_a_page_that_nobody_uses_gets_older():
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ages, "texts", kernel.texts)
        kernel.recompress({0})
        kernel.wait(1000.0)
        kernel.somebody_recompresses(1)
        kernel.wait(1000.0)
        kernel.recompress(set())
        kernel.wait(1000.0)
        found = [kernel.ages.used(place, 0, kernel.now) for place in range(PLACES)]
    # Of the second it is only known that it was seen recompressed a thousand seconds ago.
    assert found == pytest.approx([1000, 3000], abs=2 * ages.UNIT)
