# SPDX-License-Identifier: MIT
"""Signals that are noted, and the program that one of them ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from torn import at_each_instruction

from pyzram import interruption
from pyzram.interruption import _Notes

# Every function in which the number of a program is known.
CODES = {function.__code__ for function in (interruption.wait_for, interruption._end_child)}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """What the test process does with its signals."""
    handlers = {number: signal.getsignal(number) for number in interruption.ENDING}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    _Notes.number = _Notes.deferring = _Notes.child = 0
    _Notes.taking = False


def is_ours(pid: int) -> bool:
    """Whether it is an unreaped child, whose number nobody else can have."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    return True


@pytest.mark.parametrize("program", ["exit 0", "exec sleep 60"], ids=["ends", "stays"])
def test_a_reaped_program_is_never_signalled(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """SIGTERM at every instruction: what is passed on goes to our own child, or nowhere."""
    sent = []

    def kill(pid: int, number: int) -> None:
        assert is_ours(pid), "this number may be another's by now"
        sent.append(number)
        real(pid, number)

    real = os.kill
    interruption.take_note()

    def work() -> None:
        _Notes.number = 0
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", program], {})
        if program == "exec sleep 60":
            # Nobody would end it if the signal came only afterwards.
            _Notes.number = signal.SIGTERM
        status = interruption.wait_for(pid)
        assert status in (0, -signal.SIGTERM)
        assert not is_ours(pid)
        assert _Notes.child == 0

    monkeypatch.setattr(os, "kill", kill)
    count = at_each_instruction(work, CODES, lambda: signal.raise_signal(signal.SIGTERM))
    assert count > 30
    assert sent
