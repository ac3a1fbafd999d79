# SPDX-License-Identifier: MIT
"""``pyzram tend``: recompress and write back automatically, within a budget."""

from __future__ import annotations

import errno
import math
import os
from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..config.parser import read_config
from ..errors import ZramError, from_errno
from ..kernel import state_files
from ..kernel.sysfs import Sysfs, device_number
from ..service.registry import DEFAULT_DIRECTORY, Registry
from ..tend import reclaim
from ..tend.machine import Clocks
from ..tend.policy import DEFAULTS
from ..tend.reclaim import Reclaimer
from ..tend.rounds import Settings
from ..tend.state import HELD
from ..tend.status import write_status
from ..tend.tender import Report, Tender
from ..units import parse_size
from .options import DEVICE, FILE, Command, Option, UsageError
from .tend_ledger import open_ledger
from .tend_reclaim import Plan, reclaimed
from .tend_report import report_dict, round_line, show, show_status, warn
from .tend_worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..descriptor import Opened


PATIENCE, ONCE_PATIENCE = 10.0, 60.0
"""Seconds that the daemon waits for another one to end, which may be cron's, and --once does."""

COMMAND = Command(
    "pyzram tend",
    "Recompress cold pages of zram devices and write them back, within a budget, more when memory "
    "is short.",
    (
        Option(
            "c",
            "config",
            "FILE",
            f"tend the devices of this configuration (default {DEFAULT_PATH})",
            values=FILE,
            default=DEFAULT_PATH,
        ),
        Option("", "budget", "SIZE", "write at most this much to each medium in any 24 hours",
               convert=parse_size),
        Option("", "once", "", "look and act once, for cron; with --record, append one line"),
        Option("n", "dry-run", "", "show all observations, and what would be done and why"),
        Option("", "status", "", "show what a running daemon last saw and did"),
        Option("", "record", "FILE", "append a line about the machine to FILE each minute"),
        Option("", "textfile", "FILE", "write what a running daemon last saw into FILE, for "
               "node_exporter's textfile collector", values=FILE),
        Option("", "json", "", "print JSON"),
        Option("q", "quiet", "", "print only warnings and errors"),
    ),
    operands="[DEVICE...]",
    takes=DEVICE,
    count=(0, None),
    notes="The default budget is 256 MiB for memory cards and USB, 4 GiB for disks, and 1 GiB if "
    "the kind of medium is unknown.",
)  # fmt: skip


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    once = options.once and not options.record
    ways = (once, options.dry_run, options.status, options.record, options.textfile)
    if sum(map(bool, ways)) > 1:
        raise UsageError("--dry-run, --status, --record, --textfile and --once exclude each other")
    sysfs = Sysfs(os.environ.get("PYZRAM_ROOT", "/"))
    run = os.environ.get("PYZRAM_RUN", DEFAULT_DIRECTORY)
    if options.status:
        return show_status(run, options.json)
    if options.textfile:
        from .tend_textfile import textfile

        return textfile(options.textfile, run)
    if options.record:
        return record(sysfs, options.record, options.once)
    numbers = [device_number(word) for word in options.operands]

    def devices() -> list[int]:
        if numbers:
            return numbers
        registry = Registry(options.config, directory=run, sysfs=sysfs)
        registry.load()
        return [device.number for device in registry.records if device.ready]

    settings, budget, groups = (DEFAULTS, None, ()) if numbers else configured(options.config)
    clocks = Clocks()
    # Looking takes no lock: the daemon at work may be within a step.
    lock = None if options.dry_run else lock_others_out(run, ONCE_PATIENCE if once else PATIENCE)
    ledger, share = open_ledger(sysfs, clocks, run, look=options.dry_run)
    tender = Tender(
        sysfs,
        devices,
        Worker(),
        ledger,
        clocks=clocks,
        settings=settings,
        budget=budget if options.budget is None else options.budget,
        share=share,
        at_once=options.once or options.dry_run,
        warn=warn,
    )
    reclaimer = Reclaimer(sysfs, warn)
    reclaimer.names = groups

    def reload() -> None:
        if numbers:
            return
        try:
            tender.settings, budget, reclaimer.names = configured(options.config)
            tender.budget = budget if options.budget is None else options.budget
        except ZramError as err:
            warn(f"{err}; keeping the previous settings")

    try:
        if options.dry_run:
            seen, decision = tender.decide()
            plan = Plan(reclaimer, decision.state.mode == HELD) if groups else None
            return show(Report(seen, decision, 0, 0), options.json, plan=plan)
        if options.once:
            report = tender.round()
            tender.ledger.save()
            return 0 if options.quiet else show(report, options.json, done=True)
        return stay(tender, reclaimer, sysfs, run, options.quiet, reload)
    finally:
        tender.close()
        if lock:
            lock.close()


def lock_others_out(run: str, seconds: float) -> Opened:
    """Become the only one that tends, because all share one ledger; an open file holds the lock.

    Raises:
        ZramOSError: EBUSY another one is at work, and was for so many seconds.
    """
    path = os.path.join(run, "locks/tend")
    try:
        return state_files.lock(path, seconds)
    except ZramError:
        raise
    except OSError as err:
        busy = isinstance(err, BlockingIOError)
        raise from_errno(
            errno.EBUSY if busy else err.errno or 0,
            "another pyzram tend is running" if busy else f"{path}: take the lock",
            path,
            remedy="pyzram tend --status shows it" if busy else "",
        ) from err


def configured(path: str) -> tuple[Settings, int | None, tuple[str, ...]]:
    """What the file says about tending: whether to, the budget, and control groups to reclaim."""
    config = read_config(path, ram=1 << 30, cpus=1)
    groups = config.tend_reclaim if config.tend else ()
    return Settings(config.tend, config.tend), config.tend_budget, groups


def stay(
    tender: Tender,
    reclaimer: Reclaimer,
    sysfs: Sysfs,
    run: str,
    quiet: bool,
    reload: Callable[[], None],
) -> int:
    """The daemon: until SIGTERM or Ctrl-C."""
    from ..tend.waiting import Waiting, notify

    clock = tender.clocks.awake
    with Waiting(sysfs) as waiting:

        def stopping() -> bool:
            # Asked before each step: a round of many is long on a slow medium, and no hang.
            notify("WATCHDOG=1")
            return waiting.stop

        tender.stopping = reclaimer.stopping = stopping
        notify("READY=1\nSTATUS=Tending")
        trigger, mode, due, asked = "", "", clock(), -math.inf
        while not waiting.stop:
            if waiting.reload:
                waiting.reload = False
                reload()
                due = clock()
            if trigger or clock() >= due:
                report = tender.round(trigger)
                state = report.decision.state
                due = clock() + state.wake
                if not quiet and (report.decision.actions or state.mode != mode):
                    print(round_line(report), flush=True)
                mode = state.mode
                write_status(run, {**report_dict(report), **reclaimed(reclaimer)})
            wake = due
            if reclaimer.names and mode != HELD:
                # Pressure and signals wake us more often, but that is no reason to ask more often.
                if clock() >= asked + reclaim.EVERY:
                    asked = clock()
                    reclaimer.step()
                wake = min(due, asked + reclaim.EVERY)
            notify("WATCHDOG=1")
            trigger = waiting.wait(max(0.0, wake - clock()))
    notify("STOPPING=1")
    tender.ledger.save()
    return 0


def record(sysfs: Sysfs, path: str, once: bool) -> int:
    """Write a line of JSON about this machine and its devices each minute, until ended."""
    import time
    from itertools import count

    from ..tend.recording import AGES_EVERY, MINUTE, append, row

    clocks = Clocks()
    try:
        for number in count():
            append(path, row(sysfs, clocks, number % AGES_EVERY == 0))
            if once:
                break
            time.sleep(MINUTE)
    except KeyboardInterrupt:
        pass
    return 0
