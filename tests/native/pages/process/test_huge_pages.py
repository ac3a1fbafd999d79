# SPDX-License-Identifier: MIT
"""Huge pages that a fork shares: the kernel judges by the first 4 KiB whether one is exclusive."""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = mmap.PAGESIZE
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
HUGE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
COUNT = 8  # huge pages

pytestmark = pytest.mark.skipif(
    not SETTING.exists() or "[never]" in SETTING.read_text(), reason="needs huge pages"
)


def sees_frames() -> bool:
    """Root of a user name space does not."""
    with mmap.mmap(-1, PAGE) as page, open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        page[0] = 1
        held = ctypes.c_char.from_buffer(page)
        where = ctypes.addressof(held) // PAGE * 8
        del held
        entry = int.from_bytes(os.pread(pagemap.fileno(), 8, where), sys.byteorder)
    return bool(entry >> 63 and entry & (1 << 55) - 1)


needs_frames = pytest.mark.skipif(not sees_frames(), reason="needs to see page frames")

# The second process writes to the first byte of each huge page, and to half of the last one.
FORKS = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
huge, count, forks = map(int, sys.argv[1:])
m = mmap.mmap(-1, huge * (count + 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
first = -at % huge
assert libc.madvise(ctypes.c_void_p(at + first), ctypes.c_size_t(huge * count), 14) == 0
for start in range(first, first + huge * count, mmap.PAGESIZE):
    m[start : start + 8] = start.to_bytes(8, "little")
# Those that are there stay, and the kernel makes no more of what the others write to meanwhile.
assert libc.madvise(ctypes.c_void_p(at + first), ctypes.c_size_t(huge * count), 15) == 0
pids = [os.getpid()]
for _ in range(forks):
    ready, done = os.pipe()
    pid = os.fork()
    if not pid:
        for start in range(first, first + huge * count, huge):
            m[start] = 1
        for start in range(first + huge * (count - 1), first + huge * count, 2 * mmap.PAGESIZE):
            m[start] = 1
        os.write(done, b"x")
        sys.stdin.read()
        os._exit(0)
    os.read(ready, 1)
    pids.append(pid)
print(*pids, flush=True)
sys.stdin.read()
"""

LOOK = """
import json, sys
from pyzram.pages.source import process_sources
from pyzram.pages.estimate.estimator import estimate_pages
method = sys.argv[1]
inspector = process_sources.Inspector
process_sources.Inspector = lambda: inspector(method)
with process_sources.open_processes(list(map(int, sys.argv[2:]))) as source:
    found = estimate_pages(source, ["lz4"], full=True, timing=False)
    print(json.dumps([source.pages, found.by_share, found.exact]))
"""


@contextlib.contextmanager
def forks(count: int) -> Iterator[list[int]]:
    words = str(int(HUGE.read_text())), str(COUNT), str(count)
    with subprocess.Popen(
        [sys.executable, "-Ic", FORKS, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pids = list(map(int, process.stdout.readline().split()))
        try:
            if not kilobytes(pids[0], "AnonHugePages:"):
                pytest.skip("this kernel has no huge page to give")
            yield pids
        finally:
            process.communicate("")


def kilobytes(pid: int, name: str) -> int:
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index(name) + 1])


def worth(pids: list[int]) -> float:
    """Pages that the kernel says these processes have together, if nobody else has them."""
    return sum(kilobytes(pid, "Pss_Anon:") for pid in pids) * 1024 / PAGE


def frames(pids: list[int]) -> int:
    """Frames of private memory, each once, without the kernel's page of zeros."""
    found = set()
    for pid in pids:
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            for line in Path(f"/proc/{pid}/maps").read_text().split("\n")[:-1]:
                start, _, end = line.split()[0].partition("-")
                if "[v" in line:
                    continue
                pagemap.seek(int(start, 16) // PAGE * 8)
                text = pagemap.read((int(end, 16) - int(start, 16)) // PAGE * 8)
                for (entry,) in struct.iter_unpack("=Q", text):
                    if entry >> 63 and not entry >> 61 & 1:
                        found.add(entry & (1 << 55) - 1)
    with open("/proc/kpageflags", "rb", buffering=0) as flags:
        flagged = [os.pread(flags.fileno(), 8, 8 * frame) for frame in found]
    return sum(not int.from_bytes(flag, sys.byteorder) >> 24 & 1 for flag in flagged)


def looked(method: str, pids: list[int], before: list[str]) -> tuple[int, int, bool]:
    done = subprocess.run(
        [*before, sys.executable, "-Ic", LOOK, method, *map(str, pids)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    # ENOTTY; where system calls are emulated, ENOSYS.
    if "Inappropriate ioctl" in done.stderr or "Function not implemented" in done.stderr:
        pytest.skip("needs PAGEMAP_SCAN (Linux 6.7)")
    assert not done.stderr
    pages, by_share, exact = json.loads(done.stdout)
    return pages, by_share, exact


@needs_frames
@pytest.mark.parametrize("method", ["ioctl", "pagemap"])
@pytest.mark.parametrize("turned", [False, True])
def test_each_frame_counts_once(method: str, turned: bool) -> None:
    with forks(2) as pids:
        pages, by_share, exact = looked(method, pids[::-1] if turned else pids, [])
        assert pages == frames(pids)
        assert abs(pages - worth(pids)) < len(pids)
        assert (by_share, exact) == (0, True)


@pytest.mark.parametrize("method", ["ioctl", "pagemap"])
@pytest.mark.parametrize("count", [0, 2])
def test_without_frames_each_counts_its_share(method: str, count: int) -> None:
    before = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv")
        before = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    with forks(count) as pids:
        pages, by_share, exact = looked(method, pids, before)
        assert abs(pages - worth(pids)) <= 0.005 * pages
        # PAGEMAP_SCAN skips the kernel's page of zeros; pagemap alone does not tell it apart.
        if method == "ioctl" or count:
            assert exact is (count == 0)
            assert bool(by_share) is bool(count)


@needs_frames
def test_what_others_share_is_not_called_exact() -> None:
    """One of two that share: its pages count in full, more than the kernel attributes to it."""
    with forks(1) as pids:
        for pid in pids:
            pages, _, exact = looked("auto", [pid], [])
            assert pages > 1.3 * worth([pid])
            assert not exact
