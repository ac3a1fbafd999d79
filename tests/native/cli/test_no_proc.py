# SPDX-License-Identifier: MIT
"""Where /proc is not mounted (some chroots), has only processes, or hides those of others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")),
    reason="needs root, unshare and setpriv",
)

PROC = {
    "missing": "mount -t tmpfs none /proc",
    "processes": "mount -t proc -o subset=pid proc /proc",
    "hidden": "mount -t proc -o hidepid=invisible proc /proc",
}
SAID = "/proc is not mounted, or only its processes are (mount -t proc proc /proc)"
SERVICE = ("start", "stop", "reload", "status", "plan")
OTHERS = ("estimate --system", "estimate --pid 1", "doctor", "tend --once", "tend --dry-run")


def within(
    proc: str, *command: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace with such a /proc."""
    # Other tests' mounts would be kept there.
    leave = "for at in $(sed -n 's,^/dev/zram[0-9]* \\([^ ]*\\) .*,\\1,p' /proc/mounts)"
    script = f'{leave}; do umount -l $at; done; {PROC[proc]} || exit 77; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        pytest.skip(f"this kernel or container has no such /proc: {done.stderr}")
    return done


@pytest.mark.parametrize("proc", ["missing", "processes"])
@pytest.mark.parametrize("command", [*SERVICE, *OTHERS])
def test_it_says_what_is_missing_and_the_remedy(tmp_path: Path, proc: str, command: str) -> None:
    conf = tmp_path / "zram"
    conf.write_text("ZRAM_SIZE_0=16M\nTEND=yes\n")
    env = {**os.environ, "PYZRAM_RUN": str(tmp_path / "run"), "PYZRAM_STATE": str(tmp_path)}
    name, *words = command.split()
    if name != "estimate":
        words += ["-c", str(conf)]
    program = [sys.executable, "-Im", "pyzram.cli.pyzram", name, *words]
    done = within(proc, *program, env=env)
    assert done.stderr == f"pyzram {name}: {SAID}\n"
    assert done.returncode == (2 if name == "doctor" else 1)
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["import FILE", "--version", "start --help"])
def test_what_needs_nothing_of_it_needs_at_most_the_descriptors(
    tmp_path: Path, command: str
) -> None:
    theirs = tmp_path / "zram-generator.conf"
    theirs.write_text("[zram0]\n")
    words = command.replace("FILE", str(theirs)).split()
    program = [sys.executable, "-Im", "pyzram.cli.pyzram", *words]
    assert within("processes", *program).returncode == 0
    done = within("missing", *program)
    assert done.stderr == ("" if "--" in command else f"pyzram import: {SAID}\n")


def test_a_hidden_process_is_there_but_not_ours(as_nobody: list[str]) -> None:
    estimate = [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", "-a", "lz4", "--pid"]
    done = within("hidden", *as_nobody, *estimate, "1")
    step = "pyzram estimate: process 1: read its memory map"
    assert done.stderr == f"{step}: Permission denied (not yours; run as root)\n"
    done = within("hidden", *as_nobody, *estimate, str(2**22 + 1))  # no number is that high
    assert "No such process" in done.stderr
