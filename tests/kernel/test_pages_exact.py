# SPDX-License-Identifier: MIT
"""The running kernel as judge: each page written alone must add what was predicted for it."""

from __future__ import annotations

import mmap
import os
import random
from pathlib import Path

import pytest
import vectors

import pyzram

PAGE = mmap.PAGESIZE
# In an emulated guest everything takes ten times as long.
SHARE = 10 if os.environ.get("PYZRAM_IN_GUEST") == "1" else 1
COUNT = 3000 // SHARE


def corpus() -> bytes:
    """Return pages of programs, text, structures, sparse and random data, by a fixed seed."""
    chance = random.Random(842)
    parts = list(vectors.pages().values()) if PAGE == 4096 else []
    for folder, count in ((Path("/usr/bin"), 700), (Path(os.__file__).parent, 1000)):
        files = [p for p in sorted(folder.iterdir()) if p.is_file()]
        chance.shuffle(files)
        data = b"".join(p.read_bytes() for p in files[: 80 // SHARE])
        parts.append(data[: min(count * PAGE, len(data) // PAGE * PAGE)])
    for _ in range(300):
        page = bytearray(PAGE)
        for _ in range(chance.randrange(200)):
            at = chance.randrange(PAGE - 8)
            page[at : at + 8] = chance.randbytes(8)
        parts.append(bytes(page))
    # Around the length from which a page is stored whole.
    for count in range(3500, 3700):
        parts.append(chance.randbytes(count) + bytes(PAGE - count))
    data = b"".join(parts)
    starts = range(0, len(data) // PAGE * PAGE, PAGE * SHARE)
    return b"".join(data[start : start + PAGE] for start in starts)[: COUNT * PAGE]


@pytest.mark.parametrize("name", ["lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate", "842"])
def test_every_page_adds_exactly_what_was_predicted(zram_device, name):
    device = pyzram.Zram(zram_device.number)
    if name not in device.read_algorithms():
        pytest.skip(f"this kernel has no {name}")
    if name in ("lz4hc", "zstd"):
        pytest.skip(f"{name} is the library's, and equal only where the kernel's is its like")
    data = corpus()
    predicted = pyzram.page_sizes(data, name, page_size=PAGE)
    huge = pyzram.PageStore().huge_class_size
    device.configure(disksize=len(data), algorithm=name)
    wrong = []
    buffer = mmap.mmap(-1, PAGE)
    fd = os.open(device.node, os.O_RDWR | os.O_DIRECT)
    try:
        before = 0
        for index, length in enumerate(predicted):
            buffer[:] = data[index * PAGE : (index + 1) * PAGE]
            assert os.pwrite(fd, buffer, index * PAGE) == PAGE
            now = device.read_mm_stat().compr_data_size
            if now - before != (PAGE if length >= huge else length):
                wrong.append((index, now - before, length))
            before = now
    finally:
        os.close(fd)
    assert not wrong, (
        f"{len(wrong)} of {len(predicted)} pages, (index, kernel's, ours): {wrong[:5]}"
    )
    assert device.read_mm_stat().same_pages == sum(length == 0 for length in predicted)
