# SPDX-License-Identifier: MIT
"""Samples: which pages are drawn, and whether the interval tells the truth."""

import contextlib
import math
import os
import random
import threading

import pytest
from effort import effort, enough_inside

from pyzram.errors import InvalidValueError
from pyzram.pages.estimate.sampling import WAVES, Interval, Sample, interval, sample_size
from pyzram.pages.process.owner import Owner
from pyzram.pages.source.file_sources import open_stream
from pyzram.pages.source.segments import Thinned
from pyzram.pages.source.sources import Source

PAGE = 4096


class Numbers:
    """Pages that hold nothing but their own place."""

    owner = Owner(1, "numbers", "heap")

    def __init__(self, pages, missing=(), first=0):
        self.pages = pages
        self.first = first
        self.missing = set(missing)
        self.closed = 0

    def read(self, ranks, out):
        at = 0
        for rank in ranks:
            if rank not in self.missing:
                out[at : at + 8] = (self.first + rank).to_bytes(8, "little")
                at += PAGE
        return [rank not in self.missing for rank in ranks]

    def close(self):
        self.closed += 1


def numbers(*counts, missing=()):
    source = Source("numbers", PAGE)
    for count in counts:
        source._segments.append(Numbers(count, missing, source.pages))
    return source


def drawn(sample):
    """Numbers of the pages in a sample, and their blocks."""
    places, blocks = [], []
    for batch in sample:
        assert len(batch.pages) == len(batch.blocks) * PAGE
        for at in range(0, len(batch.pages), PAGE):
            places.append(int.from_bytes(batch.pages[at : at + 8], "little"))
        blocks += batch.blocks
    assert sample.taken == len(places)
    return places, blocks


# ---- is the interval honest? -------------------------------------------------------------------

N = 40_000


def clustered(rng):
    """Runs of pages of a kind, as in heaps and stacks."""
    values = []
    while len(values) < N:
        kind, spread = rng.choice([(0.0, 0), (0.3, 0.1), (0.55, 0.2), (1.0, 0)])
        for _ in range(rng.randrange(1, 400)):
            values.append(min(1.0, max(0.0, rng.gauss(kind, spread))))
    return values[:N]


CORPORA = {
    "clustered": clustered,
    "halves at both ends": lambda rng: [float(i % 2) for i in range(N)],
    "coins": lambda rng: [float(rng.random() < 0.5) for _ in range(N)],
    "one in 300": lambda rng: [float(rng.random() < 1 / 300) for _ in range(N)],
    "one in 20000": lambda rng: [float(i in (7, 20_007)) for i in range(N)],
    "a slope": lambda rng: [i / N for i in range(N)],
    "rare dear clusters": lambda rng: [float(i % 8000 < 20) * rng.random() for i in range(N)],
    "two kinds in runs": lambda rng: [0.02 + 0.96 * (i // 37 * 7919 % 5 < 2) for i in range(N)],
    "one mapping in 1000": lambda rng: [1.0 if i // 40 == 500 else 0.02 for i in range(N)],
    "as long as a block": lambda rng: [float(i // 265 % 2) for i in range(N)],
    "one mapping of 99 %": lambda rng: (
        [0.4 + rng.random() / 4 for _ in range(N - N // 100)] + [1.0] * (N // 100)
    ),
}


@pytest.mark.parametrize(
    ("name", "stops"), [*((name, True) for name in CORPORA), ("clustered", False), ("coins", False)]
)
def test_the_true_ratio_lies_inside_the_interval_93_times_of_100(name, stops):
    values = CORPORA[name](random.Random(1))
    truth = sum(values) / N
    inside, halves, squares = 0, [], []
    rounds = effort(200)
    for seed in range(rounds):
        sample = Sample(numbers(N // 4, N // 2, N // 4), precision=0.03, seed=seed)
        found, blocks = [], []

        def now(found=found, blocks=blocks, sample=sample):
            return interval(found, blocks, N, wave_size=sample.wave_size)

        if stops:
            sample.enough = lambda now=now: now().high - now().low <= 0.06
        for batch in sample:
            for at in range(0, len(batch.pages), PAGE):
                found.append(values[int.from_bytes(batch.pages[at : at + 8], "little")])
            blocks += batch.blocks
        got = now()
        assert len(found) == sample.wanted or (stops and len(found) % sample.wave_size == 0)
        # The error is itself estimated, so it may be a little above what was asked for.
        assert got.high - got.low <= 0.064
        assert abs(got.mean - sum(found) / len(found)) < 1e-9
        inside += got.low <= truth <= got.high
        halves.append((got.high - got.low) / 2)
        squares.append((got.mean - truth) ** 2)
    off = max((sum(squares) / rounds) ** 0.5, 1e-9)
    half = sum(halves) / rounds
    print(f"{name}: {inside} of {rounds} inside, half width {half / off:.2f} times the error")
    assert inside >= enough_inside(rounds)
    # Twenty errors say too little about how large errors can be.
    if rounds == 200 and name in ("clustered", "coins", "halves at both ends", "two kinds in runs"):
        assert half < 2.4 * off  # no wider than it must be


@pytest.mark.parametrize("name", ["clustered", "a slope", "two kinds in runs"])
def test_the_bounds_of_cold_memory_hold_where_each_mapping_counts_by_how_much_of_it_is_cold(name):
    """As for estimate --idle: of a mapping that is cold by half, any page may be a cold one."""
    values = CORPORA[name](random.Random(1))
    rows, at = [], 0
    for count, cold in ((N // 4, 0.9), (N // 2, 0.3), (N // 8, 0.05), (N // 8, 0.0)):
        rows.append((at, count, round(count * cold)))
        at += count
    truth = sum(cold * sum(values[at : at + count]) / count for at, count, cold in rows)
    truth /= sum(cold for _, _, cold in rows)
    inside, rounds = 0, effort(200)
    for seed in range(rounds):
        source = Source("cold", PAGE)
        source._segments = [Thinned(Numbers(n, (), at), cold) for at, n, cold in rows if cold]
        places, blocks = drawn(Sample(source, precision=0.03, seed=seed))
        got = interval([values[place] for place in places], blocks, source.pages)
        inside += got.low <= truth <= got.high
    print(f"{name}: {inside} of {rounds} inside")
    assert inside >= enough_inside(rounds)


def test_it_stops_when_there_is_enough():
    for waves in (1, 3, WAVES):
        sample = Sample(numbers(100_000), precision=0.05)
        asked = iter(range(2, 9))
        sample.enough = lambda asked=asked, waves=waves: next(asked) > waves
        drawn(sample)
        assert sample.taken == waves * sample.wave_size
        assert sample.wave_size * WAVES == sample.wanted


def test_a_random_sample_without_blocks_is_honest_too():
    values = CORPORA["clustered"](random.Random(2))
    truth, inside = sum(values) / N, 0
    rng = random.Random(3)
    for _ in range(200):
        found = rng.sample(values, 1100)
        got = interval(found, range(1100), N)
        inside += got.low <= truth <= got.high
    assert inside >= 186


def test_blocks_narrow_the_interval_where_neighbours_are_alike():
    values = [i / N for i in range(N)]
    places, blocks = drawn(Sample(numbers(N), precision=0.03, seed=5))
    stratified = interval([values[p] for p in places], blocks, N)
    plain = interval([values[p] for p in places], range(len(places)), N)
    assert stratified.high - stratified.low < (plain.high - plain.low) / 2


# ---- drawing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "pages"), [(0.01, 10010), (0.1, 110), (0.0005, 4000010)])
def test_sample_size_depends_on_the_precision_alone(precision, pages):
    size = sample_size(precision)
    assert abs(size - pages) <= max(2, pages * 0.001)
    assert math.hypot(2.0 / 2 / size**0.5, 3 / size) <= precision


@pytest.mark.parametrize("precision", [0, -1, 0.51, 0.0004, float("nan")])
def test_a_precision_that_cannot_be_met_is_refused(precision):
    with pytest.raises(InvalidValueError):
        sample_size(precision)


def test_two_different_pages_come_from_each_block_in_order():
    source = numbers(1_000_000)
    sample = Sample(source, precision=0.05, seed=1)
    places, blocks = drawn(sample)
    assert len(places) == sample.wanted == sample.expected
    for at in range(0, len(places), sample.wave_size):
        wave = places[at : at + sample.wave_size]
        assert wave == sorted(set(wave))
    assert all(blocks.count(b) == 2 for b in set(blocks))
    assert not sample.census
    assert source._segments[0].closed


def test_every_page_has_the_same_chance():
    hits = [0] * 1000
    for seed in range(400):
        for place in drawn(Sample(numbers(1000), precision=0.08, seed=seed))[0]:
            hits[place] += 1
    wanted = Sample(numbers(1000), precision=0.08).wanted
    mean = 400 * wanted / 1000
    assert min(hits) > mean - 5 * mean**0.5
    assert max(hits) < mean + 5 * mean**0.5


def test_few_pages_are_all_read():
    sample = Sample(numbers(10, 0, 2000), precision=0.01)
    places, _ = drawn(sample)
    assert places == list(range(2010))
    assert sample.census
    assert interval([0.5], [0], 1, census=True) == Interval(0.5, 0.5, 0.5)


def test_full_reads_every_page_of_much():
    sample = Sample(numbers(50_000), full=True)
    assert drawn(sample)[0] == list(range(50_000))


def test_the_same_seed_draws_the_same_pages():
    one = drawn(Sample(numbers(99_999), seed=7))
    assert one == drawn(Sample(numbers(99_999), seed=7))
    assert one != drawn(Sample(numbers(99_999), seed=8))


def test_pages_that_vanished_are_counted_and_the_rest_goes_on():
    sample = Sample(numbers(1000, missing=range(0, 1000, 2)), full=True)
    places, blocks = drawn(sample)
    assert places == list(range(1, 1000, 2)) == blocks
    assert sample.lost == 500


def test_nothing_gives_an_interval_of_everything():
    got = interval([], [], 0)
    assert (got.low, got.high) == (0, 1)
    assert interval([0.5], [0], 100).low == 0


# ---- streams -------------------------------------------------------------------------------------


def piped(data, **options):
    reader, writer = os.pipe()

    def feed():
        with contextlib.suppress(BrokenPipeError), open(writer, "wb", buffering=0) as file:
            for at in range(0, len(data), 1 << 16):
                file.write(data[at : at + (1 << 16)])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        with open_stream(reader, page_size=PAGE) as stream:
            sample = Sample(stream, **options)
            return drawn(sample), sample
    finally:
        os.close(reader)  # or a failure would wait for the thread, and the thread for a reader
        thread.join()


def stream_of(pages):
    return b"".join(i.to_bytes(8, "little") + bytes(PAGE - 8) for i in range(pages))


def test_a_short_stream_is_read_whole():
    (places, _), sample = piped(stream_of(1500)[:-100])
    assert places == list(range(1500))
    assert sample.census
    assert sample.source.pages == 1500


def test_an_empty_stream_has_no_pages():
    (places, _), sample = piped(b"")
    assert places == []
    assert sample.source.pages == 0


def test_a_long_stream_is_sampled_evenly():
    pages = 3000
    data = stream_of(pages)
    hits = [0] * pages
    for seed in range(60):
        (places, _), sample = piped(data, precision=0.05, seed=seed)
        assert len(set(places)) == sample.wanted
        assert not sample.census
        for place in places:
            hits[place] += 1
    per_tenth = [sum(hits[i : i + 300]) for i in range(0, pages, 300)]
    mean = sum(per_tenth) / 10
    assert all(abs(n - mean) < 5 * mean**0.5 for n in per_tenth)


def test_a_full_stream_is_read_to_its_end():
    (places, _), sample = piped(stream_of(3000), precision=0.1, full=True)
    assert places == list(range(3000))
    assert sample.census


def test_a_file_on_standard_input_is_sampled_where_it_lies(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(stream_of(100))
    fd = os.open(path, os.O_RDONLY)
    with open_stream(fd, page_size=PAGE) as source:
        assert source.pages == 100
        assert drawn(Sample(source))[0] == list(range(100))
    os.close(fd)
