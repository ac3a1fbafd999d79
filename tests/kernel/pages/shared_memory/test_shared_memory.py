# SPDX-License-Identifier: MIT
"""Shared memory that no page table shows: unmapped, in swap, or hidden without privilege."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from kernel.conftest import OwnDevice
from kernel.memory_cgroup import WHY_NOT
from kernel.pages.programs import FORKS, GIVEN_UP, LOCKED, LOCKED_BY_ONE, SHARED, group

from pyzram.pages.process.process import Process
from pyzram.pages.shared_memory import others_locks
from pyzram.pages.source.process_sources import open_processes, open_system
from pyzram.pages.source.sources import HIDDEN, HIDDEN_LOCKS, UNSEEN_SHARED

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it

PAGE = os.sysconf("SC_PAGE_SIZE")
COUNT = 1000


@pytest.fixture
def in_memory() -> Path:
    path = Path("/dev/shm") / f"pyzram-test-{os.getpid()}"
    path.write_bytes(os.urandom(PAGE // 2) * 2 * COUNT)
    yield path
    path.unlink()


@pytest.fixture
def segment() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, COUNT * PAGE, 0o1600)
    assert number >= 0
    address = libc.shmat(number, None, 0)
    ctypes.memset(address, 7, COUNT * PAGE)
    libc.shmdt(ctypes.c_void_p(address))
    yield number
    libc.shmctl(number, 0, None)


def shared_pages(name: str) -> int:
    with open_system() as source:
        return sum(s.pages for s in source._segments if s.owner.name == name)


def test_a_file_in_memory_that_nobody_maps_counts_for_the_system(in_memory: Path) -> None:
    before = in_memory.stat()
    assert shared_pages(str(in_memory)) == COUNT
    assert in_memory.stat().st_atime_ns == before.st_atime_ns
    with open(in_memory, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m:
        assert sum(m[i * PAGE] >= 0 for i in range(0, COUNT, 2)) == COUNT // 2
        assert shared_pages(str(in_memory)) == COUNT  # mapped and half touched: the same


def test_a_segment_that_nobody_has_attached_counts_for_the_system(segment: int) -> None:
    forced = Path("/proc/sys/kernel/shm_rmid_forced").read_text().strip() != "0"
    found = shared_pages(f"System V segment {segment}")
    assert found == (0 if forced else COUNT)
    assert f" {segment} " in Path("/proc/sysvipc/shm").read_text().replace("\n", " ")


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_what_a_process_locks_that_was_not_chosen_stays_too() -> None:
    with group(LOCKED_BY_ONE, "locked-by-one", 1) as cgroup:
        pids = cgroup.pids()
        for chosen in pids[:1], pids[1:], pids:
            with open_processes(chosen) as source:
                shared = sum(s.pages for s in source._segments if s.owner.part == "shared")
                assert (shared, source.left_out["locked"]) == (2048, 2048)
                assert source.left_out.keys() == {"locked"}


def test_other_locks_that_are_hidden_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(_process: Process) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(others_locks, "_locked", hidden)
    body = "fd = os.memfd_create('x')\nos.write(fd, bytes(PAGE))\nm = mmap.mmap(fd, PAGE)\n"
    with group(body + "ready()", "alone") as cgroup, open_processes(cgroup.pids()) as source:
        before = source.skipped.get(HIDDEN_LOCKS, 0)  # of others on this machine
    for other, said in ((LOCKED, 0), (LOCKED_BY_ONE, 1)):
        with (
            group(other, "locks", said),
            group(body + "ready()", "does-not") as cgroup,
            open_processes(cgroup.pids()) as source,
        ):
            assert source.skipped.get(HIDDEN_LOCKS, 0) - before == said
    assert HIDDEN_LOCKS in HIDDEN


# A tmpfs in a separate namespace with only this process in it.
APART = f"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def done(result):
    assert result == 0, os.strerror(ctypes.get_errno())
done(libc.unshare(0x20000))
done(libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None))  # private, and all below
done(libc.mount(b"apart", os.fsencode(sys.argv[1]), b"tmpfs", 0, None))
with open(sys.argv[1] + "/file", "wb") as file:
    file.write(os.urandom({PAGE * COUNT * 4}))
print("ready", flush=True)
sys.stdin.read()
"""


def test_memory_of_mounts_that_no_process_sees_is_reported_as_missing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-Ic", APART, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        name = f"/proc/{process.pid}/root{tmp_path}/file"
        with open_system() as source:
            (seen,) = [s.pages for s in source._segments if s.owner.name == name]
            assert seen == 4 * COUNT
            before = source.skipped.get(UNSEEN_SHARED, 0)
        held = os.open(f"/proc/{process.pid}/ns/mnt", os.O_RDONLY)
        process.communicate()
    try:
        with open_system() as source:
            # Other programs have shared memory too, and the kernel's sums are late.
            assert source.skipped[UNSEEN_SHARED] - before >= 3 * COUNT
    finally:
        os.close(held)
    assert UNSEEN_SHARED in HIDDEN


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_what_is_in_swap_already_counts_as_such(zram_device: OwnDevice) -> None:
    zram_device.write("disksize", "256M")
    subprocess.run(["mkswap", zram_device.node], check=True, capture_output=True)
    for body, children in ((SHARED, 1), (FORKS, 6)):
        with group(body, "swapped", children) as cgroup:
            with open_processes(cgroup.pids()) as source:
                there = source.pages
            subprocess.run(["swapon", "-p", "32000", zram_device.node], check=True)
            try:
                cgroup.empty()
                before = cgroup.usage
                with open_processes(cgroup.pids()) as source:
                    assert source.pages < 0.05 * there
                    assert abs(source.pages + source.swapped - there) <= 0.005 * there
                # Looking has not brought in what is in swap.
                assert cgroup.usage - before < 1 << 18
            finally:
                subprocess.run(["swapoff", zram_device.node], check=True)


# Import everything before the privilege to read it is gone.
UNPRIVILEGED = """
import json, os, sys, threading, zlib
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.process_sources import open_processes
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with open_processes(map(int, sys.argv[1:])) as source:
    found = estimate_pages(source, ["lz4"], full=True, timing=False)
    print(json.dumps(found.as_dict()))
"""


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize(
    ("body", "children", "tolerance"), [(FORKS, 6, 0.01), (SHARED, 1, 0.01), (GIVEN_UP, 0, 0.01)]
)
def test_without_privilege_it_comes_near_and_says_so(
    body: str, children: int, tolerance: float
) -> None:
    drop = "os.setgroups([]); os.setgid(65534); os.setuid(65534)\nlibc.prctl(4, 1, 0, 0, 0)\n"
    with group(drop + body, "nobody", children) as cgroup:
        with open_processes(cgroup.pids()) as source:
            truth = source.pages
        before = cgroup.usage
        done = subprocess.run(
            [sys.executable, "-I", "-c", UNPRIVILEGED, *map(str, cgroup.pids())],
            check=True,
            capture_output=True,
            text=True,
        )
        assert cgroup.usage - before < 1 << 19
    said = json.loads(done.stdout)
    assert abs(said["pages"] - truth) <= tolerance * truth
    assert said["exact"] is False
