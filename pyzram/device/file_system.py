# SPDX-License-Identifier: MIT
"""A device as a file system: making, mounting and unmounting it."""

from __future__ import annotations

import os

from ..errors import InvalidValueError, ZramError
from ..kernel import holders
from ..value import as_tuple, check_kind, check_path
from .mounting import Folder, run_mount, unmount
from .open_node import OpenNode, make, own_node
from .swap import refuse_used

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .zram import Zram

LABEL_OPTION = {
    "btrfs": "-L",
    "exfat": "-L",
    "ext2": "-L",
    "ext3": "-L",
    "ext4": "-L",
    "f2fs": "-l",
    "jfs": "-L",
    "vfat": "-n",
    "xfs": "-L",
}
# Debian's packages; most distributions use the same names.
MKFS_PACKAGES = {
    "btrfs": "btrfs-progs",
    "exfat": "exfatprogs",
    "ext2": "e2fsprogs",
    "ext3": "e2fsprogs",
    "ext4": "e2fsprogs",
    "f2fs": "f2fs-tools",
    "jfs": "jfsutils",
    "vfat": "dosfstools",
    "xfs": "xfsprogs",
}


def mkfs(device: Zram, fstype: str, label: str | None, options: Sequence[str]) -> None:
    """Make a file system (:meth:`pyzram.Zram.mkfs`)."""
    check_kind(str, {"fstype": fstype})
    check_kind(str, {"label": label}, none=True)
    if not fstype or not all(char.isalnum() or char in "-_." for char in fstype):
        raise InvalidValueError(f"{device.name}: file system {fstype!r}: not a name")
    given = as_tuple(f"{device.name}: options", options, str)
    refuse_used(device, "make a file system")
    words = [f"mkfs.{fstype}"]
    if fstype.startswith("ext"):
        words.append("-q")
    if label is not None:
        if fstype not in LABEL_OPTION:
            raise InvalidValueError(f"{device.name}: file system {fstype!r}: takes no label here")
        words += [LABEL_OPTION[fstype], label]
    package = MKFS_PACKAGES.get(fstype, "its programs")
    make(device, "make a file system", [*words, *given], package)


def mount(device: Zram, point: str | os.PathLike[str], fstype: str, options: str) -> None:
    """Mount the file system (:meth:`pyzram.Zram.mount`)."""
    check_kind(str, {"fstype": fstype, "options": options})
    where = os.path.abspath(check_path("point", point))
    words = ["-t", fstype, *(["-o", options] if options else [])]
    with Folder(device.name, where) as folder, OpenNode(device):
        run_mount(f"{device.name}: mount", words, own_node(device, "mount"), folder)


def umount(device: Zram) -> None:
    """Unmount it wherever it is mounted, the latest first.

    Raises:
        DeviceBusyError: something else is mounted over it (EBUSY).
        ZramError: umount failed, with its words; the other places are unmounted all the same.
    """
    failures: list[ZramError] = []
    points = device.read_mount_points()
    if not points:
        return
    # unmount uses the name, which nobody else can have meanwhile.
    with OpenNode(device):
        for point in reversed(points):
            if point not in holders.mount_points(device.sysfs, device.name):
                continue  # if mounts are shared, it has gone with another one
            try:
                unmount(device.sysfs, device.name, point)
            except ZramError as err:
                failures.append(err)
    if failures:
        raise failures[0]
