# SPDX-License-Identifier: MIT
"""Looks at the machine, asks the policy, and does what it says: one step at a time."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, NamedTuple

from ..device.backing import in_steps
from ..device.key import key_of
from ..device.zram import Zram
from ..errors import DeviceBusyError, DeviceNotFoundError, UnsupportedError, ZramError
from ..kernel.parse import BD_UNIT
from ..limits import PAGE_SIZE
from .actions import Compact, Recompress, Worker, WriteBack
from .ledger import Ledger
from .machine import Clocks, read_battery, read_clock, read_counters, read_memory
from .machine import read_pressure as pressure_of
from .medium import Medium
from .observation import Observation
from .policy import DEFAULTS, Decision, decide, enough
from .rounds import Settings
from .sleeps import Sleeps
from .state import State
from .tended import NOT_REMEMBERED, PIECE_MOST, Tended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..device.stats import MmStat
    from ..kernel.sysfs import Sysfs

MIB = 1 << 20
PATIENCE_SECONDS = 5.0
"""What a step may take at most. With no more than :data:`~pyzram.tend.tended.STEP_SECONDS`, one
that merely began slowly would end before it had written anything, and so would the next."""
RECOMPRESS_SECONDS = 5.0
SAME_TIME = 10.0
"""Seconds within which two recompressions may go by the times of pages as read for the first."""
CHUNK_LEAST = 16 * MIB
READ_COST = {"card": 900e-6, "usb": 900e-6, "unknown": 500e-6, "disk": 150e-6}
"""Seconds that a page takes to come back from a medium, about."""
SWAP_IN = 15e-6
"""And from memory, with the slower algorithms."""


class Report(NamedTuple):
    """One round, for the log and for ``--status``."""

    seen: Observation
    decision: Decision
    written: int
    """Bytes to media."""
    freed: int
    """Bytes of memory, of the devices that tell."""


class Tender:
    """Tends the devices that ``devices`` names: their numbers, asked anew at each look.

    Synchronization: one thread.
    """

    def __init__(
        self,
        sysfs: Sysfs,
        devices: Callable[[], Sequence[int]],
        worker: Worker,
        ledger: Ledger,
        *,
        clocks: Clocks | None = None,
        settings: Settings = DEFAULTS,
        budget: int | None = None,
        share: float = 1.0,
        at_once: bool = False,
        warn: Callable[[str], object] = print,
    ) -> None:
        self.sysfs = sysfs
        self.devices = devices
        self.worker = worker
        self.ledger = ledger
        self.clocks = clocks or Clocks()
        self.settings = settings
        self.budget = budget
        """Bytes in any 24 hours; ``None`` leaves it to the medium."""
        self.share = share
        """Of the budget: half of it where the ledger will not outlive a reboot."""
        self.warn = warn
        self.state = State()
        self.stopping: Callable[[], bool] = lambda: False
        self._known: dict[str, Tended] = {}
        self._started = -math.inf if at_once else self.clocks.awake()
        self.sleeps = Sleeps(self.clocks)
        self._counters: tuple[float, int] | None = None

    # ---- looking ---------------------------------------------------------------------------------

    def look(self, trigger: str = "") -> Observation:
        """See how things are."""
        self.sleeps.notice()
        now = self.clocks.awake()
        self.ledger.advance(read_clock(self.sysfs, self.clocks, self.ledger.clock.boot))
        total, available = read_memory(self.sysfs)
        unread: list[str] = []
        memory, io, cpu = (
            pressure_of(self.sysfs, resource, unread) for resource in ("memory", "io", "cpu")
        )
        tended = self._enumerate()
        looks = (one.look(self.sysfs, self.ledger, self._budget) for one in tended)
        found = tuple(seen for seen in looks if seen is not None)
        battery = read_battery(self.sysfs)
        counters = read_counters(self.sysfs)
        flash = sum(seen.bd_reads // PAGE_SIZE for seen in found)
        waited = max(0, counters.get("pswpin", 0) - flash) * SWAP_IN
        for one in tended:
            if one.medium is not None:
                reads = next((s.bd_reads for s in found if s.key == one.key), 0)
                waited += reads / PAGE_SIZE * READ_COST[one.medium.kind]
        return Observation(
            now,
            total,
            available,
            some10=memory and memory.some10,
            some300=memory and memory.some300,
            full10=memory and memory.full10,
            io_full10=io and io.full10,
            cpu_some10=cpu and cpu.some10,
            pressure_error="; ".join(unread),
            stalled=memory.total if memory else 0.0,
            waited=waited,
            scanning=self._scanning(now, counters),
            trigger=trigger,
            battery=battery.percent,
            battery_error=battery.error,
            started=self._started,
            resumed=self.sleeps.resumed,
            devices=found,
        )

    def _scanning(self, now: float, counters: dict[str, int]) -> float:
        count = counters.get("pgscan_direct", 0) + counters.get("workingset_refault_anon", 0)
        before, self._counters = self._counters, (now, count)
        if before is None or now <= before[0]:
            return 0.0
        return max(0, count - before[1]) / (now - before[0])

    def _budget(self, medium: Medium) -> int:
        return int((self.budget or medium.budget) * self.share)

    def close(self) -> None:
        """Give up the handles of devices."""
        for one in self._known.values():
            one.device.close()
        self._known = {}

    def _enumerate(self) -> list[Tended]:
        """The devices that are there now; a number that somebody else has got is another."""
        before = {one.device.number: one for one in self._known.values()}
        found: list[Tended] = []
        try:
            for number in self.devices():
                known = before.pop(number, None)
                if known is not None:
                    # The handle is of this very device: it answers no more when that is gone.
                    try:
                        known.device.read("disksize")
                        found.append(known)
                        continue
                    except DeviceNotFoundError:
                        self._known.pop(known.key).device.close()
                try:
                    device = Zram(number, sysfs=self.sysfs)
                except DeviceNotFoundError:
                    continue
                try:
                    found.append(Tended(device, key_of(device)))
                except BaseException as err:
                    device.close()
                    if not isinstance(err, DeviceNotFoundError):
                        raise
        except BaseException:
            for one in found:
                if self._known.get(one.key) is not one:
                    one.device.close()
            raise
        for one in before.values():
            one.device.close()
        self._known = {one.key: one for one in found}
        return found

    # ---- acting ----------------------------------------------------------------------------------

    def decide(self, trigger: str = "") -> tuple[Observation, Decision]:
        """Look and ask the policy; nothing is done and nothing remembered."""
        seen = self.look(trigger)
        return seen, decide(seen, self.state, self.settings)

    def round(self, trigger: str = "") -> Report:
        """Look, ask the policy, and do it."""
        seen, decision = self.decide(trigger)
        self.state = decision.state
        by_name = {one.device.name: one for one in self._known.values()}
        spent: dict[str, int] = {}
        writes = {act.device for act in decision.actions if isinstance(act, WriteBack)}
        for action in decision.actions:
            one = by_name.get(action.device)
            if one is None or one.failed or self.stopping():
                continue
            try:
                if isinstance(action, WriteBack):
                    self._write_back(one, action, spent)
                elif isinstance(action, Recompress):
                    self._recompress(one, action, action.device in writes)
                else:
                    self._compact(one, action)
            except DeviceNotFoundError:
                continue  # it went meanwhile
            except DeviceBusyError:
                continue  # somebody else writes or recompresses
            except ZramError as err:
                one.failed = True
                self.warn(str(err))
        freed = 0
        for device in seen.devices if spent else ():
            try:
                used = self._used(by_name[device.name])
            except DeviceNotFoundError:
                used = 0
            if used is not None:
                freed += device.mem_used_total - used
        return Report(seen, decision, sum(spent.values()), freed)

    def _used(self, one: Tended) -> int | None:
        """Memory in use; ``None``, and told, where that cannot be read."""
        try:
            return one.device.read_mm_stat().mem_used_total or 0
        except DeviceNotFoundError:
            raise
        except ZramError as err:
            self.warn(str(err))
            return None

    def _write_back(self, one: Tended, action: WriteBack, spent: dict[str, int]) -> None:
        """Write what ``spent``, bytes by device, leaves; charged before it is written.

        What was written is in ``spent`` afterwards, whatever ends this.
        """
        medium = one.medium
        limit = action.limit - spent.get(action.device, 0)
        if medium is None or limit < PAGE_SIZE:
            return
        pieces = self._pieces(one, action, limit)
        budget = self._budget(medium)
        chunk = action.step or max(CHUNK_LEAST, budget // 64)
        begun = at = self._written(one)
        try:
            for piece in pieces:
                left = min(limit - (at - begun), self.ledger.left(medium.key, budget), chunk)
                if left < PAGE_SIZE or self.stopping() or (not action.whole and self._at_ease()):
                    break
                self.ledger.reserve(medium.key, one.key, at, left)
                began = self.clocks.awake()
                try:
                    if piece:
                        self.worker.write_pages(one.device, piece, left)
                    else:
                        self.worker.write_idle(one.device, action.huge, left)
                finally:
                    one.took(self.clocks.awake() - began)
                    before, at = at, self._written(one)
                    self.ledger.settle(medium.key, one.key, at)
                if not piece and at == before:
                    break
        finally:
            spent[action.device] = spent.get(action.device, 0) + at - begun
            self.ledger.save()
            if one.limit is not None:
                one.limit = one.device.read_writeback_limit() * BD_UNIT

    def _pieces(
        self, one: Tended, action: WriteBack, limit: int
    ) -> Iterable[list[tuple[int, int]]]:
        """Steps: ranges of places; an empty one means the pages that are marked idle."""
        now = self.clocks.boottime()
        self.sleeps.notice()  # what was slept since the look
        slept = self.sleeps.slept
        floor = action.floor + slept
        if one.tells_ages:
            ranges = one.ages.candidates(
                one.device, now, floor, action.oldest + slept, limit // PAGE_SIZE, action.huge
            )
            steps = in_steps(ranges, lambda: one.piece)
            found = (one.ages.still(one.device, step, now, floor, action.huge) for step in steps)
            return (step for step in found if step)
        count = limit // (PIECE_MOST * PAGE_SIZE) + 1
        marked: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        recompresses = one.device.has("recompress") and one.device.read_recomp_algorithms()
        # An age takes marks of younger pages away again, but not in 6.1, nor surely in all of 6.12:
        # there, marks for one floor would stand for an older one too. This attribute is of later.
        if not recompresses and one.device.has("writeback_batch_size") and floor < now - 4:
            try:
                one.device.mark_idle(_at_least(floor))
                return marked
            except UnsupportedError:
                pass
        # Marks are all there is: they go when a page is used, or recompressed.
        if one.marked is not None and self.clocks.awake() - one.marked >= action.floor:
            if not action.huge:
                one.marked, one.aged = None, True
            return marked
        if one.marked is None:
            one.device.mark_idle()
            one.marked = self.clocks.awake()
        return []

    def _at_ease(self) -> bool:
        memory = pressure_of(self.sysfs, "memory", [])
        total, available = read_memory(self.sysfs)
        some10 = memory.some10 if memory else None
        return enough(Observation(self.clocks.awake(), total, available, some10=some10))

    def _written(self, one: Tended) -> int:
        return (one.device.read_bd_stat().bd_writes or 0) * BD_UNIT

    def _recompress(self, one: Tended, action: Recompress, writes: bool = False) -> None:
        age = _at_least(action.age + self.sleeps.slept)
        since = self.clocks.boottime() - age
        tried = 0
        marks = False
        if not one.tells_ages and one.medium is not None:
            # Marks by this age among those that writing waits for would make pages older.
            if writes and one.marked is not None:
                return
            marks, one.marked = writes and one.aged, None
        if one.tells_ages:
            # That nothing is old enough yet says nothing about what there is to gain.
            at, counts = one.remembered
            if not at <= since < at + SAME_TIME:
                counts = one.ages.remember(one.device, self.clocks.boottime, since)
                one.remembered = since, counts
            untried, huge, tried = counts
            if not (huge if action.huge else untried):
                return
            one.remembered = NOT_REMEMBERED
        if age < self.clocks.boottime() - 2:
            before = one.device.read_mm_stat()
            try:
                self.worker.recompress(
                    one.device,
                    action,
                    None if marks else age,
                    min(action.seconds, RECOMPRESS_SECONDS),
                )
            except DeviceBusyError:
                raise  # who is at work is somebody else, and so is what that forgets
            except ZramError:
                # Of pages done before it failed, too, the kernel has forgotten the age.
                if one.tells_ages:
                    with contextlib.suppress(ZramError):
                        one.ages.keep(one.device)
                raise
            now = max(0, one.ages.keep(one.device) - tried) if one.tells_ages else None
            found = gain(before, one.device.read_mm_stat(), now, action.huge)
            if found is not None and (one.gain is None or found > one.gain):
                one.gain = found

    def _compact(self, one: Tended, _action: Compact) -> None:
        before = self._used(one)
        one.device.compact()
        after = self._used(one)
        if before is not None and after is not None:
            one.compacted = (before - after) / before if before else 0.0


def _at_least(age: float) -> int:
    """What to give a kernel that counts in whole seconds, cut off, for pages of this age."""
    return math.ceil(age) + 1


def gain(before: MmStat, after: MmStat, tried: int | None, huge: bool) -> float | None:
    """Share of what ``tried`` pages took that recompression has freed; ``None`` of no pages.

    Where it cannot be told how many (``None``), it is of all.

    Of what these took, not of the pool: a few cold pages of a large pool may be worth it. And by
    the objects: the pool gives memory back when whole zspages are empty, or by compaction.
    """
    kept = before.orig_data_size // PAGE_SIZE - before.same_pages
    if tried is None:
        tried, huge = kept, False
    if not tried or not kept or not before.compr_data_size:
        return None
    took = tried * (PAGE_SIZE if huge else before.compr_data_size / kept)
    return (before.compr_data_size - after.compr_data_size) / took
