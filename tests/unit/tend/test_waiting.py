# SPDX-License-Identifier: MIT
"""The daemon's one wait, on sockets whose urgent data stands for a trigger that fires."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.waiting import Waiting, notify


class Triggers:
    """``/proc/pressure/memory``: what was asked of it, by the far ends of connections."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.far: dict[str, socket.socket] = {}
        self.near: list[int] = []
        self.refused: set[str] = set()
        self._open, self._write = os.open, os.write

    def open(self, path, flags, *more, **named):
        if path != self.path:
            return self._open(path, flags, *more, **named)
        assert flags & os.O_RDWR and flags & os.O_CLOEXEC
        with socket.create_server(("127.0.0.1", 0)) as server:
            far = socket.create_connection(server.getsockname())
            near = server.accept()[0].detach()
        self.near.append(near)
        self.far[str(near)] = far
        return near

    def write(self, fd: int, data: bytes) -> int:
        if fd in self.near:
            kind = data.split()[0].decode()
            assert data.split()[1:] == [b"100000", b"2000000"]
            if kind in self.refused:
                raise OSError(errno.EINVAL, "Invalid argument")
            self.far[kind] = self.far.pop(str(fd))
        return self._write(fd, data)

    def fire(self, kind: str) -> None:
        self.far[kind].send(b"!", socket.MSG_OOB)

    def fail(self, kind: str) -> None:
        """As when the control group of a trigger is gone."""
        far = self.far.pop(kind)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()


@pytest.fixture
def triggers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Triggers]:
    found = Triggers(Sysfs(str(tmp_path)).path("proc/pressure/memory"))
    monkeypatch.setattr(os, "open", found.open)
    monkeypatch.setattr(os, "write", found.write)
    handlers = {number: signal.getsignal(number) for number in (1, 2, 15)}
    yield found
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for far in found.far.values():
        far.close()


def waiting(tmp_path: Path) -> Waiting:
    return Waiting(Sysfs(str(tmp_path)))


def is_open(fd: int) -> bool:
    """As the socket or pipe that it was: its number may be another file's by now."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


@pytest.mark.parametrize(
    ("fired", "found"),
    [
        (["some"], "some"),
        (["full"], "full"),
        (["some", "full"], "full"),
        (["full", "some"], "full"),
    ],
)
def test_pressure_ends_the_wait_and_the_worse_is_told(tmp_path, triggers, fired, found):
    with waiting(tmp_path) as wait:
        assert sorted(triggers.far) == ["full", "some"]
        for kind in fired:
            triggers.fire(kind)
        began = time.monotonic()
        while not wait._poll.poll(0) or len(wait._poll.poll(0)) < len(fired):
            assert time.monotonic() < began + 20
        assert wait.wait(30.0) == found
        assert time.monotonic() < began + 20


def test_without_pressure_it_lasts_as_long_as_asked(tmp_path, triggers):
    with waiting(tmp_path) as wait:
        began = time.monotonic()
        assert wait.wait(0.2) == ""
        assert 0.19 <= time.monotonic() - began < 20


def test_a_trigger_that_has_broken_is_no_pressure_and_ends_no_other_wait(tmp_path, triggers):
    with waiting(tmp_path) as wait:
        triggers.fail("full")
        assert wait.wait(10.0) == ""  # it is noticed once
        began = time.monotonic()
        assert wait.wait(0.2) == ""
        assert time.monotonic() - began >= 0.19
        triggers.fire("some")
        assert wait.wait(30.0) == "some"


def test_a_kernel_that_refuses_one_still_has_the_other(tmp_path, triggers):
    triggers.refused = {"full"}
    with waiting(tmp_path) as wait:
        sockets = [stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in triggers.near if is_open(fd)]
        assert sockets.count(True) == 1
        triggers.fire("some")
        assert wait.wait(30.0) == "some"


def test_without_pressure_in_the_kernel_it_still_waits(tmp_path):
    handlers = {number: signal.getsignal(number) for number in (1, 2, 15)}
    try:
        with waiting(tmp_path) as wait:
            assert wait.wait(0.0) == ""
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "stop", "reload"),
    [(signal.SIGTERM, True, False), (signal.SIGINT, True, False), (signal.SIGHUP, False, True)],
)
def test_a_signal_ends_the_wait(tmp_path, triggers, number, stop, reload):
    with waiting(tmp_path) as wait:
        # One that came before the wait, and one while poll(2) is asked.
        signal.raise_signal(number)
        began = time.monotonic()
        assert wait.wait(30.0) == ""
        assert (wait.stop, wait.reload) == (stop, reload)
        wait.stop = wait.reload = False
        assert wait.wait(30.0) == ""  # of which the pipe knows
        assert time.monotonic() < began + 20
        began = time.monotonic()
        assert wait.wait(0.2) == ""  # and then no more
        assert time.monotonic() - began >= 0.19


def test_nothing_stays_open_nor_wakes_anything_afterwards(tmp_path, triggers):
    with waiting(tmp_path) as wait:
        fds = [*triggers.near, wait._reader, wait._writer]
        assert all(map(is_open, fds))
    assert not any(map(is_open, fds))
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(tmp_path, monkeypatch, abstract):
    monkeypatch.chdir(tmp_path)  # the whole path may be too long for it
    name = f"pyzram-test-{os.getpid()}" if abstract else "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        notify("READY=1")
        manager.settimeout(10)
        assert manager.recv(100) == b"READY=1"


def test_a_manager_that_is_gone_or_was_never_there_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
