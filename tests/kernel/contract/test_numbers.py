# SPDX-License-Identifier: MIT
"""Contract: how the kernel reads numbers, which is why pyzram writes plain bytes."""

from __future__ import annotations

import errno

import pytest
from kernel.conftest import write_once
from kernel.raw import CONTROL, PAGE, need, numbers, refused

M = 1 << 20


@pytest.fixture
def limited(zram_device):
    """A device whose memory limit can be read back: field 4 of mm_stat."""
    zram_device.write("disksize", "1M")
    return zram_device


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1048576", M),
        ("64M", 64 * M),
        ("64m", 64 * M),
        ("8K", 8192),
        ("1G", 1 << 30),
        ("1T", 1 << 40),
        ("1P", 1 << 50),
        ("1E", 1 << 60),
        ("0x100000", M),
        ("04000000", M),
        ("64M\n", 64 * M),
        ("0", 0),
    ],
)
def test_a_size_takes_a_base_and_a_binary_suffix(limited, written, meant):
    limited.write("mem_limit", written)
    # Rounded up to a page, whatever its size.
    assert numbers(limited, "mm_stat")[3] == -(-meant // PAGE) * PAGE


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("64Mjunk", 64 * M),
        ("1mb", M),
        ("64MiB", 64 * M),
        ("1 M", PAGE),
        ("1.5G", PAGE),
        ("010", PAGE),
        ("1,5M", PAGE),
        ("12e3", 12 << 60),
    ],
)
def test_a_size_is_silently_misread_after_its_first_letter(limited, written, read):
    limited.write("mem_limit", written)
    assert numbers(limited, "mm_stat")[3] == read


@pytest.mark.parametrize("written", ["x", "-1", " 1M", "+1M", "\n"])
def test_a_size_that_does_not_begin_with_a_digit_is_not_taken(limited, written):
    refused(errno.EINVAL, limited.write, "mem_limit", written)
    assert numbers(limited, "mm_stat")[3] == 0


@pytest.mark.parametrize(
    ("written", "size"), [("1", PAGE), (f"{PAGE + 1}", 2 * PAGE), ("1.5G", PAGE)]
)
def test_disksize_is_rounded_up_to_a_page(zram_device, written, size):
    zram_device.write("disksize", written)
    assert int(zram_device.read("disksize")) == size


@pytest.mark.parametrize("written", ["0", "x", "-1M", " 1M"])
def test_disksize_refuses_zero_and_nonsense(zram_device, written):
    refused(errno.EINVAL, zram_device.write, "disksize", written)
    assert zram_device.read("disksize") == "0\n"
    assert zram_device.read("initstate") == "0\n"


@pytest.mark.parametrize("written", ["1", "+1", "1\n", "2", "65535"])
def test_reset_takes_any_number_but_zero(zram_device, written):
    zram_device.write("disksize", "1M")
    zram_device.write("reset", written)
    assert zram_device.read("initstate") == "0\n"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0", errno.EINVAL),
        ("x", errno.EINVAL),
        (" 1", errno.EINVAL),
        ("1 ", errno.EINVAL),
        ("1\n\n", errno.EINVAL),
        ("0x1", errno.EINVAL),
        ("65536", errno.ERANGE),
    ],
)
def test_reset_refuses_what_is_not_a_number(zram_device, written, code):
    zram_device.write("disksize", "1M")
    refused(code, zram_device.write, "reset", written)
    assert zram_device.read("initstate") == "1\n"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("-1", errno.EINVAL),
        ("x", errno.EINVAL),
        ("zram1", errno.EINVAL),
        ("99999", errno.ENODEV),
    ],
)
def test_hot_remove_wants_the_number_of_a_device(written, code):
    refused(code, write_once, CONTROL / "hot_remove", written)


@pytest.mark.parametrize(
    ("attribute", "written"),
    [
        ("mem_used_max", "1"),
        ("mem_used_max", "x"),
        ("writeback_limit", "x"),
        ("writeback_limit", "-1"),
        ("writeback_limit", "1M"),
        ("writeback_limit", "99999999999999999999"),
        ("writeback_limit_enable", "x"),
        ("writeback_batch_size", "0"),
        ("writeback_batch_size", "x"),
        ("compressed_writeback", "x"),
    ],
)
def test_a_setting_refuses_impossible_values(zram_device, attribute, written):
    need(zram_device, attribute)
    refused(errno.EINVAL, zram_device.write, attribute, written)


@pytest.mark.parametrize(
    ("attribute", "written", "read"),
    [
        ("writeback_limit", "1024\n", "1024"),
        ("writeback_limit_enable", "7", "1"),
        ("writeback_batch_size", "64", "64"),
        ("compressed_writeback", "yes", "1"),
        ("compressed_writeback", "off", "0"),
    ],
)
def test_a_setting_reads_back_as_a_plain_number(zram_device, attribute, written, read):
    need(zram_device, attribute)
    zram_device.write(attribute, written)
    assert zram_device.read(attribute) == f"{read}\n"
