# SPDX-License-Identifier: MIT
"""The medium below a backing device: how much may be written to it in a day, and its identity.

A loop device lies on whatever holds its file, a partition or mapping on the disks below it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import ZramError
from ..kernel import btrfs
from ..kernel.holders import block_name, device_name
from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import Sysfs, is_there, read_text

MIB = 1 << 20
GIB = 1 << 30
BUDGETS = {"card": 256 * MIB, "usb": 256 * MIB, "unknown": GIB, "disk": 4 * GIB}
"""Bytes in any 24 hours, by class, unless the configuration says otherwise."""
GENTLE = ("card", "usb")


class Medium(NamedTuple):
    """A physical disk."""

    key: str
    """Its identity, on this machine and across reboots; without spaces."""
    kind: str
    """``card`` (MMC), ``usb``, ``disk`` (SATA, NVMe, virtio) or ``unknown``."""
    name: str

    @property
    def budget(self) -> int:
        """Its budget: bytes in any 24 hours."""
        return BUDGETS[self.kind]


def medium_of(sysfs: Sysfs, backing: str) -> Medium:
    """Find the medium of a backing device, given its node."""
    name = _disk(sysfs, block_name(sysfs, backing), 8)
    directory = sysfs.path("sys/block", name)
    where = os.path.realpath(directory)
    if name.startswith("mmcblk"):
        kind = "card"
    elif "/usb" in where:
        kind = "usb"
    elif name.startswith(("sd", "nvme", "vd", "xvd", "hd")):
        kind = "disk"
    else:
        kind = "unknown"
    for attribute in ("wwid", "device/wwid", "device/cid", "device/serial", "serial"):
        word = "_".join(_read(f"{directory}/{attribute}").split())
        if word:
            return Medium(word, kind, name)
    return Medium(f"{name}:{_read(f'{directory}/size').strip()}", kind, name)


def _disk(sysfs: Sysfs, name: str, depth: int) -> str:
    """The disk below a partition, a mapping or a loop device; the name itself if there is none."""
    directory = sysfs.path("sys/class/block", name)
    if depth == 0 or not name:
        return name
    if file := _read(f"{directory}/loop/backing_file").removesuffix("\n"):
        below = _holder(sysfs, file)
        return _disk(sysfs, below, depth - 1) if below else name
    try:
        below_names = sorted(os.listdir(f"{directory}/slaves"))
    except OSError:
        below_names = []
    if below_names:
        return _disk(sysfs, below_names[0], depth - 1)
    if os.path.exists(f"{directory}/partition"):
        return os.path.basename(os.path.dirname(os.path.realpath(directory)))
    return name


def _holder(sysfs: Sysfs, file: str) -> str:
    """The device of the file system that a file lies in; empty if that cannot be told."""
    try:
        fd = os.open(sysfs.path(file.removeprefix("/")), os.O_PATH | os.O_CLOEXEC)
        try:
            device = os.fstat(fd).st_dev
            with open(f"/proc/self/fdinfo/{fd}", "rb") as info:
                lines = (line.split() for line in info)
                mount_id = next(int(words[1]) for words in lines if words[0] == b"mnt_id:")
        finally:
            os.close(fd)
        number = f"{os.major(device)}:{os.minor(device)}"
        if not is_there(sysfs.path("sys/dev/block", number)):
            # As that of btrfs, which may have several.
            table = parse_mountinfo(sysfs.read("proc/self/mountinfo"))
            mount = next(mount for mount in table if mount.id == mount_id)
            number = min(btrfs.devices(sysfs, mount, btrfs.filesystems(sysfs)))
        return device_name(sysfs, number)
    except (OSError, ZramError, StopIteration, ValueError):
        return ""


def _read(path: str) -> str:
    try:
        return read_text(path)
    except OSError:
        return ""
