# SPDX-License-Identifier: MIT
"""What the kernel notes in place of a page: while it moves one (compaction), or for good.

In pagemap both look like a page in a swap area, of a number that no area has.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyzram import _native_memory
from pyzram.pages.process.mappings import ANON

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT, SWAPPED, EXCLUSIVE = 1 << 63, 1 << 62, 1 << 56
NUMBER = (1 << 55) - 1  # of a frame, or of a swap area and a slot in it
NOTE = SWAPPED | 77 << 5 | 30
IN_SWAP = SWAPPED | 78 << 5 | 21
COMPACT = Path("/proc/sys/vm/compact_memory")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[Path, _native_memory.ProcMem]]:
    """The pagemap of a process that we write ourselves, and its reader."""
    pagemap = tmp_path / "pagemap"
    pagemap.write_bytes(bytes(8 * 8))
    (tmp_path / "mem").write_bytes(bytes(8 * PAGE))
    folder = os.open(tmp_path, os.O_RDONLY)
    memory = _native_memory.ProcMem(folder, "pagemap")
    os.close(folder)
    yield pagemap, memory
    memory.close()


def write(pagemap: Path, first: int, *entries: int) -> None:
    with pagemap.open("r+b") as file:
        file.seek(8 * first)
        file.write(array("Q", entries).tobytes())


@contextmanager
def arriving(pagemap: Path, page: int) -> Iterator[None]:
    """Let a page come into memory in a moment."""
    arrived = threading.Timer(0.02, write, (pagemap, page, PRESENT | EXCLUSIVE))
    arrived.start()
    try:
        yield
    finally:
        arrived.join()


def counted(memory: _native_memory.ProcMem, start: int, pages: int) -> tuple[int, int]:
    """How many are in memory, and how many in swap."""
    walk = _native_memory.walk(start, start + pages * PAGE, ANON)
    present, swapped, *_ = memory.collect([walk], [])[0]
    return present, swapped


def test_a_page_that_is_being_moved_is_waited_for(
    process: tuple[Path, _native_memory.ProcMem],
) -> None:
    pagemap, memory = process
    write(pagemap, 1, NOTE, PRESENT | EXCLUSIVE, IN_SWAP)
    with arriving(pagemap, 1):
        assert counted(memory, 0, 8) == (2, 1)


def test_a_page_that_is_being_moved_can_be_read(
    process: tuple[Path, _native_memory.ProcMem],
) -> None:
    pagemap, memory = process
    write(pagemap, 1, PRESENT | EXCLUSIVE, NOTE)
    with arriving(pagemap, 2):
        assert memory.read(array("Q", [PAGE, 2 * PAGE]), bytearray(2 * PAGE))[0] == 2


def test_a_note_that_stays_is_neither_in_memory_nor_in_swap(
    process: tuple[Path, _native_memory.ProcMem],
) -> None:
    pagemap, memory = process
    write(pagemap, 1, *[NOTE] * 5, IN_SWAP)
    assert counted(memory, 0, 8) == (0, 1)


def test_notes_that_stay_are_none_of_the_entries_after_which_a_walk_ends(
    process: tuple[Path, _native_memory.ProcMem],
) -> None:
    pagemap, memory = process
    chunk = 4096  # after which a walk looks whether it has seen enough
    write(pagemap, 0, *[NOTE] * chunk, PRESENT | EXCLUSIVE, IN_SWAP)
    walk = _native_memory.walk(0, 2 * chunk * PAGE, ANON, seen_max=2)
    present, swapped, *_ = memory.collect([walk], [])[0]
    assert (present, swapped) == (1, 1)


@pytest.mark.parametrize(("areas", "in_swap"), [(0, 22), (22, 22), (23, 23), (28, 28), (32, 32)])
def test_what_is_in_an_area_is_no_note_however_many_there_are(areas, in_swap, tmp_path) -> None:
    """Each area has a number; of those above, none is sure to be that of one."""
    (tmp_path / "pagemap").write_bytes(array("Q", [SWAPPED | 78 << 5 | i for i in range(32)]))
    (tmp_path / "mem").touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    memory = _native_memory.ProcMem(folder, "pagemap", areas)
    os.close(folder)
    try:
        assert counted(memory, 0, 32) == (0, in_swap)
    finally:
        memory.close()


def is_note(entry: int) -> bool:
    return not entry & PRESENT and bool(entry & SWAPPED)


@pytest.mark.skipif(os.geteuid() != 0 or not COMPACT.exists(), reason="needs root and compaction")
def test_compaction_hides_no_page() -> None:
    pages = (64 << 20) // PAGE
    memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for start in range(0, len(memory), PAGE):
        memory[start] = 1
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        first = array("Q", os.pread(pagemap.fileno(), 8, address // PAGE * 8))[0]
    if not first & NUMBER:
        pytest.skip("the kernel hides the numbers that tell a page being moved from one in swap")
    proc = os.open("/proc/self", os.O_RDONLY)
    reader = _native_memory.ProcMem(proc)
    os.close(proc)
    compaction = subprocess.Popen(["sh", "-c", f"while :; do echo 1 >{COMPACT}; done"])
    try:
        with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
            end, seen = time.monotonic() + 5, 0
            while seen < 5 and time.monotonic() < end:
                text = os.pread(pagemap.fileno(), pages * 8, address // PAGE * 8)
                seen += any(map(is_note, array("Q", text)))
                assert counted(reader, address, pages) == (pages, 0)
    finally:
        compaction.kill()
        compaction.wait()
        reader.close()
    if not seen:
        pytest.skip("compaction moved none of these pages while they were looked at")
