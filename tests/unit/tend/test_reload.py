# SPDX-License-Identifier: MIT
"""A daemon that is told to read its configuration again, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fake_roots import Machine
from tended_machines import MIB, booted


def test_a_reload_is_obeyed_at_once_and_a_wrong_file_is_not(machine: Machine, tmp_path: Path):
    booted(machine)
    run, config = machine.root / "run/pyzram", tmp_path / "zram"
    config.write_text("TEND_BUDGET=64M\n")
    environment = {**os.environ, "PYZRAM_ROOT": str(machine.root), "PYZRAM_RUN": str(run)}
    environment["PYZRAM_STATE"] = str(machine.root / "state")
    daemon = subprocess.Popen(
        [sys.executable, "-Im", "pyzram", "tend", "--config", config, "zram0"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert daemon.stderr is not None

    def budget() -> int | None:
        try:
            found = json.loads((run / "tend/status.json").read_text())
            return found["seen"]["devices"][0]["budget"]
        except FileNotFoundError:
            return None

    def reload(text: str) -> None:
        config.write_text(text)
        daemon.send_signal(signal.SIGHUP)

    try:
        until(lambda: budget() == 64 * MIB)
        reload("TEND_BUDGET=32M\n")
        until(lambda: budget() == 32 * MIB)
        reload("TEND_BUDGET=16M\nTEND_BUDGT=8M\n")
        assert b"TEND_BUDGT" in (said := daemon.stderr.readline())
        assert said.endswith(b"; keeping the previous settings\n")
        assert budget() == 32 * MIB and daemon.poll() is None
        reload("TEND_BUDGET=8M\n")
        until(lambda: budget() == 8 * MIB)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.stderr.close()
        assert daemon.wait() == 0


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        # Without a signal, it would next look a minute after the last time.
        assert time.monotonic() < end
        time.sleep(0.02)
