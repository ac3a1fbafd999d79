# SPDX-License-Identifier: MIT
"""The running kernel as the judge of cold memory: what is gained, and what comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice
from kernel.raw import swapped

from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source import cold

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
# Three mappings (the kernel would join neighbours of the same rights): one that is touched all the
# time, one on demand, one never. A line of input names what to do, an empty one ends it.
PROGRAM = """
import ctypes, mmap, os, random, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
page = mmap.PAGESIZE

def fill(mib, share, rights):
    area = mmap.mmap(-1, mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=rights)
    noise = random.Random(mib).randbytes(1 << 20)
    for at in range(0, len(area), page):
        first = at % (len(noise) - page)
        n = int(page * share)
        area[at : at + page] = noise[first : first + n] + bytes([at // page % 251 + 1]) * (page - n)
    return area

hot, seldom, never = fill(16, 0.9, 3), fill(24, 0.5, 7), fill(128, 0.3, 3)

def touch(area):
    return sum(area[at] for at in range(0, len(area), page))

def out(area):
    whole = ctypes.c_char.from_buffer(area)
    if libc.madvise(ctypes.addressof(whole), len(area), 21):  # MADV_PAGEOUT
        raise OSError(ctypes.get_errno(), "madvise")

over = threading.Event()
threading.Thread(target=lambda: [touch(hot) for _ in iter(lambda: over.wait(0.1), True)]).start()
print("ready", flush=True)
for line in sys.stdin:
    if not line.strip():
        break
    eval(line)
    print("done", flush=True)
over.set()
"""


class Program:
    """The program, and commands to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._process = process

    def tell(self, what: str) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def program() -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, "-Ic", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield Program(process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_what_is_cold_is_gained_and_what_comes_back_is_read(zram_device: OwnDevice) -> None:
    with program() as running:
        with cold.watch({running.pid: None}, []) as watch:
            running.tell("touch(hot)")
            watch.look()
            running.tell("touch(seldom)")
            watch.look()
            first, last = watch.ages()
            with first.source:
                own = first.source.pages - (24 + 128) * MIB // PAGE
            with last.source:
                found = estimate_pages(last.source, ["lz4"], full=True, timing=False)
                still = found.pages - 128 * MIB // PAGE
        # Besides the two mappings there are the interpreter's own pages, mostly cold.
        assert 0 <= own <= 8 * MIB // PAGE
        assert 0 <= still <= 8 * MIB // PAGE
        returned = last.returns * (last.seconds - first.seconds) / 60
        zram_device.write("comp_algorithm", "lz4")
        zram_device.write("disksize", "256M")
        subprocess.run(["mkswap", zram_device.node], check=True, capture_output=True)
        subprocess.run(["swapon", "-p", "32000", zram_device.node], check=True)
        try:
            running.tell("out(never)")
            stat = list(map(int, zram_device.read("mm_stat").split()))
            assert stat[0] >= 128 * MIB * 0.99
            gained = stat[0] - stat[2]
            running.tell("out(seldom)")
            before = swapped(running.pid)
            running.tell("touch(seldom)")
            back = before - swapped(running.pid)
        finally:
            subprocess.run(["swapoff", zram_device.node], check=True)
        predicted = found.pages * PAGE - found.algorithms["lz4"].figures.mem_used_total
        # The interpreter's memory was not paged out, so it is in one figure and not in the other.
        spare = still * PAGE
        row = {"gain": predicted, "gained": gained, "spare": spare}
        row |= {"returns": round(returned), "returned": back}
        print(f"measured cold {json.dumps(row)}")  # tests/vm/test_estimate_truth.py
        assert gained * 0.98 <= predicted <= gained * 1.02 + spare
        assert abs(returned - back) <= 0.1 * back


def test_watching_changes_no_memory(zram_device: OwnDevice) -> None:
    del zram_device  # only for the order: no other test's swap is on meanwhile
    with program() as running:
        status = Path(f"/proc/{running.pid}/smaps_rollup")

        def sizes() -> list[int]:
            lines = status.read_text().split("\n")
            return [
                int(line.split()[1])
                for line in lines
                if line.startswith(("Rss:", "Pss:", "Anonymous:", "Private_Dirty:"))
            ]

        before = sizes()
        with cold.watch({running.pid: None}, [1]) as watch, watch.ages()[0].source as source:
            estimate_pages(source, ["lz4"], timing=False)
        after = sizes()
        assert all(abs(a - b) <= 256 for a, b in zip(before, after, strict=True)), (before, after)
