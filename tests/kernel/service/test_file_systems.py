# SPDX-License-Identifier: MIT
"""Every file system that this kernel has, through the whole life of a device."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.box import Box, checked, forked
from kernel.conftest import OwnDevice
from kernel.raw import PAGE

import pyzram
from pyzram import _native
from pyzram.config.values import TESTED
from pyzram.device.mounting import Mounted, unmount
from pyzram.kernel.parse import Mount, parse_mountinfo
from pyzram.service import executor
from pyzram.service.plan import Step

# The least that mkfs accepts, plus some room.
SIZES = {
    "ext2": 16,
    "ext3": 32,
    "ext4": 16,
    "xfs": 320,
    "btrfs": 160,
    "f2fs": 64,
    "jfs": 32,
    "exfat": 16,
    "vfat": 16,
    "nilfs2": 160,
}
WITHOUT_MODES = ("exfat", "vfat")
# The kernel's ext4 is ext2 and ext3 too.
SLOW = ("ext2", "ext3")
FILE_SYSTEMS = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in (*TESTED, "jfs")
]


def size_of(fstype: str) -> str:
    """The size of a device for it; skip if this machine lacks the file system."""
    if shutil.which(f"mkfs.{fstype}", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        pytest.skip(f"mkfs.{fstype} is not installed")
    if fstype == "f2fs" and PAGE > 4096:
        pytest.skip("mkfs.f2fs makes blocks of 4 KiB, this kernel mounts those of a page only")
    subprocess.run(["modprobe", "-q", fstype], check=False, stderr=subprocess.DEVNULL)
    if f"\t{fstype}\n" not in Path("/proc/filesystems").read_text():
        pytest.skip(f"this kernel has no {fstype}")
    return f"{SIZES[fstype]}M"


def mounts() -> list[Mount]:
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text())


def options_at(point: Path) -> set[str]:
    """What is told, also without its value: jfs tells ``discard=64``."""
    (mount,) = [mount for mount in mounts() if mount.point == str(point)]
    told = [*mount.options.split(","), *mount.super_options.split(",")]
    return {*told, *(word.partition("=")[0] for word in told)}


def stats_points(name: str) -> list[str]:
    """Where zram_stats says that a device is mounted."""
    done = subprocess.run(
        [sys.executable, "-Im", "pyzram.cli.zram_stats", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = json.loads(done.stdout)["zram_stats"]
    found: list[str] = next(x for x in rows if x["name"] == name)["mount_point"]
    return found


@pytest.fixture
def point(box: Box) -> Iterator[Path]:
    at = box.directory / "point"
    at.mkdir()
    yield at
    # Including what a failed test has left, newest first.
    below = str(box.directory)
    for mount in reversed(mounts()):
        if mount.point.startswith(f"{below}/"):
            subprocess.run(["umount", mount.point], check=True)


@pytest.mark.parametrize("fstype", FILE_SYSTEMS)
def test_the_whole_life(box: Box, point: Path, fstype: str) -> None:
    size = size_of(fstype)
    conf = f"ZRAM_SIZE_0={size}\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0={fstype}\n"
    box.write(f"{conf}ZRAM_MOUNT_OPTS_0=nodev\nZRAM_MODE_0=1777\n")
    assert box.pyzram("status").returncode == 3
    if fstype in WITHOUT_MODES:
        box.write(f"{conf}ZRAM_MOUNT_OPTS_0=nodev\n")
    box.fine("start")
    (number,) = box.numbers()
    (row,) = box.rows()
    assert (row["state"], row["what"], row["also_mounted"]) == ("running", str(point), [])
    assert box.pyzram("status").returncode == 0
    assert {"nodev"} <= options_at(point)
    assert stats_points(f"zram{number}") == [str(point)]
    with pyzram.Zram(number) as device:
        assert device.read_mount_points() == (str(point),)
        # The message says who has it, whatever number mountinfo gives.
        with pytest.raises(pyzram.DeviceBusyError) as caught:
            device.reset()
        assert caught.value.errno == errno.EBUSY
        assert f"mounted on {point}" in str(caught.value)
    (point / "kept").write_text("yes")
    assert box.fine("start") == ""
    assert box.fine("reload") == ""
    assert box.fine("plan") == "nothing to do\n"
    assert box.numbers() == [number]

    box.write(box.conf.read_text().replace("nodev", "noexec").replace("1777", "700"))
    box.fine("reload")
    now = options_at(point)
    assert "noexec" in now
    assert "nodev" not in now
    if fstype not in WITHOUT_MODES:
        assert point.stat().st_mode & 0o7777 == 0o700
    assert (point / "kept").read_text() == "yes"
    assert box.fine("plan") == "nothing to do\n"

    # Unmounted by somebody: start mounts it again, with what it holds.
    subprocess.run(["umount", point], check=True)
    assert box.rows()[0]["state"] == "incomplete"
    box.fine("start")
    assert (point / "kept").read_text() == "yes"
    assert box.numbers() == [number]
    assert options_at(point) >= {"noexec"}

    with (point / "kept").open():
        assert "busy" in box.fails("stop")
    assert (point / "kept").read_text() == "yes"
    box.fine("stop")
    assert not point.is_mount()
    assert box.numbers() == []


@pytest.mark.parametrize("fstype", FILE_SYSTEMS)
def test_the_doctor_sees_its_options(box: Box, point: Path, fstype: str) -> None:
    size = size_of(fstype)
    box.write(
        f"ZRAM_SIZE_0={size}\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0={fstype}\nZRAM_DISCARD_0=no\n"
    )
    box.fine("start")
    (number,) = box.numbers()

    def remedies() -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-Im", "pyzram.cli.pyzram", "doctor", "--json"],
            check=False,
            capture_output=True,
            text=True,
        )
        findings = json.loads(done.stdout)["findings"]
        return {x["check"]: x["remedy"] for x in findings if x["device"] == f"zram{number}"}

    default = options_at(point)
    silent = any(word.partition("=")[0] == "discard" for word in default)
    assert ("discard" in remedies()) is not silent
    if not silent:
        subprocess.run(remedies()["discard"], shell=True, check=True)
        assert "discard" not in remedies()
    box.fine("stop")


@pytest.mark.parametrize("fstype", FILE_SYSTEMS)
def test_discard_is_live_only_where_it_is(box: Box, point: Path, fstype: str) -> None:
    """Some file systems accept every option on a remount, and ignore it."""
    size = size_of(fstype)
    conf = f"ZRAM_SIZE_0={size}\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0={fstype}\n"
    box.write(f"{conf}ZRAM_DISCARD_0=no\n")
    box.fine("start")
    before = options_at(point)
    box.write(conf)
    done = box.pyzram("reload")
    now = options_at(point)
    if done.returncode == 0:
        assert "discard" in now
    else:
        assert "cannot change while it is mounted" in done.stderr
        assert now == before
        subprocess.run(["umount", point], check=True)
        box.fine("start")
        assert "discard" in options_at(point)
    assert box.fine("plan") == "nothing to do\n"
    box.fine("stop")


def fails_before(action: str) -> None:
    """Every command of this process fails before a step."""

    def watch(moment: str, step: Step) -> None:
        if (moment, step.action) == ("before", action):
            raise OSError(errno.EIO, "broken by a test")

    executor.watch = watch


@pytest.mark.parametrize("action", ["mount", "permissions", "ready"])
@pytest.mark.parametrize("fstype", FILE_SYSTEMS)
def test_undone_in_the_middle(box: Box, point: Path, fstype: str, action: str) -> None:
    size = size_of(fstype)
    box.write(f"ZRAM_SIZE_0={size}\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0={fstype}\n")
    words = ["-c", str(box.conf), "start"]
    done = checked(forked(words, box.env, lambda: fails_before(action)))
    assert done.returncode == 1
    assert "undoing failed" not in done.stderr
    assert not point.is_mount()
    assert box.numbers() == []


# ---- what zram.conf(5) says of others -----------------------------------------------------------


def test_minix_cannot_be_made(box: Box, point: Path) -> None:
    if shutil.which("mkfs.minix", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        pytest.skip("mkfs.minix is not installed")
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0=minix\n")
    assert "ZRAM_FSTYPE_0: minix is not tested with pyzram" in box.pyzram("check").stderr
    done = box.pyzram("start")
    assert done.returncode == 1
    assert "make a file system: mkfs.minix: block size smaller than physical" in done.stderr
    assert box.numbers() == []


def test_nilfs2_stays_while_its_cleaner_runs(box: Box, point: Path) -> None:
    size_of("nilfs2")
    box.write(f"ZRAM_SIZE_0=160M\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0=nilfs2\n")
    box.fine("start")
    stopped = box.pyzram("stop")
    assert stopped.returncode == 1
    assert "busy" in stopped.stderr
    (cleaner,) = [
        int(comm.parent.name)
        for comm in Path("/proc").glob("[0-9]*/comm")
        if comm.read_text() == "nilfs_cleanerd\n"
    ]
    assert "nilfs_cleanerd" in stopped.stderr
    assert point.is_mount()
    os.kill(cleaner, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{cleaner}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    box.fine("stop")
    assert not point.is_mount()


# ---- btrfs: several devices, an anonymous number -----------------------------------------------


@pytest.fixture
def btrfs(box: Box, point: Path) -> int:
    """A btrfs of the service; the number of its device."""
    size = size_of("btrfs")
    box.write(f"ZRAM_SIZE_0={size}\nZRAM_MOUNT_0={point}\nZRAM_FSTYPE_0=btrfs\n")
    box.fine("start")
    (number,) = box.numbers()
    return number


def test_its_number_is_no_device_and_its_source_no_proof(btrfs: int, point: Path) -> None:
    (mount,) = [mount for mount in mounts() if mount.point == str(point)]
    assert mount.number.startswith("0:"), "what this is all about"
    fd = os.open(point, os.O_RDONLY)
    try:
        uuid = _native.btrfs_uuid(fd)
    finally:
        os.close(fd)
    assert os.listdir(f"/sys/fs/btrfs/{uuid}/devices") == [f"zram{btrfs}"]
    fd = os.open("/proc/self", os.O_RDONLY)
    try:
        with pytest.raises(OSError) as caught:
            _native.btrfs_uuid(fd)
        assert caught.value.errno == errno.ENOTTY
    finally:
        os.close(fd)


MOUNT = """
import ctypes, os, sys
os.chroot(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(sys.argv[2].encode(), b"/at", b"btrfs", 0, b""):
    sys.exit(os.strerror(ctypes.get_errno()))
"""


@pytest.mark.parametrize("node", ["stays", "gone"])
def test_one_that_calls_itself_ours_is_not_ours(
    box: Box, btrfs: int, point: Path, add_zram, node: str
) -> None:
    """Another btrfs, mounted in another root, where its node has the name of our device."""
    other: OwnDevice = add_zram()
    other.write("disksize", "160M")
    subprocess.run(["mkfs.btrfs", "-q", other.node], check=True, stdout=subprocess.DEVNULL)
    at, liar = box.directory / "root/at", box.directory / f"root/dev/zram{btrfs}"
    liar.parent.mkdir(parents=True)
    at.mkdir()
    os.mknod(liar, 0o60600, os.stat(other.node).st_rdev)
    root = box.directory / "root"
    name = f"/dev/zram{btrfs}" if node == "stays" else "/dev/../dev/" + liar.name
    subprocess.run([sys.executable, "-Ic", MOUNT, root, name], check=True)
    if node == "gone":
        liar.unlink()
    (mount,) = [mount for mount in mounts() if mount.point == str(at)]
    if mount.source != name:
        pytest.skip(f"this kernel tells {mount.source}, not the path it was mounted by")
    (at / "theirs").write_text("yes")
    with pyzram.Zram(btrfs) as device:
        with pytest.raises(pyzram.DeviceBusyError) as caught:
            Mounted(device.sysfs, device.name, str(at))
        assert caught.value.errno == errno.EBUSY
        assert "not ours to touch" in str(caught.value)
        with pytest.raises(pyzram.DeviceBusyError):
            unmount(device.sysfs, device.name, str(at))
    box.pyzram("stop")
    assert (at / "theirs").read_text() == "yes"
    subprocess.run(["umount", at], check=True)
    box.pyzram("stop")
    assert box.numbers() == []


def test_a_device_that_joined_anothers_file_system(
    box: Box, btrfs: int, point: Path, add_zram
) -> None:
    other: OwnDevice = add_zram()
    other.write("disksize", "160M")
    subprocess.run(
        ["btrfs", "device", "add", "-K", other.node, point], check=True, stdout=subprocess.DEVNULL
    )
    # Both are part of it, but mountinfo shows one.
    with pyzram.Zram(other.number) as device:
        assert device.read_mount_points() == (str(point),)
        with pytest.raises(pyzram.DeviceBusyError) as caught:
            device.mkswap()
        assert f"mounted on {point}" in str(caught.value)
    assert stats_points(other.name) == [str(point)]
    box.fine("stop")
    assert not point.is_mount()


@pytest.mark.parametrize("how", ["subvolume", "bound", "bound over it", "again"])
def test_what_others_mounted_is_told_apart(box: Box, btrfs: int, point: Path, how: str) -> None:
    at = point if how == "bound over it" else box.directory / "elsewhere"
    at.mkdir(exist_ok=True)
    subprocess.run(
        ["btrfs", "subvolume", "create", point / "sub"], check=True, stdout=subprocess.DEVNULL
    )
    (point / "sub" / "theirs").write_text("yes")
    command = {
        "subvolume": ["-t", "btrfs", "-o", "subvol=sub", f"/dev/zram{btrfs}"],
        "bound": ["--bind", point / "sub"],
        "bound over it": ["--bind", point / "sub"],
        "again": ["-t", "btrfs", f"/dev/zram{btrfs}"],
    }[how]
    subprocess.run(["mount", *command, at], check=True)
    (row,) = box.rows()
    assert (row["state"], row["what"], row["also_mounted"]) == ("running", str(point), [str(at)])
    assert f"also mounted by others on {at}" in box.fine("status")
    assert box.fine("start") == ""
    said = box.fails("stop")
    assert f"also mounted on {at}, which pyzram did not do: unmount that first" in said
    assert (at / ("sub/theirs" if how == "again" else "theirs")).read_text() == "yes"
    # Ours gone, theirs not: ours is mounted again.
    if how != "bound over it":
        subprocess.run(["umount", point], check=True)
        assert box.rows()[0]["state"] == "incomplete"
        box.fine("start")
        assert point.is_mount()
        assert (point / "sub" / "theirs").read_text() == "yes"
    subprocess.run(["umount", at], check=True)
    box.fine("stop")
    assert not point.is_mount()


def test_what_spread_from_ours_goes_with_it(box: Box, point: Path) -> None:
    """If the folder above is bound elsewhere and shared, our mount appears there too."""
    above, twin = box.directory / "above", box.directory / "twin"
    (above / "point").mkdir(parents=True)
    twin.mkdir()
    subprocess.run(["mount", "--bind", above, above], check=True)
    subprocess.run(["mount", "--make-shared", above], check=True)
    subprocess.run(["mount", "--bind", above, twin], check=True)
    at = above / "point"
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_MOUNT_0={at}\n")
    box.fine("start")
    assert (twin / "point").is_mount()
    (row,) = box.rows()
    assert (row["what"], row["also_mounted"]) == (str(at), [])
    box.fine("stop")
    assert not (twin / "point").is_mount()
    for folder in (twin, above):
        subprocess.run(["umount", folder], check=True)


def test_a_subvolume_is_no_live_option(box: Box, btrfs: int, point: Path) -> None:
    subprocess.run(
        ["btrfs", "subvolume", "create", point / "sub"], check=True, stdout=subprocess.DEVNULL
    )
    (point / "sub" / "inner").write_text("yes")
    box.write(box.conf.read_text() + "ZRAM_MOUNT_OPTS_0=subvol=sub\n")
    assert "cannot change while it is mounted" in box.fails("reload")
    subprocess.run(["umount", point], check=True)
    box.fine("start")
    assert (point / "inner").read_text() == "yes"
    assert box.fine("reload") == ""
    box.fine("stop")
