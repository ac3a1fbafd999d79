# SPDX-License-Identifier: MIT
"""The policies that are compared, behind one interface.

A policy acts when it is woken, and says when to wake it next: ``wake(machine) -> seconds awake
since the start``; ``trigger`` is the share of stalled time that wakes it early.
"""

from __future__ import annotations

import math

from pyzram.tend.actions import Recompress, WriteBack
from pyzram.tend.ages import ladder
from pyzram.tend.medium import BUDGETS
from pyzram.tend.observation import DeviceObserved, Observation
from pyzram.tend.policy import decide, enough
from pyzram.tend.state import State

from .model import DAY, MEDIA, PAGE, Machine

HOUR = 3600.0
MIB = 1 << 20
GIB = 1 << 30


class Policy:
    """Does nothing."""

    budget = math.inf
    """The most bytes that it promises to write in any 24 hours."""
    trigger = 2.0

    def start(self, machine: Machine) -> float:
        """Begin; return when to wake it first."""
        return machine.m.now + self.wake(machine)

    def restart(self, machine: Machine) -> float:
        """Start again after being killed, with what it still remembers."""
        type(self).__init__(self)
        return self.start(machine)

    def wake(self, machine: Machine) -> float:
        """Look and act; return when to wake it next."""
        return DAY


class Cron(Policy):
    """Every hour: write what nobody has used since the last time, and mark the rest."""

    def wake(self, machine: Machine) -> float:
        machine.write_back(-1.0)
        machine.mark()
        return HOUR


def curve(machine: Machine, least: float, most: float) -> float:
    """The age that Android and ChromeOS use, by the share of memory in use."""
    used = 1.0 - machine.m.available / machine.m.ram
    return least + (most - least) * math.exp(-5.0 * used)


class ChromeOSOld(Policy):
    """ChromeOS, first generation: every 30 s at most, two minutes to a day, no cap on a day."""

    least, most = 120.0, DAY
    rest = 30.0
    round_bytes = 2 * MIB, 128 * MIB

    def __init__(self) -> None:
        self.recompressed = -math.inf

    def wake(self, machine: Machine) -> float:
        used = 1.0 - machine.m.available / machine.m.ram
        quota = min(self.round_bytes[1], used * self.round_bytes[1])
        floor = curve(machine, self.least, self.most)
        written = 0.0
        if quota >= self.round_bytes[0]:
            for huge in (True, False):
                written += machine.write_back(floor, quota - written, huge=huge)
        if machine.m.now - self.recompressed >= 300.0:
            self.recompressed = machine.m.now
            machine.recompress(curve(machine, HOUR, 6 * HOUR))
        # It looks every 10 s; what it leaves alone now it will not want within seconds.
        return self.rest if written else 60.0


class Mmd(Policy):
    """Android's mmd: hourly, 20 to 25 hours, 300 MiB a round, a limit in any 24 hours."""

    budget = GIB
    huge_floor: float | None = None
    """The age for huge pages; ``None`` means the same as for others."""

    def __init__(self) -> None:
        self.written: list[tuple[float, float]] = []

    def wake(self, machine: Machine) -> float:
        if 0 <= machine.charge < 20:
            return HOUR
        now = machine.boottime
        self.written = [(when, size) for when, size in self.written if when > now - DAY]
        left = self.budget - sum(size for _, size in self.written)
        m = machine.m
        quota = min(left, m.stored_pages * PAGE / m.disksize * 300 * MIB)
        written = 0.0
        if quota >= 5 * MIB:
            floor = curve(machine, 20 * HOUR, 25 * HOUR)
            huge_floor = floor if self.huge_floor is None else self.huge_floor
            written = machine.write_back(huge_floor, quota, huge=True)
            written += machine.write_back(floor, quota - written)
        if written:
            self.written.append((now, written))
        machine.recompress(curve(machine, 2 * HOUR, 4 * HOUR))
        return HOUR


class ChromeOS(Mmd):
    """ChromeOS, second generation: as mmd, plus huge pages of any age."""

    def wake(self, machine: Machine) -> float:
        self.huge_floor = 0.0
        return super().wake(machine)


class Tend(Policy):
    """pyzram's own policy: the very function that the daemon calls."""

    trigger = 0.05

    def __init__(self, budget: int = GIB) -> None:
        self.budget = budget
        self.state = State()
        self.written = 0.0
        self.counted = self.expired = 0
        self.started = 0.0

    def start(self, machine: Machine) -> float:
        if machine.trace.medium == "hdd":
            self.budget = min(self.budget, BUDGETS["rotating"])
        return super().start(machine)

    def restart(self, machine: Machine) -> float:
        """It keeps what it knew, and the ledger with the reserved chunk."""
        self.started = machine.m.now
        machine.charge_for(max(16 * MIB, self.budget // 64))
        return self.start(machine)

    def wake(self, machine: Machine) -> float:
        decision = decide(self.observe(machine), self.state)
        self.state = decision.state
        spent = 0.0
        for action in decision.actions:
            if isinstance(action, WriteBack):
                spent += self.write_back(machine, action, action.limit - spent)
            elif isinstance(action, Recompress):
                machine.recompress(
                    action.age,
                    0,
                    action.seconds / 40e-6,
                    huge=action.huge,
                    keeps=True,
                )
        return self.state.wake

    def observe(self, machine: Machine) -> Observation:
        """What the daemon would see."""
        m = machine.m
        start = machine.boottime - DAY
        ledger = machine.ledger
        while self.counted < len(ledger):
            self.written += ledger[self.counted][1]
            self.counted += 1
        while self.expired < self.counted and ledger[self.expired][0] <= start:
            self.written -= ledger[self.expired][1]
            self.expired += 1
        return Observation(
            m.now,
            int(m.ram),
            int(m.available),
            m.some10,
            m.some300,
            m.full10,
            m.io_full10,
            0.0,
            stalled=m.stall,
            waited=m.reads * MEDIA[machine.trace.medium].read_cost + m.swapins * 15e-6,
            trigger=machine.trigger,
            battery=machine.charge if machine.charge >= 0 else None,
            started=self.started,
            resumed=m.slept_at if m.slept else -math.inf,
            devices=(
                DeviceObserved(
                    "zram0",
                    "1",
                    int(m.stored_pages) * PAGE,
                    int(m.used),
                    int(m.used),
                    int(m.mem_limit),
                    int(m.huge_pages),
                    int(m.backing - m.flash_pages * PAGE),
                    self.budget,
                    int(self.budget - self.written),
                    bd_writes=int(m.writes) * PAGE,
                    bd_reads=int(m.reads) * PAGE,
                    gentle=machine.trace.medium in ("mmc", "hdd"),
                    slow=machine.trace.medium == "hdd",
                    recompression=True,
                ),
            ),
        )

    def write_back(self, machine: Machine, action: WriteBack, limit: float) -> float:
        """Write the oldest first; return the bytes written."""
        left = limit
        for age in ladder(action.oldest, action.floor):
            if left <= 0 or (not action.whole and enough(self.observe(machine))):
                break
            left -= machine.write_back(age, left, huge=action.huge, keeps=True)
        return limit - left


POLICIES = {
    "none": Policy,
    "cron": Cron,
    "chromeos_old": ChromeOSOld,
    "chromeos": ChromeOS,
    "mmd": Mmd,
    "tend": Tend,
    "tend_4gib": lambda: Tend(4 * GIB),
}
