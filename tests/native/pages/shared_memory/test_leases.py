# SPDX-License-Identifier: MIT
"""A file with a lease is not opened, because that would break the lease or kill its holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyzram.pages.shared_memory.closed import CLOSED_BY
from pyzram.pages.shared_memory.leases import Leases, leased
from pyzram.pages.source.process_sources import open_processes, open_system

PAGES = 60
# It does not handle SIGIO, which therefore kills it.
HOLDER = """
import fcntl, mmap, os, sys
path, how, lease = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how == "memfd":
    # The kernel gives a lease only on what was opened by a path.
    fd = os.open(f"/proc/self/fd/{os.memfd_create('leased')}", os.O_RDWR)
    os.close(fd - 1)
else:
    fd = os.open(path, os.O_RDWR)
os.ftruncate(fd, PAGES * mmap.PAGESIZE)
if how == "file":
    os.pwrite(fd, b"x" * PAGES * mmap.PAGESIZE, 0)
else:
    memory = mmap.mmap(fd, 0)
    memory[:] = b"x" * len(memory)
if lease == fcntl.F_RDLCK:
    os.close(fd)
    fd = os.open(path, os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, lease)
print("ready", flush=True)
sys.stdin.readline()
print(fcntl.fcntl(fd, fcntl.F_GETLEASE), flush=True)
"""


@pytest.fixture
def in_memory() -> Iterator[Path]:
    path = Path(f"/dev/shm/pyzram-test-leased-{os.getpid()}")
    path.touch(0o600, exist_ok=False)
    yield path
    path.unlink()


def holder(path: Path, how: str, lease: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-Ic", f"PAGES = {PAGES}\n{HOLDER}", path, how, str(lease)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    if process.stdout.readline() != "ready\n":
        process.communicate()
        pytest.skip("no leases here")
    return process


def lease_of(process: subprocess.Popen[str]) -> int:
    """The lease that it still has."""
    said, _ = process.communicate("\n", timeout=10)
    assert process.returncode == 0, f"killed by signal {-process.returncode}"
    return int(said)


@pytest.mark.parametrize("how", ["file", "mapped", "memfd"])
def test_the_holder_of_a_lease_lives_and_keeps_it(how: str, in_memory: Path) -> None:
    name = "leased" if how == "memfd" else str(in_memory)
    with holder(in_memory, how, fcntl.F_WRLCK) as process:
        with open_system() if how == "file" else open_processes(process.pid) as source:
            segments = [s for s in source._segments if name in s.owner.name]
            for segment in segments:
                out = memoryview(bytearray(segment.pages * mmap.PAGESIZE))
                assert all(segment.read(array("Q", range(segment.pages)), out))
                assert set(out) == {ord("x")}
        assert lease_of(process) == fcntl.F_WRLCK
    # What a page table shows is counted, and a file that nobody maps is reported as missing.
    assert sum(segment.pages for segment in segments) == (0 if how == "file" else PAGES)
    # Others on this machine may have leases as well.
    assert how == "file" or source.by_page_table == 1
    assert (source.skipped.get(CLOSED_BY[errno.EBUSY], 0) > 0) == (how == "file")


def test_a_lease_for_reading_stands_it(in_memory: Path) -> None:
    with holder(in_memory, "file", fcntl.F_RDLCK) as process:
        with open_system() as source:
            found = [s.pages for s in source._segments if s.owner.name == str(in_memory)]
        assert lease_of(process) == fcntl.F_RDLCK
    assert found == [PAGES]


def test_what_is_being_broken_is_not_asked_for_again() -> None:
    lines = [
        "1: FLOCK  ADVISORY  WRITE 1533 fe:00:1 0 EOF",
        "2: LEASE  ACTIVE    WRITE 1533 00:1a:2 0 EOF",
        "3: LEASE  ACTIVE    READ  1533 00:1a:3 0 EOF",
        "4: LEASE  BREAKING  READ  1533 00:1a:4 0 EOF",
        "5: LEASE  BREAKER   UNLCK 1533 00:1a:5 0 EOF",
        "6: DELEG  ACTIVE    WRITE 1533 00:1a:6 0 EOF",
        "6: -> FLOCK  ADVISORY  WRITE 1534 fe:00:1 0 EOF",
        "7: OFDLCK ADVISORY  READ -1 fe:00:7 201 201",
        "8: LEASE",
    ]
    assert leased("\n".join(lines)) == {"00:1a:2", "00:1a:4", "00:1a:5", "00:1a:6"}


def test_what_was_read_is_believed_as_long_as_reading_took(monkeypatch) -> None:
    clock, table, reads = [100.0], [""], [0]

    def read(_self: Leases) -> str:
        clock[0] += 2**-14  # some 60 microseconds
        reads[0] += 1
        return table[0]

    monkeypatch.setattr(Leases, "_read", read)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.thread_time", lambda: clock[0])
    leases = Leases()
    assert not leases.forbid(("00:1a", 2))
    table[0] = "2: LEASE  ACTIVE    WRITE 1533 00:1a:2 0 EOF"
    clock[0] += 2**-15
    assert not leases.forbid(("00:1a", 2))
    assert reads[0] == 1
    clock[0] += 2**-15
    assert leases.forbid(("00:1a", 2))
    assert reads[0] == 2


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        pytest.param([[80], [79], [79, "lease"], [79], [79]], True, id="changing"),
        pytest.param([[80], [80], [80, "lease"]], False, id="at rest"),
        pytest.param([[3], [3, "lease"]], False, id="short"),
        pytest.param([*([at] for at in range(80, 95)), [80, "lease"]], True, id="at last"),
        pytest.param([*([at] for at in range(80, 96)), [80, "lease"]], False, id="without end"),
    ],
)
def test_a_long_table_is_read_until_it_rests_because_the_kernel_passes_over_locks(
    monkeypatch: pytest.MonkeyPatch, tables: list[list[int | str]], told: bool
) -> None:
    """Each table has so many locks, and perhaps the lease."""
    lock = "1: POSIX  ADVISORY  WRITE 1533 00:1a:9 0 0\n"
    lease = "2: LEASE  ACTIVE    WRITE 1533 00:1a:2 0 EOF\n"
    unit = max(1, mmap.PAGESIZE // 4096)  # a part is as long as a page
    texts = iter(
        ["".join(lease if one == "lease" else lock * int(one) * unit for one in t) for t in tables]
    )
    monkeypatch.setattr(Leases, "_read", lambda _self: next(texts))
    assert Leases().forbid(("00:1a", 2)) is told


# Two processes that lock and unlock parts of a file.
CHURN = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
print("ready", flush=True)
while os.getppid() == int(sys.argv[2]):
    for how in fcntl.LOCK_EX, fcntl.LOCK_UN:
        for place in range(200):
            fcntl.lockf(fd, how, 1, 2 * place)
"""


def test_a_lease_is_seen_while_others_lock_and_unlock(in_memory: Path, tmp_path: Path) -> None:
    status = in_memory.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            (tmp_path / name).touch()
            process = subprocess.Popen(
                [sys.executable, "-Ic", CHURN, tmp_path / name, str(os.getpid())],
                stdout=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout and process.stdout.readline()
        with holder(in_memory, "file", fcntl.F_WRLCK) as leasing:
            key = f"{device}:{status.st_ino}"
            assert all(key in Leases()._leased() for _ in range(500))
            assert lease_of(leasing) == fcntl.F_WRLCK


def test_who_was_kept_waiting_while_reading_does_not_believe_it_for_longer(monkeypatch) -> None:
    clock, table = [100.0], [""]

    def read(_self: Leases) -> str:
        clock[0] += 1.0
        return table[0]

    monkeypatch.setattr(Leases, "_read", read)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    leases = Leases()
    assert not leases.forbid(("00:1a", 2))
    table[0] = "2: LEASE  ACTIVE    WRITE 1533 00:1a:2 0 EOF"
    clock[0] += 0.5
    assert leases.forbid(("00:1a", 2))


def test_the_table_of_a_pid_name_space_lacks_what_others_hold(in_memory: Path) -> None:
    """The manual states it as a limit."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    status = in_memory.stat()
    inode = f":{status.st_ino} "
    with holder(in_memory, "file", fcntl.F_WRLCK) as process:
        assert inode in Path("/proc/locks").read_text()
        inside = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "cat", "/proc/locks"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert lease_of(process) == fcntl.F_WRLCK
    if inside.returncode:
        pytest.skip(f"no pid name space here: {inside.stderr.strip()}")
    assert inode not in inside.stdout


def test_a_table_that_cannot_be_read_is_no_absence_of_leases(tmp_path: Path) -> None:
    assert not Leases(str(tmp_path / "none")).forbid(("00:1a", 2))
    with pytest.raises(IsADirectoryError):
        Leases(str(tmp_path)).forbid(("00:1a", 2))
