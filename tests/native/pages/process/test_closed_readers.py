# SPDX-License-Identifier: MIT
"""A reader of a process that was closed or abandoned reads nothing, least of all freed memory."""

from __future__ import annotations

import ctypes
import mmap
import os
from array import array
from collections.abc import Callable

import pytest

from pyzram import _native_memory
from pyzram.pages.process.process import Process, ProcessReader

PAGE = mmap.PAGESIZE
WORDS = b"kept"


@pytest.fixture
def held() -> tuple[mmap.mmap, int]:
    """Memory of this process, and the number of its page."""
    memory = mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:4] = WORDS
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory)) // PAGE


def opened() -> _native_memory.ProcMem:
    folder = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
    try:
        return _native_memory.ProcMem(folder)
    finally:
        os.close(folder)


USES: dict[str, Callable[[_native_memory.ProcMem], object]] = {
    "method": lambda memory: memory.method(),
    "shows_frames": lambda memory: memory.shows_frames(),
    "turn": lambda memory: memory.turn(0),
    "collect": lambda memory: memory.collect([], []),
    "read": lambda memory: memory.read(array("Q", [PAGE]), bytearray(PAGE)),
}


@pytest.mark.parametrize("way", ["close", "abandon"])
@pytest.mark.parametrize("use", USES)
def test_each_use_after_the_end_is_refused(way: str, use: str) -> None:
    memory = opened()
    getattr(memory, way)()
    with pytest.raises(ValueError, match="the reader of this process is closed"):
        USES[use](memory)
    getattr(memory, way)()  # once more does no harm


def test_every_use_is_tried() -> None:
    public = {name for name in vars(_native_memory.ProcMem) if not name.startswith("_")}
    assert public - {"close", "abandon"} == set(USES)


def test_a_closed_reader_opens_the_process_anew(held: tuple[mmap.mmap, int]) -> None:
    _, number = held
    with Process(os.getpid()) as process:
        started = process.start_time
    reader = ProcessReader()
    out = bytearray(PAGE)
    for _ in range(3):
        reader.close()
        assert not reader.is_open
        assert reader.read(os.getpid(), started, array("Q", [number]), memoryview(out)) == [True]
        assert out[:4] == WORDS
        out[:4] = bytes(4)
    before = set(os.listdir("/proc/self/fd"))
    reader.close()
    reader.close()
    assert set(os.listdir("/proc/self/fd")) < before
