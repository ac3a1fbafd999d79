# SPDX-License-Identifier: MIT
"""zram_stats on a device with real data: it, its JSON, zramctl and the raw files agree."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys

import pytest

from pyzram.kernel.figures import of_file

COMMAND = (
    sys.executable,
    "-Ic",
    "import sys; from pyzram.cli.zram_stats import main; sys.exit(main())",
)
PAGE = mmap.PAGESIZE
NOBODY = 65534


def run(*words: str, **options: object) -> str:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def filled(zram_device):
    """Ten pages of one word, forty that compress and seven that do not."""
    zram_device.write("mem_limit", "16M")
    zram_device.write("disksize", "64M")
    pages = [bytes([number]) * PAGE for number in range(10)]
    pages += [(f"page {number} of a text\n" * PAGE).encode()[:PAGE] for number in range(40)]
    pages += [os.urandom(PAGE) for _ in range(7)]
    buffer = mmap.mmap(-1, PAGE)
    fd = os.open(zram_device.node, os.O_RDWR | os.O_DIRECT)
    try:
        for number, page in enumerate(pages):
            buffer[:] = page
            os.pwrite(fd, buffer, number * PAGE)
        os.preadv(fd, [buffer], 0)
    finally:
        os.close(fd)
        buffer.close()
    return zram_device


def block(text: str) -> dict[str, str]:
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def test_all_agree(filled):
    raw = dict(zip(of_file("mm_stat"), map(int, filled.read("mm_stat").split()), strict=False))
    assert (raw["same_pages"], raw["huge_pages"]) == (10, 7)
    shown = block(run(filled.node))
    (data,) = json.loads(run("-J", filled.name))["zram_stats"]
    for key, value in raw.items():
        assert data[key] == value, key
        assert int(shown[key]) == value, key
    stat = [int(word) for word in filled.read("stat").split()]
    assert (int(shown["num_reads"]), int(shown["num_writes"])) == (stat[0], stat[4]) == (1, 57)
    assert (data["read_ios"], data["write_ios"]) == (1, 57)
    io_stat = [int(word) for word in filled.read("io_stat").split()]
    assert [data[k] for k in ("failed_reads", "failed_writes", "invalid_io", "notify_free")] == (
        io_stat
    )
    assert shown["zero_pages"] == "10"
    assert int(shown["disksize"]) == data["disksize"] == int(filled.read("disksize")) == 64 << 20
    ratio = raw["compr_data_size"] * 100 // raw["orig_data_size"]
    assert shown["avg_compr_ratio"] == f"{ratio} %"
    assert f"[{shown['comp_algorithm']}]" in filled.read("comp_algorithm")


@pytest.mark.skipif(not shutil.which("zramctl"), reason="needs zramctl")
def test_zramctl_agrees(filled):
    columns = "NAME,DISKSIZE,DATA,COMPR,ALGORITHM,ZERO-PAGES,TOTAL,MEM-LIMIT,MEM-USED,MIGRATED"
    options = ["--bytes", "--raw", "--noheadings", "--output", columns]
    theirs = subprocess.run(
        ["zramctl", *options, filled.node], capture_output=True, text=True, check=True
    )
    assert run(*options, filled.node).split() == theirs.stdout.split()


def test_as_swap(filled):
    subprocess.run(["mkswap", filled.node], check=True, capture_output=True)
    subprocess.run(["swapon", "-p", "-1", filled.node], check=True)
    shown = block(run(filled.name))
    assert shown["mount_point"] == "[SWAP]"
    assert int(shown["swap_size"]) == (64 << 20) - PAGE
    assert shown["swap_used"] == "0"
    assert run("-n", "--raw", "-o", "mountpoint", filled.name) == "[SWAP]\n"


@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="needs mkfs.ext4")
def test_mounted_where_there_is_a_blank(filled, tmp_path):
    place = tmp_path / "two words"
    place.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", filled.node], check=True)
    subprocess.run(["mount", filled.node, place], check=True)
    try:
        assert block(run(filled.name))["mount_point"] == str(place)
    finally:
        subprocess.run(["umount", place], check=True)


def test_without_privilege(filled):
    # The installed package may be where only root may look, so the interpreter loads it first.
    code = (
        "import os, sys; from pyzram.kernel import blocked_reads; "
        "from pyzram.cli import zram_stats; "
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); "
        "sys.exit(zram_stats.main())"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", code, filled.name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(filled.name)


def test_a_device_that_is_not_configured(zram_device):
    shown = block(run(zram_device.name))
    assert shown["disksize"] == "0"
    assert (shown["avg_compr_ratio"], shown["mem_overhead"]) == ("-", "-")
    listed = run("-n", "--raw", "-o", "name")
    assert zram_device.node not in listed.split()


def test_another_block_device_is_not_zram(tmp_path):
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    made = subprocess.run(
        ["losetup", "--find", "--show", image], capture_output=True, text=True, check=True
    )
    loop = made.stdout.strip()
    try:
        done = subprocess.run([*COMMAND, loop], capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)
    assert done.returncode == 1
    assert done.stderr == f"zram_stats: {loop}: not a zram device\n"
