# SPDX-License-Identifier: MIT
"""A tended device: what is known about it from one look to the next."""

from __future__ import annotations

import contextlib
import math
import os
from typing import TYPE_CHECKING, NamedTuple

from ..device.block_state import path_of
from ..errors import DeviceNotFoundError
from ..kernel.holders import block_size
from ..limits import BD_UNIT
from .ages import Ages
from .medium import GENTLE, SLOW, Medium, is_lost, media_of
from .observation import DeviceObserved
from .state import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..device.zram import Zram
    from ..kernel.sysfs import Sysfs
    from .actions import Turn
    from .ledger import Ledger

PIECE_MOST = 1024
"""The most pages that are written in one step."""
PIECE_FIRST, PIECE_LEAST = 256, 16
PIECE_SECONDS = 0.5
"""How long writing one should take; its size follows from the time that the last ones took."""

TRIES_FIRST = 128
"""The most pages that a first step recompresses: at high levels a page may take milliseconds."""


class Remembered(NamedTuple):
    """What :meth:`Ages.remember` has found, until pages are recompressed."""

    since: float
    """The time for which it was asked."""
    counts: tuple[int, int, int]
    turn: Turn
    """The next turn; what others did since then is noticed."""


NOT_REMEMBERED = Remembered(math.inf, (0, 0, 0), contextlib.nullcontext)
"""Means: ask it again."""


class Tended:
    """One device, by its handle.

    Synchronization: one thread.
    """

    def __init__(self, device: Zram, key: str, before: Unfinished | None = None) -> None:
        self.device = device
        self.key = key
        self.ages = Ages()
        self.media: tuple[Medium, ...] = ()
        """Media of its backing device, the one that bears least first; empty without one."""
        self._found: tuple[str, tuple[Medium, ...]] = ("", ())
        """The backing device, and its media as last found."""
        self.lost = ""
        """The backing device, if it cannot be found."""
        self.limit, self.marked, self.gain, self.compacted, self.failed = before or Unfinished()
        self.aged = False
        """Whether this round wrote by those marks, so other marked pages may be recompressed."""
        self.remembered = NOT_REMEMBERED
        self.tells_ages = os.access(path_of(device), os.R_OK)
        self.piece = PIECE_FIRST
        """The number of pages in the next step of writing."""
        self.idle_age: int | None = None
        """The age by which pages are marked before each step that writes marked ones, in seconds;
        ``None`` leaves marks as they are."""
        self.tries = TRIES_FIRST
        """The number of pages that the next step recompresses."""

    def unfinished(self) -> Unfinished:
        """What the next look has to know, whoever looks."""
        return Unfinished(self.limit, self.marked, self.gain, self.compacted, self.failed)

    def took(self, seconds: float) -> None:
        """Size the next step according to the time that this one took."""
        if seconds > PIECE_SECONDS:
            self.piece = max(PIECE_LEAST, self.piece // 2)
        elif seconds < PIECE_SECONDS / 2:
            self.piece = min(PIECE_MOST, self.piece * 2)

    def written(self) -> int:
        """Bytes that it has ever written to its media."""
        return self.device.read_bd_stat().bd_writes_bytes

    def left(self, ledger: Ledger, budget_of: Callable[[Medium], int]) -> int:
        """Bytes that the budgets of its media leave."""
        return min(ledger.left(medium.key, budget_of(medium)) for medium in self.media)

    def look(
        self, sysfs: Sysfs, ledger: Ledger, budget_of: Callable[[Medium], int]
    ) -> DeviceObserved | None:
        """Observe it, and charge what it has written; ``None`` if it is not set up or is gone."""
        device = self.device
        try:
            if not device.read_disksize():
                return None
            mm = device.read_mm_stat()
            backing = device.read_backing_dev() if device.has("backing_dev") else None
            recompression = device.has("recompress") and bool(device.read_recomp_algorithms())
            seen = DeviceObserved(
                device.name,
                self.key,
                mm.orig_data_size,
                mm.compr_data_size,
                mm.mem_used_total,
                mm.mem_limit,
                mm.huge_pages,
                ages=self.tells_ages,
                recompression=recompression,
                gain=self.gain,
                compacted=self.compacted,
                failed=self.failed,
            )
            self.media, self.lost = (), ""
            if backing is not None:
                seen = self._look_behind(seen, backing, sysfs, ledger, budget_of)
        except DeviceNotFoundError:
            return None
        self.gain = self.compacted = None
        self.failed = self.aged = False
        return seen

    def _look_behind(
        self,
        seen: DeviceObserved,
        backing: str,
        sysfs: Sysfs,
        ledger: Ledger,
        budget_of: Callable[[Medium], int],
    ) -> DeviceObserved:
        """Add what is known of its backing device, and charge what was written there."""
        # Each time: the name may stand for another disk by now, or lie on another one.
        before, known = self._found
        self.media = media_of(sysfs, backing, known if backing == before else ())
        self._found = (backing, self.media)
        self.lost = backing if is_lost(sysfs, backing) else ""
        bd = self.device.read_bd_stat()
        written, reads = bd.bd_writes_bytes, bd.bd_reads_bytes
        size = block_size(sysfs, backing) or 0
        for medium in self.media:
            ledger.observe(medium.key, self.key, written)
        own_limit, limit_changed = None, False
        if self.device.read_writeback_limit_enable():
            own_limit = self.device.read_writeback_limit() * BD_UNIT
            # Less is what was written under it; more was set by somebody.
            limit_changed = self.limit is not None and own_limit > self.limit
        self.limit = own_limit
        worst = self.media[0]
        return seen._replace(
            free=max(0, size - bd.bd_count_bytes),
            budget=min(map(budget_of, self.media)),
            left=self.left(ledger, budget_of),
            own_limit=own_limit,
            gentle=worst.kind in GENTLE,
            slow=any(medium.kind in SLOW for medium in self.media),
            bd_writes=written,
            bd_reads=reads,
            limit_changed=limit_changed,
            medium=worst.key,
            media=tuple(medium.key for medium in self.media),
            lost=bool(self.lost),
        )
