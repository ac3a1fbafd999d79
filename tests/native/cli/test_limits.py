# SPDX-License-Identifier: MIT
"""Commands that look, with too little memory or no more threads: one line says what is missing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

GIB = 1 << 30


def limited(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["prlimit", *words], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="this C library gives threads other stacks"
)
@pytest.mark.parametrize("what", ["estimate", "estimate a process", "bench"])
def test_no_more_threads(tmp_path: Path, what: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(os.urandom(2 << 20))
    command, *more = what.split(" ")
    operands = ["--pid", str(os.getpid())] if more else [str(path)]
    # The C library gives each thread as large a stack as this limit says, and there is no room.
    room = [f"--as={GIB}", f"--stack={2 * GIB}:"]
    words = [sys.executable, "-Im", "pyzram.cli.pyzram", command, *operands]
    done = limited(*room, *words)
    assert (done.returncode, done.stderr) == (
        1,
        f"pyzram {command}: start a thread: Resource temporarily unavailable\n",
    )


@pytest.mark.parametrize("module", ["pyzram", "zram_stats"])
def test_out_of_memory(tmp_path: Path, module: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(8 << 20))
    # Where exactly there is no more would depend on the libraries.
    code = f"""
import resource, sys
from pyzram.cli import pyzram, zram_stats
from pyzram.cli.estimate import command

def look(*_words, **_more):
    resource.setrlimit(resource.RLIMIT_AS, ({GIB}, {GIB}))
    return bytes({GIB})

command.this_kernel = zram_stats.Collection = look
sys.exit({module}.main(sys.argv[1:]))
"""
    words = ["estimate", "--no-timing", str(path)] if module == "pyzram" else []
    done = limited(sys.executable, "-Ic", code, *words)
    name = "pyzram estimate" if module == "pyzram" else "zram_stats"
    assert (done.returncode, done.stderr) == (1, f"{name}: out of memory\n")
