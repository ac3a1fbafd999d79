# SPDX-License-Identifier: MIT
"""zram-tend as shipped, under the real OpenRC and its supervise-daemon."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import TREE
from .test_openrc import ObservedSystem, needs_openrc

SCRIPT = TREE / "initscripts/openrc/zram-tend.initd"
LOGROTATE = TREE / "initscripts/logrotate.d/zram-tend"


def until(done: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


class Tending(ObservedSystem):
    """A machine with the daemon's service, whose ledger and log stay in the test's folder."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "dash")
        shutil.copy(SCRIPT, self.service("zram-tend"))
        self.service("zram-tend").chmod(0o755)
        self.log = directory / "log"
        self.conf(
            "zram-tend",
            f"export PYZRAM_STATE={directory}/state\noutput_log={self.log}\nerror_log={self.log}\n",
        )

    def status(self) -> dict[str, object]:
        try:
            return json.loads((self.run / "pyzram/tend/status.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def pid(self) -> int:
        return int(self.status().get("pid", 0))

    def alive(self) -> bool:
        pid = self.pid()
        try:
            return pid > 0 and b"tend" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Tending]:
    made = Tending(tmp_path)
    yield made
    for name in ("zram-tend", "zram"):
        made.rc(name, "stop")
    assert made.state() == [] and not made.alive()


@needs_openrc
def test_it_looks_reloads_is_started_again_and_stops(machine: Tending) -> None:
    assert machine.rc("zram", "start").returncode == 0
    started = machine.rc("zram-tend", "start")
    assert started.returncode == 0, started.stdout
    until(machine.alive, "no status of it")
    seen = [device["name"] for device in machine.status()["seen"]["devices"]]
    assert seen == machine.state()
    assert "started" in machine.rc("zram-tend", "status").stdout
    until(lambda: "held" in machine.log.read_text(), "no line of the first round")

    first = machine.pid()
    machine.conf("zram", "ZRAM_SIZ_0=1M\n")
    reloaded = machine.rc("zram-tend", "reload")
    assert reloaded.returncode == 0, reloaded.stdout
    until(lambda: "ZRAM_SIZ_0: no such variable" in machine.log.read_text(), "not read again")
    machine.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n")
    assert machine.alive() and machine.pid() == first

    os.kill(first, signal.SIGKILL)
    until(lambda: machine.alive() and machine.pid() != first, "not started again")

    second = machine.pid()
    stopped = machine.rc("zram-tend", "stop")
    assert stopped.returncode == 0, stopped.stdout
    until(lambda: not machine.alive(), "still there")
    time.sleep(1)
    assert machine.pid() == second and not machine.alive()
    assert "pyzram ledger" in (machine.directory / "state/ledger").read_text()


@needs_openrc
@pytest.mark.skipif(not shutil.which("logrotate"), reason="needs logrotate")
def test_its_log_goes_on_after_logrotate_as_shipped(machine: Tending) -> None:
    """supervise-daemon keeps the log open, so later lines must get into the new one."""
    rules = machine.directory / "logrotate"
    rules.write_text(LOGROTATE.read_text().replace("/var/log/zram-tend.log", str(machine.log)))
    assert machine.rc("zram-tend", "start").returncode == 0
    until(machine.alive, "no status of it")
    until(lambda: "held" in machine.log.read_text(), "no line of the first round")
    rotated = machine.sh(f"logrotate -f -s {machine.directory}/rotated {rules}")
    assert rotated.returncode == 0, rotated.stdout
    assert "held" in gzip.decompress((machine.directory / "log.1.gz").read_bytes()).decode()
    assert machine.log.read_text() == ""
    machine.conf("zram", "ZRAM_SIZ_0=1M\n")
    machine.rc("zram-tend", "reload")
    until(lambda: "ZRAM_SIZ_0" in machine.log.read_text(), "nothing more in the log")
    assert "\0" not in machine.log.read_text()
    assert machine.alive()


def test_the_script_passes_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    done = subprocess.run(["shellcheck", "-s", "sh", SCRIPT], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout
