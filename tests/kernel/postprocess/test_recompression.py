# SPDX-License-Identifier: MIT
"""Recompression that happens, and is the same on every kernel that has it."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import pyzram
from pyzram import Algorithm
from pyzram.pages.pool.chain import running_chain
from pyzram.pages.pool.zsmalloc import PoolModel
from pyzram.postprocess import recompression

PAGE = mmap.PAGESIZE
PAGES = 300


def real_pages(count: int) -> list[bytes]:
    """Pages of this Python's program file and library: real code and text."""
    pages: list[bytes] = []
    for path in (Path(sys.executable).resolve(), *sorted(Path(os.__file__).parent.glob("*.py"))):
        data = path.read_bytes()
        pages += [data[at : at + PAGE] for at in range(0, len(data) - PAGE + 1, PAGE)]
        if len(pages) >= count:
            break
    assert len(pages) >= count
    return pages[:count]


def store(node: str, pages: list[bytes]) -> None:
    with mmap.mmap(-1, len(pages) * PAGE) as buffer:
        buffer.write(b"".join(pages))
        fd = os.open(node, os.O_RDWR | os.O_DIRECT)
        try:
            assert os.pwrite(fd, buffer, 0) == len(buffer)
        finally:
            os.close(fd)


def load(node: str, count: int) -> bytes:
    with mmap.mmap(-1, count * PAGE) as buffer:
        fd = os.open(node, os.O_RDONLY | os.O_DIRECT)
        try:
            assert os.preadv(fd, [buffer], 0) == len(buffer)
        finally:
            os.close(fd)
        return buffer[:]


@pytest.fixture
def zram(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        if not device.has("recompress"):
            pytest.skip("this kernel has no recompression (CONFIG_ZRAM_MULTI_COMP)")
        yield device


@pytest.fixture
def stored(zram):
    """Real pages stored with lz4; zstd at level 9 is the secondary algorithm."""
    zram.configure(disksize="16M", algorithm="lz4", recompression=[Algorithm("zstd", level=9)])
    store(zram.node, real_pages(PAGES))
    return zram


def test_lz4_becomes_zstd_9_and_every_page_reads_back(stored):
    before = stored.read_mm_stat()
    run = recompression.recompress_pages(stored, compact=True)
    assert run.stopped is None
    assert run.compressed_freed > 0.1 * before.compr_data_size
    assert run.memory_freed > 0  # the next test says how much: few pages fill few zspages
    assert run.mm_after.orig_data_size == before.orig_data_size
    print(
        f"compressed {before.compr_data_size} -> {run.mm_after.compr_data_size}, "
        f"memory {before.mem_used_total} -> {run.mm_after.mem_used_total}"
    )
    assert load(stored.node, PAGES) == b"".join(real_pages(PAGES))


def test_it_does_what_the_store_model_says(stored):
    pages = b"".join(real_pages(PAGES))
    model = PoolModel(chain=running_chain())
    first = pyzram.compressed_sizes(pages, "lz4")
    after = model.store(model.recompress(first, pyzram.compressed_sizes(pages, "zstd", level=9)))
    run = recompression.recompress_pages(stored, compact=True)
    assert run.mm_after.compr_data_size == pytest.approx(after.compr_data_size, rel=0.01)
    assert run.mm_after.mem_used_total == pytest.approx(after.mem_used_total, rel=0.01)
    print(
        f"compressed {run.mm_after.compr_data_size}, the model says {after.compr_data_size}; "
        f"memory {run.mm_after.mem_used_total}, the model says {after.mem_used_total}"
    )


def test_many_small_steps_come_to_the_same(stored, monkeypatch):
    seen = []
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 16)
    monkeypatch.setattr(
        "pyzram.postprocess.bounded_steps.StepSizer.step", lambda sizer: contextlib.nullcontext()
    )
    run = recompression.recompress_pages(stored, progress=seen.append)
    assert len(seen) > 3
    again = recompression.recompress_pages(stored)
    assert (run.stopped, again.compressed_freed) == (None, 0)


def test_only_idle_pages(stored):
    assert recompression.recompress_pages(stored, "idle").compressed_freed == 0
    stored.mark_idle()
    load(stored.node, PAGES // 2)
    half = recompression.recompress_pages(stored, "idle")
    assert half.compressed_freed > 0
    assert recompression.recompress_pages(stored).compressed_freed > 0


def test_only_huge_pages(stored):
    huge = stored.read_mm_stat().huge_pages
    run = recompression.recompress_pages(stored, "huge")
    assert run.mm_after.huge_pages <= huge
    saved = run.compressed_freed
    assert recompression.recompress_pages(stored).compressed_freed > saved


def test_small_objects_are_left_alone(stored):
    """Separate data: half of the objects are far above the threshold, half below."""
    rng = random.Random(1)
    letters = bytes(range(64))
    pages = [
        (bytes(rng.choices(letters, k=length)) + bytes(PAGE))[:PAGE]
        for length in (PAGE * 3 // 4, PAGE * 3 // 8)
        for _ in range(PAGES // 2)
    ]
    large, small = b"".join(pages[: PAGES // 2]), b"".join(pages[PAGES // 2 :])
    threshold = PAGE * 5 // 8
    store(stored.node, pages)
    lz4 = [pyzram.compressed_sizes(data, "lz4") for data in (large, small)]
    zstd = [pyzram.compressed_sizes(data, "zstd", level=9) for data in (large, small)]
    assert min(lz4[0]) > threshold > max(lz4[1])
    over = recompression.recompress_pages(stored, threshold=threshold)
    assert over.mm_before.compr_data_size == sum(lz4[0]) + sum(lz4[1])
    assert over.compressed_freed == pytest.approx(sum(lz4[0]) - sum(zstd[0]), rel=0.02)
    rest = recompression.recompress_pages(stored)
    assert rest.compressed_freed == pytest.approx(sum(lz4[1]) - sum(zstd[1]), rel=0.02)
    assert load(stored.node, PAGES) == b"".join(pages)


def test_a_threshold_of_a_page_is_einval(stored):
    with pytest.raises(pyzram.ZramOSError) as caught:
        recompression.recompress_pages(stored, threshold=PAGE)
    assert caught.value.errno == errno.EINVAL


def test_a_bound_on_pages_and_a_deadline(stored):
    run = recompression.recompress_pages(stored, max_pages=50)
    assert run.stopped == "limit"
    assert run.compressed_freed > 0
    assert recompression.recompress_pages(stored, timeout=0).stopped == "timeout"
    rest = recompression.recompress_pages(stored)
    assert rest.compressed_freed > run.compressed_freed


# ---- one behaviour on every kernel ---------------------------------------------------------------


def test_without_any_named_priority_1_alone_is_used(zram):
    """6.12 would go on to the better algorithm at priority 2."""
    zram.configure(disksize="16M", algorithm="lz4", recompression=["lz4hc", "zstd"])
    store(zram.node, real_pages(PAGES))
    first = recompression.recompress_pages(zram)
    second = recompression.recompress_pages(zram, priority=2)
    assert first.compressed_freed > 0
    assert second.compressed_freed > 0
    assert load(zram.node, PAGES) == b"".join(real_pages(PAGES))


def test_an_algorithm_is_found_by_its_name(zram):
    zram.configure(disksize="16M", algorithm="lz4", recompression=["lz4hc", "zstd"])
    store(zram.node, real_pages(64))
    run = recompression.recompress_pages(zram, algorithm="zstd")
    again = recompression.recompress_pages(zram, priority=2)
    assert run.compressed_freed > 0
    assert again.compressed_freed == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"priority": 2}, "priority 2 is not configured"),
        ({"algorithm": "lz4hc"}, "lz4hc is not configured"),
        ({"algorithm": "zstd", "priority": 3}, "zstd is not configured"),
        ({"priority": 4}, r"not in 1\.\.3"),
        ({"type": "all"}, "not one of idle"),
        ({"threshold": -1}, "not a whole number"),
    ],
)
def test_what_older_kernels_take_silently_is_refused(stored, words, message):
    before = stored.read_mm_stat()
    with pytest.raises(pyzram.InvalidValueError, match=message):
        stored.recompress(**words)
    assert stored.read_mm_stat() == before


def test_nothing_configured_is_said_so(zram):
    zram.configure(disksize="16M")
    with pytest.raises(pyzram.InvalidValueError, match="must be set before disksize"):
        zram.recompress()


def test_an_uninitialised_device_is_einval(zram):
    with pytest.raises(pyzram.ZramOSError, match="not initialised") as caught:
        recompression.recompress_pages(zram)
    assert caught.value.errno == errno.EINVAL


def test_a_kernel_without_recompression_is_said_so(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        if device.has("recompress"):
            pytest.skip("this kernel has it")
        device.configure(disksize="16M")
        with pytest.raises(pyzram.UnsupportedError, match="no attribute recomp_algorithm"):
            recompression.recompress_pages(device)


def test_the_command_says_what_it_brought(stored):
    command = [sys.executable, "-Im", "pyzram.cli.pyzram", "recompress", stored.name]
    done = subprocess.run(
        [*command, "--algorithm", "zstd"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    # It depends on the data whether whole zspages become free or new ones are begun.
    assert "memory freed: " in done.stdout or "memory grown: " in done.stdout
    assert recompression.recompress_pages(stored).compressed_freed == 0
