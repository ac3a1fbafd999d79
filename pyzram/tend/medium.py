# SPDX-License-Identifier: MIT
"""The media below a backing device: how much may be written to them in a day, and their identity.

A loop device lies on whatever holds its file, and a partition or mapping on the disks below it. If
there are several, nobody knows which one a page goes to; on a mirror it goes to each of them.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from ..descriptor import Opened
from ..errors import ZramError, from_errno
from ..kernel.holders import block_name, device_name, mounts_by_device
from ..kernel.mount_id import mount_id
from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import Sysfs, dev_text, is_there, read_text
from ..units import GIB, MIB

BUDGETS = {
    "card": 256 * MIB,
    "usb": 256 * MIB,
    "rotating": 512 * MIB,
    "unknown": GIB,
    "disk": 4 * GIB,
}
"""Bytes in any 24 hours, by class, unless the configuration says otherwise."""
GENTLE = ("card", "usb", "rotating")
SLOW = ("rotating",)
"""Where a page takes milliseconds to come back: the head has to get there."""
ABSENT = (
    errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO,
    errno.EINVAL, errno.EOPNOTSUPP, errno.ENODATA,
)  # fmt: skip
"""What the kernel answers if there is no such attribute, or if this disk has none."""


class Medium(NamedTuple):
    """A physical disk."""

    key: str
    """Its identity, on this machine and across reboots; without spaces."""
    kind: str
    """``card`` (MMC), ``usb``, ``rotating``, ``disk`` (other SATA, NVMe, virtio) or ``unknown``."""
    name: str

    @property
    def budget(self) -> int:
        """Its budget: bytes in any 24 hours."""
        return BUDGETS[self.kind]


def medium_of(sysfs: Sysfs, backing: str) -> Medium:
    """The first of :func:`media_of`."""
    return media_of(sysfs, backing)[0]


def media_of(sysfs: Sysfs, backing: str, known: tuple[Medium, ...] = ()) -> tuple[Medium, ...]:
    """Find the media of a backing device, given its node; the one that bears least comes first.

    ``known`` is the previous answer, which holds while nothing else is found: a file's path may by
    now lead nowhere, but its loop device lies where it lay. If it is unknown what a device lies
    on, the device itself counts as the medium, of unknown kind.

    Raises:
        ZramOSError: the kernel does not say, and nothing is known.
    """
    hidden: set[str] = set()
    try:
        disks = _disks(sysfs, block_name(sysfs, backing), 8, hidden)
        found = {_described(sysfs, name) for name in disks}
        if hidden:
            found |= set(known) or {_described(sysfs, name) for name in hidden}
    except ZramError:
        if known:
            return known
        raise
    first: dict[str, Medium] = {}
    for one in sorted(found, key=lambda one: (one.budget, one)):
        # A disk with several paths has a name for each, but bears no more for that.
        first.setdefault(one.key, one)
    return tuple(first.values())


def is_lost(sysfs: Sysfs, backing: str) -> bool:
    """Whether a backing device, given its node, cannot be found, for example after unplugging."""
    return not is_there(sysfs.path("sys/class/block", block_name(sysfs, backing)))


def _described(sysfs: Sysfs, name: str) -> Medium:
    directory = sysfs.path("sys/block", name)
    where = os.path.realpath(directory)
    if name.startswith("mmcblk"):
        kind = "card"
    elif "/usb" in where:
        kind = "usb"
    elif name.startswith(("sd", "hd")) and _read(f"{directory}/queue/rotational").strip() == "1":
        kind = "rotating"  # virtio and memory sticks always say that, so only these are believed
    elif name.startswith(("sd", "nvme", "vd", "xvd", "hd")) and is_there(directory):
        kind = "disk"
    else:
        kind = "unknown"
    for attribute in ("wwid", "device/wwid", "device/cid", "device/serial", "serial"):
        word = "_".join(_read(f"{directory}/{attribute}").split())
        if word:
            return Medium(word, kind, name)
    return Medium(f"{name}:{_read(f'{directory}/size').strip()}", kind, name)


def _disks(sysfs: Sysfs, name: str, depth: int, hidden: set[str]) -> set[str]:
    """The disks below a partition, a mapping or a loop device; the name itself if it is one.

    Devices of which nobody can find out what they lie on are added to ``hidden``.

    Raises:
        ZramOSError: the kernel does not say.
    """
    directory = sysfs.path("sys/class/block", name)
    if depth == 0 or not name or not is_there(directory):
        hidden.add(name)
        return set()
    if file := _read(f"{directory}/loop/backing_file").removesuffix("\n"):
        below = _holders(sysfs, name, file)
        if not below:
            hidden.add(name)
    else:
        try:
            below = os.listdir(f"{directory}/slaves")
        except (FileNotFoundError, NotADirectoryError):
            below = []
        except OSError as err:
            raise from_errno(err.errno or 0, f"{directory}/slaves: look", directory) from err
        if not below and is_there(f"{directory}/partition"):
            return {os.path.basename(os.path.dirname(os.path.realpath(directory)))}
        if not below:
            return {name}
    return set().union(*(_disks(sysfs, one, depth - 1, hidden) for one in sorted(below)))


def _holders(sysfs: Sysfs, name: str, file: str) -> list[str]:
    """The devices of the file system that holds the file of a loop device; none if unknown.

    The loop device itself knows, whatever has become of the path and whoever may follow it. For
    btrfs, what it says is not the number of a device.
    """
    from ..device.loop import file_behind

    try:
        behind = file_behind(sysfs.path("dev", name))
    except OSError:
        behind = None
    try:
        if behind is not None:
            number = dev_text(behind[0])
            if is_there(sysfs.path("sys/dev/block", number)):
                return [device_name(sysfs, number)]
        with Opened(sysfs.path(file.removeprefix("/")), os.O_PATH) as fd:
            status = os.fstat(fd)
            if behind not in (None, (status.st_dev, status.st_ino)):
                return []  # another file
            on = mount_id(fd)
        number = dev_text(status.st_dev)
        if not is_there(sysfs.path("sys/dev/block", number)):
            # So is that of btrfs, which may have several devices.
            table = parse_mountinfo(sysfs.read("proc/self/mountinfo"))
            mount = next(mount for mount in table if mount.id == on)
            numbers = mounts_by_device(sysfs, [mount])
            return [device_name(sysfs, number) for number in numbers]
        return [device_name(sysfs, number)]
    except (OSError, ZramError, StopIteration, ValueError):
        return []


def _read(path: str) -> str:
    """An attribute; empty if there is none.

    Raises:
        ZramOSError: it cannot be read.
    """
    try:
        return read_text(path)
    except OSError as err:
        if err.errno in ABSENT:
            return ""
        raise from_errno(err.errno or 0, f"{path}: read", path) from err
