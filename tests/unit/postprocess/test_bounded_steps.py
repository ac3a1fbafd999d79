# SPDX-License-Identifier: MIT
"""Writeback and recompression in steps, on a model of the kernel; the commands' arguments."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from pyzram import interruption, own_files
from pyzram.cli import postprocess_report
from pyzram.cli import pyzram as command
from pyzram.cli.durations import duration
from pyzram.cli.writeback import ranges
from pyzram.device.stat_files import BdStat, MmStat
from pyzram.errors import DeviceBusyError, InvalidValueError, UnsupportedError, from_errno
from pyzram.kernel.sysfs import Sysfs
from pyzram.postprocess import recompression, writeback
from pyzram.postprocess.bounded_steps import StepSizer

PAGE = os.sysconf("SC_PAGE_SIZE")
UNITS = PAGE // 4096


class Kernel:
    """Just enough of a device: ``idle`` pages to write back, within a limit."""

    name = "zram9"

    def __init__(self, path: str, *, idle: int = 0, small: int = 0) -> None:
        self.path = path
        self.sysfs = Sysfs(path)
        self.diskseq = 5
        self.idle = idle
        self.written = 0
        self.room = 1 << 30
        self.limit, self.enabled = 77, False
        self.trouble: list[int] = []
        self.calls = 0
        # Pages that recompression makes smaller, by place, and those that it tries in vain.
        self.stored = list(range(1000))
        self.gains = {place for place in range(1000) if place >= 1000 - small}

    def read_diskseq(self) -> int:
        return self.diskseq

    def read_disksize(self) -> int:
        return 1 << 30

    def read_backing_dev(self) -> str:
        return "/dev/loop9"

    def has(self, _name: str) -> bool:
        return True

    def read_mm_stat(self) -> MmStat:
        return MmStat(orig_data_size=1000 * PAGE, compr_data_size=5000 + len(self.gains))

    def read_bd_stat(self) -> BdStat:
        return BdStat(bd_count=self.written * UNITS, bd_reads=0, bd_writes=self.written * UNITS)

    def read_writeback_limit(self) -> int:
        return self.limit

    def set_writeback_limit(self, units: int) -> None:
        self.limit = units

    def read_writeback_limit_enable(self) -> bool:
        return self.enabled

    def set_writeback_limit_enable(self, enable: bool) -> None:
        self.enabled = enable

    def writeback(self, type: str = "", *, page_indexes: tuple[int, int] = (0, 0)) -> None:
        self.calls += 1
        if self.trouble:
            raise from_errno(self.trouble.pop(), "zram9: write back")
        while self.idle:
            if self.enabled and self.limit < UNITS:
                raise from_errno(errno.EIO, "zram9: write back")
            if not self.room:
                raise from_errno(errno.ENOSPC, "zram9: write back")
            self.idle -= 1
            self.room -= 1
            self.written += 1
            if self.enabled:
                self.limit -= UNITS

    def mark_idle(self, age: int | None = None) -> None:
        if age is not None:
            raise UnsupportedError(errno.EINVAL, "no ages")

    def read_recomp_algorithms(self) -> dict[int, str]:
        return {1: "zstd"}

    def find_recomp_priority(self, *_given: object) -> int:
        return 1

    def recompress(self, *, max_pages: int, **_given: object) -> None:
        # As 6.12 with several algorithms: pages tried in vain are tried again each time.
        self.calls += 1
        for place in self.stored[:max_pages]:
            self.gains.discard(place)


def test_a_step_that_takes_long_halves_the_next_but_leaves_one(monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.STEP_SECONDS", -1)
    sizer = StepSizer(None)
    sizes = []
    for _ in range(12):
        with sizer.step():
            sizes.append(sizer.pages)
    assert sizes[:3] == [1024, 512, 256]
    assert sizes[-2:] == [1, 1]


@pytest.fixture
def kernel(tmp_path):
    return Kernel(str(tmp_path), idle=5000)


def test_many_steps_write_everything_and_put_the_limit_back(kernel):
    seen: list[int] = []
    run = writeback.writeback_pages(kernel, progress=seen.append)
    assert (run.pages_written, run.stopped, kernel.idle) == (5000, None, 0)
    assert (kernel.limit, kernel.enabled) == (77, False)
    assert seen[0] == 1024 * PAGE
    assert seen[-1] == 5000 * PAGE


def test_the_device_s_own_limit_is_charged(kernel):
    kernel.limit, kernel.enabled = 3000 * UNITS, True
    run = writeback.writeback_pages(kernel, limit=1500 * PAGE)
    assert (run.pages_written, run.stopped) == (1500, "limit")
    assert (kernel.limit, kernel.enabled) == (1500 * UNITS, True)
    assert writeback.writeback_pages(kernel).pages_written == 1500
    assert (kernel.limit, kernel.enabled) == (0, True)


def test_a_full_store_stops_the_run(kernel):
    kernel.room = 1100
    run = writeback.writeback_pages(kernel)
    assert (run.pages_written, run.stopped) == (1100, "full")
    assert (kernel.limit, kernel.enabled) == (77, False)


def test_a_failing_store_is_an_error_and_the_limit_is_put_back(kernel):
    kernel.trouble = [errno.EIO]
    with pytest.raises(OSError) as caught:
        writeback.writeback_pages(kernel)
    assert caught.value.errno == errno.EIO
    assert (kernel.limit, kernel.enabled) == (77, False)


def test_somebody_else_s_run_is_waited_for(kernel):
    kernel.trouble = [errno.EAGAIN, errno.EAGAIN]
    assert writeback.writeback_pages(kernel).pages_written == 5000


def test_in_a_turn_somebody_else_s_run_is_not_waited_for(kernel):
    """The daemon holds the lock then, and a signal would wait too."""
    kernel.trouble = [errno.EAGAIN]
    with pytest.raises(DeviceBusyError):
        writeback.write_pages_in_turn(kernel, "idle", None, 1 << 20, 5.0)
    kernel.trouble = [errno.EAGAIN]
    with pytest.raises(DeviceBusyError):
        writeback.write_ranges_in_turn(kernel, [(0, 9)], 1 << 20, 5.0)
    assert (kernel.written, kernel.trouble) == (0, [])
    assert (kernel.limit, kernel.enabled) == (77, False)
    writeback.write_pages_in_turn(kernel, "idle", None, 1 << 20, 5.0)
    assert kernel.written == (1 << 20) // PAGE


def test_an_interrupt_puts_the_limit_back(kernel, monkeypatch):
    def interrupted(_type: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "writeback", interrupted)
    kernel.limit, kernel.enabled = 9 * UNITS, True
    with pytest.raises(KeyboardInterrupt):
        writeback.writeback_pages(kernel)
    assert (kernel.limit, kernel.enabled) == (9 * UNITS, True)


class KilledError(BaseException):
    """SIGKILL: from here on the process does nothing."""


def kill_after(acts: int, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow that many actions on the device and in /run, and no more."""
    left = iter(range(acts))

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            if next(left, None) is None:
                raise KilledError
            return act(*args, **kwargs)

        return wrapped

    for name in ("set_writeback_limit", "set_writeback_limit_enable", "writeback"):
        monkeypatch.setattr(kernel, name, counted(getattr(kernel, name)))
    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize(("limit", "enabled"), [(77, False), (3000, True), (1100, True)])
def test_a_limit_overridden_when_killed_is_put_right_by_the_next_run(tmp_path, limit, enabled):
    ended = False
    acts = 0
    while not ended:
        kernel = Kernel(str(tmp_path), idle=2000)
        kernel.limit, kernel.enabled = limit * UNITS, enabled
        with pytest.MonkeyPatch.context() as patched:
            kill_after(acts, kernel, patched)
            try:
                writeback.writeback_pages(kernel)
                ended = True
            except KilledError:
                acts += 1
        writeback.writeback_pages(kernel, limit=0)
        assert kernel.enabled == enabled
        assert kernel.limit // UNITS + (kernel.written if enabled else 0) == limit
        assert not list(tmp_path.rglob("*.limit"))
    assert acts > 10


def test_a_limit_set_by_somebody_after_the_kill_stays(kernel, monkeypatch):
    with monkeypatch.context() as patched:
        kill_after(4, kernel, patched)
        with pytest.raises(KilledError):
            writeback.writeback_pages(kernel)
    kernel.limit = 5000 * UNITS
    writeback.writeback_pages(kernel, limit=0)
    assert (kernel.limit, kernel.enabled) == (5000 * UNITS, True)


def test_the_record_of_a_device_that_had_the_number_before_is_not_used(kernel, monkeypatch):
    with monkeypatch.context() as patched:
        kill_after(4, kernel, patched)
        with pytest.raises(KilledError):
            writeback.writeback_pages(kernel)
    kernel.diskseq = 6
    kernel.limit, kernel.enabled = 12 * UNITS, True
    writeback.writeback_pages(kernel, limit=0)
    assert (kernel.limit, kernel.enabled) == (12 * UNITS, True)


def test_no_time_is_enough_for_nothing(kernel):
    run = writeback.writeback_pages(kernel, timeout=0)
    assert (run.pages_written, run.stopped, kernel.calls) == (0, "timeout", 0)


def test_waiting_for_idle_pages_ends_at_the_deadline(kernel, monkeypatch):
    waited: list[float] = []
    ours, real = threading.get_ident(), time.sleep

    def sleep(seconds: float) -> None:
        # A thread that watches a command of another test sleeps too.
        waited.append(seconds) if threading.get_ident() == ours else real(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    # After another test had a command take note of signals, waiting is no plain sleep.
    monkeypatch.setattr(interruption._Notes, "taking", False)
    assert writeback.writeback_pages(kernel, age=60, timeout=5).stopped == "timeout"
    assert (waited, kernel.written) == ([pytest.approx(5, abs=1)], 0)
    assert writeback.writeback_pages(kernel, age=60).pages_written == 5000
    assert waited[1:] == [60]


@pytest.mark.parametrize(
    ("move", "command"),
    [(writeback.writeback_pages, "writeback"), (recompression.recompress_pages, "recompress")],
)
def test_what_another_run_has_marked_while_we_waited_for_it_is_not_moved(
    kernel, monkeypatch, move, command
):
    """Pages are marked once nobody else can."""
    marked, moved, real = [], [], own_files.lock
    monkeypatch.setattr(kernel, "mark_idle", marked.append)
    monkeypatch.setattr(kernel, command, lambda *_given, **_more: moved.append(marked[-1]))

    def lock(path: str, seconds: float | None) -> object:
        kernel.mark_idle(5)
        return real(path, seconds)

    monkeypatch.setattr(own_files, "lock", lock)
    move(kernel, "idle", age=3600)
    assert moved and set(moved) == {3600}


def test_an_age_of_huge_pages_is_refused(kernel):
    with pytest.raises(InvalidValueError, match="does not apply"):
        writeback.writeback_pages(kernel, "huge", age=60)
    with pytest.raises(InvalidValueError, match="not one of idle"):
        writeback.writeback_pages(kernel, "all")


def test_one_run_at_a_time(kernel):
    def within(_written: int) -> None:
        with pytest.raises(DeviceBusyError, match="under way"):
            writeback.writeback_pages(kernel, timeout=0)

    assert writeback.writeback_pages(kernel, progress=within).pages_written == 5000


def test_recompression_gets_beyond_pages_tried_in_vain(tmp_path, monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 16)
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.STEP_SECONDS", 0)
    kernel = Kernel(str(tmp_path), small=100)
    run = recompression.recompress_pages(kernel)
    assert (run.compressed_freed, run.stopped, kernel.gains) == (100, None, set())
    assert kernel.calls < 12


def test_recompression_stops_at_its_bounds(tmp_path):
    kernel = Kernel(str(tmp_path), small=1000)
    run = recompression.recompress_pages(kernel, max_pages=300)
    assert (run.compressed_freed, run.stopped) == (300, "limit")
    assert recompression.recompress_pages(kernel, timeout=0).stopped == "timeout"


# ---- the commands --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400)]
)
def test_times(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "1.5h", "1w", "\u0661"])
def test_no_times(text):
    with pytest.raises(ValueError):
        duration(text)


def test_ranges_of_pages():
    assert ranges("5,0-99,7-7") == [(5, 5), (0, 99), (7, 7)]


@pytest.mark.parametrize("text", ["", "a", "5-", "-5", "9-5", "1,,2", "1-2-3", "0x1"])
def test_no_ranges_of_pages(text):
    with pytest.raises(ValueError):
        ranges(text)


@pytest.mark.parametrize(
    "words",
    [
        ["writeback"],
        ["writeback", "zram0", "--type", "all"],
        ["writeback", "zram0", "--pages", "1-2", "--type", "huge"],
        ["writeback", "zram0", "--limit", "1M", "--max-pages", "3"],
        ["writeback", "zram0", "--limit", "much"],
        ["writeback", "zram0", "--max-pages", "-1"],
        ["recompress", "zram0", "--age", "1h"],
        ["recompress", "zram0", "--type", "incompressible"],
    ],
)
def test_wrong_usage_is_status_2(words, capsys):
    assert command.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pyzram {words[0]}: ")
    assert line.endswith(f" (see pyzram {words[0]} --help)")


@pytest.mark.parametrize("name", ["writeback", "recompress"])
def test_no_such_device_is_status_1(name, capsys):
    assert command.main([name, "zram65000"]) == 1
    assert capsys.readouterr().err.startswith(f"pyzram {name}: zram65000: no")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_run_between_two_steps(kernel, number):
    """Not in the middle of one: the limit that a step had is restored."""
    kernel.limit, kernel.enabled = 3000 * UNITS, True
    interruption.take_note()
    try:
        with pytest.raises(SystemExit) as caught:
            writeback.writeback_pages(kernel, progress=lambda _: os.kill(os.getpid(), number))
    finally:
        interruption._Notes.number, interruption._Notes.taking = 0, False
    assert caught.value.code == 128 + number
    assert kernel.limit // UNITS + kernel.written == 3000
    assert kernel.written


def test_the_report_shows_before_and_after(kernel):
    run = writeback.writeback_pages(kernel, limit="4M")
    text = postprocess_report.table("zram9", run)
    assert f"written: {(4 << 20) // PAGE} pages, 4M" in text
    assert "stopped early: the limit is reached" in text
    figures = postprocess_report.figures(run)
    assert figures["bd_stat"]["bd_writes"] == [0, 1024]
    assert figures["bytes_written"] == 4 << 20


def test_a_reset_by_others_meanwhile_is_a_report_too(kernel):
    run = writeback.writeback_pages(kernel, limit="4M")
    before = dataclasses.replace(run.bd_before, bd_writes=5000)
    reset = dataclasses.replace(run, bd_before=before)
    assert reset.bytes_written == 4 << 20
    assert "written: 1024 pages, 4M" in postprocess_report.table("zram9", reset)


@pytest.mark.parametrize(
    "ranges", [[(3, 1)], ["12"], (1, 2), "12", [(1, "2")], [(-1, 2)], [(1, 2, 3)], 5], ids=str
)
def test_what_is_no_range_is_refused_before_anything_is_written(kernel, ranges):
    with pytest.raises(InvalidValueError):
        writeback.writeback_ranges(kernel, ranges)
    assert (kernel.calls, kernel.written) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"max_pages": -1}, {"max_pages": "5"}, {"threshold": 1.5}, {"age": "1h"}, {"timeout": "1m"}],
    ids=str,
)
def test_a_bound_that_is_none_is_refused_before_anything_is_recompressed(kernel, wrong):
    with pytest.raises(InvalidValueError):
        recompression.recompress_pages(kernel, "huge", **wrong)
    assert kernel.calls == 0


@pytest.mark.parametrize("timeout", ["1m", -1, float("nan")])
def test_a_timeout_is_seconds(kernel, timeout):
    with pytest.raises(InvalidValueError, match="not a number of seconds from 0 up"):
        writeback.writeback_pages(kernel, timeout=timeout)
