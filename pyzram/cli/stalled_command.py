# SPDX-License-Identifier: MIT
"""Ends a command that a process holds up for good, and says which process that is.

A read of a process's memory map waits while a call of that process has the map locked, and a user's
process can make such a call last forever (with its own file system, in FUSE). Only signals that
kill reach the waiting thread: Ctrl-C does nothing. So a second thread watches. A disk or a server
that does not answer also holds up reads, but of what the user has named: the command waits for it.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id, start_new_thread
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ZramError
from ..threads import start
from .output import complain

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30.0
"""A single wait this long is not due to a busy process, whose map is free now and then."""
STEP = 0.5
_watched: list[int] = []


def end_when_stalled(program: str, at_end: Callable[[], int] = lambda: 1) -> None:
    """Watch the calling thread; if a process holds it up, say so and exit with ``at_end()``."""
    thread = get_native_id()
    if thread not in _watched:  # by a program that runs several commands
        _watched.append(thread)
        start(lambda: start_new_thread(_watch, (program, at_end, thread)))


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
    """End the whole command, whatever fails on the way, because nobody else could."""
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
    """Identify an uninterruptible wait; empty if the thread runs or sleeps interruptibly."""
    with open(f"/proc/self/task/{thread}/stat", "rb") as file:
        words = file.read().rpartition(b")")[2].split()
    if words[0] != b"D":
        return ""
    with open(f"/proc/self/task/{thread}/status", encoding="ascii", errors="replace") as status:
        switches = [line for line in status if "ctxt_switches" in line]
    return f"{words[11:13]}{switches}"


def _read_process(thread: int) -> str:
    """The process in whose folder of /proc a waiting call reads a file; empty if there is none.

    The kernel's account of the call decides, since only it knows what the thread waits for.
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
