# SPDX-License-Identifier: MIT
"""A process that locks its memory map for good holds up nobody for good, not even root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
SHORTLY = """
import sys
from pyzram.cli import stalled_command, pyzram
stalled_command.SECONDS, stalled_command.STEP = 1.5, 0.1
sys.exit(pyzram.main(sys.argv[1:]))
"""


@pytest.fixture
def stalled() -> Iterator[int]:
    """An unprivileged user's process whose memory map is locked."""
    if not os.path.exists("/dev/fuse") or not shutil.which("setpriv"):
        pytest.skip("needs /dev/fuse and setpriv")
    at = Path("/dev/shm", f"pyzram-stalled-{os.getpid()}")
    at.mkdir()
    os.chown(at, NOBODY, NOBODY)
    program = at.with_suffix(".py")  # where that user may read it
    shutil.copy(Path(__file__).with_name("stalled.py"), program)
    user = f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"
    server = subprocess.Popen(
        ["setpriv", *user, "/usr/bin/env", "python3", "-I", str(program), str(at)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None and server.stderr is not None
        line = server.stdout.readline()
        if not line:
            pytest.skip(f"no user may mount FUSE here: {server.stderr.read().strip()[-100:]}")
        deadline = time.monotonic() + 5
        stat = Path(f"/proc/{int(line)}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "D":
            if time.monotonic() > deadline:
                pytest.skip("this kernel does not wait there")
            time.sleep(0.05)
        yield int(line)
    finally:
        server.kill()  # the kernel answers in its place, and everybody goes on
        server.communicate()
        shutil.rmtree(at)
        program.unlink()


def run_stats(*words: str) -> subprocess.CompletedProcess[str]:
    return run(*words, program=SHORTLY.replace(", pyzram\n", ", zram_stats as pyzram\n"))


def run(*words: str, program: str = SHORTLY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-Ic", program, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


def test_an_estimate_ends_and_says_by_whom_it_was_held_up(stalled: int, tmp_path: Path) -> None:
    done = run("estimate", "--pid", str(stalled), "-a", "lzo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "pyzram estimate: the kernel held up a read for 1.5 s: the memory map of process "
        f"{stalled} is locked by a call that does not end (/proc/{stalled}/stack)\n"
    )
    path = tmp_path / "estimate.prom"
    done = run("estimate", "--pid", str(stalled), "-a", "lzo", "--textfile", str(path))
    assert done.returncode == 0
    assert f"process {stalled}" in done.stderr
    assert 'zram_scrape_success{collector="estimate"} 0' in path.read_text()
    assert "zram_estimate" not in path.read_text()


def test_it_ends_also_where_the_textfile_cannot_be_written(stalled: int, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "estimate.prom"
    done = run("estimate", "--pid", str(stalled), "-a", "lzo", "--textfile", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert f"process {stalled} is locked" in first
    assert second.startswith(f"pyzram estimate: {path}: write metrics: ")


@pytest.mark.parametrize("words", [["bench", "-a", "lzo", "--pid"], ["zram_stats"]])
def test_the_other_commands_that_read_processes_end_too(stalled: int, words: list[str]) -> None:
    if words == ["zram_stats"]:
        done = run_stats("--estimate=lzo", f"pid:{stalled}")
        program = "zram_stats"
    else:
        done = run(*words, str(stalled))
        program = "pyzram bench"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{program}: the kernel held up a read for 1.5 s: ")
    assert f"process {stalled} is locked" in done.stderr
