# SPDX-License-Identifier: MIT
"""Backing devices on several disks, and on one that is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_roots import Machine
from tended_machines import HOUR, MIB, Watch, tender

from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.allotment import Allotment
from pyzram.tend.medium import Medium, media_of, medium_of
from pyzram.tend.observation import Observation
from pyzram.tend.state import CALM

GIB = 1 << 30
SATA = Medium("naa.5000", "disk", "sda")
STICK = Medium("stick-7", "usb", "sdb")
OTHER = Medium("naa.6000", "disk", "sdc")


@pytest.fixture
def root(machine: Machine) -> Path:
    """A SATA disk, a USB stick, another SATA disk, and mappings over some of them."""
    root = machine.root
    for name, bus, identity in (
        ("sda", "pci", "naa.5000"), ("sdb", "pci/usb1", "stick-7"), ("sdc", "pci", "naa.6000"),
    ):  # fmt: skip
        disk = root / "sys/devices" / bus / "block" / name
        disk.mkdir(parents=True)
        (disk / "wwid").write_text(f"{identity}\n")
        (disk / "size").write_text(f"{8 << 21}\n")
        for folder in ("sys/block", "sys/class/block"):
            (root / folder / name).symlink_to(disk)
    for name, below in (("dm-0", "sda sdb"), ("dm-1", "sda sdc"), ("dm-2", "dm-0 dm-1")):
        mapping = root / "sys/class/block" / name
        (mapping / "slaves").mkdir(parents=True)
        (mapping / "size").write_text(f"{8 << 21}\n")
        for word in below.split():
            (mapping / "slaves" / word).symlink_to(root / "sys/class/block" / word)
    return root


def test_a_mapping_over_several_disks_lies_on_all_of_them(root: Path) -> None:
    sysfs = Sysfs(str(root))
    assert media_of(sysfs, "/dev/dm-0") == (STICK, SATA)
    assert media_of(sysfs, "/dev/dm-1") == (SATA, OTHER)
    assert media_of(sysfs, "/dev/dm-2") == (STICK, SATA, OTHER)
    assert medium_of(sysfs, "/dev/dm-2") == STICK


def test_a_disk_of_two_paths_is_one_medium(machine: Machine, root: Path) -> None:
    """As below multipath: the name that bears least counts."""
    sysfs = Sysfs(str(root))
    for disk, wwid in (("sda", "naa.6000"), ("sdb", "naa.6000")):
        (root / "sys/block" / disk / "wwid").write_text(f"{wwid}\n")
    assert media_of(sysfs, "/dev/dm-1") == (Medium("naa.6000", "disk", "sda"),)
    assert media_of(sysfs, "/dev/dm-2") == (Medium("naa.6000", "usb", "sdb"),)
    machine.attribute("backing_dev").write_text("/dev/dm-1\n")
    tending, _ = tender(machine, Watch())
    (seen,) = tending.observer.look().devices
    assert seen.media == ("naa.6000",)
    assert Allotment(Observation(0, 1, 1, devices=(seen,))).of(CALM, 0.0, seen) == min(
        512 * MIB, seen.free - seen.free // 100
    )


def rotates(root: Path, disk: str, word: str) -> None:
    (root / "sys/block" / disk / "queue").mkdir()
    (root / "sys/block" / disk / "queue/rotational").write_text(f"{word}\n")


def test_a_disk_rotates_if_the_kernel_says_so_but_not_a_stick(root: Path) -> None:
    """Sticks and virtio disks always say it."""
    for disk, word in (("sda", "1"), ("sdb", "1"), ("sdc", "0")):
        rotates(root, disk, word)
    virtual = root / "sys/devices/virtio/block/vda"
    virtual.mkdir(parents=True)
    for folder in ("sys/block", "sys/class/block"):
        (root / folder / "vda").symlink_to(virtual)
    rotates(root, "vda", "1")
    sysfs = Sysfs(str(root))
    kinds = [medium_of(sysfs, f"/dev/{disk}").kind for disk in ("sda", "sdb", "sdc", "vda")]
    assert kinds == ["rotating", "usb", "disk", "disk"]
    assert medium_of(sysfs, "/dev/dm-1").name == "sda"  # before one that bears more


@pytest.mark.parametrize(("below", "slow"), [("dm-1", True), ("dm-2", True), ("sdc", False)])
def test_whatever_else_it_lies_on_a_rotating_disk_is_slow(machine, root: Path, below, slow) -> None:
    rotates(root, "sda", "1")
    machine.attribute("backing_dev").write_text(f"/dev/{below}\n")
    tending, _ = tender(machine, watch := Watch())
    (seen,) = tending.observer.look().devices
    assert (seen.slow, seen.gentle) == (slow, slow)
    # A thousand pages that come back are seconds of waiting that are no reason to write more.
    machine.attribute("bd_stat").write_text("0 1000 0\n")
    watch.now += 60
    assert tending.observer.look().waited == pytest.approx(8.0 if slow else 0.15)


def test_each_medium_is_charged_and_the_one_that_bears_least_decides(
    machine: Machine, root: Path
) -> None:
    machine.attribute("backing_dev").write_text("/dev/dm-0\n")
    watch = Watch()
    tending, writer = tender(machine, watch)
    report = tending.round()
    (seen,) = report.seen.devices
    assert (seen.medium, seen.media) == ("stick-7", ("stick-7", "naa.5000"))
    assert (seen.gentle, seen.budget, seen.left) == (True, 256 * MIB, 256 * MIB)
    assert report.written == 32 * MIB
    assert tending.ledger.left("stick-7", 256 * MIB) == 224 * MIB
    assert tending.ledger.left("naa.5000", 4 * GIB) == 4 * GIB - 32 * MIB
    # What others wrote to either of them counts.
    tending.ledger.observe("naa.5000", "99", 4 * GIB - 48 * MIB)
    watch.now += 25 * HOUR - 60
    steps = len(writer.steps)
    report = tending.round()
    assert report.seen.devices[0].left == 16 * MIB and report.written == 0
    assert len(writer.steps) == steps


def test_a_step_is_charged_to_each_medium_before_it_begins(machine: Machine, root: Path) -> None:
    machine.attribute("backing_dev").write_text("/dev/dm-2\n")
    tending, writer = tender(machine, Watch())
    charged = []
    write = writer.write_pages

    def killed(device, ranges, limit):
        charged.append({key: tending.ledger.written(key) for key in tending.ledger.media})
        write(device, ranges, limit)

    writer.write_pages = killed
    tending.round()
    assert set(charged[0]) == {"stick-7", "naa.5000", "naa.6000"}
    assert len(set(charged[0].values())) == 1 and charged[0]["stick-7"] >= 16 * MIB


def test_one_of_which_nothing_is_known_hides_none_of_the_others(
    machine: Machine, root: Path
) -> None:
    """It may lie on a card; the other media are charged and limit writes as without it."""
    (root / "sys/class/block/dm-0/slaves/loop9").symlink_to("../../loop9")
    loop = Medium("loop9:", "unknown", "loop9")
    sysfs = Sysfs(str(root))
    assert media_of(sysfs, "/dev/dm-0") == (STICK, loop, SATA)
    assert media_of(sysfs, "/dev/dm-2") == (STICK, loop, SATA, OTHER)
    # What was known about it before still holds, and so does what is found only now.
    assert media_of(sysfs, "/dev/dm-2", (SATA, OTHER)) == (STICK, SATA, OTHER)
    machine.attribute("backing_dev").write_text("/dev/dm-0\n")
    tending, _ = tender(machine, Watch())
    (seen,) = tending.round().seen.devices
    assert (seen.gentle, seen.budget) == (True, 256 * MIB)
    assert {key: tending.ledger.written(key) for key in tending.ledger.media} == dict.fromkeys(
        ("stick-7", "loop9:", "naa.5000"), 32 * MIB
    )


def test_a_file_on_a_btrfs_of_two_disks_lies_on_both(root: Path, monkeypatch) -> None:
    (root / "swapfile").touch()
    loop = root / "sys/class/block/loop7/loop"
    loop.mkdir(parents=True)
    (loop / "backing_file").write_text("/swapfile\n")
    numbers = {"8:0": "sda", "8:16": "sdb"}
    (root / "sys/dev/block").mkdir(parents=True, exist_ok=True)
    for number, name in numbers.items():
        (root / "sys/dev/block" / number).symlink_to(root / "sys/class/block" / name)
    status = os.stat(root / "swapfile")
    monkeypatch.setattr(
        "pyzram.device.loop.file_behind", lambda _node: (os.makedev(0, 99), status.st_ino)
    )
    monkeypatch.setattr("os.fstat", lambda _fd: os.stat_result((0, status.st_ino, os.makedev(0, 99),
                                                               1, 0, 0, 0, 0, 0, 0)))  # fmt: skip
    monkeypatch.setattr("pyzram.tend.medium.mount_id", lambda _fd: 40)
    (root / "proc/self").mkdir(exist_ok=True)
    (root / "proc/self/mountinfo").write_text("40 1 0:39 / / rw - btrfs /dev/sda rw\n")
    monkeypatch.setattr(
        "pyzram.tend.medium.mounts_by_device", lambda _sysfs, mounts: dict.fromkeys(numbers, mounts)
    )
    assert media_of(Sysfs(str(root)), "/dev/loop7") == (STICK, SATA)


def test_a_disk_that_is_gone_is_of_no_kind_and_that_is_told_once(machine: Machine, capsys) -> None:
    machine.attribute("backing_dev").write_text("/dev/sdz9\n")
    watch = Watch()
    tending, writer = tender(machine, watch)
    report = tending.round()
    (seen,) = report.seen.devices
    assert (seen.budget, seen.free, seen.lost) == (GIB, 0, True)
    assert "zram0: its backing device cannot be found" in report.decision.reasons
    tending.round()
    assert capsys.readouterr().out == (
        "zram0: its backing device /dev/sdz9 cannot be found, so nothing is written to it\n"
    )
    # A card's name says what it is, whether it is there or not.
    sysfs = Sysfs(str(machine.root))
    assert medium_of(sysfs, "/dev/sdz9").kind == "unknown"
    assert medium_of(sysfs, "/dev/mmcblk7p1").kind == "card"
    # One that disappears while in use keeps its account.
    machine.attribute("backing_dev").write_text("/dev/mmcblk0p3\n")
    watch.now += HOUR
    (before,) = tending.round().seen.devices
    (machine.root / "sys/class/block/mmcblk0p3").unlink()
    (after,) = tending.observer.look().devices
    assert (after.medium, after.budget, after.lost) == (before.medium, before.budget, True)
    assert after.left < after.budget
    assert writer.steps
