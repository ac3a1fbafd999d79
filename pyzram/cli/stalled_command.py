# SPDX-License-Identifier: MIT
"""A command that a process holds up for good ends by itself, and says by which.

Whoever reads the memory map of a process waits while a call of that process has it locked, and a
user's process can see to it that such a call never ends (by a file system of its own, in FUSE). No
signal but those that kill reaches who waits: Ctrl-C does nothing. So a second thread looks. A disk
or a server that does not answer holds up reads too, of what the user has named: that is waited for.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id, start_new_thread
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ZramError
from .output import complain

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30.0
"""One single wait of this length is no busy process, whose map is free now and then."""
STEP = 0.5
_watched: list[int] = []


def end_when_stalled(program: str, at_end: Callable[[], int] = lambda: 1) -> None:
    """Watch the calling thread; if a process holds it up, say so, end with ``at_end``'s status."""
    thread = get_native_id()
    if thread not in _watched:  # by a program that runs several commands
        _watched.append(thread)
        start_new_thread(_watch, (program, at_end, thread))


def _watch(program: str, at_end: Callable[[], int], thread: int) -> None:
    last, since = "", time.monotonic()
    while True:
        time.sleep(STEP)
        try:
            now = _waits(thread)
        except OSError:
            return  # no /proc, or it ends
        if not now or now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= SECONDS and (pid := _read_process(thread)):
            _end(program, pid, at_end)


def _end(program: str, pid: str, at_end: Callable[[], int]) -> None:
    """End all of it, whatever fails on the way: nobody else could."""
    status = 1
    try:
        complain(
            f"{program}: the kernel held up a read for {SECONDS:g} s: the memory map of "
            f"process {pid} is locked by a call that does not end (/proc/{pid}/stack)"
        )
        try:
            status = at_end()
        except (ZramError, OSError) as err:
            complain(f"{program}: {err}")
    finally:
        os._exit(status)


def _waits(thread: int) -> str:
    """What tells one uninterrupted wait from another; nothing if the thread runs or may sleep."""
    with open(f"/proc/self/task/{thread}/stat", "rb") as file:
        words = file.read().rpartition(b")")[2].split()
    if words[0] != b"D":
        return ""
    with open(f"/proc/self/task/{thread}/status", encoding="ascii", errors="replace") as status:
        switches = [line for line in status if "ctxt_switches" in line]
    return f"{words[11:13]}{switches}"


def _read_process(thread: int) -> str:
    """The process below whose folder of /proc a waiting call has its file; nothing if none.

    By what the kernel tells of the call: only it knows what the thread waits for.
    """
    with suppress(OSError, ValueError, IndexError):
        # The number of the call and its arguments, the first of which is the descriptor; "running",
        # or -1 and two addresses where no call waits, as for a page of a mapped file.
        with open(f"/proc/self/task/{thread}/syscall", encoding="ascii") as file:
            words = file.read().split()
        if int(words[0]) >= 0:
            at = os.readlink(f"/proc/self/fd/{int(words[1], 16)}").split("/")
            if at[:2] == ["", "proc"] and at[2].isdecimal():
                return at[2]
    return ""
