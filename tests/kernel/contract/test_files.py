# SPDX-License-Identifier: MIT
"""Contract: what the files are, and who may open them in which way."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from kernel.raw import CONTROL, need, numbers, refused

READ_ONLY = ["initstate", "mm_stat", "io_stat", "debug_stat", "bd_stat", "stat", "size"]
WRITE_ONLY = [
    "reset",
    "compact",
    "mem_limit",
    "mem_used_max",
    "idle",
    "writeback",
    "recompress",
    "algorithm_params",
]
BOTH = [
    "disksize",
    "comp_algorithm",
    "recomp_algorithm",
    "backing_dev",
    "writeback_limit",
    "writeback_limit_enable",
    "writeback_batch_size",
    "compressed_writeback",
]


@pytest.mark.parametrize("attribute", READ_ONLY)
def test_a_read_only_file_refuses_to_be_opened_for_writing_even_by_root(zram_device, attribute):
    need(zram_device, attribute)
    path = zram_device.sysfs / attribute
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    refused(errno.EACCES, os.open, path, os.O_WRONLY)


@pytest.mark.parametrize("attribute", WRITE_ONLY)
def test_a_write_only_file_refuses_to_be_opened_for_reading_even_by_root(zram_device, attribute):
    need(zram_device, attribute)
    path = zram_device.sysfs / attribute
    assert stat.S_IMODE(path.stat().st_mode) == 0o200
    refused(errno.EACCES, os.open, path, os.O_RDONLY)


@pytest.mark.parametrize("attribute", BOTH)
def test_a_setting_is_readable_by_all_and_writable_by_root(zram_device, attribute):
    need(zram_device, attribute)
    assert stat.S_IMODE((zram_device.sysfs / attribute).stat().st_mode) == 0o644


@pytest.mark.parametrize(("name", "mode"), [("hot_add", 0o400), ("hot_remove", 0o200)])
def test_the_control_files_are_root_only(name, mode):
    assert stat.S_IMODE((CONTROL / name).stat().st_mode) == mode


@pytest.mark.parametrize("attribute", ["disksize", "reset", "comp_algorithm", "mem_limit"])
def test_an_empty_write_succeeds_and_changes_nothing(zram_device, attribute):
    zram_device.write("disksize", "1M")
    before = zram_device.read("disksize"), zram_device.read("comp_algorithm")
    zram_device.write(attribute, "")
    assert (zram_device.read("disksize"), zram_device.read("comp_algorithm")) == before


@pytest.mark.parametrize(
    ("attribute", "count"),
    [("mm_stat", 9), ("io_stat", 4), ("bd_stat", 3), ("stat", 17)],
)
def test_a_statistics_file_is_one_line_of_numbers(zram_device, attribute, count):
    need(zram_device, attribute)
    assert len(numbers(zram_device, attribute)) == count
    assert zram_device.read(attribute).count("\n") == 1


@pytest.mark.parametrize("attribute", ["mm_stat", "io_stat", "bd_stat"])
def test_statistics_of_a_fresh_device_are_zeros(zram_device, attribute):
    need(zram_device, attribute)
    assert set(numbers(zram_device, attribute)) == {0}


def test_debug_stat_names_its_version_then_two_numbers(zram_device):
    first, second = zram_device.read("debug_stat").splitlines()
    assert first == "version: 1"
    assert len([int(word) for word in second.split()]) == 2


def test_the_queue_is_that_of_memory(zram_device):
    queue = zram_device.sysfs / "queue"
    assert (queue / "rotational").read_text() == "0\n"
    assert (queue / "logical_block_size").read_text() == "4096\n"
    assert (queue / "physical_block_size").read_text() == f"{os.sysconf('SC_PAGE_SIZE')}\n"


def test_max_comp_streams_is_gone_or_counts_processors_and_takes_anything(zram_device):
    need(zram_device, "max_comp_streams")
    before = zram_device.read("max_comp_streams")
    assert int(before) == os.cpu_count()
    zram_device.write("max_comp_streams", "7")
    assert zram_device.read("max_comp_streams") == before
