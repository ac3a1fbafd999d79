# SPDX-License-Identifier: MIT
"""Observes the machine and its devices for the policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..device.stat_files import counted_since
from ..errors import ZramError
from ..kernel.psi import read_pressure
from ..limits import PAGE_SIZE
from .machine import read_battery, read_counters, read_memory
from .observation import Observation
from .state import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..device.zram import Zram
    from .common import Common
    from .observation import DeviceObserved

READ_COST = {
    "card": 900e-6,
    "usb": 900e-6,
    "rotating": 8e-3,
    "unknown": 500e-6,
    "disk": 150e-6,
}
"""Approximate seconds that a page takes to come back from a medium."""
SWAP_IN = 15e-6
"""Approximate seconds that a page takes to come back from memory, with the slower algorithms."""


class Observer:
    """Remembers what rates need from the last look, and what has gone wrong.

    Synchronization: one thread.
    """

    def __init__(self, common: Common, started: float, warn: Callable[[str], object]) -> None:
        self.common = common
        self.started = started
        self.warn = warn
        self._told: set[str] = set()
        self.counts = Counts()
        """As of the last look."""
        self.waited = 0.0
        """:attr:`Observation.waited` then."""
        self.restore: Callable[[Zram], object] | None = None
        """What puts a device right before it is observed."""

    def look(self, trigger: str = "") -> Observation:
        """Observe the present state."""
        common = self.common
        common.sleeps.notice()
        now = common.clocks.awake()
        common.let_time_pass()
        total, available = read_memory(common.sysfs)
        unread: list[str] = []
        memory, io, cpu = (
            read_pressure(common.sysfs, resource, unread) for resource in ("memory", "io", "cpu")
        )
        found, missed = self._devices()
        battery = read_battery(common.sysfs)
        counters = read_counters(common.sysfs)
        before, self.counts = self.counts, _counts(now, counters, found)
        self.waited += self._waiting(before)
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
            waited=self.waited,
            scanning=scanning(before, self.counts),
            trigger=trigger,
            battery=battery.percent,
            battery_error=battery.error,
            started=self.started,
            resumed=common.sleeps.resumed,
            devices=found,
            unread=missed,
        )

    def _devices(self) -> tuple[tuple[DeviceObserved, ...], tuple[str, ...]]:
        """What was seen of the readable devices, and the keys of the others.

        New reasons why a device cannot be read are reported.
        """
        found: list[DeviceObserved] = []
        missed: list[str] = []
        errors: set[str] = set()
        common, roster = self.common, self.common.roster
        try:
            tended = roster.enumerate(errors)
        except ZramError as err:
            # Nothing says that they are gone.
            errors.add(str(err))
            tended, missed = [], [*roster.known, *roster.before]
        for one in tended:
            try:
                if self.restore:
                    self.restore(one.device)
                seen = one.look(common.sysfs, common.ledger, common.budget_of)
            except ZramError as err:
                errors.add(str(err))
                missed.append(one.key)
                continue
            if seen is not None:
                found.append(seen)
            if one.lost:
                errors.add(
                    f"{one.device.name}: its backing device {one.lost} cannot be found, "
                    "so nothing is written to it"
                )
        for text in sorted(errors - self._told):
            self.warn(text)
        self._told = errors
        return tuple(found), tuple(missed)

    def _waiting(self, before: Counts) -> float:
        """Seconds of waiting for pages that came back since then.

        A device that the last look could not read adds nothing: what came back before that look
        must not be counted as since then, and would hide the present pressure.
        """
        if math.isinf(before.at):
            return 0.0  # no look before
        flash, seconds = 0, 0.0
        for key, reads in self.counts.reads.items():
            pages = counted_since(before.reads.get(key, reads), reads) // PAGE_SIZE
            flash += pages
            media = self.common.roster.known[key].media
            if media:
                seconds += pages * max(READ_COST[medium.kind] for medium in media)
        swapped_in = self.counts.swapped_in - before.swapped_in
        return seconds + max(0, swapped_in - flash) * SWAP_IN


def _counts(now: float, counters: dict[str, int], found: tuple[DeviceObserved, ...]) -> Counts:
    return Counts(
        now,
        counters.get("pgscan_direct", 0) + counters.get("workingset_refault_anon", 0),
        counters.get("pswpin", 0),
        {seen.key: seen.bd_reads for seen in found},
    )


def scanning(before: Counts, after: Counts) -> float:
    """Pages a second that processes had to reclaim themselves or read again."""
    if math.isinf(before.at) or after.at <= before.at:
        return 0.0
    return max(0, after.scanned - before.scanned) / (after.at - before.at)
