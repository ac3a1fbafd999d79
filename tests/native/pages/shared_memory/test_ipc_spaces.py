# SPDX-License-Identifier: MIT
"""System V segments are numbered separately in each IPC namespace."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyzram.pages.process.procmem import Inspector
from pyzram.pages.shared_memory.shared_memory import SharedMemory
from pyzram.pages.shared_memory.system_v import SystemVSegment
from pyzram.pages.source.process_sources import open_processes

PAGES = 512
# Attached, filled, and removed once nobody has it attached any more.
OWNER = f"""
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
CLONE_NEWIPC = 0x08000000
if libc.unshare(CLONE_NEWIPC):
    print("-1")
    sys.exit()
size = {PAGES} * mmap.PAGESIZE
number = libc.shmget(0, size, 0o1600)
at = libc.shmat(number, None, 0)
libc.shmctl(number, 0, None)
ctypes.memset(at, 7, size)
print(number, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def owner() -> Iterator[tuple[int, int]]:
    """A process in its own namespace, and the number of its segment."""
    with subprocess.Popen(
        [sys.executable, "-Ic", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        if number < 0:
            pytest.skip("needs to make IPC name spaces")
        yield process.pid, number
        process.communicate("")


def shared_pages(*pids: int) -> int:
    with open_processes(pids) as source:
        return sum(row.pages for row in source._segments if row.owner.part == "shared")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_segments_of_one_number_are_two() -> None:
    with owner() as (one, number), owner() as (other, same):
        assert number == same
        assert shared_pages(one) == PAGES
        assert shared_pages(one, other) == 2 * PAGES


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_ours_of_that_number_says_nothing_of_theirs() -> None:
    """Ours is locked, or nobody has it attached; theirs is neither."""
    with owner() as (pid, number), Inspector() as inspector, SharedMemory() as shared:
        shared._segments = {number: SystemVSegment(number, True, 4096, 0, 4096, 0)}
        shared.add_process(inspector.pages(pid))
        (theirs,) = (item for item in shared.objects.values() if "/SYSV" in item.name)
        assert not theirs.locked
        shared.add_unmapped([])
        ours = [item for item in shared.objects.values() if item.name.startswith("System V")]
        assert [item.locked for item in ours] == [[(0, 1)]]
