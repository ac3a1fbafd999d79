# SPDX-License-Identifier: MIT
"""Backing devices: nothing is overwritten unasked; files come and go with their loop devices."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from kernel.raw import PAGE, noise, store

import pyzram
from pyzram.device import backing_attach, backing_check, backing_files
from pyzram.device.loop import is_behind
from pyzram.errors import DeviceBusyError, InvalidValueError, NotZramError, OverwriteError

SIZE = 4 << 20


def tool(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    if path is None:
        pytest.skip(f"needs {name}")
    return path


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [tool(str(command[0])), *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


@pytest.fixture
def loop(image):
    """A loop device on the image: a block device of our own."""
    device = run("losetup", "--find", "--show", image)
    yield device
    run("losetup", "--detach", device)


def put(image: Path, *pieces: tuple[int, bytes]) -> None:
    with image.open("r+b") as file:
        for offset, data in pieces:
            file.seek(offset)
            file.write(data)


def lvm(image: Path) -> None:
    body = struct.pack("<I8s32s", 32, b"LVM2 001", b"x" * 32).ljust(512 - 20, b"\0")
    crc = zlib.crc32(body, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    put(image, (512, struct.pack("<8sQI", b"LABELONE", 1, crc) + body))


def raid(image: Path) -> None:
    # md 1.2: magic, major version, and the place of its own super block in sectors.
    block = bytearray(4096)
    struct.pack_into("<II", block, 0, 0xA92B4EFC, 1)
    struct.pack_into("<Q", block, 144, 8)
    put(image, (4096, bytes(block)))


def dos(image: Path) -> None:
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x83, b"\0\0\0", 2048, 4096)
    put(image, (0x1BE, entry), (0x1FE, b"\x55\xaa"))


HOLDERS = {
    "ext4": lambda image: run("mkfs.ext4", "-q", image),
    "swap": lambda image: run("mkswap", image),
    "crypto_LUKS": lambda image: put(image, (0, b"LUKS\xba\xbe\0\1" + b"aes\0" * 100)),
    "LVM2_member": lvm,
    "linux_raid_member": raid,
    "dos": dos,
    "btrfs": lambda image: put(image, (0x10040, b"_BHRfS_M")),
}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- refusals ------------------------------------------------------------------------------------


# util-linux knows which signatures there are; in an emulated guest one is enough.
KINDS = [k if k == "ext4" else pytest.param(k, marks=pytest.mark.slow) for k in HOLDERS]


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_with_a_signature_is_refused_and_left_as_it_was(image, kind):
    HOLDERS[kind](image)
    before = digest(image)
    device = run("losetup", "--find", "--show", image)
    try:
        with pytest.raises(OverwriteError, match=f"{device}: holds .*{kind}.*--force") as caught:
            backing_attach.attach_backing(device)
        assert caught.value.errno == errno.EEXIST
        backing_check.check_backing(device, force=True)
    finally:
        run("losetup", "--detach", device)
    with pytest.raises(OverwriteError, match=kind):
        backing_attach.attach_backing(image)
    assert digest(image) == before


def test_an_empty_device_and_an_empty_file_are_accepted(image, loop):
    backing_check.check_backing(loop)


def test_a_file_with_data_of_somebody_s_is_refused(image):
    put(image, (SIZE - 1, b"x"))
    with pytest.raises(OverwriteError, match="holds data"):
        backing_attach.attach_backing(image)
    assert image.read_bytes()[-1:] == b"x"


def test_a_file_of_zeros_is_accepted(tmp_path):
    path = tmp_path / "zeros"
    path.write_bytes(bytes(SIZE))
    backing_check.check_backing(path)


def test_a_mounted_device_is_refused_even_with_force(image, tmp_path):
    run("mkfs.ext4", "-q", image)
    device = run("losetup", "--find", "--show", image)
    point = tmp_path / "mounted"
    point.mkdir()
    try:
        run("mount", device, point)
        try:
            for path in (device, image):
                with pytest.raises(DeviceBusyError, match=f"mounted on {point}") as caught:
                    backing_attach.attach_backing(path, force=True)
                assert caught.value.errno == errno.EBUSY
        finally:
            run("umount", point)
    finally:
        run("losetup", "--detach", device)


def test_active_swap_is_refused_even_with_force(zram_device):
    with pyzram.Zram(zram_device.number) as zram:
        zram.configure(disksize="16M")
        zram.mkswap()
        with pytest.raises(OverwriteError, match="swap"):
            backing_check.check_backing(zram.node)
        zram.swapon()
        with pytest.raises(DeviceBusyError, match="active swap"):
            backing_check.check_backing(zram.node, force=True)


def test_a_file_behind_a_loop_device_is_refused(image, loop):
    with pytest.raises(DeviceBusyError, match=f"behind {Path(loop).name}"):
        backing_attach.attach_backing(image, force=True)


def test_a_device_open_exclusively_is_refused(loop):
    fd = os.open(loop, os.O_RDONLY | os.O_EXCL)
    try:
        with pytest.raises(DeviceBusyError, match="claimed by another user"):
            backing_check.check_backing(loop, force=True)
    finally:
        os.close(fd)


def test_neither_device_nor_file_is_refused(tmp_path):
    with pytest.raises(NotZramError) as caught:
        backing_check.check_backing(tmp_path)
    assert caught.value.errno == errno.ENOTBLK
    with pytest.raises(FileNotFoundError) as missing:
        backing_check.check_backing(tmp_path / "missing")
    assert missing.value.errno == errno.ENOENT
    with pytest.raises(InvalidValueError, match="absolute"):
        backing_check.check_backing("image")


# ---- files ---------------------------------------------------------------------------------------


def test_a_file_becomes_a_loop_device_and_is_let_go(image):
    store = backing_attach.attach_backing(image)
    assert store.loop
    assert backing_attach.backing_file(store.device) == str(image)
    backing_attach.release_backing(store)
    assert backing_attach.backing_file(store.device) is None


def test_a_loop_device_in_use_goes_with_its_last_user(image):
    store = backing_attach.attach_backing(image)
    fd = os.open(store.device, os.O_RDONLY)
    try:
        backing_attach.release_backing(store)
        assert backing_attach.backing_file(store.device) == str(image)
    finally:
        os.close(fd)
    assert backing_attach.backing_file(store.device) is None


def test_a_new_file_is_made_with_its_blocks_and_stays_ours(tmp_path):
    path = tmp_path / "new"
    store = backing_attach.attach_backing(path, size="4M")
    backing_attach.release_backing(store)
    status = path.stat()
    assert (status.st_size, status.st_mode & 0o777) == (4 << 20, 0o600)
    assert status.st_blocks * 512 >= 4 << 20
    put(path, (0, b"pages of the last time"))
    try:
        os.getxattr(path, backing_files.MARK)
    except OSError:
        pytest.skip("no trusted attributes on this file system")
    backing_check.check_backing(path)


def test_a_file_that_does_not_fit_is_not_left_half_made(tmp_path):
    path = tmp_path / "vast"
    with pytest.raises(pyzram.ZramOSError) as caught:
        backing_attach.attach_backing(path, size=1 << 60)
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert not path.exists()


# ---- with zram -----------------------------------------------------------------------------------


@pytest.fixture
def zram(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        if not device.has("backing_dev"):
            pytest.skip("this kernel has no writeback")
        yield device


def test_configure_refuses_what_holds_a_file_system(zram, image):
    run("mkfs.ext4", "-q", image)
    before = digest(image)
    with pytest.raises(OverwriteError, match="ext4"):
        zram.configure(disksize="16M", backing_dev=image)
    assert digest(image) == before
    assert not zram.read_initstate()
    zram.configure(disksize="16M", backing_dev=image, force=True)
    assert zram.read_backing_file() == str(image)


def test_a_file_s_loop_device_goes_with_the_reset_and_the_file_serves_again(zram, image):
    for _ in range(2):
        zram.configure(disksize="16M", backing_dev=image)
        device = zram.read_backing_dev()
        assert device and device.startswith("/dev/loop")
        zram.reset()
        assert backing_attach.backing_file(device) is None


def test_a_file_with_pages_of_the_last_time_serves_again(zram, zram_device, image):
    zram.configure(disksize="16M", backing_dev=image)
    store(zram_device, [noise(number) for number in range(20)])
    zram.writeback("huge")
    assert zram.read_bd_stat().bd_writes_bytes == 20 * PAGE
    zram.reset()
    assert image.read_bytes().count(0) < SIZE
    try:
        os.getxattr(image, backing_files.MARK)
    except OSError:
        pytest.skip("no trusted attributes on this file system")
    zram.configure(disksize="16M", backing_dev=image)


def test_a_store_of_another_zram_is_refused(zram, add_zram, loop):
    zram.configure(disksize="16M", backing_dev=loop)
    with (
        pyzram.Zram(add_zram().number) as other,
        pytest.raises(DeviceBusyError, match=f"backing device of {zram.name}"),
    ):
        other.configure(disksize="16M", backing_dev=loop, force=True)
    zram.reset()


def test_an_initialised_device_takes_none(zram, loop):
    zram.configure(disksize="16M")
    with pytest.raises(DeviceBusyError, match="reset it first") as caught:
        zram.set_backing_dev(loop)
    assert caught.value.errno == errno.EBUSY


def test_a_backing_file_that_is_exchanged_while_it_is_attached(tmp_path):
    """A user exchanges a folder and a link: only the file that was checked is ever attached."""
    theirs, victim = tmp_path / "theirs", tmp_path / "victim"
    for folder in (theirs / "real", victim):
        folder.mkdir(parents=True)
        (folder / "image").write_bytes(bytes(SIZE))
    (victim / "image").write_bytes(b"not yours" * 1000)
    (theirs / "link").symlink_to(victim)
    for path in (theirs, theirs / "real", theirs / "link"):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    code = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None)\na, b = (x.encode() for x in sys.argv[1:])\n"
        "while True: libc.renameat2(-100, a, -100, b, 2)"
    )
    words = [sys.executable, "-Ic", code, str(theirs / "real"), str(theirs / "link")]
    outcomes = set()
    with subprocess.Popen(words) as exchange:
        try:
            for _ in range(60):
                try:
                    made = backing_attach.attach_backing(theirs / "real" / "image", force=True)
                except OSError as err:
                    outcomes.add(err.errno)
                    continue
                file = os.open(made.device, os.O_RDONLY)
                try:
                    assert is_behind(made.device, "/", (victim / "image").stat()) is False
                finally:
                    os.close(file)
                    backing_attach.release_backing(made)
                outcomes.add(0)
        finally:
            exchange.kill()
    assert outcomes <= {0, errno.ELOOP, errno.ENOENT, errno.ENOTDIR}
    assert "trusted.pyzram.backing" not in os.listxattr(victim / "image")
    assert (victim / "image").read_bytes() == b"not yours" * 1000
