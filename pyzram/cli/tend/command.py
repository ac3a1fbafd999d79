# SPDX-License-Identifier: MIT
"""``pyzram tend``: recompress and write back automatically, within a budget."""

from __future__ import annotations

import contextlib
import errno
import os
from functools import partial
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple

from ... import interruption, own_files
from ...config.layers import DEFAULT_PATH
from ...config.parser import read_config
from ...device.zram import Zram
from ...errors import ZramError, from_errno
from ...kernel.sysfs import device_number, given_sysfs
from ...limits import total_memory
from ...service.registry import Registry
from ...tend.handover import NAME as HANDOVER
from ...tend.machine import Clocks
from ...tend.reclaim import Reclaimer
from ...tend.settings import Settings
from ...tend.sleeps import NAME as SLEEPS
from ...tend.sleeps import Sleeps
from ...tend.tender import Tender
from ...units import parse_size
from ..options import DEVICE, FILE, Command, Option, UsageError
from ..output import complain
from .daemon import stay
from .ledger import open_ledger
from .report import show, warn
from .worker import PostprocessWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...descriptor import Opened
    from ...kernel.sysfs import Sysfs
    from ..options import Arguments


LOCK = "locks/tend"
PATIENCE, ONCE_PATIENCE = 10.0, 60.0
"""Seconds that the daemon and --once wait for another instance to end, which may be cron's."""

COMMAND = Command(
    "pyzram tend",
    "Recompress cold pages of zram devices and write them back, within a budget, more when memory "
    "is short.",
    (
        Option(
            "c",
            "config",
            "FILE",
            f"what to tend and how (default {DEFAULT_PATH})",
            values=FILE,
            default=DEFAULT_PATH,
        ),
        Option("", "budget", "SIZE", "write at most this much to a medium in 24 hours",
               convert=parse_size),
        Option("", "once", "", "act once, for cron; with --record, append one line"),
        Option("n", "dry-run", "", "show what is seen, what would be done, and why"),
        Option("", "status", "", "show what a running daemon last saw and did"),
        Option("", "record", "FILE", "append a line about the machine to FILE each minute"),
        Option("", "textfile", "FILE", "write what a daemon last saw, for node_exporter",
               values=FILE),
        Option("", "json", "", "print JSON"),
        Option("q", "quiet", "", "print only warnings and errors"),
    ),
    operands="[DEVICE...]",
    takes=DEVICE,
    count=(0, None),
    notes="The default budget is 256 MiB for memory cards and USB, 512 MiB for rotating disks, "
    "4 GiB for other disks, and 1 GiB if the kind of medium is unknown.",
)  # fmt: skip


# What can be requested instead of a daemon, and the options that have a meaning with it.
WAYS = {
    "record": ("once",),
    "textfile": (),
    "status": ("json",),
    "dry-run": ("config", "budget", "json"),
    "once": ("config", "budget", "json", "quiet"),
}
DAEMON = ("config", "budget", "quiet")


def way_of(options: Arguments) -> str:
    """What is requested: a key of :data:`WAYS`, or an empty string for a daemon.

    Raises:
        UsageError: two of them are, or an option or operand would have no effect.
    """
    asked = [way for way in WAYS if way in options.given]
    if asked == ["record", "once"]:
        asked = ["record"]
    if len(asked) > 1:
        raise UsageError("--dry-run, --status, --record, --textfile and --once cannot be combined")
    way = asked[0] if asked else ""
    for name in options.given:
        if name != way and name not in WAYS.get(way, DAEMON):
            if way:
                raise UsageError(f"--{way} takes no --{name}")
            raise UsageError(f"--{name} needs --once, --dry-run or --status")
    if options.operands and "config" not in WAYS.get(way, DAEMON):
        raise UsageError(f"--{way} takes no device")
    if options.json and options.quiet:
        raise UsageError("--json and --quiet cannot be combined")
    return way


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    way = way_of(options)
    sysfs = given_sysfs()
    run = own_files.run_directory(sysfs.root)
    if way == "status":
        from .status import show_status

        return show_status(run, options.json)
    if way == "textfile":
        from .textfile import textfile

        return textfile(options.textfile, run)
    if way == "record":
        from .recording import keep_recording

        return keep_recording(sysfs, options.record, options.once)
    return tend(options, way, sysfs, run)


def tend(options: Arguments, way: str, sysfs: Sysfs, run: str) -> int:
    """Look at the devices and act, as a daemon, once, or only in words."""
    numbers = list(dict.fromkeys(map(device_number, options.operands)))
    if way == "once":
        # A daemon has separate handlers.
        interruption.take_note()
    wanted = configured(options.config, options.budget)
    failures: list[str] = []

    def failed(text: str) -> None:
        failures.append(text)
        warn(text)

    with contextlib.ExitStack() as stack:
        if way == "dry-run":
            # Looking takes no lock, because the daemon may be in the middle of a step.
            tell_refused(run)
        else:
            patience = ONCE_PATIENCE if way == "once" else PATIENCE
            stack.enter_context(lock_others_out(run, patience))
        tender = make_tender(options, way, sysfs, run, numbers, failed)
        stack.callback(tender.close)
        reclaimer = Reclaimer(sysfs, warn)
        wanted.give(tender, reclaimer)
        if not way:
            tell_absent(sysfs, numbers)
            again = partial(reload, options, tender, reclaimer)
            return stay(tender, reclaimer, sysfs, run, options.quiet, again)
        if way == "dry-run":
            from .dry_run import foretell

            foretell(tender, reclaimer, run, options.json)
        else:
            act_once(tender, options)
        return min(1, len(failures) + tell_absent(sysfs, numbers))


def make_tender(
    options: Arguments,
    way: str,
    sysfs: Sysfs,
    run: str,
    numbers: Sequence[int],
    failed: Callable[[str], object],
) -> Tender:
    """Tend devices of these numbers; without any, those that the configuration has set up."""

    def devices() -> Sequence[int]:
        if numbers:
            return numbers
        registry = Registry(options.config, directory=run, sysfs=sysfs)
        registry.load()
        return [device.number for device in registry.devices if device.ready]

    clocks, read_only = Clocks(), way == "dry-run"
    ledger = open_ledger(sysfs, clocks, run, read_only=read_only)
    return Tender(
        sysfs,
        devices,
        PostprocessWorker(),
        ledger,
        Sleeps(clocks, os.path.join(run, SLEEPS), ledger.clock.boot, read_only=read_only),
        handover=os.path.join(run, HANDOVER),
        at_once=bool(way),
        warn=failed,
    )


def act_once(tender: Tender, options: Arguments) -> None:
    """Do one round; a signal ends it after a step, and it leaves what it knows.

    Raises:
        Ended: a signal came.
    """
    tender.stopping = interruption.noted
    with interruption.deferred():
        report = tender.round()
        tender.ledger.save()
    interruption.check()
    if not options.quiet:
        show(report, options.json)


def reload(options: Arguments, tender: Tender, reclaimer: Reclaimer) -> None:
    """Go by what the configuration says now, unless it is faulty."""
    try:
        configured(options.config, options.budget).give(tender, reclaimer)
    except ZramError as err:
        warn(f"{err}; keeping the previous settings")


def tell_absent(sysfs: Sysfs, numbers: Sequence[int]) -> int:
    """Say which of the named devices cannot be tended, and return how many."""
    absent = 0
    for number in numbers:
        try:
            with Zram(number, sysfs=sysfs) as device:
                if device.read_disksize():
                    continue
                why = f"{device.name}: not set up, so there is nothing to tend"
        except ZramError as err:
            why = str(err)
        complain(f"pyzram tend: {why}")
        absent += 1
    return absent


def lock_others_out(run: str, seconds: float) -> Opened:
    """Become the only instance, because all share one ledger; the open file holds the lock.

    Raises:
        ZramOSError: EBUSY if another one is still at work after ``seconds``.
    """
    path = os.path.join(run, LOCK)
    try:
        return own_files.lock(path, seconds)
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


def tell_refused(run: str) -> None:
    """Say why :func:`lock_others_out` would refuse the folders or the file of the lock."""
    lock = os.path.join(run, LOCK)
    try:
        own_files.refuse_exchangeable(run)
        own_files.refuse_foreign(os.path.dirname(lock))
        own_files.refuse_foreign(lock, S_ISREG)
    except OSError as err:
        why = err if isinstance(err, ZramError) else f"{lock}: {err.strerror}"
        warn(f"{why}; neither a daemon nor --once would start")


class Configured(NamedTuple):
    """What the configuration and the command line say about tending."""

    settings: Settings
    budget: int | None
    """Bytes in any 24 hours; ``None`` leaves it to the medium."""
    groups: tuple[str, ...]
    """Control groups to reclaim from."""

    def give(self, tender: Tender, reclaimer: Reclaimer) -> None:
        """Make them go by it from now on."""
        tender.settings, tender.budget, reclaimer.names = self


def configured(path: str, budget: int | None = None) -> Configured:
    """Read what the configuration says; a ``budget`` that is given overrides its own.

    Raises:
        ZramOSError: it cannot be read, or is not the usual one and does not exist.
        ConfigError: something in it is wrong.
    """
    config = read_config(path, ram=total_memory())
    return Configured(
        Settings(config.tend, config.tend),
        config.tend_budget if budget is None else budget,
        config.tend_reclaim if config.tend else (),
    )
