# SPDX-License-Identifier: MIT
"""The number of a chosen process belongs to another one by the time its memory is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAST = Path("/proc/sys/kernel/ns_last_pid")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not LAST.exists() or shutil.which("unshare") is None,
    reason="needs root, unshare and CONFIG_CHECKPOINT_RESTORE, to give a number again",
)

# In a separate PID namespace, where nobody else takes the next number.
PRELUDE = """
import ctypes, errno, os, subprocess, sys, time
from pyzram.cli import pyzram as command
from pyzram.errors import ZramOSError
from pyzram.pages.process import selection
from pyzram.pages.source import cold
from pyzram.pages.process.process import Process
from pyzram.pages.source.process_sources import open_chosen
from pyzram.pages.source.sources import WITHOUT_MEMORY

NAMED = "import ctypes, sys; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0);"
NAMED += "print(flush=True); sys.stdin.read()"

def named(name, before=None):
    if before is not None:
        before.kill()
        before.wait()
        time.sleep(0.05)  # some ticks of the clock that start times use
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(before.pid - 1))
    process = subprocess.Popen(
        [sys.executable, "-c", NAMED, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"\\n"
    assert before is None or process.pid == before.pid, "the number was not given again"
    return process

first = named("zr-first")
"""
TRIALS = {
    "its memory is not estimated": """
chosen = selection.by_name("zr-first")
assert list(chosen) == [first.pid]
second = named("zr-second", first)
for look in (open_chosen, lambda chosen, label: cold.watch(chosen, [0.0], label=label)):
    try:
        look(chosen, "zr-first").close()
    except ZramOSError as err:
        assert err.errno == errno.ESRCH, err
    else:
        sys.exit("the second one was looked at")
""",
    "with others it is passed over": """
other = named("zr-other")
chosen = selection.by_name("zr-first") | selection.by_name("zr-other")
second = named("zr-second", first)
with open_chosen(chosen, "both") as source:
    assert source.processes == 1 and source.skipped[WITHOUT_MEMORY] == 1, source.skipped
    assert {part.owner.pid for part in source._segments} <= {0, other.pid}
""",
    "the command says that it is gone": """
by_name = selection.by_name
def then_goes(name):
    found = by_name(name)
    named("zr-second", first)
    return found
selection.by_name = then_goes
assert command.main(["estimate", "--name", "zr-first", "-a", "lz4", "--no-timing"]) == 1
""",
    "its cgroup, user and program are its own": """
with Process(first.pid) as process:
    selection.cgroups(process), process.read("status"), os.readlink("exe", dir_fd=process.fd)
    second = named("zr-second", first)
    process.name, name = "x" * 15, "x" * 20
    for ask in (
        selection.cgroups, lambda it: it.read("status"), lambda it: selection._is_called(it, name)
    ):
        try:
            assert ask(process) is False, "the second one answered"
        except OSError as err:
            assert err.errno in (errno.ESRCH, errno.ENOENT), err
""",
    "it holds nothing, and is not said to": """
from pyzram.kernel import holder_words
held = os.memfd_create("zr-held")
holder = subprocess.Popen(["sleep", "60"], stdout=held)
os.close(held)
leads_to = holder_words._leads_to
def then_ends(*given):
    if found := leads_to(*given):
        named("zr-second", holder)
    return found
sysfs = holder_words.Sysfs()
assert holder_words.openers(sysfs, "memfd:zr-held") == [f"sleep[{holder.pid}]"]
holder_words._leads_to = then_ends
assert holder_words.openers(sysfs, "memfd:zr-held") == []
""",
}


@pytest.mark.parametrize("trial", TRIALS)
def test_a_number_that_was_given_again(trial: str) -> None:
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    words += [sys.executable, "-I", "-c", PRELUDE + TRIALS[trial]]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if "command" in trial:
        assert "No such process" in done.stderr
