# SPDX-License-Identifier: MIT
"""Recompresses pages, and remembers the ages that the kernel forgets in doing so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..errors import DeviceBusyError, UnsupportedError, ZramError
from ..limits import PAGE_SIZE
from .tended import NOT_REMEMBERED, TRIES_FIRST, Remembered
from .times import at_least

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..device.stat_files import MmStat
    from .actions import Recompress, Turn, Worker
    from .common import Common
    from .tended import Tended

RECOMPRESS_SECONDS = 5.0
"""The most that one takes, in steps of half a second."""
SAME_TIME = 10.0
"""Seconds within which a recompression may use the page times that an earlier one has read."""


class Recompressing:
    """Does what :class:`~pyzram.tend.actions.Recompress` asks for.

    Synchronization: one thread.
    """

    def __init__(self, common: Common, worker: Worker, stopping: Callable[[], bool]) -> None:
        self.clocks, self.sleeps = common.clocks, common.sleeps
        self.worker = worker
        self.stopping = stopping

    def recompress(self, one: Tended, action: Recompress, writes: bool = False) -> None:
        """Recompress pages of a device; ``writes`` means that this round also writes back."""
        age = at_least(action.age + self.sleeps.slept)
        since = self.clocks.boottime() - age
        tried = 0
        # Marking by this age, among the marks that writing waits for, would make pages older.
        if not one.tells_ages and writes and one.marked is not None:
            return
        if one.tells_ages:
            # If nothing is old enough yet, that says nothing about what there is to gain.
            at, counts, turn = one.remembered
            if not at <= since < at + SAME_TIME:
                turn = self._first_turn(one)
                counts = one.ages.remember(one.device, self.clocks.boottime, since)
                one.remembered = Remembered(since, counts, turn)
            untried, huge, tried = counts
            if not (huge if action.huge else untried):
                return
            one.remembered = NOT_REMEMBERED
        else:
            turn = self._first_turn(one)
        if age >= self.clocks.boottime() - 2:
            return
        by_marks = not one.tells_ages and writes and one.aged
        if not by_marks and not self._mark(one, action, age, turn):
            return
        before = one.device.read_mm_stat()
        try:
            self._step_by_step(one, action, turn)
        except DeviceBusyError:
            raise  # somebody else is at work, and what is forgotten is theirs
        except ZramError:
            # The kernel has also forgotten the ages of pages done before the failure.
            if one.tells_ages:
                with contextlib.suppress(ZramError):
                    one.ages.keep(one.device, turn)
            raise
        now = max(0, one.ages.keep(one.device, turn) - tried) if one.tells_ages else None
        found = gain(before, one.device.read_mm_stat(), now, action.huge)
        if found is not None and (one.gain is None or found > one.gain):
            one.gain = found

    def _first_turn(self, one: Tended) -> Turn:
        """Wait for a run that is at work; what comes after this one is noticed."""
        turn = self.worker.turns(one.device)
        with turn():
            return turn

    def _mark(self, one: Tended, action: Recompress, age: int, turn: Turn) -> bool:
        """Mark pages of that age; return whether all that are marked are old enough.

        If the kernel keeps no ages, all are marked, and are old enough later.
        """
        with turn():
            with contextlib.suppress(UnsupportedError):
                one.device.mark_idle(age)
                one.marked = None
                return True
            now = self.clocks.awake()
            if one.marked is None:
                one.device.mark_idle()
                one.marked = now
        if now - one.marked < action.age:
            return False
        if not action.huge:
            one.marked = None
        return True

    def _step_by_step(self, one: Tended, action: Recompress, turn: Turn) -> None:
        """Recompress marked pages."""
        end = self.clocks.awake() + min(action.seconds, RECOMPRESS_SECONDS)
        run = self.worker.recompression(one.device, action.huge, one.tries)
        more = True
        try:
            while more and self.clocks.awake() < end and not self.stopping():
                with turn():
                    more = run.step()
        finally:
            # More were tried only where few were left.
            one.tries = min(run.pages, TRIES_FIRST)


def gain(before: MmStat, after: MmStat, tried: int | None, huge: bool) -> float | None:
    """The share of the ``tried`` pages' memory that was freed; ``None`` if none were tried.

    If their number is unknown (``None``), it is the share of all pages' memory.

    The share is of what these pages took, not of the pool, because a few cold pages of a large pool
    may be worth it. It counts objects, because the pool returns memory only when whole zspages are
    empty, or by compaction.
    """
    kept = before.orig_data_size // PAGE_SIZE - before.same_pages
    if tried is None:
        tried, huge = kept, False
    if not tried or not kept or not before.compr_data_size:
        return None
    took = tried * (PAGE_SIZE if huge else before.compr_data_size / kept)
    return (before.compr_data_size - after.compr_data_size) / took
