# SPDX-License-Identifier: MIT
"""A trace made from what `pyzram tend --record` wrote.

A recording says minute by minute how much memory there was, was asked for and was swapped, and how
long pages have not been used, but not which page was used when. So programs that fit it are drawn
from a seed: with as much memory that comes and goes, as many pages that come back, and as old.
"""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from typing import Any

from .traces import GIB, HOUR, SLICE, UNITS, Trace, _Drawing

DAY = 86400.0
KINDS = {
    "card": "mmc",
    "usb": "mmc",
    "rotating": "hdd",
    "disk": "nvme",
    "unknown": "sata",
    None: "nvme",
}
PAGE = 4096
COME_BACK = 4 * HOUR
"""How long pages stay unused if the recording does not say."""


def load(path: str) -> list[dict[str, Any]]:
    """The lines of a recording, in order of time; a broken line ends the program with a message."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                if row["v"] != 1 or row["total"] <= 0 or len(row["pages"]) < 4:
                    raise ValueError("not version 1")
                rows.append(row)
            except (ValueError, KeyError, TypeError) as err:
                raise SystemExit(f"{path}:{number}: no line of a recording: {err}") from err
    rows = _one_clock(rows)
    if len(rows) < 2 or rows[-1]["at"] - rows[0]["at"] < SLICE:
        raise SystemExit(f"{path}: less than ten minutes recorded")
    return rows


def _one_clock(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Seconds awake since the first line; reboots and gaps do not count."""
    at = 0.0
    before: dict[str, Any] = {}
    for row in rows:
        passed = row["awake"] - before["awake"] if before else 0.0
        row["gap"] = not 0 <= passed <= SLICE
        at += 60.0 if before and row["gap"] else passed
        row["at"] = at
        before = row
    return rows


def stored(row: dict[str, Any]) -> float:
    """Bytes that zram devices hold, in memory and on their media."""
    return float(sum(device["memory"][0] for device in row["devices"].values()))


def pool(row: dict[str, Any]) -> float:
    """Bytes of memory that they take."""
    return float(sum(device["memory"][2] for device in row["devices"].values()))


def slices(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The lines of each ten minutes; a slice without any has those of the previous one."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(int(rows[-1]["at"] / SLICE) + 1)]
    for row in rows:
        found[int(row["at"] / SLICE)].append(row)
    for place, group in enumerate(found):
        if not group:
            found[place] = found[place - 1][-1:]
    return found


def mean(values: list[float]) -> float:
    """The mean of some values."""
    return sum(values) / len(values)


def draw(rows: list[dict[str, Any]], chance: random.Random) -> Trace:
    """A trace as long as the recording, with programs drawn at random."""
    groups = slices(rows)
    total = float(rows[0]["total"])
    asked = [mean([r["total"] - r["available"] - pool(r) + stored(r) for r in g]) for g in groups]
    least = min(asked)
    most_stored = max(stored(row) for row in rows)
    # What programs may swap: at least twice what they have, at most most of what is never free.
    memory = min(0.85 * least, max(2.0 * most_stored, 0.4 * total))
    medium = next((d["medium"] for r in rows for d in r["devices"].values() if "medium" in d), None)
    room = min([r["available"] for r in rows])
    trace = Trace(
        "replay", KINDS[medium], total, least - memory, memory, max(2.0 * total, 2 * most_stored),
        8 * GIB, (0.5 * room, max(0.5 * room, 0.1 * total)), _file_rate(rows),
    )  # fmt: skip
    trace.extra = [one - least for one in asked]
    came = [_rate(group) for group in groups]
    peak = max(came) or 1.0
    trace.activity = [0.02 + 0.98 * one / peak for one in came] if max(came) else [0.3] * len(came)
    _sleep(trace, rows)
    trace.charge = [_charge(group) for group in groups]
    _programs(trace, chance, rows)
    return trace


def _rate(group: list[dict[str, Any]]) -> float:
    """Pages that came back, a second, within a slice: swapped in or read again."""
    passed = group[-1]["at"] - group[0]["at"]
    if passed <= 0 or group[-1]["gap"]:
        return 0.0
    return max(0.0, group[-1]["pages"][0] - group[0]["pages"][0]) / passed


def _file_rate(rows: list[dict[str, Any]]) -> float:
    """Reads of the page cache a second, so that missing pages cost about as much as they did."""
    again = sum(max(0, b["pages"][3] - a["pages"][3]) for a, b in pairwise(rows) if not b["gap"])
    return max(5.0, min(1000.0, 20.0 * again / max(1.0, rows[-1]["at"])))


def _charge(group: list[dict[str, Any]]) -> float:
    battery = group[-1]["battery"]
    return -1.0 if battery is None else float(battery)


def _sleep(trace: Trace, rows: list[dict[str, Any]]) -> None:
    for before, row in pairwise(rows):
        slept = row["asleep"] - before["asleep"]
        if not row["gap"] and slept > 1:
            trace.suspend_at.append(row["at"])
            trace.suspend_for.append(float(slept))


def _programs(trace: Trace, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    """Fill the memory with programs whose times between uses fit the ages of stored pages."""
    drawing = _Drawing(trace, chance)
    drawing.sizes = _sizes(drawing.sizes, rows)
    ages = _ages(rows)
    # Half of what may be swapped is never swapped for long, because it is always in use.
    drawing.program(0.3, 60.0, hot=0.6, warm=0.3)
    for _ in range(24):
        age = ages[chance.randrange(len(ages))]
        drawing.program(0.7 / 24, max(120.0, drawing.spread(age, 1.5)), hot=0.3, human=True)
    while len(trace.units) < UNITS:
        drawing.program(1 / UNITS, 10 * HOUR, hot=0.05, warm=0.2)


def _ages(rows: list[dict[str, Any]]) -> list[float]:
    """A hundred times of disuse, each as often as there are such pages."""
    counted = [0] * 64
    for row in rows:
        for device in row["devices"].values():
            for place, number in enumerate(device.get("ages", ())):
                counted[place] += number
    if not sum(counted):
        came = sum(max(0, b["pages"][0] - a["pages"][0]) for a, b in pairwise(rows))
        held = mean([stored(row) for row in rows]) / PAGE
        if not came or not held:
            return [COME_BACK * math.exp((place - 50) / 30) for place in range(100)]
        typical = min(20 * HOUR, max(600.0, rows[-1]["at"] * held / came))
        return [typical * math.exp((place - 50) / 30) for place in range(100)]
    # A page is seen at about the middle of its time.
    return [
        2.0 * 1.5 * 2.0 ** (place - 1)
        for place, number in enumerate(counted)
        for _ in range(math.ceil(100 * number / sum(counted)))
        if number
    ]


def _sizes(sizes: list[tuple[int, int]], rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Compressed sizes with the recording's average."""
    held = sum(stored(row) for row in rows)
    if not held:
        return sizes
    factor = (sum(pool(row) for row in rows) / held) / (mean([float(a) for a, _ in sizes]) / PAGE)
    return [(min(PAGE, round(a * factor)), min(PAGE, round(b * factor))) for a, b in sizes]


def stalled(rows: list[dict[str, Any]]) -> float | None:
    """Seconds a day that somebody waited for memory, as the kernel counted it."""
    found = [
        max(0.0, b["stalled"] - a["stalled"])
        for a, b in pairwise(rows)
        if not b["gap"] and a["stalled"] is not None and b["stalled"] is not None
    ]
    return sum(found) / rows[-1]["at"] * DAY if found else None
