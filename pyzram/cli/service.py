# SPDX-License-Identifier: MIT
"""The commands check, plan, start, stop, reload, restart, status and info."""

from __future__ import annotations

import os

from .. import interruption
from ..config.config import Config, ConfigError
from ..config.layers import DEFAULT_PATH
from ..kernel.sysfs import Sysfs
from ..service.registry import DEFAULT_DIRECTORY
from ..service.service import Service
from ..text import quote
from ..units import format_size
from .options import FILE, Command, Option
from .output import complain, drop_output, flush
from .pyzram import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..service.observed import ObservedSystem
    from ..service.obstacles import Obstacle
    from ..service.plan import Plan
    from ..service.service import Goal

# Exit statuses of the command status, as in the Linux Standard Base.
STOPPED = 3

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

    def __init__(self, command: str, argv: list[str]) -> None:
        options = command_line(command).arguments(argv)
        self.answered = options is None
        """Whether the words ask only for the help or the version."""
        self.command = command
        self.json = getattr(options, "json", False)
        self.pretend = getattr(options, "pretend", False)
        self.quiet = getattr(options, "quiet", False)
        self.service = Service(
            getattr(options, "config", DEFAULT_PATH),
            # For tests and chroots: where the kernel's files and the record are.
            sysfs=Sysfs(os.environ.get("PYZRAM_ROOT", "/")),
            directory=os.environ.get("PYZRAM_RUN", DEFAULT_DIRECTORY),
            tell=_nothing if self.json or self.quiet else _tell,
            warn=_warn,
        )


def _nothing(_line: str) -> None:
    pass


def _tell(line: str) -> None:
    """Print if possible; output never changes what is done."""
    try:
        print(quote(line), flush=True)
    except OSError:
        drop_output()


def _warn(line: str) -> None:
    complain(f"pyzram: warning: {line}")


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2))


# ---- commands ----------------------------------------------------------------------------------


def start(argv: list[str]) -> int:
    """Set up missing devices."""
    return _change(Call("start", argv))


def stop(argv: list[str]) -> int:
    """Take down our devices."""
    return _change(Call("stop", argv))


def reload(argv: list[str]) -> int:
    """Apply a changed configuration."""
    return _change(Call("reload", argv))


def _change(call: Call) -> int:
    if call.answered:
        return 0
    if call.pretend:
        goal: Goal = call.command  # type: ignore[assignment]
        return _show_plan(call, goal)
    interruption.take_note()
    done: Plan = _reach(getattr(call.service, call.command))
    if call.json:
        try:
            _print_json(done.as_dict())
        except OSError:
            drop_output()
    flush()
    return 0


def _reach(goal: Callable[[], Plan]) -> Plan:
    try:
        return goal()
    except interruption.Ended as err:
        if not err.told:
            _warn("ended by a signal; nothing was changed")
        raise


def restart(argv: list[str]) -> int:
    """Stop and start; a broken file is rejected before anything is stopped."""
    call = Call("restart", argv)
    if call.answered:
        return 0
    call.service.read_config()
    if call.pretend:
        print("stop:")
        status = _show_plan(call, "stop")
        print("then start everything that is in the file")
        return status
    interruption.take_note()
    _reach(call.service.stop)
    _reach(call.service.start)
    flush()
    return 0


def plan(argv: list[str]) -> int:
    """Show what reload would change."""
    call = Call("plan", argv)
    return 0 if call.answered else _show_plan(call, "reload")


def info(argv: list[str]) -> int:
    """Show statistics of every device."""
    call = Call("info", argv)
    if call.answered:
        return 0
    from .zram_stats import main

    return main(["--json"] if call.json else [])


def check(argv: list[str]) -> int:
    """Report everything that is wrong with the file."""
    call = Call("check", argv)
    if call.answered:
        return 0
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    obstacles: list[Obstacle] = []
    config: Config | None = None
    try:
        config = call.service.read_config()
        warnings = config.warnings
        # For services only the file matters: one impossible device must not stop the others.
        if not call.quiet:
            obstacles = call.service.obstacles()
    except ConfigError as err:
        problems, warnings = err.problems, err.warnings
    if call.json:
        found = [obstacle.as_dict() for obstacle in obstacles]
        _print_json(
            {
                "path": call.service.path,
                "problems": problems,
                "warnings": warnings,
                "obstacles": found,
                "sources": config.sources if config else {},
            }
        )
    else:
        # If there are problems, no start follows that would print the warnings.
        for warning in warnings if problems or not call.quiet else ():
            _warn(warning)
        for obstacle in obstacles:
            if obstacle.fatal:
                complain(f"pyzram: {obstacle}")
            else:
                _warn(str(obstacle))
        for problem in problems:
            complain(f"pyzram: {problem}")
        if not problems and not warnings and not obstacles and not call.quiet:
            print(quote(f"{call.service.path}: nothing wrong"))
        for line in config._told() if config and not call.quiet else []:
            print(quote(line))
    return 1 if problems or any(obstacle.fatal for obstacle in obstacles) else 0


def _show_plan(call: Call, goal: Goal) -> int:
    shown = call.service.plan(goal)
    obstacles = [] if goal == "stop" else call.service.obstacles()
    if call.json:
        found = {"obstacles": [obstacle.as_dict() for obstacle in obstacles]}
        _print_json({**shown.as_dict(), **found})
    else:
        for obstacle in obstacles:
            _warn(str(obstacle))
        _print_plan(shown)
    hindered = any(obstacle.fatal for obstacle in obstacles)
    return 1 if shown.refusals or shown.left_out or hindered else 0


def _print_plan(shown: Plan) -> None:
    for warning in shown.warnings:
        _warn(warning)
    for line in shown._lines():
        print(quote(line))
    if shown.config and shown.steps:
        for line in shown.config._told({step.index for step in shown.steps}):
            print(quote(line))


def status(argv: list[str]) -> int:
    """Show our devices; the exit status is 0 if all run, 3 if none does, 1 if only some do."""
    call = Call("status", argv)
    if call.answered:
        return 0
    config, machine = call.service._observed()
    rows = _rows(config, machine)
    running = sum(row["state"] == "running" for row in rows)
    if call.json:
        _print_json(rows)
    else:
        for device in machine.devices:
            if device.busy:
                _warn(f"{device.name}: a writeback or recompression holds up its figures")
        for row in rows:
            words = [row["name"] or f"device {row['index']}", row["state"]]
            words += [row["what"]] if row["what"] else []
            if row["state"] == "running":
                words += [f"size {format_size(row['disksize'])}", row["algorithm"] or "-"]
                if row["used"] is not None:
                    words += [f"used {format_size(row['used'])}", f"priority {row['priority']}"]
            if row["also_mounted"]:
                words.append(f"(also mounted by others on {' '.join(row['also_mounted'])})")
            print(quote(" ".join(words)))
    if running == len(rows) and (rows or config is not None):
        return 0
    return 1 if running else STOPPED


def _rows(config: Config | None, machine: ObservedSystem) -> list[dict[str, Any]]:
    """Return a row for each of our devices and for each one that is missing."""
    rows: list[dict[str, Any]] = []
    own = [device for device in machine.devices if device.index is not None]
    for device in own:
        rows.append(
            {
                "index": device.index,
                "name": device.name,
                "state": "running" if device.running and device.ready else "incomplete",
                "what": "swap" if device.area else " ".join(device.mounts),
                "also_mounted": list(device.others),
                "disksize": device.disksize,
                "algorithm": device.algorithm,
                "used": device.area.used if device.area else None,
                "priority": device.area.priority if device.area else None,
                "mem_used_total": device.mem_used,
            }
        )
    have = {device.index for device in own}
    for desired in config.devices if config else ():
        if desired.index not in have:
            rows.append(
                {
                    "index": desired.index,
                    "name": None,
                    "state": "missing",
                    "what": desired.what,
                    "also_mounted": [],
                    "disksize": desired.disksize,
                    "algorithm": None,
                    "used": None,
                    "priority": None,
                    "mem_used_total": 0,
                }
            )
    return sorted(rows, key=lambda row: int(row["index"]))
