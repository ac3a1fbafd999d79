# SPDX-License-Identifier: MIT
"""The service with what only some kernels have: backing devices and recompression."""

from __future__ import annotations

import mmap
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from kernel.box import MADV_PAGEOUT, SMALL, Box, forked, swaps

import pyzram
from pyzram.service import executor
from pyzram.service.plan import Step


def sysfs(box: Box, attribute: str) -> str:
    (number,) = box.numbers()
    return Path(f"/sys/block/zram{number}/{attribute}").read_text().strip()


def test_a_file_takes_what_is_written_back_and_keeps_its_loop_over_live_changes(
    box: Box, zram_device
) -> None:
    if not (zram_device.sysfs / "backing_dev").exists():
        pytest.skip("this kernel has no backing_dev")
    image = box.directory / "image"
    image.write_bytes(bytes(16 << 20))
    desired = f"ZRAM_BACKING_DEV_0={image}\nZRAM_WRITEBACK_LIMIT_0=4M\n"
    box.write(SMALL + desired)
    box.fine("start")
    loop = sysfs(box, "backing_dev")
    assert Path(f"/sys/block/{Path(loop).name}/loop/backing_file").read_text().strip() == str(image)
    assert sysfs(box, "writeback_limit") == str((4 << 20) // 4096)
    assert sysfs(box, "writeback_limit_enable") == "1"
    assert box.fine("reload") == ""
    box.write(SMALL + desired.replace("4M", "2M"))
    box.fine("reload")
    assert sysfs(box, "writeback_limit") == str((2 << 20) // 4096)
    assert sysfs(box, "backing_dev") == loop
    box.fine("restart")
    again = sysfs(box, "backing_dev")
    assert Path(f"/sys/block/{Path(again).name}/loop/backing_file").read_text().strip() == str(
        image
    )
    box.fine("stop")
    attached = subprocess.run(
        ["losetup", "-j", str(image)], capture_output=True, text=True, check=True
    )
    assert attached.stdout == ""


def backing_file(box: Box) -> str:
    loop = Path(sysfs(box, "backing_dev")).name
    return Path(f"/sys/block/{loop}/loop/backing_file").read_text().strip()


@pytest.fixture
def written_back(box: Box, zram_device) -> tuple[Path, mmap.mmap, bytes]:
    """Memory on a swap device of the service, half of it on the backing file."""
    if not (zram_device.sysfs / "backing_dev").exists():
        pytest.skip("this kernel has no backing_dev")
    image = box.directory / "image"
    image.write_bytes(bytes(8 << 20))
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_PRIORITY_0=32000\nZRAM_BACKING_DEV_0={image}\n")
    box.fine("start")
    memory = mmap.mmap(-1, 2 << 20)
    content = random.Random(1).randbytes(1 << 20) + b"abcdefgh" * (1 << 17)
    memory[:] = content
    memory.madvise(MADV_PAGEOUT)
    with pyzram.Zram(box.numbers()[0]) as device:
        device.writeback("huge")
        assert device.read_bd_stat().bd_count > 100
    return image, memory, content


def test_a_backing_file_passes_to_a_new_device_by_a_bridge(box: Box, written_back) -> None:
    image, memory, content = written_back
    before = box.known()
    box.write(f"ZRAM_SIZE_0=24M\nZRAM_PRIORITY_0=32000\nZRAM_BACKING_DEV_0={image}\n")
    told = box.fine("reload")
    (old,), (new,) = before, box.numbers()
    algorithm = sysfs(box, "comp_algorithm").partition("[")[2].partition("]")[0]
    assert told.splitlines() == [
        f"zram{old}: removed",
        f"zram{new}: swap, 24M, {algorithm}",
    ]
    assert box.known() != before
    assert sysfs(box, "disksize") == str(24 << 20)
    assert backing_file(box) == str(image)
    assert int(swaps()[f"/dev/zram{new}"][4]) > 32000
    assert memory[:] == content
    assert box.fine("plan") == "nothing to do\n"
    memory.close()
    box.fine("stop")


def test_a_backing_file_that_cannot_be_passed_on_leaves_the_bridge(box: Box, written_back) -> None:
    image, memory, content = written_back
    image.rename(box.directory / "away")
    box.write(f"ZRAM_SIZE_0=24M\nZRAM_PRIORITY_0=32000\nZRAM_BACKING_DEV_0={image}\n")
    done = box.pyzram("reload")
    assert done.returncode == 1
    (bridge,) = box.numbers()
    warning, error = done.stderr.splitlines()
    assert warning.endswith(f"zram{bridge}: continues without {image} (pyzram reload tries again)")
    assert "No such file" in error
    assert f"/dev/zram{bridge}" in swaps()
    assert memory[:] == content
    assert f"zram{bridge}: backing_dev none -> {image}" in box.pyzram("start").stderr
    image.write_bytes(bytes(8 << 20))
    box.fine("reload")
    assert backing_file(box) == str(image)
    assert memory[:] == content
    memory.close()
    box.fine("stop")


def killed_before(point: str, nth: int) -> None:
    """This process ends itself before a step of a plan for the nth time."""
    times = iter(range(1, nth + 1))

    def watch(moment: str, step: Step) -> None:
        if (moment, step.action) == ("before", point) and next(times) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    executor.watch = watch


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("swapoff", 2),
        ("ready", 2),
        pytest.param("add", 1, marks=pytest.mark.slow),
        pytest.param("configure", 2, marks=pytest.mark.slow),
        pytest.param("remove", 2, marks=pytest.mark.slow),
    ],
)
def test_a_hand_over_that_was_killed_loses_nothing(
    box: Box, written_back, point: str, left: int
) -> None:
    image, memory, content = written_back
    box.write(f"ZRAM_SIZE_0=24M\nZRAM_PRIORITY_0=32000\nZRAM_BACKING_DEV_0={image}\n")
    nth = 1 if point == "swapoff" else 2
    words = ["-c", str(box.conf), "reload"]
    done = forked(words, box.env, lambda: killed_before(point, nth))
    assert done.returncode == -signal.SIGKILL
    assert len(box.numbers()) == left
    assert any(f"/dev/zram{number}" in swaps() for number in box.numbers()), "never without swap"
    box.pyzram("start")
    assert len(box.numbers()) == 1
    assert memory[:] == content
    box.fine("reload")
    assert backing_file(box) == str(image)
    assert sysfs(box, "disksize") == str(24 << 20)
    assert memory[:] == content
    memory.close()
    box.fine("stop")


def test_a_backing_device_that_holds_something_is_refused(box: Box, zram_device) -> None:
    if not (zram_device.sysfs / "backing_dev").exists():
        pytest.skip("this kernel has no backing_dev")
    image = box.directory / "image"
    image.write_bytes(bytes(16 << 20))
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    before = image.read_bytes()
    box.write(SMALL + f"ZRAM_BACKING_DEV_0={image}\n")
    assert "ext4" in box.fails("start")
    assert box.numbers() == []
    assert image.read_bytes() == before


def test_recompression_algorithms_are_set_up(box: Box, zram_device) -> None:
    if not (zram_device.sysfs / "recomp_algorithm").exists():
        pytest.skip("this kernel has no recompression (CONFIG_ZRAM_MULTI_COMP)")
    box.write(SMALL + "ZRAM_ALGORITHM_0=lz4\nZRAM_RECOMP_ALGORITHM_0='zstd(level=9) deflate'\n")
    box.fine("start")
    assert "[lz4]" in sysfs(box, "comp_algorithm")
    lines = sysfs(box, "recomp_algorithm").replace("\0", "").splitlines()
    assert ["[zstd]" in lines[0], "[deflate]" in lines[1]] == [True, True]
    assert box.fine("reload") == ""
    (row,) = box.rows()
    assert row["state"] == "running"
    box.fine("stop")
