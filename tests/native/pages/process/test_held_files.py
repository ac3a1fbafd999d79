# SPDX-License-Identifier: MIT
"""Memory that only descriptors hold: memfds and deleted files of tmpfs that nobody maps."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyzram import _native_memory
from pyzram.kernel.parse import parse_fdinfo
from pyzram.limits import PAGE_SIZE
from pyzram.pages.process import held_files
from pyzram.pages.process.procmem import Inspector
from pyzram.pages.shared_memory.closed import CLOSED_BY
from pyzram.pages.source.process_sources import open_processes
from pyzram.pages.source.sources import HIDDEN, HIDDEN_DESCRIPTORS, IN_FLIGHT, Source

PAGES = 50
HEAD = """
import array, fcntl, mmap, os, socket, sys, time
PAGE = mmap.PAGESIZE
def fill(fd, pages=range(50)):
    for page in pages:
        os.pwrite(fd, b"held" * (PAGE // 4), page * PAGE)
    return fd
def unlinked(folder):
    return os.open(folder, os.O_RDWR | os.O_TMPFILE)
def wait():
    print("ready", flush=True)
    sys.stdin.read()
"""

Start = Callable[[str], int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program that does this, wait until it is ready, and return its number."""
    started: list[subprocess.Popen[str]] = []

    def run(body: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-Ic", f"{HEAD}{body}\nwait()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            process.communicate()
            pytest.skip("not possible here")
        return process.pid

    yield run
    for process in started:
        process.kill()
        process.communicate()


def opens_mapped_files() -> bool:
    """Root of a user name space does not."""
    try:
        os.stat(f"/proc/self/map_files/{os.listdir('/proc/self/map_files')[0]}")
    except PermissionError:
        return False
    return True


def held(source: Source, name: str) -> list[int]:
    """Pages of the objects of this name; all of them can be read."""
    found = [segment for segment in source._segments if name in segment.owner.name]
    for segment in found:
        out = memoryview(bytearray(segment.pages * PAGE_SIZE))
        assert all(segment.read(array("Q", range(segment.pages)), out))
        assert out.tobytes() == b"held" * (len(out) // 4)
    return [segment.pages for segment in found]


def test_what_nobody_maps_counts_once(start: Start) -> None:
    pid = start(
        "one = fill(os.memfd_create('one')), fill(unlinked('/dev/shm'))\n"
        "os.dup(one[0])\nos.open(f'/proc/self/fd/{one[0]}', os.O_RDONLY)\n"
        "if os.fork() == 0: time.sleep(1000)"
    )
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    try:
        with open_processes([pid, *map(int, children)]) as source:
            assert held(source, "memfd:one") == [PAGES]
            assert held(source, "/dev/shm/#") == [PAGES]
            assert source.processes == 2
    finally:
        os.kill(int(children[0]), 9)


def test_another_holder_gives_what_the_first_one_no_longer_can(start: Start) -> None:
    pid = start(
        "one = fill(os.memfd_create('one')), fill(unlinked('/dev/shm'))\n"
        "os.dup(one[0])\nif os.fork() == 0: time.sleep(1000)"
    )
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    try:
        with open_processes([pid, child]) as source:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert held(source, "memfd:one") == [PAGES]
            assert held(source, "/dev/shm/#") == [PAGES]
    finally:
        os.kill(child, signal.SIGKILL)


def test_of_what_is_mapped_too_all_counts_once(start: Start) -> None:
    pid = start("fd = fill(os.memfd_create('half'))\nm = mmap.mmap(fd, 10 * PAGE)")
    with open_processes(pid) as source:
        if source.by_page_table and not opens_mapped_files():
            pytest.skip("mapped objects cannot be opened here")
        assert held(source, "memfd:half") == [PAGES]
        assert source.by_page_table == 0


def test_what_has_a_name_is_not_the_process_s(start: Start) -> None:
    path = f"/dev/shm/pyzram-test-named-{os.getpid()}"
    body = f"fd = fill(os.open({path!r}, os.O_RDWR | os.O_CREAT))\n"
    try:
        # A name that ends like the link of a deleted file; it is removed, but there is another one.
        pid = start(body + f"os.link({path!r}, {path + ' (deleted)'!r})\nos.unlink({path!r})")
        with open_processes(pid) as source:
            assert held(source, path) == []
    finally:
        Path(f"{path} (deleted)").unlink()


def test_files_on_disks_are_not_asked(start: Start, tmp_path: Path, monkeypatch) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, check=True)
    if kind.stdout == b"tmpfs\n":
        pytest.skip("the folder of the tests is in memory")
    pid = start(f"fd = fill(unlinked({str(tmp_path)!r}))")
    real = os.open

    def opened(path, *flags, dir_fd=None):
        assert not str(path).startswith("fd/")
        return real(path, *flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    with open_processes(pid) as source:
        assert held(source, str(tmp_path)) == []


def test_a_lease_is_not_broken_but_said(start: Start) -> None:
    # The kernel gives a lease only on a file that was opened by a path.
    pid = start(
        "fd = os.open(f\"/proc/self/fd/{os.memfd_create('leased')}\", os.O_RDWR)\n"
        "os.close(fd - 1)\nfill(fd)\nfcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)"
    )
    with open_processes(pid) as source:
        assert held(source, "leased") == []
        assert source.skipped[CLOSED_BY[errno.EBUSY]] == 1
    # SIGIO would have killed it.
    assert Path(f"/proc/{pid}/stat").read_text().split()[2] in "RS"


def test_a_pipe_without_a_name_is_not_opened(start: Start) -> None:
    path = f"/dev/shm/pyzram-test-pipe-{os.getpid()}"
    pid = start(
        f"os.mkfifo({path!r})\nfd = os.open({path!r}, os.O_PATH)\nos.unlink({path!r})\n"
        "if os.fork() == 0: os.open(f'/proc/self/fd/{fd}', os.O_WRONLY); os._exit(0)"
    )
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def waits() -> bool:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    try:
        deadline = time.monotonic() + 60
        while not waits():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        open_processes(pid).close()
        time.sleep(0.1)
        # It waits for a reader, and would have ended if there had been one.
        assert waits()
    finally:
        os.kill(int(child), 9)


@pytest.mark.parametrize("missing", ["ino", "mnt_id"])
def test_kernels_that_say_less_of_descriptors(start: Start, monkeypatch, missing: str) -> None:
    def less(text: str) -> dict[str, str]:
        return {name: value for name, value in parse_fdinfo(text).items() if name != missing}

    monkeypatch.setattr(held_files, "parse_fdinfo", less)
    with open_processes(start("fd = fill(os.memfd_create('older'))")) as source:
        assert held(source, "older") == [PAGES] * (missing == "ino")


def test_what_is_on_its_way_is_reported(start: Start) -> None:
    pid = start(
        "a, b = socket.socketpair()\nb2 = b.dup()\n"
        "fds = array.array('i', [fill(os.memfd_create('sent'))])\n"
        "a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\nos.close(fds[0])"
    )
    with open_processes(pid) as source:
        assert held(source, "sent") == []
        assert source.skipped[IN_FLIGHT] == 1
    assert IN_FLIGHT in HIDDEN


def test_only_sockets_that_count_are_remembered(start: Start) -> None:
    pid = start(
        "pairs = [socket.socketpair() for _ in range(20)]\n"
        "sent = array.array('i', [0, 1])\n"
        "pairs[7][0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])\n"
        "if os.fork() == 0: time.sleep(1000)"
    )
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    try:
        with Inspector() as inspector:
            assert [inspector.pages(each).held.in_flight for each in (pid, child)] == [2, 0]
            assert len(inspector.sockets) == 1
    finally:
        os.kill(child, signal.SIGKILL)


def test_hidden_descriptors_are_reported(start: Start, monkeypatch) -> None:
    def hidden(_fd: int) -> list[int]:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(_native_memory, "open_files", hidden)
    with open_processes(start("pass")) as source:
        assert source.skipped[HIDDEN_DESCRIPTORS] == 1
    assert HIDDEN_DESCRIPTORS in HIDDEN


def test_more_descriptors_than_are_asked_for_at_a_time(monkeypatch) -> None:
    fds = [os.memfd_create("many") for _ in range(20)]
    try:
        monkeypatch.setattr(_native_memory, "OPEN_FILES", 3)
        folder = os.open("/proc/self", os.O_RDONLY)
        assert set(fds) <= set(_native_memory.open_files(folder))
        os.close(folder)
    finally:
        for fd in fds:
            os.close(fd)
