# SPDX-License-Identifier: MIT
"""The pool model against the real pool: the same pages give the same figures."""

import contextlib
import mmap
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram import _native_memory
from pyzram.pages.codec.codec import compressed_sizes
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.pool.zsmalloc import PoolModel
from pyzram.pages.process.mappings import ANON, HEAP
from pyzram.pages.process.owner import Owner
from pyzram.pages.process.process import Process
from pyzram.pages.source.process_sources import open_processes
from pyzram.pages.source.segments import ProcessSegment

PAGE = os.sysconf("SC_PAGE_SIZE")
BATCH = 256
EXACT = ("lzo", "lzo-rle", "lz4")
# In an emulated guest everything takes ten times as long.
SHARE = 3 if os.environ.get("PYZRAM_IN_GUEST") == "1" else 1
PAGED_OUT = 4000 // SHARE


def corpus(seed, pages):
    """Pages of many kinds, from incompressible to nothing at all."""
    rng = random.Random(seed)
    program = Path(sys.executable).read_bytes()
    text = Path(os.__file__).read_bytes()
    words = [rng.randbytes(8) for _ in range(500)]

    def sparse():
        page = bytearray(PAGE)
        for _ in range(rng.randrange(1, 60)):
            page[rng.randrange(PAGE)] = rng.randrange(256)
        return bytes(page)

    def half():
        cut = rng.randrange(PAGE)
        return rng.randbytes(cut) + bytes(PAGE - cut)

    def slice_of(data):
        data *= 1 + PAGE // len(data)
        at = rng.randrange(len(data) - PAGE)
        return data[at : at + PAGE]

    kinds = (
        lambda: bytes(PAGE),
        lambda: rng.randbytes(8) * (PAGE // 8),
        lambda: rng.randbytes(PAGE),
        sparse,
        half,
        lambda: slice_of(program),
        lambda: slice_of(text),
        lambda: b"".join(rng.choice(words) for _ in range(PAGE // 8)),
        lambda: b"".join((rng.randrange(1 << 20)).to_bytes(8, "little") for _ in range(PAGE // 8)),
    )
    return b"".join(rng.choice(kinds)() for _ in range(pages))


def mm_stat(device):
    names = (
        "orig_data_size",
        "compr_data_size",
        "mem_used_total",
        "",
        "",
        "same_pages",
        "",
        "huge_pages",
    )
    figures = dict(zip(names, map(int, device.read("mm_stat").split()), strict=False))
    figures.pop("")
    return figures


def expected(figures):
    return {
        name: getattr(figures, name)
        for name in (
            "orig_data_size",
            "compr_data_size",
            "mem_used_total",
            "same_pages",
            "huge_pages",
        )
    }


def set_up(device, algorithm, size):
    offered = device.read("comp_algorithm").replace("[", "").replace("]", "").split()
    if algorithm not in offered:
        pytest.skip(f"this kernel has no {algorithm}")
    device.write("comp_algorithm", algorithm)
    device.write("disksize", str(size))


@contextlib.contextmanager
def direct(node):
    """The device, bypassing the page cache, so that zram has each write at once."""
    fd = os.open(node, os.O_RDWR | os.O_DIRECT)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("algorithm", EXACT)
def test_a_freshly_filled_device_is_as_the_model_says(zram_device, algorithm):
    set_up(zram_device, algorithm, 6000 // SHARE * PAGE)
    data = corpus(algorithm, 6000 // SHARE)
    with mmap.mmap(-1, len(data)) as memory, direct(zram_device.node) as fd:
        memory[:] = data
        view = memoryview(memory)
        for at in range(0, len(data), BATCH * PAGE):
            assert os.pwrite(fd, view[at : at + BATCH * PAGE], at) > 0
        view.release()
    pool = PoolModel()
    assert mm_stat(zram_device) == expected(
        pool.store(compressed_sizes(data, algorithm, page_size=PAGE))
    )


@pytest.mark.parametrize("algorithm", EXACT)
def test_the_huge_size_is_where_the_kernel_stops_compressing(zram_device, algorithm):
    # Pages whose compressed lengths go from below the huge size to above it.
    set_up(zram_device, algorithm, 1024 * PAGE)
    rng = random.Random(algorithm)
    pool = PoolModel()
    data = b"".join(
        rng.randbytes(cut) + bytes(PAGE - cut)
        for cut in range(pool.huge_class_size - 400, pool.huge_class_size + 40, 3)
    )
    lengths = compressed_sizes(data, algorithm, page_size=PAGE)
    assert min(lengths) < pool.huge_class_size <= max(lengths)
    with mmap.mmap(-1, PAGE) as memory, direct(zram_device.node) as fd:
        before = 0
        for i, length in enumerate(lengths):
            memory[:] = data[i * PAGE : (i + 1) * PAGE]
            os.pwrite(fd, memory, i * PAGE)
            now = mm_stat(zram_device)["compr_data_size"]
            assert now - before == (length if length < pool.huge_class_size else PAGE)
            before = now


CHILD = """
import ctypes, mmap, os, sys
with open({path!r}, "rb") as file:
    data = file.read()
m = mmap.mmap(-1, len(data), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[:] = data
address = ctypes.addressof(ctypes.c_char.from_buffer(m))
print(address, flush=True)
sys.stdin.readline()
MADV_PAGEOUT = 21
for _ in range(3):  # a page on its way to a list of the kernel's is passed over
    ctypes.CDLL(None).madvise(ctypes.c_void_p(address), ctypes.c_size_t(len(m)), MADV_PAGEOUT)
print("out", flush=True)
sys.stdin.readline()
print(int(m[:] == data), flush=True)
"""


@pytest.mark.parametrize("algorithm", EXACT)
def test_memory_paged_out_by_a_process_takes_what_was_estimated(zram_device, algorithm, tmp_path):
    set_up(zram_device, algorithm, 16384 * PAGE)
    path = tmp_path / "corpus"
    data = corpus(algorithm, PAGED_OUT)
    path.write_bytes(data)
    subprocess.run(["mkswap", zram_device.node], check=True, capture_output=True)
    before = mm_stat(zram_device)
    subprocess.run(["swapon", "-p", "32000", zram_device.node], check=True)
    code = CHILD.format(path=str(path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            address = int(child.stdout.readline())
            end = address + path.stat().st_size
            with open_processes([child.pid]) as source:
                pages = _native_memory.PageSet()
                with Process(child.pid) as process:
                    memory = _native_memory.ProcMem(process.fd)
                    memory.collect([_native_memory.walk(address, end, ANON, pages=0)], [pages])
                    owner = Owner(process.pid, process.name, HEAP)
                    source._segments = [
                        ProcessSegment(owner, process.start_time, pages, source._reader)
                    ]
                assert len(pages) == PAGED_OUT
                found = estimate_pages(source, [algorithm], full=True, timing=False)
            print("go", file=child.stdin, flush=True)
            assert child.stdout.readline() == "out\n"
            with open_processes([child.pid]) as source:
                swapped = source.swapped
            after = mm_stat(zram_device)
            print("go", file=child.stdin, flush=True)
            assert child.stdout.readline() == "1\n"
        finally:
            child.kill()
    figures = found.algorithms[algorithm].figures
    assert figures.pages == PAGED_OUT
    assert found.lost == 0
    # Since 6.12 swap itself keeps track of zeros, but of whole folios, and those of a huge page
    # that is split become the shared page of zeros; before, the device had them.
    zeros = sum(not any(data[i : i + PAGE]) for i in range(0, len(data), PAGE))
    print(f"{swapped} of {PAGED_OUT} pages swapped, {zeros} zeros")
    assert swapped >= 0.99 * PAGED_OUT - zeros
    out = (after["orig_data_size"] - before["orig_data_size"]) // PAGE
    assert 0.99 * PAGED_OUT - zeros <= out <= PAGED_OUT
    for name in ("compr_data_size", "mem_used_total"):
        real = after[name] - before[name]
        assert abs(getattr(figures, name) / real - 1) < 0.01
