# SPDX-License-Identifier: MIT
"""When the machine slept: the kernel's ages of pages include sleep, the policy's do not.

What is known is kept in a file, because a process that starts later cannot find out: the clocks
show for how long the machine has slept since boot, but not when.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING

from .. import own_files
from .times import HOUR

if TYPE_CHECKING:
    from .machine import Clocks

WINDOW = 48 * HOUR
CLOCKS_APART = 0.01
"""The most seconds between reading two clocks that count as one time."""
SHORT = 1.0
"""Time between reading two clocks looks like a short sleep, which holds nothing up."""
NAME = "tend/sleeps.json"


class Sleeps:
    """The sleeps of the last two days awake.

    Sleeps that nobody noticed before may have ended just now.

    Synchronization: one thread.
    """

    def __init__(
        self, clocks: Clocks, path: str = "", boot: str = "", *, read_only: bool = False
    ) -> None:
        """Take up what the file knows about this boot; without a path, nothing is kept.

        With ``read_only``, the file is only read, and a sleep that nobody noticed holds nothing up.
        """
        self.clocks = clocks
        self._path = path
        self._boot = boot
        self._keeps = bool(path) and not read_only
        self._asleep = self._saved = 0.0
        """Seconds asleep since boot, as of the last :meth:`notice` and as of the file."""
        self._lengths: list[tuple[float, float]] = []
        self.resumed = -math.inf
        """When the machine last woke, in seconds awake, as far as is known; never too early."""
        self.slept = 0.0
        """Seconds of sleep that a page's age may include."""
        asleep, now = self._time_asleep(), clocks.awake()
        known = path and self._load(asleep, now)
        resumed = self.resumed
        self.notice()
        if read_only:
            self.resumed = resumed
        if not known:
            self._save()

    def notice(self) -> None:
        """Check whether the machine has slept since the last call."""
        asleep, now = self._time_asleep(), self.clocks.awake()
        if asleep > self._asleep:
            if asleep > self._asleep + SHORT:
                self.resumed = now
            self._lengths.append((now, asleep - self._asleep))
            self._asleep = asleep
        self._lengths = [(at, length) for at, length in self._lengths if at > now - WINDOW]
        self.slept = sum(length for _, length in self._lengths)
        if self._asleep > self._saved + SHORT:
            self._save()

    def _time_asleep(self) -> float:
        """Seconds of sleep since boot, never too many: a delay of this process is not sleep."""
        while True:
            before = self.clocks.awake()
            boottime = self.clocks.boottime()
            after = self.clocks.awake()
            if after - before < CLOCKS_APART:
                return boottime - after

    def _load(self, asleep: float, now: float) -> bool:
        """Whether the file is from this boot and these clocks."""
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            found = json.loads(own_files.read_file(self._path) or "{}")
            lengths = [(float(at), float(length)) for at, length in found["lengths"]]
            before, resumed = float(found["asleep"]), found["resumed"]
            resumed = -math.inf if resumed is None else float(resumed)
            # Not from another time namespace, whose clocks show other times.
            same = before <= asleep + SHORT and all(
                at <= now and 0 <= length <= asleep + SHORT for at, length in lengths
            )
            if found["boot"] == self._boot and same and resumed <= now:
                self._asleep = self._saved = before
                self._lengths, self.resumed = lengths, resumed
                return True
        return False

    def _save(self) -> None:
        """Keep it; whatever cannot be kept counts as a sleep just ended for the next to start."""
        if not self._keeps:
            return
        self._saved = self._asleep
        values = {
            "boot": self._boot,
            "asleep": self._asleep,
            "resumed": None if math.isinf(self.resumed) else self.resumed,
            "lengths": self._lengths,
        }
        with suppress(OSError):
            own_files.write_file(self._path, json.dumps(values))
