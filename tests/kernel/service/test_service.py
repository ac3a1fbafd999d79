# SPDX-License-Identifier: MIT
"""The service on real devices, on good days and with wrong files."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
from pathlib import Path

import pytest
from kernel.box import MADV_PAGEOUT, SMALL, Box, swaps

MANY = 16
"""Devices at once: fewer than the swap areas of any kernel, more than a command's own files."""

# ---- good days ---------------------------------------------------------------------------------


def test_start_status_and_stop_of_a_swap_device(box: Box, offered: list[str]) -> None:
    name = offered[-1]
    box.write(
        "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=7\nZRAM_MEM_LIMIT_0=32M\n"
        f"ZRAM_ALGORITHM_0='no-such {name}'\n"
    )
    assert box.pyzram("status").returncode == 3
    box.fine("start")
    (number,) = box.numbers()
    assert swaps()[f"/dev/zram{number}"][4] == "7"
    sysfs = Path(f"/sys/block/zram{number}")
    assert (sysfs / "disksize").read_text() == f"{64 << 20}\n"
    assert f"[{name}]" in (sysfs / "comp_algorithm").read_text()
    assert (sysfs / "mm_stat").read_text().split()[3] == str(32 << 20)
    label = subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "LABEL", f"/dev/zram{number}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert label.stdout.strip() == f"zram{number}"
    (row,) = box.rows()
    assert (row["state"], row["priority"], row["algorithm"]) == ("running", 7, name)
    assert box.pyzram("status").returncode == 0
    box.fine("stop")
    assert not sysfs.exists()
    assert box.pyzram("status").returncode == 3


def test_start_again_changes_nothing(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    assert box.fine("start") == ""
    assert box.numbers() == before


def test_stop_of_nothing_is_fine(box: Box) -> None:
    assert box.fine("stop") == ""


def test_many_devices_take_few_descriptors(box: Box) -> None:
    """A device whose last step is done keeps no file open."""
    box.write(f"NUM_DEVICES={MANY}\n" + "".join(f"ZRAM_SIZE_{n}=1M\n" for n in range(MANY)))
    for goal in ("start", "stop"):
        # Within the start of Python; as many more would be too many.
        done = box.run("prlimit", f"--nofile={MANY}", *box.command(goal, "-q"))
        assert (done.returncode, done.stderr) == (0, "")
        assert len(box.numbers()) == (MANY if goal == "start" else 0)


DEFAULT = {"rw", "relatime", "discard"}


def mount_options(point: Path) -> set[str]:
    """Options without the stripe, which ext4 derives from pages larger than its blocks."""
    (line,) = [x for x in Path("/proc/self/mounts").read_text().splitlines() if str(point) in x]
    return {x for x in line.split()[3].split(",") if not x.startswith("stripe=")}


def test_a_file_system_with_mode_options_and_label(box: Box) -> None:
    point = box.directory / "build"
    point.mkdir()
    box.write(
        f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={point}\nZRAM_MOUNT_OPTS_0=noatime,nodev\n"
        "ZRAM_MODE_0=1777\nZRAM_OWNER_0=0:0\nZRAM_LABEL_0='of ours'\n"
    )
    box.fine("start")
    assert point.is_mount()
    assert point.stat().st_mode & 0o7777 == 0o1777
    assert mount_options(point) >= {"noatime", "nodev", "discard"}
    box.write(box.conf.read_text().replace("noatime", "noexec").replace("1777", "700"))
    (point / "kept").write_text("yes")
    box.fine("reload")
    assert point.stat().st_mode & 0o7777 == 0o700
    assert "noexec" in mount_options(point)
    assert "noatime" not in mount_options(point)
    assert (point / "kept").read_text() == "yes"
    text = box.conf.read_text()
    box.write("".join(x for x in text.splitlines(True) if "OPTS" not in x and "MODE" not in x))
    box.fine("reload")
    assert point.stat().st_mode & 0o7777 == 0o755, "what mkfs made"
    assert mount_options(point) == DEFAULT
    with (point / "kept").open():
        assert f"[{os.getpid()}])" in box.fails("stop")
    assert (point / "kept").read_text() == "yes"
    box.fine("stop")
    assert not point.is_mount()


OPTIONS = ["noatime", "ro"]
MORE = ["nodiratime", "strictatime", "lazytime", "nodev", "noexec", "nosuid", "sync"]


@pytest.mark.parametrize(
    "option",
    [*OPTIONS, *(pytest.param(option, marks=pytest.mark.slow) for option in MORE)],
)
def test_a_mount_option_that_left_the_file_is_gone(box: Box, option: str) -> None:
    point = box.directory / "point"
    point.mkdir()
    mount = f"ZRAM_SIZE_0=16M\nZRAM_MOUNT_0={point}\n"
    box.write(f"{mount}ZRAM_MOUNT_OPTS_0={option}\n")
    box.fine("start")
    assert mount_options(point) != DEFAULT
    box.write(mount)
    box.fine("reload")
    assert mount_options(point) == DEFAULT


def test_reload_moves_swapped_pages_to_the_new_device_without_losing_one(
    box: Box, offered: list[str]
) -> None:
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=32000\nZRAM_ALGORITHM_0={offered[0]}\n")
    box.fine("start")
    (old,) = box.numbers()
    memory = mmap.mmap(-1, 16 << 20)
    for page in range(0, len(memory), 4096):
        memory[page : page + 8] = page.to_bytes(8, "little")
    memory.madvise(MADV_PAGEOUT)
    assert int(swaps()[f"/dev/zram{old}"][3]) > 8192
    box.write(f"ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=32000\nZRAM_ALGORITHM_0={offered[-1]}\n")
    box.fine("reload")
    (new,) = box.numbers()
    assert new != old
    assert f"/dev/zram{old}" not in swaps()
    assert int(swaps()[f"/dev/zram{new}"][4]) > 32000
    assert all(
        memory[page : page + 8] == page.to_bytes(8, "little")
        for page in range(0, len(memory), 4096)
    )
    assert box.fine("reload") == ""


def test_reload_changes_the_memory_limit_live(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write(SMALL + "ZRAM_MEM_LIMIT_0=8M\n")
    assert "mem_limit 0B -> 8M (live)" in box.fine("plan")
    box.fine("reload")
    assert box.numbers() == before
    assert Path(f"/sys/block/zram{before[0]}/mm_stat").read_text().split()[3] == str(8 << 20)
    assert box.fine("plan") == "nothing to do\n"


def test_a_broken_file_does_not_keep_a_service_from_stopping_but_from_restarting(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write("ZRAM_SIZE_0=lots\n")
    assert "zram:1: ZRAM_SIZE_0" in box.fails("restart")
    assert box.numbers() == before
    assert box.pyzram("stop").returncode == 0
    assert box.numbers() == []


def test_pretend_changes_nothing(box: Box) -> None:
    assert "swap on with priority 1" in box.fine("start", "--pretend")
    assert box.numbers() == []
    assert json.loads(box.fine("plan", "--json"))["steps"][0]["action"] == "add"


# ---- wrong files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ZRAM_SIZE_0=4095B", "too small"),
        ("ZRAM_SIZE_0=16EiB", "2^64-1"),
        ("ZRAM_SIZE_0=2E", "table alone"),
        ("ZRAM_SIZ_0=64M", "did you mean ZRAM_SIZE_0"),
        ("ZRAM_SIZE_0=`id`", "backticks"),
    ],
)
def test_a_wrong_file_changes_nothing(box: Box, text: str, words: str) -> None:
    box.write(f"{text}\nZRAM_SIZE_1=64M\n")
    assert words in box.fails("start")
    assert words in box.fails("check")
    assert not box.run_dir.exists()


def test_quotes_blanks_and_fractions_mean_what_they_say(box: Box) -> None:
    box.write("ZRAM_SIZE_0=\"min( 0.0625G, ram / 2 )\" # a comment\nSWAPON_OPTS='-p  3'\n")
    box.fine("start")
    (number,) = box.numbers()
    assert Path(f"/sys/block/zram{number}/disksize").read_text() == f"{64 << 20}\n"
    assert swaps()[f"/dev/zram{number}"][4] == "3"
