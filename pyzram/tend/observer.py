# SPDX-License-Identifier: MIT
"""Observes the machine and its devices for the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ZramError
from ..limits import PAGE_SIZE
from .machine import read_battery, read_clock, read_counters, read_memory
from .machine import read_pressure as pressure_of
from .observation import Observation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..kernel.sysfs import Sysfs
    from .ledger import Ledger
    from .machine import Clocks
    from .medium import Medium
    from .observation import DeviceObserved
    from .roster import Roster
    from .sleeps import Sleeps
    from .tended import Tended

READ_COST = {"card": 900e-6, "usb": 900e-6, "unknown": 500e-6, "disk": 150e-6}
"""Approximate seconds that a page takes to come back from a medium."""
SWAP_IN = 15e-6
"""And from memory, with the slower algorithms."""


class Observer:
    """Remembers what rates need from the last look, and what went wrong.

    Synchronization: one thread.
    """

    def __init__(
        self,
        sysfs: Sysfs,
        clocks: Clocks,
        sleeps: Sleeps,
        roster: Roster,
        ledger: Ledger,
        budget_of: Callable[[Medium], int],
        started: float,
        warn: Callable[[str], object],
    ) -> None:
        self.sysfs = sysfs
        self.clocks = clocks
        self.sleeps = sleeps
        self.roster = roster
        self.ledger = ledger
        self.budget_of = budget_of
        self.started = started
        self.warn = warn
        self._told: set[str] = set()
        self._counters: tuple[float, int] | None = None

    def look(self, trigger: str = "") -> Observation:
        """Observe the present state."""
        self.sleeps.notice()
        now = self.clocks.awake()
        self.ledger.advance(read_clock(self.sysfs, self.clocks, self.ledger.clock.boot))
        total, available = read_memory(self.sysfs)
        unread: list[str] = []
        memory, io, cpu = (
            pressure_of(self.sysfs, resource, unread) for resource in ("memory", "io", "cpu")
        )
        tended, found = self._devices()
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
            started=self.started,
            resumed=self.sleeps.resumed,
            devices=found,
        )

    def _devices(self) -> tuple[list[Tended], tuple[DeviceObserved, ...]]:
        """The devices that can be read; new reasons why others cannot be are reported."""
        tended: list[Tended] = []
        found: list[DeviceObserved] = []
        errors: set[str] = set()
        try:
            tended = self.roster.enumerate(errors)
        except ZramError as err:
            errors.add(str(err))
        for one in tended:
            try:
                seen = one.look(self.sysfs, self.ledger, self.budget_of)
            except ZramError as err:
                errors.add(str(err))
                continue
            if seen is not None:
                found.append(seen)
        for text in sorted(errors - self._told):
            self.warn(text)
        self._told = errors
        return tended, tuple(found)

    def _scanning(self, now: float, counters: dict[str, int]) -> float:
        count = counters.get("pgscan_direct", 0) + counters.get("workingset_refault_anon", 0)
        before, self._counters = self._counters, (now, count)
        if before is None or now <= before[0]:
            return 0.0
        return max(0, count - before[1]) / (now - before[0])
