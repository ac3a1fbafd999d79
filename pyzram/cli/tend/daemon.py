# SPDX-License-Identifier: MIT
"""``pyzram tend`` as a daemon: looks, rounds and their lines in the log, until it is ended."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING

from ...tend import reclaim
from ...tend.state import HELD
from ...tend_status import write_status
from ..output import flush
from .reclaim import reclaimed
from .report import next_round, report_dict, round_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...kernel.sysfs import Sysfs
    from ...tend.reclaim import Reclaimer
    from ...tend.tender import Report, Tender

FIGURE = re.compile(r"(?<![\w.])\d+(\.\d+)?")
"""What may differ between two reasons that say the same; a device's number does not count."""


class Told:
    """What ``--status`` says: the latest look, and the last round, which stays until the next."""

    KEPT = ("mode", "actions", "reasons", "written", "freed")

    def __init__(self) -> None:
        self._round: dict[str, object] | None = None

    def status(self, report: Report, reclaimer: Reclaimer, wall: float) -> dict[str, object]:
        """The status after a look at the time ``wall``, in seconds since 1970."""
        look = report_dict(report)
        if report.is_round:
            self._round = {"time": wall, **{key: look[key] for key in self.KEPT}}
        return {
            **look,
            "last_round": self._round,
            "next_round": next_round(report),
            **reclaimed(reclaimer),
        }


class Log:
    """Prints a line for each round that did something, and when the mode or a reason has changed.

    A line that cannot be written, because the disk is full or the reader has gone, is lost: that is
    no reason to stop.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._mode = ""
        self._reasons: tuple[str, ...] = ()

    def add(self, report: Report) -> None:
        """Report a look, if it has anything new to report."""
        mode, reasons = report.decision.state.mode, report.decision.reasons
        told = self._mode, self._reasons
        self._mode = mode
        # Between rounds the only decision is whether nothing may be done.
        if report.is_round or mode == HELD:
            self._reasons = tuple(FIGURE.sub("", reason) for reason in reasons)
        if self.quiet or not (report.decision.actions or told != (mode, self._reasons)):
            return
        with contextlib.suppress(OSError):
            print(round_line(report), flush=True)


def stay(
    tender: Tender,
    reclaimer: Reclaimer,
    sysfs: Sysfs,
    run: str,
    quiet: bool,
    reload: Callable[[], None],
) -> int:
    """The daemon: until SIGTERM or Ctrl-C."""
    from ...tend.waiting import Waiting, notify

    clock = tender.clocks.awake
    log = Log(quiet)
    last: dict[str, object] | None = None
    again = False
    with Waiting(sysfs) as waiting:

        def reloaded() -> bool:
            if not waiting.reload:
                return False
            waiting.reload = False
            reload()
            return True

        def stopping() -> bool:
            nonlocal again
            # Asked before each step: many steps on a slow medium take long, and that is no hang.
            notify("WATCHDOG=1")
            again = reloaded() or again
            return waiting.stop

        tender.stopping, reclaimer.stopping = stopping, tender.interrupted
        notify("READY=1\nSTATUS=Tending")
        trigger, mode, due, asked = "", "", clock(), -math.inf
        told = Told()
        while not waiting.stop:
            if reloaded() or again:
                again, due = False, clock()
            if trigger or clock() >= due:
                report = tender.round(trigger)
                mode = report.decision.state.mode
                due = clock() + report.decision.state.wake
                log.add(report)
                last = told.status(report, reclaimer, tender.clocks.wall())
                write_status(run, last)
            wake = due
            if reclaimer.names and mode != HELD:
                # Pressure and signals wake us more often, but we need not ask more often.
                if clock() >= asked + reclaim.EVERY:
                    asked = clock()
                    reclaimer.step()
                wake = min(due, asked + reclaim.EVERY)
            notify("WATCHDOG=1")
            trigger = waiting.wait(max(0.0, wake - clock()))
    notify("STOPPING=1")
    tender.ledger.save()
    if last:
        # Newer than the ledger, so the doctor does not take the ledger for cron's.
        write_status(run, last)
    flush()
    return 0
