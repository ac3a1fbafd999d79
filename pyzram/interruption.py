# SPDX-License-Identifier: MIT
"""Signals that end a command, heeded only at chosen points.

After :func:`take_note`, SIGTERM, Ctrl-C and a hang-up are only noted, so that they tear nothing
apart. Work checks for them at the points where it can stop (:func:`check`), and :func:`pause` wakes
up for a signal. Code that undoes work defers signals (:class:`deferred`). Programs that never call
:func:`take_note` keep their own handlers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

SIGTERM = 15  # the signal module is slow to load
ENDING = (15, 2, 1)
"""SIGTERM, SIGINT and SIGHUP, the same numbers on every processor."""


class Ended(SystemExit):
    """A signal was heeded; the exit status is 128 plus its number.

    ``told`` says that the outcome of the work has already been reported.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.told = False


class _Notes:
    """What this process knows about its signals."""

    number = 0
    """The first one that was noted."""
    deferring = 0
    """How many :class:`deferred` contexts are open."""
    child = 0
    """The program that this process waits for; a signal ends it."""
    taking = False


def take_note() -> None:
    """Note SIGTERM, SIGINT and SIGHUP from now on; ignored ones stay ignored."""
    # The module signal consists of this and enum, which takes as long as the rest of a start.
    from _signal import SIG_IGN, getsignal, signal  # type: ignore[import-not-found]

    _Notes.number = 0
    _Notes.taking = True
    for number in ENDING:
        if getsignal(number) != SIG_IGN:
            signal(number, _note)


def ignore() -> None:
    """Ignore signals from now on, since all work is done and only has to be reported.

    While Python exits, it gives signals back to the kernel's default, and one that comes then would
    turn a success into a failure.
    """
    if _Notes.taking:
        from _signal import SIG_IGN, signal

        for number in ENDING:
            signal(number, SIG_IGN)


def _note(number: int, _frame: FrameType | None) -> None:
    _Notes.number = _Notes.number or number
    _end_child()


def _end_child() -> None:
    # It may have ended, but while it is named here it is not reaped, so the number is still its.
    if _Notes.child and not _Notes.deferring:
        os.kill(_Notes.child, SIGTERM)


def wait_for(pid: int) -> int:
    """Wait for a program of ours and return its exit status; a signal ends the program first.

    Raises:
        ChildProcessError: this process ignores SIGCHLD, so nobody knows how the program ended.
    """
    _Notes.child = pid
    try:
        if _Notes.number:
            _end_child()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        raise  # the kernel has reaped it, and its number may be another's
    except BaseException:
        # Another handler raised: undoing this step must not find the program still at work.
        os.kill(pid, SIGTERM)
        os.waitpid(pid, 0)
        raise
    finally:
        _Notes.child = 0
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check() -> None:
    """Heed a signal that was noted, at a point where the caller can stop.

    Raises:
        Ended: a signal was noted, and nothing defers signals.
    """
    if _Notes.number and not _Notes.deferring:
        raise Ended(_Notes.number)


def noted() -> bool:
    """Whether a signal was noted, even if signals are deferred."""
    return bool(_Notes.number)


def pause(seconds: float) -> None:
    """Sleep until the time is over or a signal comes.

    Raises:
        Ended: as :func:`check`.
    """
    import time

    if not _Notes.taking or _Notes.deferring:
        time.sleep(seconds)
        return
    if seconds < 0.5:
        check()
        time.sleep(seconds)
        check()
        return
    from _signal import set_wakeup_fd
    from select import select

    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = set_wakeup_fd(writer)
    try:
        check()
        # Any signal ends the wait, even one that is not noted; then sleep the rest.
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select([reader], [], [], left)[0]:
                os.read(reader, 4096)
            check()
    finally:
        set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


def being_deferred() -> bool:
    """Whether signals are deferred."""
    return bool(_Notes.deferring)


class deferred:  # noqa: N801 - used as a statement, like contextlib's
    """A context in which signals are noted but not heeded, for undoing work."""

    def __enter__(self) -> Self:
        _Notes.deferring += 1
        return self

    def __exit__(self, *_exc: object) -> None:
        _Notes.deferring -= 1
