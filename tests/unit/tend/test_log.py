# SPDX-License-Identifier: MIT
"""The daemon's log: what gets a line, how often, and that a full disk does not end the daemon."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_roots import Machine

from pyzram.cli.tend import report as tend_report
from pyzram.cli.tend.daemon import Log
from pyzram.tend.actions import Compact
from pyzram.tend.observation import Observation
from pyzram.tend.policy import Decision
from pyzram.tend.state import CALM, HELD, PRESSED, State
from pyzram.tend.tender import Report


def look(mode: str, *reasons: str, due: bool = True, acts: bool = False) -> Report:
    state = State(mode=mode, round=100.0 if due else 0.0)
    actions = (Compact("zram0"),) if acts else ()
    return Report(Observation(100.0, 0, 0), Decision(actions, state, reasons), 0, 0)


def lines(capsys: pytest.CaptureFixture[str], log: Log, *looks: Report) -> list[str]:
    found = []
    for one in looks:
        log.add(one)
        found.append(capsys.readouterr().out.rstrip("\n"))
    return found


def test_a_round_without_actions_says_why_once(capsys) -> None:
    quiet = look(CALM, due=False)
    found = lines(
        capsys,
        Log(False),
        look(HELD, "just started", due=False),
        look(HELD, "just started", due=False),
        look(HELD, "battery at 15 %", due=False),
        look(HELD, "battery at 14 %", due=False),
        look(CALM, "zram0: 0 MiB left of its budget"),
        quiet,
        look(CALM, "zram0: 0 MiB left of its budget"),
        look(CALM, "zram0: held for 3600 s more"),
        quiet,
        look(CALM, "zram1: held for 60 s more"),
        look(CALM, "zram1: held for 60 s more", acts=True),
        look(CALM, "zram1: held for 60 s more", acts=True),
        quiet,
        look(CALM),
        look(CALM),
        look(PRESSED),
        look(PRESSED, "the configuration says to leave devices alone"),
        look(PRESSED, "the configuration says to leave devices alone"),
    )
    assert found == [
        "held, pressure 0.00; just started",
        "",
        "held, pressure 0.00; battery at 15 %",
        "",
        "calm, pressure 0.00; zram0: 0 MiB left of its budget",
        "",
        "",
        "calm, pressure 0.00; zram0: held for 3600 s more",
        "",
        "calm, pressure 0.00; zram1: held for 60 s more",
        "calm, pressure 0.00: 0B written, 0B freed; zram1: held for 60 s more",
        "calm, pressure 0.00: 0B written, 0B freed; zram1: held for 60 s more",
        "",
        "calm, pressure 0.00",
        "",
        "pressed, pressure 0.00",
        "pressed, pressure 0.00; the configuration says to leave devices alone",
        "",
    ]


def test_quiet_has_no_lines_of_rounds(capsys) -> None:
    assert lines(capsys, Log(True), look(HELD, "just started"), look(CALM, acts=True)) == ["", ""]


class Full:
    """A file on a disk that is full."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        self.write("")


def test_a_line_that_cannot_be_written_is_lost(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    Log(False).add(look(HELD, "just started"))
    tend_report.warn("zram0: write back: Input/output error")


@pytest.mark.parametrize("into", ["/dev/full", "a pipe that nobody reads"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_log_does_not_end_the_daemon(machine: Machine, into: str, unbuffered: str) -> None:
    run = machine.root / "run/pyzram"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYZRAM_ROOT": str(machine.root)}
    environment |= {"PYZRAM_RUN": str(run), "PYZRAM_STATE": str(machine.root / "state")}
    if into == "/dev/full":
        log = os.open(into, os.O_WRONLY)
    else:
        reader, log = os.pipe()
        os.close(reader)
    # One of them does not exist, which is a line too.
    daemon = subprocess.Popen(
        [sys.executable, "-Im", "pyzram", "tend", "zram0", "zram9"],
        env=environment, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        os.close(log)
        status = run / "tend/status.json"
        end = time.monotonic() + 60
        while not status.exists() and daemon.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        first = wait_for_another(status, daemon, 0)
        daemon.send_signal(signal.SIGHUP)
        wait_for_another(status, daemon, first)
    finally:
        daemon.send_signal(signal.SIGTERM)
        ended = daemon.wait()
    assert ended == 0
    # From this the doctor knows that the ledger is that of a daemon that has ended, not cron's.
    ledger = machine.root / "state/ledger"
    assert status.stat().st_mtime_ns >= ledger.stat().st_mtime_ns


def wait_for_another(status: Path, daemon: subprocess.Popen[bytes], than: int) -> int:
    """Whether the daemon has looked again since the given status."""
    end = time.monotonic() + 60
    while time.monotonic() < end and daemon.poll() is None:
        if (found := status.stat().st_mtime_ns) != than:
            return found
        time.sleep(0.05)
    raise AssertionError(f"the daemon has ended: {daemon.poll()}")
