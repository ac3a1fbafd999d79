# SPDX-License-Identifier: MIT
"""Files that no shell reads as a whole: dietpi.txt, and systemd-swap's with its drop-ins."""

from __future__ import annotations

import pytest
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.imported import Imported
from pyzram.config.importer import import_files
from pyzram.config.parser import parse_config

MIB = 1 << 20
RAM = 8 << 30
ZRAM = "AUTO_SETUP_SWAPFILE_LOCATION=zram\n"


def planned(*texts: str) -> tuple[Config, Imported]:
    found = import_files([(f"f{number}", text) for number, text in enumerate(texts)], ram=RAM)
    return parse_config(found.text(), "ours", ram=RAM, cpus=4), found


@pytest.mark.parametrize(
    ("text", "size", "told"),
    [
        (f"{ZRAM}AUTO_SETUP_SWAPFILE_SIZE=64\nAUTO_SETUP_SWAPFILE_SIZE=128\n", 64 * MIB, "first"),
        (f"{ZRAM}AUTO_SETUP_SWAPFILE_SIZE = 64\n", RAM // 2, "blank before the ="),
        (f'{ZRAM}AUTO_SETUP_SWAPFILE_SIZE="64"\n', RAM // 2, "'\"64\"' is not a whole number"),
        (f"{ZRAM}AUTO_SETUP_SWAPFILE_SIZE=64 # x\n", RAM // 2, "is not a whole number"),
        (f"{ZRAM}\tAUTO_SETUP_SWAPFILE_SIZE=64\n", 64 * MIB, ""),
        (f"{ZRAM}# it's\nX=$(y)\nAUTO_SETUP_SWAPFILE_SIZE=64\n", 64 * MIB, ""),
        (f"{ZRAM}#AUTO_SETUP_SWAPFILE_SIZE=64\n", RAM // 2, ""),
    ],
)
def test_dietpi_reads_the_first_line_as_it_is(text: str, size: int, told: str) -> None:
    config, found = planned(text)
    (device,) = config.devices
    assert found.tool == "DietPi"
    assert device.disksize == size
    if told:
        (line,) = found.lost
        assert told in line
        assert line.startswith(f"line {text.count(chr(10))}: AUTO_SETUP_SWAPFILE_SIZE: ")
    else:
        assert found.lost == []


@pytest.mark.parametrize("place", ['"zram"', "zram # x", "'/dev/zram0'"])
def test_dietpi_takes_quotes_and_remarks_for_part_of_the_value(place: str) -> None:
    config, found = planned(f"AUTO_SETUP_SWAPFILE_LOCATION={place}\n")
    assert config.devices == ()
    assert found.lost == [f"line 1: swap in {place}: no zram"]


def test_drop_ins_of_systemd_swap_are_merged() -> None:
    config, found = planned(
        "zram_enabled=1\nzram_size=1073741824\nzram_prio=5\n",
        "zram_size=$((RAM_SIZE/2))\nswapfc_enabled=1\n",
        "# nothing of zram\nzram_alg=lz4 # fast\nzram_prio=99999\n",
    )
    (device,) = config.devices
    assert (device.disksize, str(device.algorithms[0])) == (RAM // 2, "lz4")
    assert "f1:2: swapfc_enabled: swap other than zram" in found.lost
    assert any(line.startswith("f2:3: zram_prio: '99999' is not") for line in found.lost)


def test_a_drop_in_of_systemd_swap_is_known_alone() -> None:
    config, found = planned("zram_size=$((RAM_SIZE/2))\n")
    assert found.tool == "systemd-swap"
    assert config.devices == ()
    assert found.lost == ["zram_enabled is not 1: no device"]


@pytest.mark.parametrize("line", ["export zram_prio=5", "zram_prio = 5", ". /etc/x"])
def test_systemd_swap_reads_nothing_but_plain_lines(line: str) -> None:
    config, found = planned(f"zram_enabled=1\n{line}\n")
    assert config.devices[0].priority == 32767
    assert found.lost == [f"line 2: {line!r}: not an assignment, and commands are not run"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4G", "4G is 4e9 MiB; was 4096 meant?"),
        ("4096M", "4096M is 4096e6 MiB; was 4096 meant?"),
        ("min(ram / 2, 1.5G)", "1.5G is 1.5e9 MiB; was 1536 meant?"),
    ],
)
def test_a_suffix_of_the_generator_is_pointed_out(text: str, said: str) -> None:
    found = import_text(f"[zram0]\nzram-size = {text}\n", "x", ram=RAM)
    (line,) = [line for line in found.looks if "suffixes" in line]
    assert line.startswith(
        "line 2: zram0: zram-size: suffixes there are decimal and multiply MiB, so "
    )
    assert line.endswith(said)


@pytest.mark.parametrize("text", ["4096", "8K", "ram/2", "min(ram, 4096)"])
def test_other_sizes_of_the_generator_are_not(text: str) -> None:
    assert import_text(f"[zram0]\nzram-size = {text}\n", "x", ram=RAM).looks == []
