# SPDX-License-Identifier: MIT
"""The commands check, plan, start, stop, reload, restart, status and info.

What those print that only look is in :mod:`pyzram.cli.service_preview` and
:mod:`pyzram.cli.service_status`, which a start does without.
"""

from __future__ import annotations

from .. import interruption
from ..config.layers import DEFAULT_PATH
from ..kernel.sysfs import given_sysfs
from ..own_files import run_directory
from ..service.service import Service
from ..text import quote
from .options import FILE, Command, Option
from .output import complain, drop_output, flush
from .pyzram import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..service.plan import Plan
    from ..service.service import Goal
    from .options import Arguments

CONFIG = Option(
    "c",
    "config",
    "FILE",
    f"configuration (default {DEFAULT_PATH})",
    values=FILE,
    default=DEFAULT_PATH,
)
JSON = Option("", "json", "", "print JSON")
PRETEND = Option("p", "pretend", "", "show what would be done, but do nothing")
QUIET = Option("q", "quiet", "", "print only warnings and errors")
# For services: start, which they run next, prints the warnings.
ERRORS_ONLY = Option("q", "quiet", "", "print only errors")
# What each command takes.
OPTIONS: dict[str, tuple[Option, ...]] = {
    "start": (CONFIG, PRETEND, JSON, QUIET),
    "stop": (CONFIG, PRETEND, JSON, QUIET),
    "reload": (CONFIG, PRETEND, JSON, QUIET),
    "restart": (CONFIG, PRETEND, QUIET),
    "status": (CONFIG, JSON),
    "info": (CONFIG, JSON),
    "check": (CONFIG, JSON, ERRORS_ONLY),
    "plan": (CONFIG, JSON),
}


def command_line(command: str) -> Command:
    """The command line of one of the commands."""
    what = COMMANDS[command][1]
    return Command(f"pyzram {command}", f"{what[0].upper()}{what[1:]}.", OPTIONS[command])


class Call:
    """A command and its options."""

    def __init__(self, command: str, options: Arguments) -> None:
        self.command = command
        self.json = getattr(options, "json", False)
        self.pretend = getattr(options, "pretend", False)
        self.quiet = getattr(options, "quiet", False)
        sysfs = given_sysfs()
        self.service = Service(
            options.config,
            sysfs=sysfs,
            directory=run_directory(sysfs.root),
            tell=_nothing if self.json or self.quiet else _tell,
            warn=self.warn,
        )

    def warn(self, line: str) -> None:
        """Print a warning to standard error."""
        complain(f"pyzram: warning: {line}")

    def print_json(self, value: Any) -> None:
        """Print a value as JSON."""
        import json

        print(json.dumps(value, indent=2))


def _nothing(_line: str) -> None:
    pass


def _tell(line: str) -> None:
    """Print if possible; output never changes what is done."""
    try:
        print(quote(line), flush=True)
    except OSError:
        drop_output()


# ---- commands ----------------------------------------------------------------------------------


def start(argv: list[str]) -> int:
    """Set up missing devices."""
    return _answer("start", argv, _change)


def stop(argv: list[str]) -> int:
    """Take down our devices."""
    return _answer("stop", argv, _change)


def reload(argv: list[str]) -> int:
    """Apply a changed configuration."""
    return _answer("reload", argv, _change)


def restart(argv: list[str]) -> int:
    """Stop and start; a broken file is rejected before anything is stopped."""
    return _answer("restart", argv, _restart)


def plan(argv: list[str]) -> int:
    """Show what reload would change."""
    from .service_preview import show_plan

    return _answer("plan", argv, lambda call: show_plan(call, "reload"))


def check(argv: list[str]) -> int:
    """Report everything that is wrong with the file."""
    from .service_preview import show_faults

    return _answer("check", argv, show_faults)


def status(argv: list[str]) -> int:
    """Show our devices; the exit status is 0 if all run, 3 if none does, 1 if only some do."""
    from .service_status import show_status

    return _answer("status", argv, show_status)


def info(argv: list[str]) -> int:
    """Show statistics of every device."""
    from .zram_stats import main

    return _answer("info", argv, lambda call: main(["--json"] if call.json else []))


def _answer(command: str, argv: list[str], do: Callable[[Call], int]) -> int:
    """Run a command, unless its words ask only for the help or the version."""
    options = command_line(command).arguments(argv)
    return 0 if options is None else do(Call(command, options))


def _change(call: Call) -> int:
    if call.pretend:
        from .service_preview import show_plan

        goal: Goal = call.command  # type: ignore[assignment]
        return show_plan(call, goal)
    interruption.take_note()
    done: Plan = _reach(call, getattr(call.service, call.command))
    if call.json:
        try:
            call.print_json(done.as_dict())
        except OSError:
            drop_output()
    flush()
    return 0


def _restart(call: Call) -> int:
    call.service.read_config()
    if call.pretend:
        from .service_preview import show_plan

        print("stop:")
        status = show_plan(call, "stop")
        print("then start everything that is in the file")
        return status
    interruption.take_note()
    _reach(call, call.service.stop)
    _reach(call, call.service.start)
    flush()
    return 0


def _reach(call: Call, goal: Callable[[], Plan]) -> Plan:
    try:
        return goal()
    except interruption.Ended as err:
        if not err.told:
            call.warn("ended by a signal; nothing was changed")
        raise
