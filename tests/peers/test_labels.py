# SPDX-License-Identifier: MIT
"""mkswap and mkfs, run on a file instead of a device, decide how long a label may be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pyzram.config.values import MIN_SIZES, label_max
from pyzram.device.file_system import LABEL_OPTION, MKFS_PACKAGES

SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
LETTERS = "abcdefghijklmnopqrstuvwxyz" * 20


def labelled(image: Path, kind: str, label: str) -> str:
    """The label that is there after mkfs was given one; empty if mkfs refused it."""
    program = "mkswap" if kind == "swap" else f"mkfs.{kind}"
    if (path := shutil.which(program, path=SYSTEM)) is None:
        pytest.skip(f"{program} is not installed ({MKFS_PACKAGES.get(kind)})")
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(max(MIN_SIZES.get(kind, 0), 128 << 20))
    option = LABEL_OPTION.get(kind, "-L")
    quiet = ["-q"] if kind == "jfs" else []  # it asks otherwise
    done = subprocess.run([path, *quiet, option, label, image], capture_output=True, check=False)
    if done.returncode:
        return ""
    show = ["blkid", "-p", "-o", "value", "-s", "LABEL", image]
    return subprocess.run(show, capture_output=True, text=True, check=True).stdout.rstrip("\n")


@pytest.mark.parametrize("kind", ["swap", *LABEL_OPTION])
def test_the_longest_label_that_check_takes_is_there_whole(tmp_path: Path, kind: str) -> None:
    longest = LETTERS[: label_max(kind)]
    if kind == "vfat":
        longest = longest.upper()
    assert labelled(tmp_path / "image", kind, longest) == longest
    # One byte more is refused or cut, so check is right to refuse it.
    more = labelled(tmp_path / "image", kind, longest + longest[0])
    if kind == "f2fs":  # takes more than the kernel shows of one (FS_IOC_GETFSLABEL)
        return
    assert longest.startswith(more)


@pytest.mark.parametrize("kind", ["swap", "ext2", "ext4"])
def test_the_import_cuts_where_they_cut(tmp_path: Path, kind: str) -> None:
    """zram-init passes a label on, however long it is."""
    cut = labelled(tmp_path / "image", kind, LETTERS[:30])
    assert cut == LETTERS[: label_max(kind)]
