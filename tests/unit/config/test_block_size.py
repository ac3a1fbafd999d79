# SPDX-License-Identifier: MIT
"""Each spelling of a block size; tests on real devices show what mkfs makes of them."""

from __future__ import annotations

import pytest

from pyzram.config.block_size import block_sizes


@pytest.mark.parametrize(
    ("fstype", "options", "found"),
    [
        ("ext4", "-b 1024", [("-b", 1024)]),
        ("ext2", "-m 0 -b2k", [("-b", 2048)]),
        ("ext4", "-b -1024", []),  # at least
        ("ext4", "-b", []),
        ("ext4", "-B 1024 -s 512", []),
        ("xfs", "-b size=1024", [("-b", 1024)]),
        ("xfs", "-bsize=1k -s size=512", [("-b", 1024), ("-s", 512)]),
        ("xfs", "-f -b log=10", [("-b", 1024)]),
        ("xfs", "-b log=99", []),
        ("xfs", "-d size=1024 -n size=512", []),
        ("xfs", "-b 1024", []),  # mkfs refuses it for another reason
        ("btrfs", "-s 2048", [("-s", 2048)]),
        ("btrfs", "--sectorsize=2k --nodesize 16k", [("-s", 2048), ("-n", 16384)]),
        ("btrfs", "--sectorsizes=2k -m single", []),
        ("exfat", "-c 2048", [("-c", 2048)]),
        ("exfat", "--cluster-size=128K", [("-c", 131072)]),
        ("vfat", "-S 512", []),  # it takes more by itself
        ("f2fs", "-w 512", []),
        ("ext4", "-b " + "9" * 5000, []),
        ("ext4", "-b \u0661024", []),
    ],
)
def test_a_size_is_found_in_each_spelling(
    fstype: str, options: str, found: list[tuple[str, int]]
) -> None:
    assert list(block_sizes(fstype, options.split())) == found
