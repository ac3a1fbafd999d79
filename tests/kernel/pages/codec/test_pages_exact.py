# SPDX-License-Identifier: MIT
"""The running kernel as the judge: each page written alone must add what was predicted."""

from __future__ import annotations

import mmap
import os
import random
from functools import cache
from pathlib import Path

import pytest
import vectors
from page_growth import growth

import pyzram

PAGE = mmap.PAGESIZE
# In an emulated guest everything takes ten times as long.
SHARE = 10 if os.environ.get("PYZRAM_IN_GUEST") == "1" else 1
COUNT = 3000 // SHARE


def head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(64 * PAGE)


@cache
def corpus() -> bytes:
    """Return pages of programs, text, structures, sparse and random data, by a fixed seed."""
    chance = random.Random(842)
    parts = list(vectors.pages().values()) if PAGE == 4096 else []
    for folder, count in ((Path("/usr/bin"), 700), (Path(os.__file__).parent, 1000)):
        # In a guest every look at a file takes long, and some are large.
        files = sorted(e.path for e in os.scandir(folder) if e.is_file(follow_symlinks=False))
        chance.shuffle(files)
        data = b"".join(head(path) for path in files[: 200 // SHARE])
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


@pytest.fixture
def device(zram_device):
    with pyzram.Zram(zram_device.number) as opened:
        yield opened


def expected(lengths) -> list[int]:
    huge = pyzram.PoolModel().huge_class_size
    return [PAGE if length >= huge else length for length in lengths]


@pytest.mark.parametrize("name", ["lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate", "842"])
def test_every_page_adds_exactly_what_was_predicted(device, name):
    if name not in device.read_algorithms():
        pytest.skip(f"this kernel has no {name}")
    if name in ("lz4hc", "zstd"):
        pytest.skip(f"{name} is the library's, and equal only where the kernel's is its like")
    data = corpus()
    predicted = pyzram.compressed_sizes(data, name, page_size=PAGE)
    device.configure(disksize=len(data), algorithm=name)
    pairs = list(zip(growth(device, data), expected(predicted), strict=True))
    wrong = [(index, *pair) for index, pair in enumerate(pairs) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} of {len(pairs)} pages, (index, kernel's, ours): {wrong[:5]}"
    assert device.read_mm_stat().same_pages == sum(length == 0 for length in predicted)


def configured_lz4(device: pyzram.Zram, disksize: int, **params) -> None:
    if "lz4" not in device.read_algorithms():
        pytest.skip("this kernel has no lz4")
    if not os.path.exists(f"{device.path}/algorithm_params"):
        pytest.skip("this kernel has no algorithm_params (6.12 or later)")
    device.configure(disksize=disksize, algorithm=pyzram.Algorithm("lz4", **params))


def test_lz4_is_exact_at_another_acceleration(device):
    data = corpus()[: 1500 * PAGE]
    configured_lz4(device, len(data), level=7)
    assert growth(device, data) == expected(
        pyzram.compressed_sizes(data, "lz4", level=7, page_size=PAGE)
    )


@pytest.mark.parametrize("length", [5000, 65536])
def test_lz4_with_a_dictionary_is_the_kernels_but_for_the_last_probe(device, tmp_path, length):
    """liblz4 does this; it may find one more match near the end, which saves a few bytes."""
    data = corpus()[: 1500 * PAGE]
    dictionary = data[-length:]
    (tmp_path / "dictionary").write_bytes(dictionary)
    configured_lz4(device, len(data), dictionary=str(tmp_path / "dictionary"))
    ours = expected(pyzram.compressed_sizes(data, "lz4", dictionary=dictionary, page_size=PAGE))
    kernels = growth(device, data)
    near = [a - b for a, b in zip(kernels, ours, strict=True) if a != PAGE]
    assert near.count(0) >= 0.9 * len(near)
    assert min(near) >= 0
    assert sum(near) <= 0.0005 * sum(kernels)
