# SPDX-License-Identifier: MIT
"""The running kernel as the judge: what is estimated for whole programs is what it pages out."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice
from kernel.memory_cgroup import WHY_NOT, MemoryCgroup
from kernel.pages.merging import merged
from kernel.pages.programs import (
    FORKS,
    GIVEN_UP,
    HALF_AGAIN,
    HELD,
    HOLES,
    HUGE_FORKS,
    LOCKED,
    LOCKED_BY_ONE,
    MERGED,
    NEVER_WRITTEN,
    PINNED,
    PINNED_SHARED,
    RESERVED,
    SHARED,
    SPARSE,
    USED_AGAIN,
    ZEROS,
    group,
)

from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.process_sources import open_processes

# Slow: an emulated guest takes minutes for each.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

PAGE = os.sysconf("SC_PAGE_SIZE")
RINGS = pytest.mark.skipif(
    ctypes.CDLL(None, use_errno=True).syscall(425, 1, None) < 0
    and ctypes.get_errno() != errno.EFAULT,
    reason="needs io_uring",
)


def zeros_kept() -> int:
    """Pages of zeros that swap itself has kept since boot; 0 before 6.12."""
    words = Path("/proc/vmstat").read_text().split()
    return int(words[words.index("swpout_zero") + 1]) if "swpout_zero" in words else 0


def paged_out(cgroup: MemoryCgroup, device: OwnDevice) -> dict[str, int]:
    """Page out all of a cgroup to a fresh device, and look at what arrived."""
    device.write("comp_algorithm", "lz4")
    device.write("disksize", "512M")
    subprocess.run(["mkswap", device.node], check=True, capture_output=True)
    names = ("orig_data_size", "compr_data_size", "mem_used_total")
    before = dict(zip(names, map(int, device.read("mm_stat").split()[:3]), strict=True))
    zeros = zeros_kept()
    pids = cgroup.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    subprocess.run(["swapon", "-p", "32000", device.node], check=True)
    try:
        cgroup.empty()
        after = dict(zip(names, map(int, device.read("mm_stat").split()[:3]), strict=True))
        after["zeros"] = zeros_kept() - zeros
    finally:
        subprocess.run(["swapoff", device.node], check=True)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return {name: value - before.get(name, 0) for name, value in after.items()}


@pytest.mark.parametrize(
    ("body", "children", "left_out"),
    [
        pytest.param(FORKS, 6, {}, id="forks"),
        pytest.param(HUGE_FORKS, 3, {}, id="huge-forks"),
        pytest.param(MERGED, 0, {}, id="merged"),
        pytest.param(SHARED, 1, {}, id="shared"),
        pytest.param(LOCKED, 0, {"locked": 4096}, id="locked"),
        pytest.param(LOCKED_BY_ONE, 1, {"locked": 2048}, id="locked-by-one"),
        pytest.param(GIVEN_UP, 0, {"lazily freed": 2048}, id="given-up"),
        pytest.param(USED_AGAIN, 0, {}, id="used-again"),
        pytest.param(ZEROS, 0, {}, id="zeros"),
        pytest.param(HOLES, 0, {}, id="holes"),
        pytest.param(RESERVED, 0, {}, id="reserved"),
        pytest.param(HELD, 0, {}, id="held"),
        pytest.param(NEVER_WRITTEN, 0, {"never written to": 3072}, id="never-written"),
        pytest.param(SPARSE, 0, {}, id="sparse"),
        pytest.param(PINNED, 0, {"pinned": 2048}, id="pinned", marks=RINGS),
        pytest.param(PINNED_SHARED, 1, {"locked": 2048}, id="pinned-shared", marks=RINGS),
    ],
)
def test_what_is_estimated_is_paged_out(
    body: str, children: int, left_out: dict[str, int], zram_device: OwnDevice
) -> None:
    with contextlib.ExitStack() as stack:
        cgroup = stack.enter_context(group(body, "exact", children))
        if body is MERGED:
            stack.enter_context(merged(cgroup, 15 << 20))
        before = cgroup.usage
        with open_processes(cgroup.pids()) as source:
            assert source.swapped == 0
            found = estimate_pages(source, ["lz4"], full=True, timing=False)
            assert source.left_out == left_out
        # What a process needs to begin its wait is charged 64 pages at a time on each processor.
        assert cgroup.usage - before < (128 + 64 * (os.cpu_count() or 1)) * PAGE
        assert found.lost == 0
        real = paged_out(cgroup, zram_device)
    pages = real["orig_data_size"] // PAGE + real["zeros"]
    figures = found.algorithms["lz4"].figures
    said = {"pages": found.pages, "compr": figures.compr_data_size, "used": figures.mem_used_total}
    sizes = {"out": pages, "stored": real["compr_data_size"], "took": real["mem_used_total"]}
    print(f"measured pages {json.dumps({**said, **sizes})}")  # tests/vm/test_estimate_truth.py
    assert abs(found.pages - pages) <= 0.005 * pages
    assert abs(figures.compr_data_size - real["compr_data_size"]) <= 0.005 * real["compr_data_size"]
    # The pool holds the page that mkswap wrote, and zspages that are not full.
    slack = 0.01 * real["mem_used_total"] + 16 * PAGE
    assert abs(figures.mem_used_total - real["mem_used_total"]) <= slack


def test_pages_given_up_and_half_of_them_used_again(zram_device: OwnDevice) -> None:
    """Half is hidden: it counts unread, and the bounds hold whatever is in it."""
    with group(HALF_AGAIN, "half-again") as cgroup:
        with open_processes(cgroup.pids()) as source:
            found = estimate_pages(source, ["lz4"], full=True, timing=False)
            assert source.left_out["lazily freed"] == 1024
        assert found.lost == 1024
        real = paged_out(cgroup, zram_device)
    pages = real["orig_data_size"] // PAGE + real["zeros"]
    assert abs(found.pages - pages) <= 0.005 * pages
    ratio = found.algorithms["lz4"].compression_ratio
    assert ratio.low <= real["compr_data_size"] / (pages * PAGE) <= ratio.high
