# SPDX-License-Identifier: MIT
"""What ``pyzram estimate --watch --record`` writes is what tend's bench replays."""

from __future__ import annotations

import errno
import importlib
import json
import random
import re
from pathlib import Path

import pytest
from fake_roots import Machine

from pyzram.cli.estimate import command as estimate
from pyzram.cli.estimate import watch as estimate_watch
from pyzram.cli.estimate.cold_looks import ColdLook, Looked
from pyzram.device.features import Features
from pyzram.errors import ZramOSError
from pyzram.limits import PAGE_SIZE
from pyzram.pages.estimate.estimate import AlgorithmEstimate, Estimate
from pyzram.pages.estimate.sampling import Interval
from pyzram.pages.pool.zsmalloc import PoolModel, PoolStats
from pyzram.pages.process.owner import Owner
from pyzram.pages.source.cold import Age
from pyzram.pages.source.segments import ZeroSegment
from pyzram.pages.source.sources import Source

GIB = 1 << 30
COLD = 200_000  # pages that were cold for five minutes
TAKES = COLD * PAGE_SIZE // 4


def cold(pages: int) -> Source:
    source = Source("made up", PAGE_SIZE)
    source._segments = [ZeroSegment(Owner(0, "x", "heap"), pages)]
    return source


def looked() -> Looked:
    data = COLD * PAGE_SIZE
    figures = PoolStats(PAGE_SIZE, COLD, data, TAKES - 100, TAKES, 0, 7, ())
    ratio = Interval(0.25, 0.25, 0.25)
    lz4 = AlgorithmEstimate("lz4", None, figures, ratio, None, None, None, None, 0.25)
    pool = PoolModel(page_size=PAGE_SIZE)
    found = Estimate("x", pool, COLD, COLD, 0, 0, True, {}, {"lz4": lz4})
    looks = [
        ColdLook(Age(60.0, cold(COLD + 50_000), 100.0, 60.0), found, 60.0),
        ColdLook(Age(300.0, cold(COLD), 30.0, 240.0), found, 300.0),
    ]
    return Looked("x", GIB, {}, looks)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "root", "vm-7.x-multi")
    proc = tmp_path / "root/proc"
    (proc / "meminfo").write_text("MemTotal: 4194304 kB\nMemAvailable: 1048576 kB\n")
    (proc / "vmstat").write_text("pswpin 1000\npswpout 5\n")
    monkeypatch.setenv("PYZRAM_ROOT", str(made.root))
    return made


def test_pages_are_recorded_by_the_longest_time_they_were_cold() -> None:
    looks = [
        ColdLook(Age(seconds, cold(pages), returns, 60.0), None, seconds)  # type: ignore[arg-type]
        for seconds, pages, returns in ((60.0, 5000, 40.0), (300.0, 3000, 20.0))
    ]
    counts = estimate_watch.ages(looks)
    assert sum(counts) == 5000
    assert counts[(300).bit_length()] == 3000
    assert counts[(60).bit_length()] == 2000


def test_the_machine_is_recorded_as_if_zram_held_what_is_cold(machine: Machine) -> None:
    row = estimate_watch.recorded(looked(), looked().looks[-1].estimate.algorithms["lz4"], 42)
    assert row["total"] == 4 * GIB
    assert row["available"] == GIB + COLD * PAGE_SIZE - TAKES
    assert row["pages"] == [1042, 5, 0, 0]
    made_up = row["devices"]["estimate"]  # type: ignore[index]
    assert made_up["memory"] == [COLD * PAGE_SIZE, TAKES - 100, TAKES, 7]
    assert made_up["ages"][(300).bit_length()] == COLD
    assert made_up["ages"][(60).bit_length()] == 50_000
    assert sum(made_up["ages"]) == COLD + 50_000


def test_the_bench_replays_it(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[4] / "bench"))
    replay = importlib.import_module("simulator.replay")
    file = tmp_path / "recording"
    came_back = 0
    with file.open("w") as lines:
        for minute in range(0, 60, 5):
            now = looked()
            came_back += 150
            row = estimate_watch.recorded(now, now.looks[-1].estimate.algorithms["lz4"], came_back)
            lines.write(json.dumps({**row, "awake": 60 * minute, "asleep": 0}) + "\n")
    rows = replay.load(str(file))
    trace = replay.draw(rows, random.Random(1))
    assert trace.ram == 4 * GIB
    # Pages take a quarter of a page, and everything cold can be swapped.
    assert sum(size for _, size, _ in trace.units) / len(trace.units) < 0.4 * PAGE_SIZE
    assert replay.stored(rows[0]) >= COLD * PAGE_SIZE
    assert max(trace.activity) > 0


def estimated(name: str, takes: int, micros: float | None) -> AlgorithmEstimate:
    figures = PoolStats(
        PAGE_SIZE, COLD, COLD * PAGE_SIZE, takes, takes, 0 if takes else COLD, 0, ()
    )
    share = takes / figures.orig_data_size
    ratio = Interval(share, share, share)
    return AlgorithmEstimate(name, None, figures, ratio, micros, micros, micros, micros, share)


class Rounds:
    """Prepared rounds of watching: for each algorithm, what it takes and needs."""

    def __init__(self, *rounds: dict[str, tuple[int, float]]) -> None:
        self.rounds = iter(rounds)
        self.asked: list[tuple[tuple[str, ...], bool]] = []

    def __call__(
        self, options: object, chain: object, names: list[str], *, timing: bool, quiet: bool
    ) -> Looked:
        self.asked.append((tuple(names), timing))
        try:
            told = next(self.rounds)
        except StopIteration:
            raise KeyboardInterrupt from None
        found = {
            name: estimated(name, takes, micros if timing and takes else None)
            for name, (takes, micros) in told.items()
            if name in (names or told)
        }
        pool = PoolModel(page_size=PAGE_SIZE)
        whole = Estimate("x", pool, COLD, COLD, 0, 0, True, {}, found)
        return Looked("x", GIB, {}, [ColdLook(Age(60.0, cold(COLD), 100.0, 60.0), whole, 60.0)])


def watch(monkeypatch: pytest.MonkeyPatch, rounds: Rounds, *words: str) -> None:
    monkeypatch.setattr(estimate_watch, "watched", rounds)
    options = estimate.COMMAND.arguments(["--watch", "--idle", "60", *words])
    assert options
    with pytest.raises(KeyboardInterrupt):
        estimate_watch.keep_watching(options, (8, "waste"), 4 * GIB, KERNEL)


KERNEL = Features(**dict.fromkeys(Features._fields) | {"algorithms": ("lzo", "lz4", "zstd")})
NOTHING = {"lzo": (0, 1.0), "lz4": (0, 1.0), "zstd": (0, 1.0)}
GAINS = {"lzo": (TAKES, 3.0), "lz4": (TAKES, 1.0), "zstd": (TAKES // 2, 5.0)}


@pytest.mark.parametrize(("words", "timing"), [((), True), (("--no-timing",), False)])
def test_the_algorithm_is_chosen_once_something_is_cold(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    timing: bool,
) -> None:
    rounds = Rounds(NOTHING, NOTHING, GAINS, GAINS, NOTHING)
    watch(monkeypatch, rounds, *words)
    assert rounds.asked == [((), timing)] * 3 + [(("zstd",), False)] * 3
    lines = [line.split() for line in capsys.readouterr().out.split("\n")[:-1]]
    over, columns, *first = lines[:4]
    again, named, *then = lines[4:]
    assert over == again == ["cold", "for"]
    assert [columns[2], named[2]] == ["takes", "zstd"]
    assert [line[-1] for line in first] == ["-", "-"]
    assert [line[-1] for line in then] == (["0.50"] * 3 if timing else ["-"] * 3)


def test_what_the_kernel_lacks_is_chosen_by_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = Rounds({"842": (TAKES, 3.0), "lz4hc": (TAKES // 2, 1.0)}, {"lz4hc": (TAKES, 1.0)})
    watch(monkeypatch, rounds, "-a", "842,lz4hc")
    assert rounds.asked == [(("842", "lz4hc"), True)] + [(("lz4hc",), False)] * 2
    assert capsys.readouterr().out.split("\n")[1].split()[2] == "lz4hc"


def test_a_recording_that_cannot_be_written_fails_before_watching(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rounds = Rounds(GAINS)
    monkeypatch.setattr(estimate_watch, "watched", rounds)
    words = ["--watch", "--idle", "60", "--record", str(tmp_path)]
    with pytest.raises(ZramOSError, match=re.escape(f"{tmp_path}: add a line")) as caught:
        estimate_watch.keep_watching(estimate.COMMAND.arguments(words), (8, "waste"), GIB, None)
    assert caught.value.errno == errno.EISDIR
    assert not rounds.asked


def test_a_recording_is_there_from_the_start_and_keeps_what_it_holds(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fresh, kept = tmp_path / "fresh", tmp_path / "kept"
    watch(monkeypatch, Rounds(), "--record", str(fresh))
    assert fresh.read_bytes() == b""
    kept.write_text('{"v":1,"pages":[]}\n')
    watch(monkeypatch, Rounds(GAINS), "--record", str(kept))
    assert [bool(json.loads(line)) for line in kept.read_text().split("\n")[:-1]] == [True, True]
