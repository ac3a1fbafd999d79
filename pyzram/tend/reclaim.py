# SPDX-License-Identifier: MIT
"""Send idle memory of the configured control groups to swap before memory runs short.

The rule is senpai's: every few seconds ask for a small share of what a group holds, for less the
longer its own processes wait for memory, and for nothing once they wait a thousandth of the time.
Idle memory leaves; memory in use comes back, and that waiting ends the reclaim.

A group may be delegated to a user, who removes it and makes another of its name. So it is opened
once, and asked through the descriptor by which it was judged.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ZramOSError, from_errno
from ..kernel.holders import swap_areas
from ..kernel.psi import parse_pressure
from ..kernel.sysfs import GONE, read_text, read_value
from ..own_files import why_foreign
from ..safe_paths import open_path
from ..units import MIB
from .machine import read_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..descriptor import Opened
    from ..kernel.sysfs import Sysfs

EVERY = 6.0
"""Seconds between two requests."""
SHARE = 0.0005
"""The share of a group's memory to ask for while none of its processes waits."""
WAITING = 0.1
"""Percent of the time with a waiting process, from which nothing more is asked for."""
DAMON = "sys/module/damon_reclaim/parameters/enabled"
MOST = 64 * MIB
LEAST = 4096
GONE_NOW = "no such control group now"
SWAP_USED, AVAILABLE = 0.75, 0.5
"""Nothing is asked for while more than this share of zram's swap is used, or memory available."""


class Group(NamedTuple):
    """A control group at one moment, sizes in bytes."""

    name: str
    current: int
    protected: float
    """The larger of ``memory.low`` and ``memory.min``: below it the group is left alone."""
    some10: float | None
    """Percent of the last 10 s in which one of its processes waited; ``None`` without PSI."""


class System(NamedTuple):
    """What matters here about the machine, in bytes."""

    total: int
    available: int
    swap: int
    """Size of zram's swap areas."""
    swap_used: int
    damon: bool | None
    """Whether DAMON_RECLAIM already does the same; ``None`` if that is unknown."""


def wanted(group: Group) -> int:
    """Bytes to ask a group for now; 0 for nothing, as when its pressure is unknown."""
    if group.some10 is None:
        return 0
    size = group.current * SHARE * max(0.0, 1.0 - group.some10 / WAITING)
    size = min(size, MOST, group.current - group.protected)
    return int(size) if size >= LEAST else 0


def refusal(system: System) -> str:
    """Why no group may be asked now; empty if they may be."""
    if system.damon is None:
        return "it is unknown whether DAMON_RECLAIM is on"
    if system.damon:
        return "DAMON_RECLAIM is on"
    if not system.swap:
        return "no swap on zram"
    if system.swap_used > SWAP_USED * system.swap:
        return f"more than {SWAP_USED:.0%} of the swap on zram is used"
    if system.available > AVAILABLE * system.total:
        return f"more than {AVAILABLE:.0%} of memory is available"
    return ""


class Reclaimer:
    """Asks the kernel, and reports once what it cannot ask for.

    Synchronization: one thread.
    """

    def __init__(self, sysfs: Sysfs, warn: Callable[[str], object]) -> None:
        self.sysfs = sysfs
        self.warn = warn
        self.names: tuple[str, ...] = ()
        """Control groups, as paths below the root of the hierarchy."""
        self.asked: dict[str, int] = {}
        """Bytes that each group has been asked for so far."""
        self.reason = ""
        """Why no group was asked the last time."""
        self.left_out: dict[str, str] = {}
        """Groups that were left out the last time, and why."""
        self.stopping: Callable[[], bool] = lambda: False
        self._told: set[str] = set()

    def look(self) -> tuple[System, list[Group]]:
        """Observe; a group that does not exist now, or cannot be judged, is left out."""
        system, found = self._system(), []
        for name in self.names:
            if folder := self._open(name):
                with folder as fd:
                    found.append(self._group(name, fd))
        return system, [group for group in found if group]

    def step(self) -> None:
        """Ask each group once for what the rule says, until told to stop."""
        self.reason = refusal(self._system())
        for name in self.names:
            if self.stopping() or name not in self.names:
                return  # a reload may have come
            if folder := self._open(name):
                with folder as fd:
                    group = self._group(name, fd)
                    if group and not self.reason and (size := wanted(group)):
                        self._ask(name, fd, size)

    def _ask(self, name: str, folder: int, size: int) -> None:
        from .._native import attr_write_once

        try:
            attr_write_once("memory.reclaim", str(size), folder)
        except InterruptedError:
            pass  # how much it was by then, the kernel does not say
        except OSError as err:
            if not self._is_still(name, folder):
                return
            if err.errno == errno.ENOENT:
                self._tell(name, "no memory.reclaim (Linux 5.19)")
                return
            if err.errno != errno.EAGAIN:  # which means that there was less
                self._tell(name, f"ask for memory: {err.strerror}{_whose(folder, err)}")
                return
        self.asked[name] = self.asked.get(name, 0) + size

    def _system(self) -> System:
        """Observe the machine, and begin a new list of who is left out."""
        total, available = read_memory(self.sysfs)
        areas = [area for name, area in swap_areas(self.sysfs).items() if name.startswith("zram")]
        self.left_out = {}
        return System(
            total,
            available,
            sum(area.size for area in areas),
            sum(area.used for area in areas),
            self._damon(),
        )

    def _damon(self) -> bool | None:
        try:
            return read_value(self.sysfs.path(DAMON)) == "Y"
        except ZramOSError as err:
            self._warn_once(str(err))
            return None

    def _open(self, name: str) -> Opened | None:
        """Hold a group, so that what is asked is what was judged; ``None`` if it is left out."""
        try:
            return open_path(self._path(name), os.O_PATH | os.O_DIRECTORY)
        except OSError as err:
            if err.errno in GONE:
                self.left_out[name] = GONE_NOW
            else:
                self._leave_out(name, f"{self._path(name)}: look: {err.strerror}")
            return None

    def _group(self, name: str, folder: int) -> Group | None:
        try:
            current = self._read(name, folder, "current")
            pressure = self._pressure(name, folder)
            # What cannot be read may protect all that it holds.
            limits = [_size(self._read(name, folder, kind) or "") for kind in ("low", "min")]
            if not self._is_still(name, folder):
                self.left_out[name] = GONE_NOW
            elif current is None:
                self._leave_out(name, "no memory.current: not of cgroup v2, or without memory "
                                      "controller")  # fmt: skip
            else:
                if pressure is None:
                    self._tell(name, "the kernel reports no pressure for it (boot with psi=1)")
                return Group(name, int(current), max(limits), pressure)
        except ZramOSError as err:
            self._leave_out(name, str(err))
        except (KeyError, ValueError) as err:
            self._leave_out(name, f"its files are not understood: {err}")
        return None

    def _pressure(self, name: str, folder: int) -> float | None:
        try:
            text = self._read(name, folder, "pressure")
        except ZramOSError as err:
            if err.errno == errno.EOPNOTSUPP:  # the file is there, but PSI is off
                return None
            raise
        return None if text is None else parse_pressure(text).some10

    def _read(self, name: str, folder: int, kind: str) -> str | None:
        file = f"memory.{kind}"
        try:
            return read_text(file, dir_fd=folder)
        except OSError as err:
            if err.errno in GONE:
                return None
            path = self._path(name, file)
            raise from_errno(err.errno or 0, f"{path}: read", path) from err

    def _is_still(self, name: str, folder: int) -> bool:
        """Whether a group is there still; what it did not tell may be because it has gone."""
        try:
            return os.path.samestat(os.stat(self._path(name)), os.fstat(folder))
        except OSError as err:
            if err.errno not in GONE:
                self._tell(name, f"{self._path(name)}: look: {err.strerror}")
            return False

    def _path(self, name: str, file: str = "") -> str:
        return self.sysfs.path("sys/fs/cgroup", name, file).rstrip("/")

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out[name] = why
        self._tell(name, why)

    def _tell(self, name: str, text: str) -> None:
        self._warn_once(f"control group {name}: {text}")

    def _warn_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.warn(text)


def _whose(folder: int, err: OSError) -> str:
    """Whose file could not be written: of a group that a user made, it is the user's.

    In the unit of systemd, root has no capability to write it nevertheless.
    """
    if err.errno == errno.EACCES:
        with contextlib.suppress(OSError):
            if why := why_foreign(os.stat("memory.reclaim", dir_fd=folder)):
                return f" (its memory.reclaim {why}; name a control group above it that is root's)"
    return ""


def _size(text: str) -> float:
    word = text.strip()
    return math.inf if word == "max" else float(word or 0)
