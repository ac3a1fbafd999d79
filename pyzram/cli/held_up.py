# SPDX-License-Identifier: MIT
"""A command that the kernel holds up for good ends by itself, and says by whom.

Whoever reads the memory map of a process waits while a call of that process has it locked, and a
user's process can see to it that such a call never ends (by a file system of its own, in FUSE). No
signal but those that kill reaches who waits: Ctrl-C does nothing. So a second thread looks.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id, start_new_thread
from typing import TYPE_CHECKING

from ..pages.process import Process
from .output import complain

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30.0
"""One single wait of this length is no slow disk, which answers now and then."""
STEP = 0.5
_watched: list[int] = []


def end_when_held_up(program: str, at_end: Callable[[], int] = lambda: 1) -> None:
    """Watch the calling thread; if it is held up, say so and end with the status of ``at_end``."""
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
        elif time.monotonic() - since >= SECONDS:
            pid = Process.latest
            complain(
                f"{program}: the kernel held up a read for {SECONDS:g} s: the memory map of "
                f"process {pid} is locked by a call that does not end (/proc/{pid}/stack)"
            )
            os._exit(at_end())


def _waits(thread: int) -> str:
    """What tells one uninterrupted wait from another; nothing if the thread runs or may sleep."""
    with open(f"/proc/self/task/{thread}/stat", "rb") as file:
        words = file.read().rpartition(b")")[2].split()
    if words[0] != b"D":
        return ""
    with open(f"/proc/self/task/{thread}/status", encoding="ascii", errors="replace") as status:
        switches = [line for line in status if "ctxt_switches" in line]
    return f"{words[11:13]}{switches}"
