# SPDX-License-Identifier: MIT
"""Where programs are looked for, and how they end if nobody wants to know."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram.external import find


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_sbin_is_searched_beside_bin_after_all_of_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's PATH for users, and for root after su, has no sbin."""
    below = program(tmp_path / "usr/sbin/mkswap")
    monkeypatch.setenv("PATH", f"{tmp_path}/usr/bin:{tmp_path}/bin")
    assert find("mkswap") == below
    wanted = program(tmp_path / "bin/mkswap")
    assert find("mkswap") == wanted


def test_nothing_is_searched_beside_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "sbin/mkswap")
    for path in (tmp_path / "programs", tmp_path / "cabin"):
        monkeypatch.setenv("PATH", str(path))
        assert find("mkswap") is None


def test_a_folder_and_a_file_that_does_not_run_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin/mkswap").mkdir(parents=True)
    found = program(tmp_path / "sbin/mkswap")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    assert find("mkswap") == found
    (tmp_path / "sbin/mkswap").chmod(0o644)
    assert find("mkswap") is None


IGNORED = """
import errno, os, sys
from pyzram.errors import ZramOSError
from pyzram.external import run_program
killed = []
os.kill = lambda *given: killed.append(given)
try:
    run_program("try", "true")
except ZramOSError as err:
    assert err.errno == errno.ECHILD and "ignores SIGCHLD" in str(err), err
else:
    sys.exit("it says that all is well")
assert not killed, "a number that was given back is signalled"
"""
INHERITED = """
from pyzram.cli import {command}
from pyzram.external import run_program
{command}.main(["--version"])
assert run_program("try", "echo", "done") == "done\\n"
"""


@pytest.mark.parametrize(
    "code", [IGNORED, INHERITED.format(command="pyzram"), INHERITED.format(command="zram_stats")]
)
def test_programs_of_a_process_that_ignores_how_they_end(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-Ic", code],
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
