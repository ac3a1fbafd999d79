# SPDX-License-Identifier: MIT
"""Contract: devices come, are set up, are reset, and go."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice, drop_device, write_once
from kernel.raw import (
    CONTROL,
    PAGE,
    algorithms,
    has,
    load,
    need,
    noise,
    numbers,
    refused,
    selected,
    store,
    text,
)


def hot_remove(device: OwnDevice) -> None:
    write_once(CONTROL / "hot_remove", str(device.number))


def opened(device: OwnDevice, mode: int) -> int:
    return os.open(device.node, mode)


def test_node_and_files_are_there_when_hot_add_returns(zram_device):
    assert Path(zram_device.node).is_block_device()
    assert zram_device.read("disksize") == "0\n"
    assert zram_device.read("initstate") == "0\n"
    assert zram_device.read("size") == "0\n"


def test_two_reads_at_offset_zero_add_two_devices():
    fd = os.open(CONTROL / "hot_add", os.O_RDONLY)
    try:
        added = [OwnDevice(int(os.pread(fd, 32, 0))) for _ in range(2)]
    finally:
        os.close(fd)
    try:
        assert added[0] != added[1]
        assert all(device.sysfs.exists() for device in added)
    finally:
        for device in added:
            drop_device(device)


def test_the_lowest_free_number_is_used_again(add_zram):
    first, _ = add_zram(), add_zram()
    hot_remove(first)
    assert add_zram().number <= first.number


@pytest.mark.parametrize("size", ["", "1M"])
@pytest.mark.parametrize("mode", [os.O_RDONLY, os.O_RDWR])
def test_reset_and_hot_remove_are_refused_while_anyone_has_it_open(zram_device, size, mode):
    zram_device.write("disksize", size)
    fd = opened(zram_device, mode)
    try:
        refused(errno.EBUSY, zram_device.write, "reset", "1")
        refused(errno.EBUSY, hot_remove, zram_device)
    finally:
        os.close(fd)
    zram_device.write("reset", "1")


def test_hot_remove_destroys_an_unused_device_with_its_data(add_zram):
    device = add_zram()
    device.write("disksize", "1M")
    store(device, [text()])
    hot_remove(device)
    assert not device.sysfs.exists()
    assert not Path(device.node).exists()


def test_a_removed_number_is_unknown(add_zram):
    device = add_zram()
    hot_remove(device)
    if device.sysfs.exists():
        pytest.skip("somebody else was given the number at once")
    refused(errno.ENODEV, hot_remove, device)


def test_disksize_initialises_and_cannot_be_changed(zram_device):
    zram_device.write("disksize", "1M")
    assert zram_device.read("initstate") == "1\n"
    assert int(zram_device.read("size")) == (1 << 20) // 512
    refused(errno.EBUSY, zram_device.write, "disksize", "2M")
    refused(errno.EBUSY, zram_device.write, "disksize", "1M")


def test_reset_of_a_fresh_device_succeeds(zram_device):
    zram_device.write("reset", "1")
    assert zram_device.read("initstate") == "0\n"


def test_reset_zeroes_size_statistics_and_limit(zram_device):
    zram_device.write("disksize", "1M")
    zram_device.write("mem_limit", "1M")
    store(zram_device, [text(), noise()])
    zram_device.write("reset", "1")
    assert zram_device.read("disksize") == "0\n"
    assert zram_device.read("size") == "0\n"
    assert set(numbers(zram_device, "mm_stat")) == {0}
    zram_device.write("disksize", "1M")
    assert numbers(zram_device, "mm_stat")[3] == 0
    assert load(zram_device, 2) == [bytes(PAGE)] * 2


def test_mem_limit_set_before_disksize_holds(zram_device):
    zram_device.write("mem_limit", "1M")
    zram_device.write("disksize", "4M")
    assert numbers(zram_device, "mm_stat")[3] == 1 << 20


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("writeback_limit", "12352"),  # whole pages of 64 KiB: 7.x rounds down to such
        ("writeback_limit_enable", "1"),
        ("writeback_batch_size", "77"),
        ("compressed_writeback", "1"),
    ],
)
def test_reset_keeps_the_writeback_settings(zram_device, attribute, value):
    need(zram_device, attribute)
    zram_device.write(attribute, value)
    zram_device.write("disksize", "1M")
    zram_device.write("reset", "1")
    assert zram_device.read(attribute) == f"{value}\n"


def test_reset_forgets_the_algorithm_since_own_back_ends_and_kept_it_before(zram_device):
    default = selected(zram_device)
    other = next(name for name in algorithms(zram_device) if name != default)
    zram_device.write("comp_algorithm", other)
    zram_device.write("disksize", "1M")
    zram_device.write("reset", "1")
    assert selected(zram_device) == (default if has(zram_device, "algorithm_params") else other)


def test_compact_wants_an_initialised_device_and_reads_no_argument(zram_device):
    refused(errno.EINVAL, zram_device.write, "compact", "1")
    zram_device.write("disksize", "1M")
    zram_device.write("compact", "anything")


def test_direct_input_and_output_must_be_aligned_to_a_block(zram_device):
    zram_device.write("disksize", "1M")
    fd = os.open(zram_device.node, os.O_RDWR | os.O_DIRECT)
    try:
        refused(errno.EINVAL, os.pread, fd, 512, 0)
    finally:
        os.close(fd)


def test_mkswap_wants_ten_pages(zram_device):
    zram_device.write("disksize", str(9 * PAGE))
    command = ["mkswap", zram_device.node]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    zram_device.write("reset", "1")
    zram_device.write("disksize", str(10 * PAGE))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_swap_area_is_an_opener_until_swapoff(zram_device):
    zram_device.write("disksize", "4M")
    subprocess.run(["mkswap", zram_device.node], capture_output=True, check=True)
    subprocess.run(["swapon", "-p", "7", zram_device.node], check=True)
    try:
        refused(errno.EBUSY, zram_device.write, "reset", "1")
        refused(errno.EBUSY, hot_remove, zram_device)
        (line,) = (x for x in Path("/proc/swaps").read_text().splitlines() if zram_device.node in x)
        assert line.split()[4] == "7"
    finally:
        subprocess.run(["swapoff", zram_device.node], check=True)
    zram_device.write("reset", "1")


@pytest.mark.vm_only
def test_a_failed_disksize_keeps_the_name_or_loses_it_for_the_default(zram_device):
    if has(zram_device, "algorithm_params") and not has(zram_device, "writeback_batch_size"):
        pytest.skip("this kernel may crash after a failed disksize: KERNEL 6.12 to 6.18")
    default = selected(zram_device)
    other = next(name for name in algorithms(zram_device) if name != default)
    zram_device.write("comp_algorithm", other)
    refused((errno.ENOMEM, errno.EINVAL), zram_device.write, "disksize", "4E")
    assert zram_device.read("initstate") == "0\n"
    assert selected(zram_device) in (other, default)
    zram_device.write("reset", "1")
    zram_device.write("comp_algorithm", other)
    zram_device.write("disksize", "1M")
    assert selected(zram_device) == other
