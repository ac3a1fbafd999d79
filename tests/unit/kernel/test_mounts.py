# SPDX-License-Identifier: MIT
"""Which device a mount is on: never by one identifier alone."""

import pytest

from pyzram.errors import DeviceNotFoundError
from pyzram.kernel import btrfs, holders
from pyzram.kernel.parse import parse_mountinfo
from pyzram.kernel.sysfs import Sysfs

UUID = "60181d0f-922c-4803-8bba-c4a29644ab6f"
OTHER = "11111111-922c-4803-8bba-c4a29644ab6f"


@pytest.fixture
def tree(tmp_path):
    """zram1 and zram2 are one btrfs, sda another; zram3 is none."""
    devices = {"zram1": "253:1", "zram2": "253:2", "zram3": "253:3", "sda": "8:0"}
    for name, number in devices.items():
        for folder in (f"sys/block/{name}", f"sys/class/block/{name}"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "dev").write_text(f"{number}\n")
    for uuid, names in ((UUID, ("zram1", "zram2")), (OTHER, ("sda",))):
        for name in names:
            link = tmp_path / "sys/fs/btrfs" / uuid / "devices" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(tmp_path / "sys/block" / name)
    (tmp_path / "sys/fs/btrfs/features").mkdir()
    return Sysfs(str(tmp_path))


def points(tree, text):
    found = holders.mounts_by_device(tree, parse_mountinfo(text))
    return {number: [mount.point for mount in mounts] for number, mounts in found.items()}


def line(number, point, fstype, source):
    return f"43 27 {number} / {point} rw,relatime - {fstype} {source} rw\n"


def test_the_devices_of_each_btrfs(tree):
    found = {uuid: sorted(numbers) for uuid, numbers in btrfs.filesystems(tree).items()}
    assert found == {UUID: ["253:1", "253:2"], OTHER: ["8:0"]}


def test_a_btrfs_is_on_each_of_its_devices(tree):
    text = line("253:3", "/c", "ext4", "/dev/zram3") + line("0:39", "/a", "btrfs", "/dev/zram1")
    assert points(tree, text) == {"253:3": ["/c"], "253:1": ["/a"], "253:2": ["/a"]}
    text = line("0:39", "/a", "btrfs", "/dev/zram2") + line("0:40", "/b", "btrfs", "/dev/sda")
    assert points(tree, text) == {"253:1": ["/a"], "253:2": ["/a"], "8:0": ["/b"]}


@pytest.mark.parametrize(
    ("number", "fstype", "source"),
    [
        ("0:39", "btrfs", "/dev/zram3"),  # no btrfs has it
        ("0:39", "btrfs", "/dev/zram9"),  # none there
        ("0:39", "btrfs", "/elsewhere/zram1"),  # a name that anybody can give
        ("0:39", "btrfs", "zram1"),
        ("0:39", "btrfs", "/dev/sub/zram1"),
    ],
)
def test_a_source_proves_nothing(tree, number, fstype, source):
    assert points(tree, line(number, "/a", fstype, source)) == {}


def test_other_file_systems_go_by_number_alone(tree):
    text = line("0:20", "/t", "tmpfs", "/dev/zram1") + line("253:1", "/x", "ext4", "/dev/sda")
    assert points(tree, text) == {"0:20": ["/t"], "253:1": ["/x"]}


def test_a_kernel_without_btrfs(tmp_path):
    assert btrfs.filesystems(Sysfs(str(tmp_path))) == {}
    assert points(Sysfs(str(tmp_path)), line("0:39", "/a", "btrfs", "/dev/zram1")) == {}


def test_a_btrfs_that_goes_meanwhile_and_one_with_none_mounted(tree, tmp_path, monkeypatch):
    assert holders._btrfs(tree, "zram1") == [f"part of the btrfs {UUID}"]
    looked = []
    monkeypatch.setattr(btrfs, "filesystems", lambda sysfs: looked.append(sysfs) or {})
    for names in ((), ("features",), ("features", "debug")):
        here = tmp_path / f"other{len(names)}"
        for name in names:
            (here / "sys/fs/btrfs" / name).mkdir(parents=True)
        (here / "sys/fs/btrfs").mkdir(parents=True, exist_ok=True)
        assert holders._btrfs(Sysfs(str(here)), "zram1") == []
    # As if it existed when it was looked for, and was gone when it was listed.
    monkeypatch.setattr(holders, "is_there", lambda _path: True)
    assert holders._btrfs(Sysfs(str(tmp_path / "none")), "zram1") == []
    assert looked == []


def test_what_cannot_be_read_is_not_absent(tree, monkeypatch):
    def fails(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(btrfs.os, "listdir", fails)
    with pytest.raises(PermissionError):
        btrfs.filesystems(tree)


def test_the_number_of_a_device(tree):
    assert holders.dev_of(tree, "zram2") == "253:2"
    with pytest.raises(DeviceNotFoundError) as caught:
        holders.dev_of(tree, "zram8")
    assert caught.value.errno == 2


SHARED = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
30 21 8:1 /srv /above rw shared:5 - ext4 /dev/sda1 rw
31 21 8:1 /srv /twin rw shared:5 - ext4 /dev/sda1 rw
32 21 8:1 /srv /slave rw master:5 - ext4 /dev/sda1 rw
40 30 253:1 / /above/point rw shared:9 - ext4 /dev/zram1 rw
41 31 253:1 / /twin/point rw shared:9 - ext4 /dev/zram1 rw
42 32 253:1 / /slave/point rw master:9 - ext4 /dev/zram1 rw
43 21 253:1 / /bound rw shared:9 - ext4 /dev/zram1 rw
44 31 253:1 /sub /twin/sub rw shared:9 - ext4 /dev/zram1 rw
45 99 253:1 / /lost rw shared:9 - ext4 /dev/zram1 rw
"""


def test_what_spread_from_a_mount_and_what_was_bound():
    table = {mount.id: mount for mount in parse_mountinfo(SHARED)}
    spread = [id for id in range(41, 46) if holders.spread_from(table[id], table[40], table)]
    assert spread == [41, 42]
