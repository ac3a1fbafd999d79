# SPDX-License-Identifier: MIT
"""A kernel error is reported with its cause: which limit, and who holds what."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.box import Box
from kernel.raw import PAGE

import pyzram
from pyzram.external import ProgramError


@pytest.mark.parametrize("what", ["swap", "ext4"])
def test_a_mem_limit_too_small_for_what_mkfs_writes_is_named(box: Box, what: str) -> None:
    at = box.directory / "at"
    at.mkdir()
    mount = f"ZRAM_MOUNT_0={at}\n" if what == "ext4" else "ZRAM_PRIORITY_0=1\n"
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MEM_LIMIT_0={PAGE // 1024}K\n{mount}")
    done = box.pyzram("start")
    if what == "swap" and done.returncode == 0:
        pytest.skip("a signature fits into one page of memory here")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert "the kernel refused " in line
    assert f": mem_limit {PAGE // 1024}K is too small" in line
    assert box.numbers() == []


def test_writes_that_a_program_does_not_look_at(zram_device, tmp_path: Path, monkeypatch) -> None:
    """mkfs that succeeds although nothing was written."""
    zram_device.write("disksize", "16M")
    zram_device.write("mem_limit", str(PAGE))
    # Incompressible pages, and no look at what became of them.
    program = tmp_path / "mkfs.careless"
    program.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'dd if=/dev/urandom of="$last" bs=64k count=8 conv=fsync 2>/dev/null\nexit 0\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pyzram.Zram(zram_device.number) as device:
        with pytest.raises(pyzram.ZramOSError) as caught:
            device.mkfs("careless")
        assert caught.value.errno == errno.EIO
        assert f"mem_limit {PAGE // 1024}K is too small" in str(caught.value)
        device.set_mem_limit(0)
        device.mkfs("careless")
        program.write_text("#!/bin/sh\necho other trouble >&2\nexit 1\n")
        with pytest.raises(ProgramError, match=r"other trouble$"):
            device.mkfs("careless")


# ---- busy mounts -------------------------------------------------------------------------------


@pytest.fixture
def point(box: Box) -> Iterator[Path]:
    at = box.directory / "point"
    at.mkdir()
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={at}\n")
    box.fine("start")
    yield at
    box.fine("stop")


WAYS = {
    "open": "f = open(sys.argv[1] + '/file', 'w')",
    "folder": "os.chdir(sys.argv[1])",
    "mapped": (
        "import mmap; f = open(sys.argv[1] + '/file', 'w+b'); f.truncate(4096)\n"
        "m = mmap.mmap(f.fileno(), 4096); f.close()"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_process_that_keeps_a_mount_busy_is_named(box: Box, point: Path, way: str) -> None:
    code = f"import os, sys\n{WAYS[way]}\nprint(flush=True)\nsys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-Ic", code, point], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        line = box.fails("stop")
        assert f"unmount {point}: Device or resource busy (in use by python" in line
        assert line.endswith(f"[{holder.pid}])")
        assert point.is_mount()
    finally:
        holder.communicate()


def test_what_is_mounted_on_it_is_named(box: Box, point: Path) -> None:
    (point / "inner").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "inner-one", point / "inner"], check=True)
    try:
        assert f"busy (inner-one is mounted on {point}/inner)" in box.fails("stop")
    finally:
        subprocess.run(["umount", point / "inner"], check=True)


def test_a_file_of_it_that_is_a_device_is_named(box: Box, point: Path) -> None:
    (point / "image").write_bytes(bytes(1 << 20))
    made = subprocess.run(
        ["losetup", "--find", "--show", point / "image"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no loop devices: {made.stderr.strip()}")
    loop = made.stdout.strip()
    try:
        assert f"busy ({Path(loop).name} is on {point}/image)" in box.fails("stop")
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)


def test_many_holders_are_counted(box: Box, point: Path) -> None:
    holders = [
        subprocess.Popen(["sleep", "60"], cwd=point, stdout=subprocess.DEVNULL) for _ in range(8)
    ]
    try:
        line = box.fails("stop")
        assert line.count("in use by sleep[") == 5
        assert line.endswith(" and 3 more)")
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
