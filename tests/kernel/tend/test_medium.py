# SPDX-License-Identifier: MIT
"""Which medium a backing device lies on, through real loop devices and file systems."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.medium import medium_of

MIB = 1 << 20


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def looped(stack: ExitStack, path: Path, size: int) -> str:
    with path.open("wb") as file:
        file.truncate(size)
    device = run("losetup", "-f", "--show", path)
    stack.callback(run, "losetup", "-d", device)
    return device


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "subvolume"])
def test_a_file_lies_on_what_its_file_system_is_on(tmp_path: Path, kind: str) -> None:
    """A btrfs file has a number that no device has; in a subvolume, no mount has it either."""
    program = shutil.which(f"mkfs.{'ext4' if kind == 'ext4' else 'btrfs'}")
    if not program:
        pytest.skip(f"no program that makes {kind}")
    # tmpfs is on nothing, so that what is found is the loop device below.
    with ExitStack() as stack:
        memory, at = tmp_path / "memory", tmp_path / "at"
        memory.mkdir()
        at.mkdir()
        run("mount", "-t", "tmpfs", "none", memory)
        stack.callback(run, "umount", memory)
        below = looped(stack, memory / "disk", 256 * MIB)
        run(program, "-q", below)
        mounted = subprocess.run(["mount", below, at], capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"this kernel does not mount it: {mounted.stderr.strip()}")
        stack.callback(run, "umount", at)
        folder = at
        if kind == "subvolume":
            folder = at / "below"
            run("btrfs", "subvolume", "create", folder)
        device = looped(stack, folder / "zram swap ", 16 * MIB)
        sysfs = Sysfs()
        found = medium_of(sysfs, device)
        assert found == medium_of(sysfs, below)
        assert found.name == below.rpartition("/")[2]
