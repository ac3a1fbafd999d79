# SPDX-License-Identifier: MIT
"""What would be done and what is wrong, as ``plan``, ``check`` and ``--pretend`` print it.

The lines of a plan are its own text: see :mod:`pyzram.service.plan` and, for each step's words,
:mod:`pyzram.service.planner`.
"""

from __future__ import annotations

from ..config.config import ConfigError
from ..text import quote
from .output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..config.config import Config
    from ..service.obstacles import Obstacle
    from ..service.plan import Plan
    from ..service.service import Goal
    from .service import Call


def show_faults(call: Call) -> int:
    """Print everything that is wrong with the file; return the exit status."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    obstacles: list[Obstacle] = []
    config: Config | None = None
    try:
        config = call.service.read_config()
        warnings = config.warnings
        # A service depends only on the file: one impossible device must not stop the others.
        if not call.quiet:
            obstacles = call.service.obstacles()
    except ConfigError as err:
        problems, warnings = err.problems, err.warnings
    if call.json:
        found = [obstacle.as_dict() for obstacle in obstacles]
        call.print_json(
            {
                "path": call.service.path,
                "problems": problems,
                "warnings": warnings,
                "obstacles": found,
                "sources": config.sources if config else {},
            }
        )
    else:
        # With problems, no start follows that would print the warnings.
        for warning in warnings if problems or not call.quiet else ():
            call.warn(warning)
        for obstacle in obstacles:
            if obstacle.fatal:
                complain(f"pyzram: {obstacle}")
            else:
                call.warn(str(obstacle))
        for problem in problems:
            complain(f"pyzram: {problem}")
        if not problems and not warnings and not obstacles and not call.quiet:
            print(quote(f"{call.service.path}: nothing wrong"))
        for line in config._told() if config and not call.quiet else []:
            print(quote(line))
    return 1 if problems or any(obstacle.fatal for obstacle in obstacles) else 0


def show_plan(call: Call, goal: Goal) -> int:
    """Print what reaching a goal takes; return the exit status."""
    shown = call.service.plan(goal)
    obstacles = [] if goal == "stop" else call.service.obstacles()
    if call.json:
        found = {"obstacles": [obstacle.as_dict() for obstacle in obstacles]}
        call.print_json({**shown.as_dict(), **found})
    else:
        for obstacle in obstacles:
            call.warn(str(obstacle))
        _print_plan(call, shown)
    hindered = any(obstacle.fatal for obstacle in obstacles)
    return 1 if shown.refusals or shown.left_out or hindered else 0


def _print_plan(call: Call, shown: Plan) -> None:
    for warning in shown.warnings:
        call.warn(warning)
    for line in shown._lines():
        print(quote(line))
    if shown.config and shown.steps:
        for line in shown.config._told({step.index for step in shown.steps}):
            print(quote(line))
