# SPDX-License-Identifier: MIT
"""``pyzram tend --status``: what a running daemon last saw, and what it did in its last round."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from ...errors import ZramError, from_errno
from ...tend.actions import Compact, Recompress, WriteBack
from ...tend_status import read_status
from ...text import quote
from ...units import format_seconds, format_size
from .report import describe

if TYPE_CHECKING:
    from typing import Any

    from ...tend.actions import Action

ACTIONS = {kind.__name__: kind for kind in (WriteBack, Recompress, Compact)}
OTHER_VERSION = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading another version's status may raise."""


def show_status(run: str, as_json: bool) -> int:
    """Print what the daemon last did; return 3 if none runs."""
    try:
        found = read_status(run)
    except PermissionError as err:
        raise from_errno(
            err.errno or 0, "read the daemon's status", run, remedy="only root may do this"
        ) from err
    if found is None:
        print("pyzram tend is not running", file=sys.stderr)
        return 3
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    try:
        lines = status_lines(found, time.time())
    except OTHER_VERSION as err:
        raise ZramError("the daemon's status is not one of this version of pyzram") from err
    print("\n".join(map(quote, lines)))
    return 0


def status_lines(found: dict[str, Any], now: float) -> list[str]:
    """A status for people, not yet quoted; ``now`` is in seconds since 1970."""
    lines = [
        f"{found['mode']}, pressure {found['pressure']:.2f}, process {found['pid']}, "
        f"looked {ago(found['time'], now)}"
    ]
    lines += found["reasons"]
    lines += round_lines(found, now)
    for device in found["seen"]["devices"]:
        name = device["name"]
        known = found["devices"][name]
        lines.append(
            f"{name}: {format_size(device['mem_used_total'])} of memory, "
            + (
                f"{format_size(device['left'])} of {format_size(device['budget'])} left to write, "
                f"{format_size(known['written'])} written since the daemon started"
                if device["medium"]
                else "no backing device"
            )
        )
        if known["held"]:
            why = "an error" if known["backoff"] else "its writeback_limit was raised"
            lines.append(f"{name}: left alone for {span(known['held'])} more, after {why}")
        if known["caution"] > 1:
            lines.append(
                f"{name}: pages must be {known['caution']:.1f} times as old as usual, because "
                f"{known['regret']:.0%} of what was written in a day came back"
            )
    if groups := found.get("reclaim"):
        for name, size in groups["asked"].items():
            lines.append(f"{name}: asked for {format_size(size)} of idle memory")
        if groups["reason"]:
            lines.append(f"control groups are left alone: {groups['reason']}")
    return lines


def round_lines(found: dict[str, Any], now: float) -> list[str]:
    """The last round, and when the next one is."""
    last, due = found["last_round"], found["next_round"]
    upcoming = "" if due is None else f"; the next one in at most {span(due)}"
    if last is None:
        return [f"no round yet{upcoming}"]
    lines = [
        f"last round {ago(last['time'], now)}, {last['mode']}: "
        f"{format_size(last['written'])} written, {format_size(abs(last['freed']))} "
        f"{'freed' if last['freed'] >= 0 else 'more in use'}{upcoming}"
    ]
    lines += (f"  asked for: {describe(action_of(values))}" for values in last["actions"])
    lines += (f"  {reason}" for reason in last["reasons"])
    return lines


def action_of(values: dict[str, Any]) -> Action:
    """An action from the daemon's status."""
    words = dict(values)
    return ACTIONS[words.pop("action")](**words)


def ago(then: float, now: float) -> str:
    """How long ago that was; never less than 0, even if the clock was set back since."""
    return f"{span(max(0.0, now - then))} ago"


def span(seconds: float) -> str:
    """Seconds, minutes or hours, rounded."""
    return format_seconds(round(seconds))
