# SPDX-License-Identifier: MIT
"""Who locks what is hidden may lock only what others map too."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from pyzram.pages.process.process import Process
from pyzram.pages.shared_memory import others_locks
from pyzram.pages.source.process_sources import open_processes
from pyzram.pages.source.sources import HIDDEN_LOCKS

HEAD = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = ctypes.c_void_p, ctypes.c_size_t
def filled(fd):
    os.ftruncate(fd, 1024 * mmap.PAGESIZE)
    m = mmap.mmap(fd, 0)
    m[:] = b"x" * len(m)
    return m
"""
LOCKS = """
m = filled(int(sys.argv[1]))
assert libc.mlock(ctypes.addressof(ctypes.c_char.from_buffer(m)), len(m)) == 0
"""
SHARES = "m = filled(int(sys.argv[1]))\n"
HAS_ITS_OWN = "os.close(int(sys.argv[1]))\nfd = os.memfd_create('own')\nm = filled(fd)\n"
MAPS_ONE_PAGE = HAS_ITS_OWN + "m.close()\nm = mmap.mmap(fd, 0)\nm[0] = 1\n"


@contextmanager
def running(body: str, fd: int) -> Iterator[int]:
    end = "print('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-Ic", HEAD + body + end, str(fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[fd],
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    ("body", "said"),
    [(HAS_ITS_OWN, False), (SHARES, True), (MAPS_ONE_PAGE, True)],
    ids=["alone", "shared", "partly mapped"],
)
def test_hidden_locks_are_said_of_what_others_may_map(body, said, monkeypatch) -> None:
    def hidden(_process: Process) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(others_locks, "_locked", hidden)
    fd = os.memfd_create("locked")
    with running(LOCKS, fd), running(body, fd) as pid, open_processes(pid) as source:
        if source.by_page_table:
            pytest.skip("mapped objects cannot be opened here")
        assert (HIDDEN_LOCKS in source.skipped) is said
    os.close(fd)
