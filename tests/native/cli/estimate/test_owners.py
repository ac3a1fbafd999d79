# SPDX-License-Identifier: MIT
"""What ``pyzram estimate`` says of a process's memory by kind, and of what would stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyzram.cli.estimate.owners import owners_report
from pyzram.pages.estimate.estimate import Estimate
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.process_sources import open_processes

PAGE = os.sysconf("SC_PAGE_SIZE")
PROGRAM = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = ctypes.c_void_p, ctypes.c_size_t
libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
def area(mib, fill, flags=mmap.MAP_PRIVATE, rights=3):
    m = mmap.mmap(-1, mib << 20, flags | mmap.MAP_ANONYMOUS, prot=rights)
    start = ctypes.addressof(ctypes.c_char.from_buffer(m))
    libc.madvise(start, len(m), 15)  # no huge pages
    m[:] = fill * len(m)
    return m, start
zeros, shared = area(2, bytes(1)), area(3, b"x", mmap.MAP_SHARED)
# Other rights, so that the kernel joins them with nothing.
locked, freed = area(4, b"x", rights=7), area(5, b"x", rights=7)
assert libc.mlock(locked[1], 4 << 20) == 0
# Each processor keeps what it filled or gave up in batches until MADV_FREE empties them: once to
# give up all that was in them, and once to have that counted.
processors = list(os.sched_getaffinity(0))
for processor in 2 * processors:
    os.sched_setaffinity(0, {processor})
    assert libc.madvise(freed[1], 5 << 20, 8) == 0  # MADV_FREE
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def found() -> Iterator[Estimate]:
    with subprocess.Popen(
        [sys.executable, "-Ic", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        with open_processes(process.pid) as source:
            yield estimate_pages(source, ["lz4"], full=True, timing=False)
        process.kill()


def test_what_stays_has_lines_of_its_own_and_what_goes_is_split(found: Estimate) -> None:
    found = found.replace(swapped=(6 << 20) // PAGE)
    lines = owners_report(found, found.algorithms["lz4"])
    assert lines[0].startswith("RAM freed with lz4: ")
    stays = lines[1 : lines.index("")]
    assert [line for line in stays if "of files" not in line][:3] == [
        "left alone: 5M lazily freed",
        "left alone: 4M locked",
        "in swap already: 6M",
    ]
    assert sum("of files" in line for line in stays) == 1
    # The program's own pages of zeros come on top.
    assert stays[-1].startswith("zero pages: 2")
    start = next(at for at, line in enumerate(lines) if line.startswith("by kind"))
    end = lines.index("", start)
    kinds = {
        name.strip(): size
        for name, size, *_ in (line.rsplit(maxsplit=3) for line in lines[start + 1 : end])
    }
    assert kinds.keys() == {"heap", "stacks", "changed pages of files", "shared memory"}
    assert kinds["shared memory"] == "3M"
