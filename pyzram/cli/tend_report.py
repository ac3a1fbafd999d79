# SPDX-License-Identifier: MIT
"""The reports of ``pyzram tend``: a round, what would be done, and what a daemon last did."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

from ..errors import ZramError, from_errno
from ..tend.status import read_status
from ..text import quote
from ..units import format_size

if TYPE_CHECKING:
    from typing import Any

    from ..tend.actions import Action
    from ..tend.observation import Observation
    from ..tend.tender import Report
    from .tend_reclaim import Plan


def warn(text: str) -> None:
    """A line for the log; one that cannot be written is lost, and the daemon goes on."""
    with contextlib.suppress(OSError):
        print(quote(f"pyzram: warning: {text}"), file=sys.stderr, flush=True)


def round_line(report: Report) -> str:
    """One round, for the log."""
    state = report.decision.state
    text = f"{state.mode}, pressure {state.pressure:.2f}"
    if report.decision.actions:
        text += f": {format_size(report.written)} written, {format_size(abs(report.freed))} "
        text += "freed" if report.freed >= 0 else "more in use"
    return "; ".join([text, *report.decision.reasons])


def report_dict(report: Report) -> dict[str, object]:
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
    """What was seen, without values that JSON cannot express."""
    values = seen._asdict()
    values["devices"] = [device._asdict() for device in seen.devices]
    return {key: value for key, value in values.items() if value not in (float("-inf"),)}


def show(report: Report, as_json: bool, done: bool = False, plan: Plan | None = None) -> int:
    """Everything that was seen, and what was or would be done."""
    if as_json:
        planned = {} if plan is None else {"reclaim": plan.as_dict()}
        print(json.dumps({**report_dict(report), **planned}, indent=2))
        return 0
    seen = report.seen
    print(f"memory: {format_size(seen.available)} of {format_size(seen.total)} available")
    if seen.pressure_error:
        print(f"pressure: cannot be read: {quote(seen.pressure_error)}")
    elif seen.some10 is None:
        print("pressure: not reported by this kernel (boot with psi=1)")
    if seen.some10 is not None:
        print(f"pressure: {seen.some10:.2f} % of 10 s, {seen.some300:.2f} % of 300 s")
    if seen.battery is not None:
        print(f"battery: {seen.battery:.0f} %, discharging")
    for device in seen.devices:
        print(
            f"{device.name}: {format_size(device.orig_data_size)} stored in "
            f"{format_size(device.mem_used_total)} of memory"
        )
        if device.medium:
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
    print(round_line(report) if done else f"state: {round_line(report)}")
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
    """What the daemon last did; status 3 if none runs."""
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
        lines = _status_lines(found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as err:
        raise ZramError("the daemon's status is not one of this version of pyzram") from err
    print("\n".join(lines))
    return 0


def _status_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['mode']}, pressure {found['pressure']:.2f}, process {found['pid']}"]
    for device in found["seen"]["devices"]:
        lines.append(
            f"{device['name']}: {format_size(device['mem_used_total'])} of memory, "
            + (
                f"{format_size(device['left'])} of {format_size(device['budget'])} left to write"
                if device["medium"]
                else "no backing device"
            )
        )
    lines += map(quote, found["reasons"])
    if groups := found.get("reclaim"):
        for name, size in groups["asked"].items():
            lines.append(f"{quote(name)}: asked for {format_size(size)} of idle memory")
        if groups["reason"]:
            lines.append(quote(f"control groups are left alone: {groups['reason']}"))
    return lines
