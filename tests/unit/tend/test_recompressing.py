# SPDX-License-Identifier: MIT
"""Recompression by the daemon, in steps: what may come between two of them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest
from fake_roots import Machine
from tended_machines import HOUR, MIB, Steps, Watch, tender

from pyzram import own_files
from pyzram.cli.tend.daemon import stay
from pyzram.cli.tend.worker import PostprocessWorker
from pyzram.device import block_state
from pyzram.device.zram import Zram
from pyzram.errors import DeviceBusyError, ZramOSError
from pyzram.interruption import ENDING
from pyzram.kernel.sysfs import Sysfs
from pyzram.postprocess.bounded_steps import STEP_SECONDS, StepSizer
from pyzram.postprocess.turns import exclusive
from pyzram.tend import ages
from pyzram.tend.actions import Recompress, WriteBack
from pyzram.tend.reclaim import Reclaimer
from pyzram.tend.settings import Settings
from pyzram.tend.tender import Report

ACTION = Recompress("zram0", 1200.0, 5.0)
DONE = 100
"""Pages that a step recompresses."""


class Stepping:
    """A device that is recompressed step by step, with the locks of the daemon."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.watch = machine, Watch()
        self.tending, self.writer = tender(machine, self.watch)
        self.tending.observer.look()
        (self.one,) = self.tending.roster.known.values()
        self.done = 0
        self.after: Callable[[int], object] = lambda _step: None
        self.state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
        self.steps = 12
        (machine.root / "run").mkdir(exist_ok=True)
        self.writer.turns = PostprocessWorker().turns
        self.writer.recompression = self.recompression

    def recompression(self, device: Zram, huge: bool, pages: int) -> Steps:
        found = Steps(*[self.step] * self.steps)
        real = found.step

        def step() -> bool:
            more = real()
            self.after(self.done // DONE)
            return more

        found.step = step  # type: ignore[method-assign]
        return found

    def step(self) -> None:
        lines = self.state.read_text().splitlines(keepends=True)
        for place in range(self.done, self.done + DONE):
            lines[place] = f"{place:12} {0:12}.000000 ....r.\n"
        self.state.write_text("".join(lines))
        self.done += DONE
        self.watch.now += 0.5

    def recompress(self) -> None:
        self.tending.recompressing.recompress(self.one, ACTION)

    def decides(self, monkeypatch: pytest.MonkeyPatch, action: Recompress) -> None:
        seen, decision = self.tending.decide()
        decision = decision._replace(actions=(action,))
        monkeypatch.setattr(self.tending, "decide", lambda _trigger: (seen, decision))

    @property
    def old(self) -> list[tuple[int, int]]:
        """Those of the recompressed pages that are known to be old."""
        found = self.one.ages.candidates(
            self.one.device, self.watch.boottime(), 48 * HOUR, 48 * HOUR, self.done, huge=False
        )
        return [(first, min(last, self.done - 1)) for first, last in found if first < self.done]


@pytest.fixture
def stepping(machine: Machine) -> Stepping:
    return Stepping(machine)


def test_steps_end_after_five_seconds_and_all_pages_keep_their_ages(stepping):
    stepping.recompress()
    assert stepping.done == 10 * DONE
    assert stepping.old == [(0, stepping.done - 1)]


def test_a_turn_lasts_a_step_and_between_two_others_have_the_device(stepping):
    """What they had recompressed may have been stored just before, so no old age is kept."""
    free = []

    def comes() -> bool:
        try:
            with exclusive(stepping.one.device, StepSizer(0.0)):
                free.append(True)
        except DeviceBusyError:
            free.append(False)
        return False

    stepping.after = lambda step: comes() if step == 3 else None
    stepping.tending.recompressing.stopping = lambda: stepping.done == 5 * DONE and comes()
    with pytest.raises(DeviceBusyError):
        stepping.recompress()
    assert free == [False, True]
    assert stepping.done == 5 * DONE
    assert stepping.old == []


def test_others_that_come_before_the_first_step_are_noticed(stepping, monkeypatch):
    real = Zram.mark_idle

    def mark_idle(device: Zram, age: int) -> None:
        real(device, age)
        (stepping.machine.root / "run/pyzram/locks/zram0").write_text("")

    monkeypatch.setattr(Zram, "mark_idle", mark_idle)
    with pytest.raises(DeviceBusyError):
        stepping.recompress()
    assert stepping.done == 0


def test_ages_are_kept_in_turns_and_only_until_others_come(stepping, monkeypatch):
    monkeypatch.setattr(block_state, "READ_SIZE", 4000)
    monkeypatch.setattr(ages, "TURN_SECONDS", -1.0)
    real, turns = PostprocessWorker().turns, []

    def turns_of(device: Zram):
        turn = real(device)

        def counted():
            if stepping.done == 10 * DONE:
                turns.append(1)
                if len(turns) == 4:
                    with exclusive(device, StepSizer(0.0)):
                        pass
            return turn()

        return counted

    stepping.writer.turns = turns_of
    with pytest.raises(DeviceBusyError):
        stepping.recompress()
    ((first, last),) = stepping.old
    assert first == 0 and 0 < last < 4 * 4000 // 36


@pytest.mark.parametrize("ages", [True, False])
def test_a_run_that_is_at_work_is_waited_for_no_longer_than_a_step(stepping, monkeypatch, ages):
    waits, real = [], own_files.lock

    def lock(path: str, seconds: float | None) -> object:
        waits.append(seconds)
        return real(path, 0.0)

    monkeypatch.setattr(own_files, "lock", lock)
    pieces = [[(0, 9)]] if ages else [[]]
    writing = stepping.tending.writing
    monkeypatch.setattr(writing, "pieces", lambda *_words: pieces)
    action = WriteBack("zram0", HOUR, MIB, HOUR, whole=True)
    with exclusive(stepping.one.device, StepSizer(None)), pytest.raises(DeviceBusyError):
        writing.write_back(stepping.one, action, {})
    assert waits and max(wait for wait in waits if wait is not None) <= STEP_SECONDS
    assert not stepping.writer.steps


@pytest.mark.parametrize("ages", [True, False])
def test_pages_are_marked_for_writing_while_nobody_moves_marked_ones(stepping, monkeypatch, ages):
    """A writeback of somebody else's, of pages marked before, would write these as well."""
    if not ages:
        stepping.machine.attribute("writeback_batch_size").unlink()
    stepping.one.tells_ages = False
    asked = []

    def mark_idle(device: Zram, age: int | None) -> None:
        with pytest.raises(DeviceBusyError), exclusive(device, StepSizer(0.0)):
            pass
        asked.append(age)

    monkeypatch.setattr(Zram, "mark_idle", mark_idle)
    action = WriteBack("zram0", HOUR, MIB, HOUR)
    stepping.tending.writing.pieces(stepping.one, action, MIB)
    assert asked == [3601 if ages else None]


@pytest.mark.parametrize("how", ["stop", "sleep"])
def test_what_was_done_before_a_run_had_to_end_keeps_its_age(stepping, how):
    def ends(step: int) -> None:
        if step == 3 and how == "stop":
            stepping.tending.stopping = lambda: True
        elif step == 3:
            stepping.watch.asleep += HOUR

    stepping.after = ends
    stepping.recompress()
    assert stepping.done == 3 * DONE
    assert stepping.old == [(0, 3 * DONE - 1)]


@pytest.mark.parametrize("reset", [True, False])
def test_a_reset_between_two_steps_is_no_failure_of_the_device(
    stepping, monkeypatch, capsys, reset
):
    def fails(step: int) -> None:
        if step == 3:
            if reset:
                stepping.machine.attribute("disksize").write_text("0\n")
            raise ZramOSError(errno.EINVAL, "zram0: recompress: Invalid argument", None)

    stepping.after = fails
    stepping.decides(monkeypatch, ACTION)
    stepping.tending.round()
    assert stepping.done == 3 * DONE
    assert stepping.one.failed == (not reset)
    assert bool(capsys.readouterr().out) == (not reset)


class Daemon:
    """The daemon in this process, which ends itself after its first round."""

    def __init__(self, stepping: Stepping, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stepping = stepping
        self.reloads: list[int] = []
        """How many steps there were before each."""
        self.settings = Settings()
        stepping.decides(monkeypatch, ACTION)
        real = stepping.tending.round

        def once(trigger: str) -> Report:
            report = real(trigger)
            os.kill(os.getpid(), signal.SIGTERM)
            return report

        monkeypatch.setattr(stepping.tending, "round", once)

    def run(self, number: int, step: int) -> None:
        """Send a signal during that step."""

        def reload() -> None:
            self.reloads.append(self.stepping.done // DONE)
            self.stepping.tending.settings = self.settings

        self.stepping.after = lambda at: os.kill(os.getpid(), number) if at == step else None
        root = self.stepping.machine.root
        sysfs = Sysfs(str(root))
        reclaimer = Reclaimer(sysfs, print)
        assert stay(self.stepping.tending, reclaimer, sysfs, f"{root}/run", True, reload) == 0


@pytest.fixture
def daemon(stepping, monkeypatch):
    before = {number: signal.getsignal(number) for number in ENDING}
    yield Daemon(stepping, monkeypatch)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stop_waits_for_one_step_at_most(daemon, stepping):
    daemon.run(signal.SIGTERM, 3)
    assert stepping.done == 3 * DONE
    assert stepping.old == [(0, 3 * DONE - 1)]


def test_a_reload_waits_for_one_step_at_most_and_what_it_does_not_change_goes_on(daemon, stepping):
    daemon.run(signal.SIGHUP, 3)
    assert daemon.reloads == [3]
    assert stepping.done == 10 * DONE


def test_a_reload_that_turns_it_off_ends_the_round(daemon, stepping):
    daemon.settings = Settings(writeback=False, recompression=False)
    daemon.run(signal.SIGHUP, 3)
    assert daemon.reloads == [3]
    assert stepping.done == 3 * DONE
    assert stepping.old == [(0, 3 * DONE - 1)]
