# SPDX-License-Identifier: MIT
"""What check says about block sizes, compared with what mkfs does with them on a real device."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from kernel.box import Box
from kernel.conftest import OwnDevice

SIZE = 400 << 20
SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
FORCE = {"xfs": "-f", "btrfs": "-f", "ext2": "-F", "ext4": "-F"}
# What is refused, and what is not, by the file system's mkfs; check must say the same.
CASES = [
    ("ext4", "-b 1024", False),
    ("ext2", "-b2k", False),
    ("ext4", "-b -2048", True),
    ("ext4", "-b 4096", True),
    ("xfs", "-b size=1024", False),
    ("xfs", "-bsize=2k", False),
    ("xfs", "-b log=10", False),
    ("xfs", "-s size=512", False),
    ("xfs", "-b size=4096 -s size=4096", True),
    ("btrfs", "-s 2048", False),
    ("btrfs", "--sectorsize=2k", False),
    ("btrfs", "-n 2048", False),
    ("btrfs", "-s 4k -n 16k", True),
    ("exfat", "-c 2048", False),
    ("exfat", "-c 4096", True),
    ("vfat", "-S 512", True),
]


@pytest.mark.parametrize(("fstype", "options", "taken"), CASES)
def test_check_refuses_the_blocks_that_mkfs_refuses(
    box: Box, zram_device: OwnDevice, fstype: str, options: str, taken: bool
) -> None:
    if (program := shutil.which(f"mkfs.{fstype}", path=SYSTEM)) is None:
        pytest.skip(f"mkfs.{fstype} is not installed")
    zram_device.write("disksize", str(SIZE))
    force = [FORCE[fstype]] if fstype in FORCE else []
    made = subprocess.run(
        [program, *force, *options.split(), zram_device.node],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (made.returncode == 0) is taken, made.stderr
    box.write(
        f"ZRAM_SIZE_0={SIZE >> 20}M\nZRAM_MOUNT_0={box.directory}/x\nZRAM_FSTYPE_0={fstype}\n"
        f"ZRAM_MKFS_OPTS_0='{options}'\n"
    )
    checked = box.pyzram("check")
    said = "ZRAM_MKFS_OPTS_0: blocks of" in checked.stderr
    assert said is not taken, checked.stderr
    assert "larger than a page" not in checked.stderr
