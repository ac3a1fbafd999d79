# SPDX-License-Identifier: MIT
"""Machines and what runs on them: each is a way to draw a trace from a seed.

A trace has programs (clusters of units of memory that are used together), the page cache that files
want, when somebody is there, and when the machine sleeps. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from .sizes import stored_sizes

UNITS = 1024
SLICE = 600
SLICES = 144  # of a day
GIB = 1 << 30
MIB = 1 << 20
HOUR = 3600.0


@dataclass
class Trace:
    """A machine, and everything that will happen on it."""

    name: str
    medium: str
    ram: float
    base: float
    """Memory that is never swapped: the kernel, locked memory, the hottest pages."""
    memory: float
    """The memory of all programs together, when all are there."""
    disksize: float
    backing: float
    files: tuple[float, float]
    """Page cache that files want when nobody is there, and when somebody is."""
    file_rate: float
    """Reads of the page cache a second."""
    mem_limit: float = 0.0
    clusters: list[dict] = field(default_factory=list)
    units: list[tuple[float, int, int]] = field(default_factory=list)
    activity: list[float] = field(default_factory=list)
    charge: list[float] = field(default_factory=list)
    suspend_at: list[float] = field(default_factory=list)
    suspend_for: list[float] = field(default_factory=list)
    extra: list[float] = field(default_factory=list)
    """Memory beyond ``base`` that comes and goes and is never swapped; empty for none."""

    @property
    def pages(self) -> int:
        """Pages of a unit."""
        return round(self.memory / UNITS / 4096)


class _Drawing:
    """Draws programs into a trace until its units are used up."""

    def __init__(self, trace: Trace, chance: random.Random) -> None:
        self.trace = trace
        self.chance = chance
        self.sizes = stored_sizes()

    def spread(self, middle: float, factor: float) -> float:
        """A positive number, mostly within a factor of the middle."""
        return middle * math.exp(self.chance.gauss(0.0, math.log(factor)))

    def program(
        self,
        share: float,
        interval: float,
        *,
        hot: float = 0.2,
        warm: float = 0.4,
        human: bool = False,
        alive: float = 0.0,
        dead: float = 0.0,
        grow: float = 0.0,
    ) -> None:
        """Add a program: its share of all memory, how often it is used, and how much of it then.

        Part of it is used nearly always, part now and then, and the rest hardly ever again.
        """
        trace = self.trace
        left = UNITS - len(trace.units)
        count = max(1, min(left, round(share * UNITS)))
        if left <= 0:
            return
        trace.clusters.append(
            {
                "chance": self.chance.getrandbits(64),
                "interval": interval,
                "alive": alive,
                "dead": dead,
                "turn": self.chance.uniform(0, 6 * HOUR) if grow else 0.0,
                "grow": grow,
                "first": len(trace.units),
                "count": count,
                "human": human,
            }
        )
        for _ in range(count):
            kind = self.chance.random()
            if kind < hot:
                heat = self.chance.uniform(0.5, 1.0)
            elif kind < hot + warm:
                heat = 0.5 * self.chance.random() ** 3
            else:
                heat = 0.004 * self.chance.random() ** 2
            trace.units.append((heat, *self.chance.choice(self.sizes)))

    def rest(self, interval: float, count: int = 6, **kind) -> None:
        """Add programs of one kind until all memory is used."""
        share = (UNITS - len(self.trace.units)) / UNITS
        for _ in range(count):
            self.program(share / count, self.spread(interval, 2.0), **kind)
        while len(self.trace.units) < UNITS:
            self.program(1 / UNITS, self.spread(interval, 2.0), **kind)


def _days(
    chance: random.Random, days: int, hours: tuple[float, float], quiet: float
) -> list[float]:
    """When somebody is there, in shares of each ten minutes."""
    activity = []
    for _ in range(days):
        begin, end = (hour + chance.uniform(-1, 1) for hour in hours)
        for place in range(SLICES):
            there = begin <= place / 6 < end and chance.random() > 0.15
            activity.append(chance.uniform(0.5, 1.0) if there else quiet)
    return activity


def desktop(chance: random.Random, days: int) -> Trace:
    """A browser with many tabs, an office program, a desktop; used by day."""
    trace = Trace("desktop", "nvme", 4 * GIB, 0.7 * GIB, 6.2 * GIB, 6 * GIB, 8 * GIB,
                  (0.2 * GIB, 0.6 * GIB), 150.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (9, 23), 0.01)
    draw.program(0.10, 30.0, hot=0.5, warm=0.3)  # the desktop itself
    for _ in range(chance.randint(25, 40)):  # tabs
        draw.program(draw.spread(0.015, 1.6), draw.spread(1.5 * HOUR, 3.5), hot=0.4, human=True)
    for _ in range(4):  # programs that stay open
        draw.program(draw.spread(0.04, 1.5), draw.spread(0.5 * HOUR, 2.0), human=True)
    for _ in range(3):  # programs that come and go
        draw.program(0.05, 600.0, human=True, alive=1.5 * HOUR, dead=3 * HOUR, hot=0.4)
    draw.rest(8 * HOUR, hot=0.05, warm=0.2)
    return trace


def server(chance: random.Random, days: int) -> Trace:
    """A few services, a database that wants page cache, hourly and nightly jobs."""
    trace = Trace("server", "sata", 2 * GIB, 0.35 * GIB, 3.2 * GIB, 4 * GIB, 8 * GIB,
                  (0.45 * GIB, 0.65 * GIB), 400.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (7, 22), 0.4)
    for _ in range(5):
        draw.program(draw.spread(0.05, 1.5), draw.spread(60.0, 2.0), hot=0.35)
    for _ in range(14):
        draw.program(draw.spread(0.025, 1.6), draw.spread(1.0 * HOUR, 3.0), hot=0.3)
    for _ in range(3):
        draw.program(0.03, 300.0, alive=0.4 * HOUR, dead=2 * HOUR, hot=0.6)
    draw.program(0.05, 20 * HOUR, hot=0.6)  # a nightly job's
    draw.rest(10 * HOUR, hot=0.1, warm=0.2)
    return trace


def builds(chance: random.Random, days: int) -> Trace:
    """Compilers that come and go in bursts, next to an editor and services left open."""
    trace = Trace("builds", "nvme", 4 * GIB, 0.6 * GIB, 7.0 * GIB, 6 * GIB, 8 * GIB,
                  (0.4 * GIB, 0.9 * GIB), 400.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (8, 20), 0.15)
    for _ in range(6):
        draw.program(draw.spread(0.06, 1.4), 60.0, hot=0.7, alive=0.3 * HOUR, dead=0.7 * HOUR,
                     human=True)  # fmt: skip
    for _ in range(12):
        draw.program(draw.spread(0.03, 1.6), draw.spread(0.7 * HOUR, 3.0), hot=0.3, human=True)
    draw.rest(8 * HOUR, hot=0.08, warm=0.2)
    return trace


def board(chance: random.Random, days: int) -> Trace:
    """A small board with a memory card, at home, with a few services."""
    trace = Trace("board", "mmc", 0.5 * GIB, 0.11 * GIB, 0.62 * GIB, 1 * GIB, 2 * GIB,
                  (0.06 * GIB, 0.08 * GIB), 2.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (7, 23), 0.3)
    for _ in range(4):
        draw.program(draw.spread(0.06, 1.4), draw.spread(60.0, 2.0), hot=0.4)
    for _ in range(8):
        draw.program(draw.spread(0.04, 1.5), draw.spread(2 * HOUR, 2.5), hot=0.25)
    draw.rest(12 * HOUR, hot=0.05, warm=0.15)
    return trace


def calm(chance: random.Random, days: int) -> Trace:
    """Enough memory: a little is swapped because nobody uses it."""
    trace = Trace("calm", "nvme", 8 * GIB, 0.8 * GIB, 6.6 * GIB, 4 * GIB, 8 * GIB,
                  (0.5 * GIB, 1.2 * GIB), 100.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (9, 22), 0.02)
    draw.program(0.1, 30.0, hot=0.5)
    for _ in range(20):
        draw.program(draw.spread(0.025, 1.5), draw.spread(1 * HOUR, 2.5), hot=0.4, human=True)
    draw.rest(6 * HOUR, hot=0.1, warm=0.25)
    return trace


def leak(chance: random.Random, days: int) -> Trace:
    """A service that never gives memory back until it is restarted."""
    trace = Trace("leak", "sata", 2 * GIB, 0.35 * GIB, 3.6 * GIB, 4 * GIB, 8 * GIB,
                  (0.3 * GIB, 0.5 * GIB), 250.0)  # fmt: skip
    draw = _Drawing(trace, chance)
    trace.activity = _days(chance, days, (7, 22), 0.4)
    share = 0.5
    grow = draw.spread(30 * HOUR, 1.2) / (share * UNITS)
    draw.program(share, 600.0, hot=0.0, warm=0.02, grow=grow, dead=2 * HOUR)
    for _ in range(4):
        draw.program(draw.spread(0.04, 1.4), draw.spread(60.0, 2.0), hot=0.4)
    for _ in range(8):
        draw.program(draw.spread(0.025, 1.5), draw.spread(HOUR, 3.0), hot=0.3)
    draw.rest(10 * HOUR, hot=0.1, warm=0.2)
    return trace


def laptop(chance: random.Random, days: int) -> Trace:
    """A desktop that is closed at night and now and then, on battery for part of the day."""
    trace = desktop(chance, days)
    trace.name, trace.medium = "laptop", "sata"
    charge = 100.0
    plugged = True
    for place in range(days * SLICES):
        if chance.random() < 0.04:
            plugged = not plugged
        charge = min(100.0, charge + 5.0) if plugged else max(3.0, charge - 2.2)
        plugged = plugged or charge < 8.0
        trace.charge.append(-1.0 if plugged else charge)
        if trace.activity[place] < 0.1 and chance.random() < 0.12:
            trace.suspend_at.append(place * SLICE + chance.uniform(0, SLICE))
            trace.suspend_for.append(chance.uniform(600.0, 5 * HOUR))
    return trace


TRACES = {make.__name__: make for make in (desktop, server, builds, board, calm, leak, laptop)}


def draw(name: str, seed: int, days: int) -> Trace:
    """The trace with that name and seed, which is always the same."""
    trace = TRACES[name](random.Random(f"{name} {seed}"), days)
    trace.charge = trace.charge or [-1.0]
    return trace
