# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle --watch``: cold memory over time, as a curve and as a recording.

The recording has the format of ``pyzram tend --record`` and shows this machine as it would be if
zram held its cold memory, so all policies can be tried before there is a device (bench/tend.py
--replay).
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ZramError
from ...kernel.sysfs import given_sysfs
from ...pages.estimate.recommend import recommend
from ...text import quote
from ...units import format_change, format_seconds, format_size
from ..json_documents import of_watch
from ..output import complain
from ..source_arguments import algorithm_names, say
from .cold_looks import DEFAULT_SECONDS, gained, stall, watched
from .offered import offered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...device.features import Features
    from ...pages.estimate.estimate import AlgorithmEstimate
    from ...pages.pool.chain import Chain
    from ..options import Arguments
    from .cold_looks import ColdLook, Looked

HEADINGS_EVERY = 20
LEAST_AGES = 2  # entries for ages of less than a second and of one second


class Times(NamedTuple):
    """Microseconds to decompress a page, measured once."""

    median: float | None
    p99: float | None


def keep_watching(options: Arguments, chain: Chain, ram: int, kernel: Features | None) -> int:
    """Watch until interrupted."""
    names = list(dict.fromkeys(algorithm_names(options)))
    name, times, came_back = "", Times(None, None), 0.0
    rounds = 0
    if options.record:
        from ...tend.recording import append

        append(options.record)  # report an unusable file now, not after the first round
    while True:
        choosing = not name
        now = watched(
            options,
            chain,
            names if choosing or options.json else [name],
            timing=not options.no_timing and (choosing or options.json),
            quiet=bool(options.json or rounds),
        )
        last = now.looks[-1]
        if choosing:
            name = choice(last, ram, kernel, timing=not options.no_timing)
        shown = last.estimate.algorithms[name] if name else _smallest(last)
        if choosing:
            times = Times(shown.decompress_us, shown.decompress_us_p99)
        came_back += last.age.returns * last.age.seconds / 60
        if options.json:
            said = of_watch(now.label, now.total, now.skipped, now.looks)
            say(json.dumps(said, separators=(",", ":")))
        else:
            if rounds % HEADINGS_EVERY == 0 or (choosing and name):
                say(headings(options.idle or DEFAULT_SECONDS, name or "takes"))
            say(line(now, shown, times))
        if options.record:
            try:
                added = recorded(now, shown, round(came_back))
            except (ZramError, OSError) as err:
                complain(f"pyzram estimate: {err}; no line is added to {options.record}")
            else:
                append(options.record, added)
        sys.stdout.flush()  # a reader at the other end of a pipe waits for this line
        rounds += 1


def choice(look: ColdLook, ram: int, kernel: Features | None, *, timing: bool) -> str:
    """The algorithm to show from now on; none while the cold memory does not tell them apart."""
    if best := recommend(look.estimate, ram, offered(look.estimate.algorithms, kernel)):
        return best.algorithm
    # Without times, or if the kernel lacks it, none is recommended: the smallest is good enough.
    smallest = _smallest(look)
    differ = smallest.decompress_us is not None if timing else smallest.figures.mem_used_total
    return smallest.label if differ else ""


def _smallest(look: ColdLook) -> AlgorithmEstimate:
    found = look.estimate.algorithms.values()
    return min(found, key=lambda a: a.figures.mem_used_total)


def headings(idle: Sequence[float], name: str) -> str:
    """The headings: bytes, pages that came back per minute, and the wait for them."""
    times = (format_seconds(seconds).replace(" ", "") for seconds in idle)
    ages = "".join(f" {text:>8}" for text in times)
    text = f"{'':8} {'all':>7}{ages} {quote(name):>8} {'gained':>7} {'back/min':>8} {'ms/min':>8}"
    return f"{'':16} {'cold for':>8}\n{text}"


def line(now: Looked, shown: AlgorithmEstimate, times: Times) -> str:
    """One round: what could go to swap, what is cold by age, what zram takes, and the gain."""
    last = now.looks[-1]
    ages = "".join(f" {format_size(look.age.cold_bytes):>8}" for look in now.looks)
    waiting = stall(last, times.median)
    return (
        f"{time.strftime('%H:%M:%S')} {format_size(now.total):>7}{ages} "
        f"{format_size(shown.figures.mem_used_total):>8} "
        f"{format_change(gained(last, shown)):>7} {last.age.returns:>8.0f} "
        + (f"{'-':>8}" if waiting is None else f"{waiting:>8.2f}")
    )


def recorded(now: Looked, shown: AlgorithmEstimate, came_back: int) -> dict[str, object]:
    """A line of a recording of this machine, as if zram held what was cold at the last look.

    Pages that came back meanwhile count as swapped in.
    """
    from ...tend.machine import Clocks
    from ...tend.recording import row

    found = row(given_sysfs(), Clocks(), ages=False)
    figures, last = shown.figures, now.looks[-1]
    available, pages, devices = found["available"], found["pages"], found["devices"]
    assert isinstance(available, int)
    assert isinstance(pages, list)
    assert isinstance(devices, dict)
    found["available"] = available + gained(last, shown)
    found["pages"] = [pages[0] + came_back, *pages[1:]]
    memory = [figures.orig_data_size, figures.compr_data_size, figures.mem_used_total]
    estimate = {"memory": [*memory, figures.huge_pages], "ages": ages(now.looks)}
    found["devices"] = {**devices, "estimate": estimate}
    return found


def ages(looks: Sequence[ColdLook]) -> list[int]:
    """Pages by how long they were not touched: less than 1 s, 1 s, 2 to 3, 4 to 7 and so on."""
    counts = [0] * max(LEAST_AGES, int(looks[-1].age.seconds).bit_length() + 1)
    longer = 0
    for look in reversed(looks):
        pages = look.age.source.pages
        # A later look may find more cold memory: new memory, or memory that was locked.
        counts[int(look.age.seconds).bit_length()] += max(0, pages - longer)
        longer = max(longer, pages)
    return counts
