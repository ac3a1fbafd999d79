# SPDX-License-Identifier: MIT
"""The status file of ``pyzram tend``, which shows others that it runs and what it tends."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress

from . import own_files
from .errors import from_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "tend/status.json"
LEDGER = "ledger"
"""The file in the state directory that every round writes, also one from cron."""


def write_status(run: str, values: dict[str, Any]) -> None:
    """Record the last round for people; failing to write it is no reason to stop."""
    pid = os.getpid()
    with suppress(OSError):
        known = {"pid": pid, "start_time": _start_time(pid), "time": time.time()}
        text = json.dumps({**known, **values})
        own_files.write_file(os.path.join(run, NAME), text)


def read_status(run: str) -> dict[str, Any] | None:
    """The last round of a daemon that runs; ``None`` if none does.

    ``time`` is when the round ended, in seconds since 1970. The daemon is a process of this
    machine, even if it looks at another's files (PYZRAM_ROOT).

    Raises:
        PermissionError: only root may read it.
        ZramOSError: EBADMSG it is damaged.
        OSError: any other error of the kernel.
    """
    path = os.path.join(run, NAME)
    try:
        text = own_files.read_file(path)
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
        # Numbers are reused, but another process with this number has another start time.
        return found if _start_time(pid) == began else None
    except OSError:
        return None


def _start_time(pid: int) -> int:
    """When a process began, in clock ticks since boot (proc_pid_stat(5), field 22)."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])
