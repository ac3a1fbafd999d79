# SPDX-License-Identifier: MIT
"""A logical volume as backing device: a linear mapping of the device mapper, as LVM makes them."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.raw import PAGE, load, noise, store

import pyzram
from pyzram.device import backing_attach
from pyzram.errors import DeviceBusyError, OverwriteError

if not Path("/sys/class/misc/device-mapper").exists():
    pytest.skip("needs the device mapper (modprobe dm-mod)", allow_module_level=True)

NAME = "pyzram--test-volume"
PATH = Path(f"/dev/mapper/{NAME}")
M = 1 << 20
FIRST, SIZE = 1 * M, 8 * M


def run(*command: str | Path) -> str:
    env = {**os.environ, "DM_DISABLE_UDEV": "1", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"needs {command[0]}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def image(tmp_path) -> Path:
    """An image of noise, with blank space for the volume in the middle."""
    path = tmp_path / "image"
    path.write_bytes(noise(1) * (FIRST // PAGE) + bytes(SIZE) + noise(2) * (FIRST // PAGE))
    return path


@pytest.fixture
def disk(image) -> Iterator[str]:
    """The device below the volume."""
    device = run("losetup", "--find", "--show", image)
    yield device
    run("losetup", "--detach", device)


@pytest.fixture
def volume(disk) -> Iterator[Path]:
    run("dmsetup", "create", NAME, "--table", f"0 {SIZE // 512} linear {disk} {FIRST // 512}")
    yield PATH
    run("dmsetup", "remove", NAME)


@pytest.fixture
def zram(volume, zram_device) -> Iterator[pyzram.Zram]:
    with pyzram.Zram(zram_device.number) as device:
        if not device.has("backing_dev"):
            pytest.skip("this kernel has no writeback")
        yield device
        device.reset()


def outside(image: Path) -> str:
    content = image.read_bytes()
    return hashlib.sha256(content[:FIRST] + content[FIRST + SIZE :]).hexdigest()


def test_pages_go_to_the_volume_and_come_back(zram, zram_device, image):
    before = outside(image)
    zram.configure(disksize="16M", backing_dev=PATH)
    attached = zram.read_backing_dev()
    assert attached
    assert os.stat(attached).st_rdev == os.stat(PATH).st_rdev
    assert zram.read_backing_file() is None
    pages = [noise(number) for number in range(100)]
    store(zram_device, pages)
    run_of_it = pyzram.writeback_pages(zram, "huge")
    assert run_of_it.pages_written == 100
    assert zram.read_bd_stat().bd_count == 100 * PAGE // 4096
    assert load(zram_device, 100) == pages
    os.sync()
    assert outside(image) == before


def test_a_volume_that_holds_something_is_refused_and_left_as_it_was(zram, image):
    run("mkswap", PATH)
    os.sync()
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    with pytest.raises(OverwriteError, match=f"{PATH}: holds swap"):
        zram.configure(disksize="16M", backing_dev=PATH)
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    assert not zram.read_initstate()


def test_what_a_volume_lies_on_is_refused_even_with_force(volume, disk, image):
    mapped = PATH.resolve() if PATH.is_symlink() else Path(f"dm-{os.minor(PATH.stat().st_rdev)}")
    for path in (disk, image):
        with pytest.raises(DeviceBusyError, match=f"held by {mapped.name}") as caught:
            backing_attach.attach_backing(path, force=True)
        assert caught.value.errno == errno.EBUSY


def test_a_volume_in_use_is_refused_by_the_name_of_its_user(zram, add_zram):
    zram.configure(disksize="16M", backing_dev=PATH)
    with (
        pyzram.Zram(add_zram().number) as other,
        pytest.raises(DeviceBusyError, match=f"backing device of {zram.name}"),
    ):
        other.configure(disksize="16M", backing_dev=PATH, force=True)


def test_the_service_keeps_its_volume_over_a_reload(volume, zram, box):
    text = f"ZRAM_SIZE_0=32M\nZRAM_PRIORITY_0=1\nZRAM_BACKING_DEV_0={PATH}\n"

    def attached() -> Path:
        (number,) = box.numbers()
        return Path(f"/sys/block/zram{number}/backing_dev")

    box.write(text)
    box.fine("start")
    before = box.known()
    assert Path(attached().read_text().strip()).samefile(PATH)
    box.write(text + "ZRAM_WRITEBACK_LIMIT_0=2M\n")
    box.fine("reload")
    assert attached().with_name("writeback_limit").read_text() == "512\n"
    assert Path(attached().read_text().strip()).samefile(PATH)
    # Another size needs another device, which cannot have the volume while this one has it.
    box.write(text.replace("32M", "48M"))
    box.fine("reload")
    assert box.known() != before
    assert Path(attached().read_text().strip()).samefile(PATH)
    box.fine("stop")
    assert run("dmsetup", "info", "--columns", "--noheadings", "-o", "open", NAME) == "0"
