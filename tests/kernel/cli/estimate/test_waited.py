# SPDX-License-Identifier: MIT
"""How long ``estimate --idle`` says that programs would wait, compared with real page faults.

It counts only decompression. How much more a fault takes depends on the kernel and the machine.
That is measured here and reported in docs/estimate-truth.md, but judged only as far as load cannot
change it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice
from kernel.raw import swapped

from pyzram.cli.estimate import cold_looks
from pyzram.pages.codec.codec import algorithms, timed_sizes
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source import cold

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it

PAGE = os.sysconf("SC_PAGE_SIZE")
PAGES = 6144  # so many that what the interpreter touches of its own is few beside them
# Twice the same pages, in mappings that the kernel does not join: those that come
# back are as those that stay away, of which the estimate takes its times. Neither may be a huge
# page, which goes out and comes back in one piece.
PROGRAM = """
import ctypes, json, mmap, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
page, content = mmap.PAGESIZE, sys.stdin.buffer.read(int(sys.argv[1]))

def advise(area, what):
    if libc.madvise(ctypes.addressof(ctypes.c_char.from_buffer(area)), len(area), what):
        raise OSError(ctypes.get_errno(), "madvise")

def fill(rights):
    area = mmap.mmap(-1, len(content), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=rights)
    advise(area, 15)  # MADV_NOHUGEPAGE
    area.write(content)
    return area

seldom, never = fill(7), fill(3)

def touch(clock=time.perf_counter_ns):
    times = []
    for at in range(0, len(seldom), page):
        began = clock()
        seldom[at]
        times.append(clock() - began)
    return times

print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(touch() if line == "touch\\n" else advise(seldom, 21)), flush=True)  # PAGEOUT
"""


def real_pages() -> bytes:
    """Of Python's own library, code and text; none that swap or zram remember without a store."""
    library = Path(os.__file__).parent
    files = sorted([*library.glob("lib-dynload/*.so"), *library.glob("*.py")])
    whole = b"".join(file.read_bytes() for file in files)
    found = (whole[at : at + PAGE] for at in range(0, len(whole) - PAGE + 1, PAGE))
    stored = [page for page in found if page != page[:8] * (PAGE // 8)]
    assert len(stored) > 1000
    chosen = stored[:: max(1, len(stored) // PAGES)]
    return b"".join(chosen * -(-PAGES // len(chosen)))[: PAGES * PAGE]


class Program:
    """The program, told what to do by words."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def tell(self, what: str) -> list[int]:
        """What it answers: to ``touch``, the nanoseconds of each page."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{what}\n".encode())
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline()) or []


@contextmanager
def program(content: bytes) -> Iterator[Program]:
    with subprocess.Popen(
        [sys.executable, "-Ic", PROGRAM, str(len(content))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin and process.stdout
            process.stdin.write(content)
            process.stdin.flush()
            assert process.stdout.readline() == b"ready\n"
            yield Program(process)
        finally:
            process.kill()


@contextmanager
def swap_on(device: OwnDevice, algorithm: str) -> Iterator[None]:
    device.write("comp_algorithm", algorithm)
    device.write("disksize", "256M")
    subprocess.run(["mkswap", device.node], check=True, capture_output=True)
    subprocess.run(["swapon", "-p", "32000", device.node], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapoff", device.node], check=True)
        device.write("reset", "1")


def test_what_is_said_to_be_waited_is_a_part_of_what_is_waited(
    zram_device: OwnDevice, offered: list[str]
) -> None:
    names = [name for name in offered if name in algorithms()]
    content = real_pages()
    pages = len(content) // PAGE
    with program(content) as running:
        with cold.watch({running.pid: None}, [1]) as watch:
            running.tell("touch")
            watch.look()
            first, last = watch.ages()
            first.source.close()
            with last.source:
                found = estimate_pages(last.source, names, full=True)
        look = cold_looks.ColdLook(last, found, 3.0)
        minutes = last.window / 60
        returned = last.returns * minutes
        resident = statistics.median(running.tell("touch"))
        for name in names:
            with swap_on(zram_device, name):
                before = swapped(running.pid)
                running.tell("out")
                out = swapped(running.pid) - before
                faults = running.tell("touch")
                back = before + out - swapped(running.pid)
            estimate = found.algorithms[name]
            median, rare = estimate.decompress_us, estimate.decompress_us_p99
            assert median is not None and rare is not None
            said, at_most = cold_looks.stall(look, median), cold_looks.stall(look, rare)
            assert said is not None and at_most is not None
            fault = (statistics.median(faults) - resident) / 1000
            row: dict[str, object] = {"algorithm": name, "returns": round(returned), "back": back}
            row |= {"said": said * minutes, "said_p99": at_most * minutes}
            row |= {"waited": (sum(faults) - len(faults) * resident) / 1e6}
            row |= {"decompress": median, "fault": fault}
            print(f"measured waited {json.dumps(row)}")
            # One and the same pages: those that went out, came back, and were foretold. The
            # interpreter touches a few of its own meanwhile.
            assert pages * 0.99 <= out <= pages
            assert abs(back - pages) <= 0.01 * pages
            assert back * 0.99 <= returned <= back * 1.1
            # The time is the codec's on these pages, and a fault is of that order. Medians of
            # thousands; what a mistake of the unit or of the minute would do is a factor of 60.
            _, _, nanoseconds = timed_sizes(content, name)
            assert 1 / 4 < median * 1000 / statistics.median(nanoseconds) < 4
            assert 1 / 4 < fault * back / 1000 / (said * minutes) < 40
