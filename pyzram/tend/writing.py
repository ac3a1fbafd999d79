# SPDX-License-Identifier: MIT
"""Writes pages back step by step: charges before writing, and writes no page that is too young."""

from __future__ import annotations

import contextlib
from itertools import repeat
from typing import TYPE_CHECKING

from ..device.backing import in_steps
from ..device.stat_files import counted_since
from ..errors import UnsupportedError, ZramError
from ..kernel.psi import read_pressure
from ..limits import BD_UNIT, PAGE_SIZE
from ..units import MIB
from .machine import read_memory
from .observation import Observation
from .policy import enough
from .times import at_least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .actions import Worker, WriteBack
    from .common import Common
    from .tended import Tended

CHUNK_LEAST = 16 * MIB


class Writing:
    """Does what :class:`~pyzram.tend.actions.WriteBack` asks for.

    Synchronization: one thread.
    """

    def __init__(self, common: Common, worker: Worker, stopping: Callable[[], bool]) -> None:
        self.common = common
        self.worker = worker
        self.stopping = stopping

    def write_back(self, one: Tended, action: WriteBack, spent: dict[str, int]) -> None:
        """Write what ``spent`` (bytes by device) leaves of the limit; charge it before writing.

        Afterwards ``spent`` includes what was written, however this ends.
        """
        limit = action.limit - spent.setdefault(action.device, 0)
        if not one.media or limit < PAGE_SIZE:
            return
        pieces = self.pieces(one, action, limit)
        try:
            for piece in pieces:
                self.common.let_time_pass()
                if self.stopping():
                    break
                before = spent[action.device]
                # Others are kept off from the count to the charge and the write: what they have
                # written, also while this waited, is no longer left, and they add nothing to it.
                with self.worker.turns(one.device)():
                    if not self._step(one, action, piece, spent):
                        break
                if not piece and spent[action.device] == before:
                    break
        finally:
            self.common.ledger.save()
            if one.limit is not None:
                one.limit = one.device.read_writeback_limit() * BD_UNIT

    def _step(
        self, one: Tended, action: WriteBack, piece: list[tuple[int, int]], spent: dict[str, int]
    ) -> bool:
        """Write a piece, in a turn; return ``False`` if nothing is left, or no more is needed."""
        ledger, budget_of = self.common.ledger, self.common.budget_of
        at, media = one.written(), one.media
        for medium in media:
            ledger.observe(medium.key, one.key, at)
        self._charge_others(one)
        chunk = action.step or max(CHUNK_LEAST, min(map(budget_of, media)) // 64)
        left = min(action.limit - spent[action.device], one.left(ledger, budget_of), chunk)
        if not piece:
            left = min(left, one.piece * PAGE_SIZE)
        if left < PAGE_SIZE or (not action.whole and self._at_ease()):
            return False
        for medium in media:
            ledger.reserve(medium.key, one.key, at, left)
        began = self.common.clocks.awake()
        try:
            if piece:
                self.worker.write_pages(one.device, piece, left)
            else:
                self.worker.write_idle(one.device, action.huge, left, one.idle_age)
        finally:
            one.took(self.common.clocks.awake() - began)
            now = one.written()
            spent[action.device] += counted_since(at, now)
            # A step may take hours, and the machine may sleep for days in the middle of it, so what
            # it wrote counts from its end.
            self.common.let_time_pass()
            for medium in media:
                ledger.settle(medium.key, one.key, now)
        return True

    def pieces(self, one: Tended, action: WriteBack, limit: int) -> Iterable[list[tuple[int, int]]]:
        """Steps: ranges of places; empty ones, without end, mean the pages that are marked idle."""
        clocks, sleeps = self.common.clocks, self.common.sleeps
        now = clocks.boottime()
        sleeps.notice()  # for any sleep since the look
        slept = sleeps.slept
        floor = action.floor + slept
        if one.tells_ages:
            ranges = one.ages.candidates(
                one.device, now, floor, action.oldest + slept, limit // PAGE_SIZE, action.huge
            )
            steps = in_steps(ranges, lambda: one.piece)
            found = (one.ages.still(one.device, step, now, floor, action.huge) for step in steps)
            return (step for step in found if step)
        marked = repeat(list[tuple[int, int]]())
        recompresses = one.device.has("recompress") and one.device.read_recomp_algorithms()
        # Marking by age takes the marks of younger pages away, but not in 6.1, nor surely in all of
        # 6.12: there, marks for one floor would pass for an older one. This attribute came later.
        if not recompresses and one.device.has("writeback_batch_size") and floor < now - 4:
            try:
                one.idle_age = at_least(floor)
                self._mark(one, one.idle_age)
                return marked
            except UnsupportedError:
                pass
        one.idle_age = None
        # Marks are all there is: they vanish when a page is used or recompressed.
        if one.marked is not None and clocks.awake() - one.marked >= action.floor:
            if not action.huge:
                one.marked, one.aged = None, True
            return marked
        if one.marked is None:
            self._mark(one)
            one.marked = clocks.awake()
        return []

    def _mark(self, one: Tended, age: int | None = None) -> None:
        """Not while another run moves what is marked."""
        with self.worker.turns(one.device)():
            one.device.mark_idle(age)

    def _charge_others(self, one: Tended) -> None:
        """Charge what other devices have written to its media since they were last seen."""
        shared = {medium.key for medium in one.media}
        for other in self.common.roster.known.values():
            if other is one or shared.isdisjoint(medium.key for medium in other.media):
                continue
            with contextlib.suppress(ZramError):  # the next look reports it
                at = other.written()
                for medium in other.media:
                    self.common.ledger.observe(medium.key, other.key, at)

    def _at_ease(self) -> bool:
        memory = read_pressure(self.common.sysfs, "memory", [])
        total, available = read_memory(self.common.sysfs)
        some10 = memory.some10 if memory else None
        return enough(Observation(self.common.clocks.awake(), total, available, some10=some10))
