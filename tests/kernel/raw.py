# SPDX-License-Identifier: MIT
"""The kernel's files with nothing in between: contract tests trust no code of pyzram."""

from __future__ import annotations

import errno
import mmap
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = mmap.PAGESIZE
CONTROL = Path("/sys/class/zram-control")


def refused(code: int | tuple[int, ...], call: Callable[..., object], *args: object) -> None:
    """The call must fail with this errno, or one of these."""
    codes = (code,) if isinstance(code, int) else code
    with pytest.raises(OSError) as caught:
        call(*args)
    got = errno.errorcode.get(caught.value.errno, caught.value.errno)
    assert caught.value.errno in codes, f"{got} instead of {[errno.errorcode[c] for c in codes]}"


def need(device: Any, attribute: str) -> None:
    """Skip if this kernel has no such attribute."""
    if not (device.sysfs / attribute).exists():
        pytest.skip(f"this kernel has no {attribute}")


def has(device: Any, attribute: str) -> bool:
    return (device.sysfs / attribute).exists()


def numbers(device: Any, attribute: str) -> list[int]:
    return [int(word) for word in device.read(attribute).split()]


def algorithms(device: Any) -> list[str]:
    return device.read("comp_algorithm").replace("[", "").replace("]", "").split()


def selected(device: Any) -> str:
    words = device.read("comp_algorithm").split()
    return next(word[1:-1] for word in words if word.startswith("["))


def block_state(device: Any) -> Path:
    path = Path(f"/sys/kernel/debug/zram/{device.name}/block_state")
    if not path.exists():
        pytest.skip("this kernel has no block_state (or debugfs is not mounted)")
    return path


def flags(device: Any) -> dict[int, str]:
    """Slot -> flags of block_state. One large read: the file cannot be read in small pieces."""
    fd = os.open(block_state(device), os.O_RDONLY)
    try:
        lines = os.read(fd, 1 << 20).decode().splitlines()
    finally:
        os.close(fd)
    return {int(slot): marks for slot, _, marks in map(str.split, lines)}


def same(byte: int = 0xA5) -> bytes:
    """A page of one repeated byte."""
    return bytes([byte]) * PAGE


def text(number: int = 0) -> bytes:
    """A page that every algorithm makes much smaller."""
    return (f"line {number} of a page that compresses\n" * (PAGE // 20)).encode()[:PAGE]


def noise(number: int = 0) -> bytes:
    """A page that no algorithm makes smaller; the same for the same number."""
    return random.Random(number).randbytes(PAGE)


def store(device: Any, pages: list[bytes], first: int = 0) -> None:
    """Write pages to consecutive slots past the page cache, one request each."""
    buffer = mmap.mmap(-1, PAGE)
    fd = os.open(device.node, os.O_RDWR | os.O_DIRECT)
    try:
        for slot, page in enumerate(pages, first):
            buffer[:] = page
            assert os.pwrite(fd, buffer, slot * PAGE) == PAGE
    finally:
        os.close(fd)


def load(device: Any, count: int, first: int = 0) -> list[bytes]:
    """Read consecutive slots past the page cache."""
    buffer = mmap.mmap(-1, PAGE)
    pages = []
    fd = os.open(device.node, os.O_RDONLY | os.O_DIRECT)
    try:
        for slot in range(first, first + count):
            assert os.preadv(fd, [buffer], slot * PAGE) == PAGE
            pages.append(bytes(buffer))
    finally:
        os.close(fd)
    return pages


def swapped(pid: int) -> int:
    """Pages of one process in swap: /proc/vmstat and a device's figures count others' too."""
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("Swap:") + 1]) * 1024 // PAGE
