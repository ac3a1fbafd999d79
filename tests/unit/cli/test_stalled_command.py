# SPDX-License-Identifier: MIT
"""Which process is blamed for holding up a command, and that it ends whatever fails then."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyzram.cli import stalled_command

PROGRAM = """
import ctypes
import sys
from pyzram.cli import stalled_command
stalled_command.SECONDS, stalled_command.STEP = 0.3, 0.05
libc = ctypes.CDLL(None, use_errno=True)
fifo = sys.argv[1].encode()
actions = ctypes.create_string_buffer(1024)
assert libc.posix_spawn_file_actions_init(actions) == 0
assert libc.posix_spawn_file_actions_addopen(actions, 9, fifo, 0, 0) == 0
stalled_command.end_when_stalled("a program")
words = (ctypes.c_char_p * 3)(b"true", None)
# Its child opens the pipe before it runs anything; the kernel holds up the parent until then.
child = ctypes.c_int()
assert libc.posix_spawnp(ctypes.byref(child), b"true", actions, None, words, None) == 0
print("went on")
"""

ENDS = """
import sys
import time
from pyzram.cli import stalled_command
from pyzram.errors import UnsupportedError
from pyzram.named_files import write_textfile

def at_end():
    if sys.argv[1] == "code":
        raise ZeroDivisionError
    write_textfile(sys.argv[1], "text")
    return 0

stalled_command._waits = lambda thread: "one wait"
stalled_command._read_process = lambda thread: "4711"
stalled_command.SECONDS, stalled_command.STEP = 0.1, 0.02
stalled_command.end_when_stalled("a program", at_end)
time.sleep(60)
"""


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_long_wait_for_something_else_is_waited_for(tmp_path: Path) -> None:
    """A wait as for a disk or a server that does not answer."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words = [sys.executable, "-Ic", PROGRAM, str(fifo)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            until(lambda: program.poll() is not None or state_of(program.pid) == "D")
            waited = time.monotonic() + 1.5
            while program.poll() is None and time.monotonic() < waited:
                assert state_of(program.pid) == "D"
                time.sleep(0.1)
            assert program.poll() is None
        finally:
            writer = os.open(fifo, os.O_RDWR)
            said = program.communicate(timeout=20)
            os.close(writer)
        assert (program.returncode, *said) == (0, "went on\n", "")


@pytest.mark.parametrize(
    ("file", "accused"),
    [
        ("/proc/{pid}/maps", True),
        ("/proc/{pid}/smaps_rollup", True),
        ("/proc/{pid}/mem", True),
        ("/proc/{pid}", True),  # below which map_files is opened
        ("/proc/meminfo", False),
        ("/proc/sys/kernel/osrelease", False),
        ("{tmp}", False),
        ("{tmp}/proc/1", False),
    ],
)
def test_only_the_process_is_accused_whose_file_is_read(tmp_path, file, accused) -> None:
    """For a call that really waits, with the file as its first argument, as in read(2)."""
    (tmp_path / "proc/1").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as process:
        path = file.format(pid=process.pid, tmp=tmp_path)
        mine, theirs = (os.open(path, os.O_RDONLY) for _ in range(2))
        try:
            fcntl.flock(mine, fcntl.LOCK_EX)
            waits = threading.Thread(target=fcntl.flock, args=(theirs, fcntl.LOCK_EX))
            waits.start()
            assert waits.native_id is not None
            stat = f"{os.getpid()}/task/{waits.native_id}"
            until(lambda: state_of(stat) == "S")  # type: ignore[arg-type]
            told = Path(f"/proc/self/task/{waits.native_id}/syscall")
            until(lambda: len(told.read_text().split()) > 2)
            found = stalled_command._read_process(waits.native_id)
            fcntl.flock(mine, fcntl.LOCK_UN)
            waits.join()
        finally:
            os.close(mine)
            os.close(theirs)
            process.kill()
    assert found == (str(process.pid) if accused else "")


def test_nobody_is_accused_by_a_thread_that_runs_or_is_gone() -> None:
    assert stalled_command._read_process(threading.get_native_id()) == ""
    assert stalled_command._read_process(2**22 + 1) == ""


@pytest.mark.parametrize("at", ["file.prom", "no/file.prom", "code"])
def test_it_ends_whatever_fails_at_the_end(tmp_path: Path, at: str) -> None:
    path = at if at == "code" else str(tmp_path / at)
    done = subprocess.run(
        [sys.executable, "-Ic", ENDS, path], capture_output=True, text=True, check=False, timeout=20
    )
    first, _, rest = done.stderr.partition("\n")
    assert first == (
        "a program: the kernel held up a read for 0.1 s: the memory map of process 4711 is locked "
        "by a call that does not end (/proc/4711/stack)"
    )
    assert done.returncode == (0 if at == "file.prom" else 1)
    if at == "no/file.prom":
        assert rest.startswith(f"a program: {path}: write metrics: ") and rest.count("\n") == 1
    elif at == "file.prom":
        assert (rest, Path(path).read_text()) == ("", "text")
