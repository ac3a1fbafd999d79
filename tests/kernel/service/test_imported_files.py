# SPDX-License-Identifier: MIT
"""What is imported from another tool's own example starts. Only sizes and places are ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.box import Box, swaps

import pyzram

# The settings of the file that zram-init installs, in our words: two devices of four are asked for.
ZRAM_INIT = """
load_on_start=yes
num_devices=2
type0=swap
size0=512
algo0=zstd
labl0=zram_swap
type1={point}
flag1=ext4
size1=2048
blck1=1024 # mkfs has refused this since e2fsprogs 1.47
opts1="strictatime,nosuid,nodev,noexec"
mode1=1777
algo1=zstd
para1="level=3"
labl1=tmp_dir
type2=/var/tmp
flag2=ext2
size2=1024
"""
# As zram-generator's example: with the older keys, and the newer one.
FRACTION = """
[zram0]
host-memory-limit = none
zram-fraction = 0.10
max-zram-size = 512
compression-algorithm = lzo-rle
"""
EXPRESSION = """
[zram0]
host-memory-limit = none
zram-size = min(ram / 10, 2048)
compression-algorithm = lzo-rle zstd(level=3) (type=idle)
swap-priority = 100

[zram1]
mount-point = {point}
zram-size = 64
fs-type = ext4
options = rw,nosuid,nodev,X-mount.mode=1777
"""


# Instead of a text, the very file that zram-init ships, from a checkout (see tests/peers).
SHIPPED = "zram-init/openrc/conf.d/zram-init"


def shipped() -> str:
    folder = os.environ.get("PYZRAM_PEER_SCRIPTS")
    if not folder or not (Path(folder) / SHIPPED).exists():
        pytest.skip("PYZRAM_PEER_SCRIPTS names no folder with zram-init's repository")
    text = (Path(folder) / SHIPPED).read_text()
    assert "\ntype1=/tmp\n" in text
    return text.replace("\ntype1=/tmp\n", "\ntype1={point}\n")


@pytest.mark.parametrize(
    ("text", "devices"),
    [(ZRAM_INIT, 2), (SHIPPED, 2), (FRACTION, 1), (EXPRESSION, 2)],
    ids=["zram-init", "zram-init's own", "generator, fraction", "generator, expression"],
)
def test_a_fresh_import_starts(box: Box, offered: list[str], text: str, devices: int) -> None:
    # The generator's is below /run, where no boot finds it: systemd makes it, and so does start.
    point = box.directory / "made/tmp"
    theirs = box.directory / "theirs"
    of_zram_init = text in (ZRAM_INIT, SHIPPED)
    text = shipped() if text == SHIPPED else text
    if "zstd" in offered and not pyzram.features().algorithm_params:
        text = text.replace('para1="level=3"', "")  # check says that such a kernel takes no level
    theirs.write_text(text.replace("{point}", str(point)))
    command = [sys.executable, "-Im", "pyzram.cli.pyzram", "import", theirs]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Its size is the machine's or gibibytes, and this machine has other work.
    lines = imported.splitlines()
    for number, line in enumerate(lines):
        name = line.partition("=")[0]
        if name.startswith("ZRAM_SIZE_"):
            lines[number] = f"{name}=64M"
        elif name.startswith("ZRAM_PRIORITY_"):
            lines[number] = f"{name}=1"
        elif name == "UNLOAD_ON_STOP":
            lines[number] = ""  # others may be about to use it
    if not any(line.startswith("ZRAM_PRIORITY_") for line in lines):
        lines.append("ZRAM_PRIORITY_0=1")
    box.write("\n".join(lines) + "\n")
    checked = box.pyzram("check")
    assert checked.returncode == 0, checked.stderr
    box.fine("start")
    assert [row["state"] for row in box.rows()] == ["running"] * devices
    assert sum(f"/dev/zram{number}" in swaps() for number in box.numbers()) == 1
    if devices == 2:
        assert point.is_mount()
        assert point.stat().st_mode & 0o7777 == 0o1777
        (line,) = [x for x in Path("/proc/self/mounts").read_text().splitlines() if str(point) in x]
        assert {"nosuid", "nodev"} <= set(line.split()[3].split(","))
    if of_zram_init:
        named = subprocess.run(
            [
                "blkid",
                "-p",
                "-o",
                "value",
                "-s",
                "LABEL",
                *(f"/dev/zram{n}" for n in box.numbers()),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert named.stdout.split() == ["zram_swap", "tmp_dir"]
    assert box.fine("start") == ""
    box.fine("stop")
    assert not point.is_mount()
