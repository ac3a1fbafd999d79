# SPDX-License-Identifier: MIT
"""What ``pyzram tend`` says about a look and a round, as a line and as plain values."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

from ...tend.actions import Recompress, WriteBack
from ...tend.caution import regret
from ...tend.history import held_for
from ...tend.policy import ROUNDS
from ...tend.state import HELD, DeviceState
from ...text import quote
from ...units import format_size

if TYPE_CHECKING:
    from ...tend.actions import Action
    from ...tend.observation import Observation
    from ...tend.tender import Report


def warn(text: str) -> None:
    """Write a line to the log; if that fails, it is lost, and the daemon goes on."""
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
        "devices": device_values(report),
        "seen": seen_values(report.seen),
        "wake": decision.state.wake,
    }


def device_values(report: Report) -> dict[str, dict[str, float]]:
    """What is remembered about each device that was seen, by name."""
    states = {state.key: state for state in report.decision.state.devices}
    now = report.seen.now
    found: dict[str, dict[str, float]] = {}
    for device in report.seen.devices:
        state = states.get(device.key) or DeviceState(device.key)
        found[device.name] = {
            "written": report.total.get(device.key, 0),
            "held": round(max(0.0, state.held_until - now), 1),
            "backoff": held_for(state, now),
            "regret": round(regret(state), 4),
            "caution": round(state.caution, 4),
        }
    return found


def next_round(report: Report) -> float | None:
    """Seconds until the next round if the mode stays; ``None`` while nothing may be done."""
    state = report.decision.state
    if state.mode == HELD:
        return None
    return round(max(0.0, ROUNDS[state.mode] - (report.seen.now - state.round)), 1)


def seen_values(seen: Observation) -> dict[str, object]:
    """What was seen, without values that JSON cannot express."""
    values = seen._asdict()
    values["devices"] = [device._asdict() for device in seen.devices]
    return {key: value for key, value in values.items() if value not in (float("-inf"),)}


def show(report: Report, as_json: bool) -> None:
    """Everything that was seen, and what was done."""
    if as_json:
        print(json.dumps(report_dict(report), indent=2))
    else:
        print("\n".join([*seen_lines(report.seen), round_line(report)]))


def seen_lines(seen: Observation) -> list[str]:
    """Everything that was seen, for people."""
    lines = [f"memory: {format_size(seen.available)} of {format_size(seen.total)} available"]
    if seen.pressure_error:
        lines.append(f"pressure: cannot be read: {quote(seen.pressure_error)}")
    elif seen.some10 is None:
        lines.append("pressure: not reported by this kernel (boot with psi=1)")
    if seen.some10 is not None:
        lines.append(
            f"pressure: {seen.some10:.2f} % of 10 s, {seen.some300:.2f} % of 300 s; "
            f"everybody waits {seen.full10 or 0.0:.2f} % of 10 s"
        )
    busy = [("media", seen.io_full10), ("processors", seen.cpu_some10)]
    if told := [f"{what} {share:.2f} %" for what, share in busy if share is not None]:
        lines.append(f"pressure on {', on '.join(told)} of 10 s")
    if seen.battery is not None:
        lines.append(f"battery: {seen.battery:.0f} %, discharging")
    for device in seen.devices:
        most = f", at most {format_size(device.mem_limit)}" if device.mem_limit else ""
        lines.append(
            f"{device.name}: {format_size(device.orig_data_size)} stored in "
            f"{format_size(device.mem_used_total)} of memory{most}"
        )
        if device.medium:
            lines.append(
                f"{device.name}: {format_size(device.left)} of {format_size(device.budget)} left "
                f"to write in 24 hours, {format_size(device.free)} free on the backing device"
            )
        else:
            lines.append(f"{device.name}: no backing device")
        if device.own_limit is not None:
            left = format_size(device.own_limit)
            lines.append(f"{device.name}: {left} left of its writeback_limit")
        if not device.ages:
            lines.append(f"{device.name}: no block_state that tells the ages of its pages")
        if not device.recompression:
            lines.append(f"{device.name}: no recompression algorithm")
    if not seen.devices:
        lines.append("no device to tend")
    return lines


def describe(action: Action) -> str:
    """An action for people."""
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
