# SPDX-License-Identifier: MIT
"""A device's lines in the record: settings go in and come out unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import Algorithm, InvalidValueError
from pyzram.config.device_config import DeviceConfig
from pyzram.config.parser import parse_config
from pyzram.service.registered import (
    RECORDED,
    RegisteredDevice,
    devices_of,
    lines_of,
    settings_text,
)

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1)
WORD = st.text(st.characters(blacklist_categories=("C", "Z"), whitelist_characters=" %"))
ALGORITHM = st.builds(
    Algorithm,
    st.sampled_from(("zstd", "lzo-rle", "842")),
    level=st.none() | st.integers(-(1 << 31), (1 << 31) - 1),
    dictionary=st.none() | st.just("/etc/dict%20"),
    winbits=st.none() | st.integers(-15, 15),
)
ALGORITHMS = st.lists(ALGORITHM, max_size=3).map(tuple)
COMMON = {
    "index": st.integers(0, 9),
    "disksize": st.integers(0, 1 << 50),
    "algorithms": ALGORITHMS,
    "recompression": ALGORITHMS,
    "discard": st.sampled_from(("none", "once", "pages", "both")),
    "label": st.none() | TEXT,
    "backing_dev": st.none() | TEXT,
    "writeback_limit": st.none() | st.integers(0, 1 << 60),
}
SWAP = st.builds(DeviceConfig, **COMMON, priority=st.integers(-1, 32767))
FILE_SYSTEM = st.builds(
    DeviceConfig,
    **COMMON,
    mount_point=TEXT,
    fstype=st.sampled_from(("ext4", "xfs")),
    mkfs_options=st.lists(WORD, max_size=4).map(tuple),
    mount_options=st.just("") | TEXT,
    mode=st.none() | st.integers(0, 0o7777),
    owner=st.none() | TEXT,
)


def through(settings: DeviceConfig) -> DeviceConfig | None:
    """Write a device down and read it again, by way of a file's lines."""
    registered = RegisteredDevice(settings.index, 7, "70", ready=True)
    registered.settings = settings
    lines = list(lines_of([registered]))
    assert not any("\n" in line for line in lines)
    (back,) = devices_of("\n".join(lines).split("\n"))
    assert (back.index, back.number, back.diskseq, back.ready) == (settings.index, 7, "70", True)
    return back.settings


@given(SWAP | FILE_SYSTEM)
def test_settings_keep_their_values_and_types(settings: DeviceConfig) -> None:
    assert through(settings) == settings


def test_what_a_file_says_comes_back_but_for_what_the_kernel_reports() -> None:
    text = (
        "ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0='zstd(level=3) lz4'\nZRAM_MEM_LIMIT_0=512M\n"
        "ZRAM_SIZE_1=1G\nZRAM_MOUNT_1=/srv\nZRAM_MKFS_OPTS_1='-L \"a b\" -m 0'\nZRAM_MODE_1=1777\n"
    )
    for desired in parse_config(text, ram=8 << 30, cpus=2).devices:
        options = () if desired.is_swap else desired.mkfs_options
        assert through(desired) == desired.replace(mem_limit=0, mkfs_options=options)


def test_every_field_is_written_or_reported_by_the_kernel() -> None:
    assert {*DeviceConfig._fields} - {*RECORDED} == {"index", "mem_limit"}
    assert list(settings_text(DeviceConfig(0, 4096))) == list(RECORDED)


@pytest.mark.parametrize(
    "line", [" disksize 1G", " mode 9", " priority x", " algorithms zstd(", " writeback_limit "]
)
def test_what_was_not_written_by_us_is_refused(line: str) -> None:
    with pytest.raises((ValueError, InvalidValueError)):
        devices_of(["device 0 7 70 ready", line])


def test_a_field_of_another_version_is_passed_over() -> None:
    (device,) = devices_of(["device 0 7 70 begun", " colour blue"])
    assert device.settings is None
