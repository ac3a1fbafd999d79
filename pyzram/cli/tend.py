# SPDX-License-Identifier: MIT
"""``pyzram tend``: recompress and write back by itself, within a budget, when it helps."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import sys
from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..config.parser import read_config
from ..errors import UnsupportedError, ZramError, ZramOSError, from_errno
from ..kernel import state_files
from ..kernel.sysfs import Sysfs, device_number, is_there
from ..service.registry import DEFAULT_DIRECTORY, Registry
from ..tend import reclaim
from ..tend.ledger import Ledger
from ..tend.machine import Clocks, read_clock
from ..tend.policy import DEFAULTS, Settings
from ..tend.reclaim import Reclaimer
from ..tend.state import HELD
from ..tend.status import read_status, write_status
from ..tend.tender import PATIENCE_SECONDS, RECOMPRESS_SECONDS, Report, Tender
from ..text import quote
from ..units import format_size, parse_size
from .options import DEVICE, FILE, Command, Option, UsageError
from .tend_reclaim import Plan, reclaimed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..device.zram import Zram
    from ..tend.actions import Action, Recompress
    from ..tend.observation import Observation

LEDGER = "/var/lib/pyzram"
PATIENCE, ONCE_PATIENCE = 10.0, 60.0
"""Seconds that the daemon waits for another one to end, which may be cron's, and --once does."""

COMMAND = Command(
    "pyzram tend",
    "Keep cold pages of zram devices cheap: recompress them and write them back, within a budget, "
    "when memory is short.",
    (
        Option(
            "c",
            "config",
            "FILE",
            f"tend the devices of this configuration (default {DEFAULT_PATH})",
            values=FILE,
            default=DEFAULT_PATH,
        ),
        Option("", "budget", "SIZE", "write at most so much to a medium in any 24 hours",
               convert=parse_size),
        Option("", "once", "", "look and act once, for cron; with --record, add one line"),
        Option("n", "dry-run", "", "show what is seen, and what would be done and why"),
        Option("", "status", "", "show what a running daemon saw and did last"),
        Option("", "record", "FILE", "add a line on the machine to a file each minute"),
        Option("", "textfile", "FILE", "write what a running daemon saw last into FILE, for "
               "node_exporter's textfile collector", values=FILE),
        Option("", "json", "", "print JSON"),
        Option("q", "quiet", "", "print warnings and errors only"),
    ),
    operands="[DEVICE...]",
    takes=DEVICE,
    count=(0, None),
    notes="The budget is 256 MiB for memory cards and USB, 4 GiB for disks, 1 GiB where the medium "
    "is not known.",
)  # fmt: skip


class Worker:
    """Moves pages with the same code as the commands writeback and recompress."""

    def __init__(self) -> None:
        # Now, for when memory is short these would be read in the place of what is waited for.
        from ..postprocess import recompression, writeback

        self._recompression, self._writeback = recompression, writeback

    def write_pages(self, device: Zram, ranges: Sequence[tuple[int, int]], limit: int) -> None:
        """Write these pages."""
        self._writeback.writeback_ranges(device, ranges, limit=limit, timeout=PATIENCE_SECONDS)

    def write_idle(self, device: Zram, huge: bool, limit: int) -> None:
        """Write pages that are marked idle."""
        self._writeback.writeback_pages(
            device, "huge_idle" if huge else "idle", limit=limit, timeout=PATIENCE_SECONDS
        )

    def recompress(self, device: Zram, action: Recompress, age: int | None, seconds: float) -> None:
        """Recompress pages of that age; where ages are not known, those that are marked."""
        if age is not None:
            with contextlib.suppress(UnsupportedError):
                device.mark_idle(age)
        self._recompression.recompress_pages(
            device,
            "huge_idle" if action.huge else "idle",
            timeout=min(seconds, RECOMPRESS_SECONDS),
        )


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
    # Looking takes part in nothing: who is at work may be within a step.
    lock = -1 if options.dry_run else alone(run, ONCE_PATIENCE if once else PATIENCE)
    ledger, share = open_ledger(sysfs, clocks, run, look=options.dry_run)
    tender = Tender(
        sysfs,
        devices,
        Worker(),
        ledger,
        clocks=clocks,
        settings=settings,
        budget=options.budget or budget,
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
            tender.budget = options.budget or budget
        except ZramError as err:
            warn(f"{err}; the settings from before stay")

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
        if lock >= 0:
            os.close(lock)


def alone(run: str, seconds: float) -> int:
    """Be the only one that tends, for all share one ledger: a descriptor that keeps others out.

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
            "another pyzram tend is at work" if busy else f"{path}: take the lock",
            path,
            remedy="pyzram tend --status shows it" if busy else "",
        ) from err


def configured(path: str) -> tuple[Settings, int | None, tuple[str, ...]]:
    """What the file says of tending: whether at all, the budget, and control groups to reclaim."""
    config = read_config(path, ram=1 << 30, cpus=1)
    groups = config.tend_reclaim if config.tend else ()
    return Settings(config.tend, config.tend), config.tend_budget, groups


def open_ledger(
    sysfs: Sysfs, clocks: Clocks, run: str, *, look: bool = False
) -> tuple[Ledger, float]:
    """The ledger in /var, or in /run with half the budget where /var cannot be written.

    With ``look`` it is only read, from where a daemon would keep it.
    """
    clock = read_clock(sysfs, clocks)
    folder = os.environ.get("PYZRAM_STATE", LEDGER)
    try:
        if look:
            refuse_unwritable(folder)
        ledger = Ledger(folder, clock)
        if not look:
            ledger.save()
        return ledger, 1.0
    except ZramOSError as err:
        keeping = "a daemon keeps it" if look else "keeping it"
        warn(f"{err}; {keeping} in {run}, which a reboot empties, with half the budget")
    ledger = Ledger(run, clock)
    if not look:
        ledger.save()
    return ledger, 0.5


def refuse_unwritable(folder: str) -> None:
    """Tell what root would be told that writes there, as far as looking can.

    Raises:
        ZramOSError: EROFS the file system is read-only; EACCES not even root may.
    """
    at = os.path.abspath(folder)
    while not is_there(at):
        at = os.path.dirname(at)
    # Others than root may hardly ever, which says nothing of the daemon.
    read_only = os.statvfs(at).f_flag & os.ST_RDONLY
    if read_only or (os.geteuid() == 0 and not os.access(at, os.W_OK)):
        code = errno.EROFS if read_only else errno.EACCES
        raise from_errno(code, f"{folder}: keep the ledger", folder)


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
        tender.stopping = reclaimer.stopping = lambda: waiting.stop
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
                    print(line(report), flush=True)
                mode = state.mode
                write_status(run, {**plain(report), **reclaimed(reclaimer)})
            wake = due
            if reclaimer.names and mode != HELD:
                # Pressure and signals wake us more often, which is no reason to ask more often.
                if clock() >= asked + reclaim.EVERY:
                    asked = clock()
                    reclaimer.step()
                wake = min(due, asked + reclaim.EVERY)
            notify("WATCHDOG=1")
            trigger = waiting.wait(max(0.0, wake - clock()))
    notify("STOPPING=1")
    tender.ledger.save()
    return 0


# ---- what is shown -------------------------------------------------------------------------------


def warn(text: str) -> None:
    """A line for the log."""
    print(quote(f"pyzram: warning: {text}"), file=sys.stderr, flush=True)


def line(report: Report) -> str:
    """One round, for the log."""
    state = report.decision.state
    text = f"{state.mode}, pressure {state.pressure:.2f}"
    if report.decision.actions:
        text += f": {format_size(report.written)} written, {format_size(abs(report.freed))} "
        text += "freed" if report.freed >= 0 else "more in use"
    return "; ".join([text, *report.decision.reasons])


def plain(report: Report) -> dict[str, object]:
    """A round as plain values: sizes in bytes, times in seconds."""
    decision = report.decision
    return {
        "mode": decision.state.mode,
        "pressure": round(decision.state.pressure, 4),
        "actions": [
            {"action": type(action).__name__, **action._asdict()} for action in decision.actions
        ],
        "reasons": list(decision.reasons),
        "written": report.written,
        "freed": report.freed,
        "seen": seen_values(report.seen),
        "wake": decision.state.wake,
    }


def seen_values(seen: Observation) -> dict[str, object]:
    """What was seen; what JSON has no word for is left out."""
    values = seen._asdict()
    values["devices"] = [device._asdict() for device in seen.devices]
    return {key: value for key, value in values.items() if value not in (float("-inf"),)}


def show(report: Report, as_json: bool, done: bool = False, plan: Plan | None = None) -> int:
    """Everything that was seen, and what was or would be done."""
    if as_json:
        planned = {} if plan is None else {"reclaim": plan.plain()}
        print(json.dumps({**plain(report), **planned}, indent=2))
        return 0
    seen = report.seen
    print(f"memory: {format_size(seen.available)} of {format_size(seen.total)} available")
    if seen.some10 is None:
        print("pressure: this kernel tells none (psi=1)")
    else:
        print(f"pressure: {seen.some10:.2f} % of 10 s, {seen.some300:.2f} % of 300 s")
    if seen.battery is not None:
        print(f"battery: {seen.battery:.0f} %, being used up")
    for device in seen.devices:
        print(
            f"{device.name}: {format_size(device.orig_data_size)} stored in "
            f"{format_size(device.mem_used_total)} of memory"
        )
        if device.budget:
            print(
                f"{device.name}: {format_size(device.left)} of {format_size(device.budget)} left "
                f"to write in 24 hours, {format_size(device.free)} free on the backing device"
            )
        else:
            print(f"{device.name}: no backing device")
        if not device.recompression:
            print(f"{device.name}: no recompression algorithm")
    if not seen.devices:
        print("no device to tend")
    print(line(report) if done else f"state: {line(report)}")
    for action in report.decision.actions if not done else ():
        print(f"would do: {describe(action)}")
    for text in plan.lines() if plan is not None else ():
        print(text)
    return 0


def describe(action: Action) -> str:
    """An action for people."""
    from ..tend.actions import Recompress, WriteBack

    if isinstance(action, WriteBack):
        pages = "pages kept raw" if action.huge else "pages"
        return (
            f"{action.device}: write up to {format_size(action.limit)} of {pages} not used for "
            f"{action.floor / 3600:.1f} h, the oldest first"
        )
    if isinstance(action, Recompress):
        pages = "pages kept raw" if action.huge else "pages"
        return f"{action.device}: recompress {pages} not used for {action.age / 60:.0f} min"
    return f"{action.device}: compact the pool"


def show_status(run: str, as_json: bool) -> int:
    """What the daemon did last; status 3 if none runs."""
    try:
        found = read_status(run)
    except PermissionError as err:
        raise from_errno(
            err.errno or 0, "read what the daemon did", run, remedy="only root may"
        ) from err
    if found is None:
        print("pyzram tend is not running", file=sys.stderr)
        return 3
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{found['mode']}, pressure {found['pressure']:.2f}, process {found['pid']}")
    for device in found["seen"]["devices"]:
        print(
            f"{device['name']}: {format_size(device['mem_used_total'])} of memory, "
            f"{format_size(device['left'])} of {format_size(device['budget'])} left to write"
        )
    for reason in found["reasons"]:
        print(quote(reason))
    if groups := found.get("reclaim"):
        for name, size in groups["asked"].items():
            print(f"{quote(name)}: asked for {format_size(size)} of idle memory")
        if groups["reason"]:
            print(quote(f"control groups are left alone: {groups['reason']}"))
    return 0


def record(sysfs: Sysfs, path: str, once: bool) -> int:
    """A line of JSON a minute on this machine and its devices, until it is ended."""
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
