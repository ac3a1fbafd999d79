# SPDX-License-Identifier: MIT
"""What a shell makes of files of variables: the last assignment counts, and commands would run."""

from __future__ import annotations

import pytest
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.device_config import DeviceConfig
from pyzram.config.parser import parse_config

MIB = 1 << 20
RAM = 8 << 30


def translated(text: str) -> tuple[Config, list[str]]:
    found = import_text(text, "theirs")
    return parse_config(found.text(), "ours", ram=RAM, cpus=4), found.lost


def only(text: str) -> DeviceConfig:
    (device,) = translated(text)[0].devices
    return device


@pytest.mark.parametrize(
    ("text", "size"),
    [
        # First a value that only a shell could work out, then a plain one.
        ("ALGO=zstd\nPERCENT=$(nproc)\nPERCENT=50\n", RAM // 2),
        ("ZRAM_COMP_ALGORITHM=lz4\nZRAM_SIZE=`nproc`\nZRAM_SIZE=10\n", 819 * MIB),
        ("zram_enabled=1\nzram_size=$((RAM_SIZE/3))\nzram_size=1073741824\n", 1 << 30),
        ("ENABLED=true\nTMP=false\nZRAM_PERCENTAGE=$(nproc)\nZRAM_PERCENTAGE=25\n", RAM // 4),
        # And the reverse: the default, because the command is not run.
        ("ALGO=zstd\nPERCENT=50\nPERCENT=$(nproc)\n", 256 * MIB),
        ("ZRAM_COMP_ALGORITHM=lz4\nZRAM_SIZE=10\nZRAM_SIZE=`nproc`\n", RAM // 4),
        ("zram_enabled=1\nzram_size=1073741824\nzram_size=$((RAM_SIZE/8))\n", 1 << 30),
        ("ENABLED=true\nTMP=false\nZRAM_PERCENTAGE=25\nZRAM_PERCENTAGE=$(nproc)\n", RAM // 2),
        # Several of a line.
        ("ALGO=zstd PERCENT=50; PERCENT=$(nproc)\nSIZE=64\n", 64 * MIB),
    ],
)
def test_the_last_assignment_counts(text: str, size: int) -> None:
    assert only(text).disksize == size


def test_what_is_refused_leaves_the_others_of_its_line_alone() -> None:
    device = only("ALGO=zstd PERCENT=$(nproc)\n")
    assert str(device.algorithms[0]) == "zstd"


@pytest.mark.parametrize(
    "start",
    ["PERCENT=50\n", "ZRAM_COMP_ALGORITHM=lz4\n", "zram_enabled=1\n", "ENABLED=true\nSWAP=true\n"],
)
def test_commands_are_told_with_their_lines(start: str) -> None:
    text = (
        f"{start}if grep -q arm64 /etc/os; then PERCENT=25; fi\n. /etc/x\n"
        "ZRAM_PERCENTAGE=50\nexport PATH\n"
    )
    first = start.count("\n") + 1
    lost = import_text(text, "x").lost
    for number, words in ((first, "if grep -q arm64"), (first + 1, ". /etc/x")):
        (line,) = [line for line in lost if line.startswith(f"line {number}: ")]
        assert words in line
        assert "not run" in line


@pytest.mark.parametrize(
    ("text", "size", "priority"),
    [
        ("#export ZRAM_COMP_ALGORITHM='lz4'\n#export ZRAM_SIZE=25\n", RAM // 4, 32767),
        ("# export ZRAM_PRIORITY=5\n", RAM // 4, 32767),
        ("ZRAM_SIZE=50\nZRAM_PRIORITY=100\n", RAM // 2, 100),
        ("export ZRAM_SIZE=50\n", RAM // 2, 32767),
    ],
)
def test_zramens_file_is_known_by_any_variable(text: str, size: int, priority: int) -> None:
    found = import_text(text, "x")
    assert found.tool == "zramen"
    assert (only(text).disksize, only(text).priority) == (size, priority)


@pytest.mark.parametrize(
    ("word", "discard"),
    [
        *(("both", "both"), ("once", "once"), ("pages", "pages"), ("none", "none")),
        *(("true", "both"), ("yes", "both"), ("false", "none"), ("no", "none"), ("", "both")),
    ],
)
def test_zramens_discard(word: str, discard: str) -> None:
    text = f"ZRAM_COMP_ALGORITHM=lz4\nZRAMEN_SWAPON_DISCARD={word}\n"
    assert only(text).discard == discard
    assert translated(text)[1] == []


def test_an_unknown_discard_policy_is_reported() -> None:
    text = "ZRAM_COMP_ALGORITHM=lz4\nZRAMEN_SWAPON_DISCARD=perhaps\n"
    assert only(text).discard == "both"
    (line,) = translated(text)[1]
    assert line.startswith("line 2: ZRAMEN_SWAPON_DISCARD: 'perhaps' is not a policy")
