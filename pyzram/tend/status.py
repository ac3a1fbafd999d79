# SPDX-License-Identifier: MIT
"""The status file of the daemon, which ``pyzram tend --status`` shows."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from contextlib import suppress
from typing import Any

from ..errors import from_errno
from ..kernel import state_files
from .state import DeviceState, State

NAME = "tend/status.json"


def write_status(run: str, values: dict[str, Any]) -> None:
    """Record the last round for people; failing to write it is no reason to stop."""
    pid = os.getpid()
    with suppress(OSError):
        known = {"pid": pid, "start_time": _start_time(pid), "time": time.time()}
        text = json.dumps({**known, **values})
        state_files.write_file(os.path.join(run, NAME), text)


def read_status(run: str) -> dict[str, Any] | None:
    """The last round of a daemon that runs; ``None`` if none does.

    ``time`` is when the round ended, in seconds since 1970.

    Raises:
        PermissionError: only root may read it.
        ZramOSError: EBADMSG it is damaged.
        OSError: what else the kernel says.
    """
    path = os.path.join(run, NAME)
    try:
        text = state_files.read_file(path)
    except NotADirectoryError:
        text = None
    if text is None:
        return None
    try:
        found = json.loads(text)
        pid, began = int(found["pid"]), found.get("start_time")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as err:
        raise from_errno(errno.EBADMSG, f"{path}: read the daemon's status", path) from err
    try:
        # A number is used again: another process that has it now began at another time.
        return found if _start_time(pid) == began else None
    except OSError:
        return None


def state_values(state: State) -> dict[str, Any]:
    """What the policy remembers, as JSON can say it: ``null`` for a time that never was."""
    values = {**state._asdict(), "devices": [one._asdict() for one in state.devices]}
    for each in (values, *values["devices"]):
        for name, value in each.items():
            if isinstance(value, float) and math.isinf(value):
                each[name] = None
    return values


def state_of(values: dict[str, Any]) -> State:
    """The opposite of :func:`state_values`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is of another version of pyzram.
    """

    def told(row: dict[str, Any]) -> dict[str, Any]:
        # What never was is the default of each.
        return {name: value for name, value in row.items() if value is not None}

    devices = tuple(DeviceState(**told(row)) for row in values["devices"])
    return State(**{**told(values), "devices": devices})


def _start_time(pid: int) -> int:
    """When a process began, in clock ticks since boot (proc_pid_stat(5), field 22)."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])
