# SPDX-License-Identifier: MIT
"""Looking changes nothing: memory that is shared, merged, given up or not there stays as it is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.memory_cgroup import WHY_NOT, MemoryCgroup

from pyzram.cli.estimate import main

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
SLACK = MIB // 2  # the kernel charges in batches
KSM = Path("/sys/kernel/mm/ksm")

HEAD = """
import ctypes, mmap, os, random, sys
PAGE = os.sysconf("SC_PAGE_SIZE")
libc = ctypes.CDLL(None, use_errno=True)
def address(m):
    return ctypes.addressof(ctypes.c_char.from_buffer(m))
def private(size, advice=15):  # no huge pages
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    assert libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(size), advice) == 0
    return m
def fill(m, pages, seed=1):
    r = random.Random(seed)
    for i in pages:
        m[i * PAGE : (i + 1) * PAGE] = r.randbytes(PAGE // 4) * 4
def ready(*numbers):
    print(*numbers, flush=True)
    sys.stdin.read()
"""

FORKS = """
m = private(32 << 20)
fill(m, range(8192))
for _ in range(6):
    if os.fork() == 0:
        os.write(1, b"+")
        os.read(0, 1)
        os._exit(m[PAGE * 8191] == 0)
ready()
"""


@contextlib.contextmanager
def group(body: str, name: str, children: int = 0) -> Iterator[MemoryCgroup]:
    """A process that does ``body`` in a cgroup of its own, and waits."""
    cgroup = MemoryCgroup(name)
    process = None
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + body],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=cgroup.enter,
        )
        assert process.stdin
        assert process.stdout
        said = b""
        while b"\n" not in said or said.count(b"+") < children:
            more = os.read(process.stdout.fileno(), 100)
            assert more, "the process failed"
            said += more
        yield cgroup
    finally:
        cgroup.end()
        if process:
            process.communicate()


def look(cgroup: MemoryCgroup, *options: str) -> None:
    pids = map(str, cgroup.pids())
    assert main(["-a", "lz4", "--no-timing", *options, "--pid", *pids]) == 0


@pytest.mark.parametrize("options", [[], ["--full"]])
def test_pages_shared_by_fork_stay_shared(options: list[str]) -> None:
    with group(FORKS, "forks", 6) as cgroup:
        before = cgroup.usage
        assert before > 32 * MIB
        look(cgroup, *options)
        assert cgroup.usage - before < SLACK


def test_nobody_is_killed_where_memory_is_short() -> None:
    with group(FORKS, "tight", 6) as cgroup:
        alive = cgroup.pids()
        cgroup.limit(cgroup.usage + 2 * MIB)
        look(cgroup, "--full")
        assert cgroup.killed() == 0
        assert cgroup.pids() == alive
        assert len(alive) == 7


def test_merged_pages_stay_merged() -> None:
    if not (KSM / "run").exists():
        pytest.skip("needs KSM")
    body = """
m = private(16 << 20, 12)  # mergeable
for i in range(4096):
    m[i * PAGE : (i + 1) * PAGE] = bytes([1 + i % 4]) * (PAGE // 2) + bytes([9]) * (PAGE // 2)
ready()
"""
    settings = {name: (KSM / name).read_text() for name in ("pages_to_scan", "sleep_millisecs")}
    was_running = (KSM / "run").read_text()
    with group(body, "merged") as cgroup:
        try:
            (KSM / "pages_to_scan").write_text("20000")
            (KSM / "sleep_millisecs").write_text("1")
            (KSM / "run").write_text("1")
            deadline = time.monotonic() + 20
            while int((KSM / "pages_sharing").read_text()) < 4000:
                assert time.monotonic() < deadline, "the kernel does not merge"
                time.sleep(0.05)
        finally:
            (KSM / "run").write_text("0")  # what is merged stays so
            for name, value in settings.items():
                (KSM / name).write_text(value)
        try:
            merged = int((KSM / "pages_sharing").read_text())
            before = cgroup.usage
            look(cgroup, "--full")
            assert int((KSM / "pages_sharing").read_text()) == merged
            assert cgroup.usage - before < SLACK
        finally:
            (KSM / "run").write_text(was_running)


def test_memory_given_up_is_freed_as_if_nobody_had_looked() -> None:
    body = """
m = private(16 << 20)
fill(m, range(4096))
assert libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(16 << 20), 8) == 0  # free
ready()
"""
    with group(body, "given-up") as cgroup:
        before = cgroup.usage
        look(cgroup, "--full")
        look(cgroup)
        assert cgroup.usage - before < SLACK
        cgroup.empty()
        assert before - cgroup.usage > 15 * MIB


def test_pages_that_are_not_there_are_not_made() -> None:
    body = """
m = private(64 << 20)
fill(m, range(0, 16384, 4))
s = mmap.mmap(-1, 64 << 20)
fill(s, range(0, 16384, 8))
ready()
"""
    with group(body, "holes") as cgroup:
        before = cgroup.usage
        rss = [Path(f"/proc/{pid}/statm").read_text() for pid in cgroup.pids()]
        look(cgroup, "--full")
        assert cgroup.usage - before < SLACK
        assert rss == [Path(f"/proc/{pid}/statm").read_text() for pid in cgroup.pids()]
