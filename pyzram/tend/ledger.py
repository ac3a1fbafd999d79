# SPDX-License-Identifier: MIT
"""How much was written to each medium in the last 24 hours, kept through kills and reboots.

What a step may write is charged before it begins and corrected after it, so a process that is
killed in between leaves at most one step overcharged, and never undercharged. The ledger is kept
per medium, not per zram device, because devices come and go.

The ledger has its own time: it advances with CLOCK_BOOTTIME while a machine runs, and across a
reboot by the wall clock if that can be trusted. Setting the clock back gains nothing.
"""

from __future__ import annotations

import math
import os
import zlib
from typing import NamedTuple

from .. import own_files, tend_status
from ..descriptor import Opened, write_all
from ..device.stat_files import counted_since
from ..errors import ZramError, from_errno
from .times import DAY, HOUR

HOURS = 25
"""Bins that count: any 24 hours lie within this many whole bins."""
GAP_MOST = DAY
HEADER = "pyzram ledger 2"
BEFORE = "pyzram ledger 1"
"""Older versions have no origin, and not every last line has the sum of what precedes it."""
FILE = tend_status.LEDGER


class Clock(NamedTuple):
    """The time at one moment."""

    boot: str
    """The current boot of the machine (boot_id)."""
    boottime: float
    """CLOCK_BOOTTIME, in seconds."""
    wall: float
    """CLOCK_REALTIME, in seconds."""
    trusted: bool
    """Whether the wall clock kept time while the machine was off, because it is synchronised or
    there is a clock with a battery."""


class Account:
    """One medium: bytes per hour of the ledger's time, and what each device has written."""

    __slots__ = ("bins", "pending", "seen")

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}
        self.pending: dict[str, int] = {}
        """From each device to the bytes charged for its present step."""
        self.seen: dict[str, tuple[int, int]] = {}
        """From each device to the bytes that it had written when last seen, and those prepaid."""


class Ledger:
    """All media. Devices are named by their ``diskseq``.

    Synchronization: one process at a time, one thread.
    """

    def __init__(self, folder: str, clock: Clock) -> None:
        self.path = os.path.join(folder, FILE)
        self.time = 0.0
        self.clock = clock
        self.media: dict[str, Account] = {}
        self.saved: Clock | None = None
        """When it was last written to the file; ``None`` if that was missing or damaged."""
        self.blocked = 0.0
        """Until when all budgets count as used up because the file could not be understood."""
        self.damaged = False
        """Whether that is this very file."""
        self.origin = os.urandom(8).hex()
        """Identifies the ledger; copies of it have the same."""
        self.share = 1.0
        """Share of a budget to use: less if the ledger will not survive a reboot."""
        self._load()
        same_boot = self.clock.boot == clock.boot
        self.advance(clock)
        self._take_up(same_boot)

    # ---- time ------------------------------------------------------------------------------------

    def advance(self, clock: Clock) -> None:
        """Let time pass until ``clock``."""
        last, self.clock = self.clock, clock
        passed = clock.wall - last.wall
        if clock.boot == last.boot:
            # A single clock may have been set, or belong to another time namespace.
            passed = min(passed, clock.boottime - last.boottime)
        elif not last.trusted or not clock.trusted:
            passed = 0.0
        else:
            passed = min(passed, GAP_MOST)
        self.time += max(0.0, passed)
        oldest = self._hour() - HOURS + 1
        for account in self.media.values():
            account.bins = {hour: size for hour, size in account.bins.items() if hour >= oldest}

    def _hour(self) -> int:
        return int(self.time // HOUR)

    # ---- what was written ------------------------------------------------------------------------

    def written(self, medium: str) -> int:
        """Bytes charged in the last 24 hours (and up to one hour more)."""
        account = self.media.get(medium)
        if account is None:
            return 0
        return sum(account.bins.values()) + sum(account.pending.values())

    def left(self, medium: str, budget: int) -> int:
        """Bytes that may still be written within the budget."""
        return 0 if self.time < self.blocked else max(0, budget - self.written(medium))

    def observe(self, medium: str, device: str, written: int) -> int:
        """Charge what a device has written since it was last seen, whoever asked for it.

        ``written`` is its bd_writes in bytes, which a reset sets to 0. For a device never seen
        before, everything is charged, since nobody knows when it was written. Return the bytes
        charged.
        """
        account = self.media.setdefault(medium, Account())
        before, advance = account.seen.get(device, (0, 0))
        fresh = counted_since(before, written)
        covered = min(advance, fresh)
        account.seen[device] = (written, advance - covered)
        self._charge(account, fresh - covered)
        return fresh - covered

    def reserve(self, medium: str, device: str, written: int, size: int) -> None:
        """Charge a step before it begins; the charge is on disk when this returns.

        Raises:
            ZramOSError: it cannot be recorded; then nothing may be written to the medium.
        """
        self.observe(medium, device, written)
        self.media[medium].pending[device] = size
        self.save()

    def settle(self, medium: str, device: str, written: int) -> None:
        """Correct the charge of a step to what the device has really written."""
        self.media[medium].pending.pop(device, None)
        self.observe(medium, device, written)

    def _charge(self, account: Account, size: int) -> None:
        if size > 0:
            account.bins[self._hour()] = account.bins.get(self._hour(), 0) + size

    def include(self, other: Ledger) -> None:
        """Charge what another ledger knows about the same media; both are at the same moment.

        Copies of one ledger agree about the time before they parted, and only one of them was in
        use after that. Different ledgers add up, and no charge expires sooner than in the other.
        """
        copies = self.origin == other.origin
        # The bins of two times do not coincide, so the later bin is used: it keeps a charge longer.
        shift = 0 if copies else math.ceil((self.time - other.time) / HOUR)
        later = other.since_boot() > self.since_boot()
        if copies and later:
            self.time, self.blocked = other.time, other.blocked
        elif not copies and other.time < other.blocked:
            self.blocked = max(self.blocked, self.time + other.blocked - other.time)
        for medium, theirs in other.media.items():
            account = self.media.setdefault(medium, Account())
            for hour, size in theirs.bins.items():
                at = min(hour + shift, self._hour())
                had = account.bins.get(at, 0)
                account.bins[at] = max(had, size) if copies else had + size
            account.seen = (
                {**account.seen, **theirs.seen} if later else {**theirs.seen, **account.seen}
            )

    def since_boot(self) -> float:
        """When it was written to the file, in seconds since this boot; -1 if before it."""
        saved = self.saved
        return -1.0 if saved is None or saved.boot != self.clock.boot else saved.boottime

    def _take_up(self, same_boot: bool) -> None:
        """Keep the charge that a killed process had reserved, which covers what it wrote."""
        for account in self.media.values():
            for device, size in account.pending.items():
                self._charge(account, size)
                before, advance = account.seen.get(device, (0, 0))
                account.seen[device] = (before, advance + size)
            account.pending = {}
            if not same_boot:
                account.seen = {}

    # ---- the file --------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the file, completely or not at all.

        Raises:
            ZramOSError: writing failed.
        """
        clock = self.clock
        lines = [
            HEADER,
            f"origin {self.origin}",
            f"time {self.time!r} {clock.boot} {clock.boottime!r} {clock.wall!r} {clock.trusted:d}",
        ]
        if self.time < self.blocked:
            lines.append(f"blocked {self.blocked!r}")
        for medium, account in self.media.items():
            lines.append(f"medium {medium}")
            lines += [f"hour {hour} {size}" for hour, size in sorted(account.bins.items())]
            lines += [f"pending {key} {size}" for key, size in account.pending.items()]
            lines += [f"seen {key} {at} {paid}" for key, (at, paid) in account.seen.items()]
        text = "".join(f"{line}\n" for line in lines)
        temporary = f"{self.path}.new"
        folder = os.path.dirname(self.path)
        try:
            own_files.make_directory(folder)
            with own_files.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                write_all(fd, f"{text}{_end(text)}\n".encode("utf-8", "surrogateescape"))
                os.fsync(fd)
            os.rename(temporary, self.path)
            with Opened(folder, os.O_RDONLY | os.O_DIRECTORY) as fd:
                os.fsync(fd)
        except ZramError:
            raise
        except OSError as err:
            raise from_errno(err.errno or 0, f"{self.path}: keep the ledger", self.path) from err

    def _load(self) -> None:
        try:
            text = own_files.read_file(self.path)
        except ZramError:
            raise
        except OSError as err:
            raise from_errno(err.errno or 0, f"{self.path}: read the ledger", self.path) from err
        if text is None:
            return
        now = self.clock
        try:
            self._parse(text)
            self.saved = self.clock
        except (ValueError, IndexError):
            self.media, self.time, self.clock = {}, 0.0, now
            self.blocked, self.damaged, self.origin = HOURS * HOUR, True, _sum(text)

    def _parse(self, text: str) -> None:
        header, *lines, end, nothing = text.split("\n")
        rest = text[: -len(end) - 1]
        ends = (_end(rest), "end") if header == BEFORE else (_end(rest),)
        if header not in (HEADER, BEFORE) or end not in ends or nothing:
            raise ValueError(header)
        self.origin = _sum(text)
        account = Account()
        for line in lines:
            word, *values = line.split(" ")
            if word == "time":
                self.time = float(values[0])
                self.clock = Clock(values[1], float(values[2]), float(values[3]), values[4] == "1")
            elif word == "origin":
                self.origin = values[0]
            elif word == "blocked":
                self.blocked = float(values[0])
            elif word == "medium":
                account = self.media.setdefault(values[0], Account())
            elif word == "hour":
                account.bins[int(values[0])] = int(values[1])
            elif word == "pending":
                account.pending[values[0]] = int(values[1])
            elif word == "seen":
                account.seen[values[0]] = (int(values[1]), int(values[2]))
            else:
                raise ValueError(line)


def _end(text: str) -> str:
    """The last line: if it is there, everything is, and it has the sum of what precedes it."""
    return f"end {_sum(text)}"


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"
