# SPDX-License-Identifier: MIT
"""Who uses a device or file that may become a backing device: by identity, never by name."""

from __future__ import annotations

import errno
import os

from ..descriptor import Opened, fd_path
from ..errors import DeviceNotFoundError, from_errno
from ..kernel import holders
from ..kernel.parse import parse_mountinfo, parse_swaps
from ..kernel.sysfs import Sysfs, dev_text, is_there, node_dev, read_proc, read_text
from ..text import quote
from . import loop


def device_holders(tree: Sysfs, path: str, fd: int) -> list[str]:
    """Who uses a block device, or a partition of it."""
    found = []
    rdev = os.fstat(fd).st_rdev
    mounts = holders.mounts_by_device(
        tree, parse_mountinfo(read_proc(tree, "proc/self/mountinfo", always=True))
    )
    swaps = holders.swap_areas(tree)
    directory = tree.path("sys/dev/block", dev_text(rdev))
    for number, name in _with_partitions(directory, rdev, path):
        on = "" if number == dev_text(rdev) else f"{name} "
        found += [f"{on}mounted on {quote(mount.point)}" for mount in mounts.get(number, [])]
        if holders.device_name(tree, number) in swaps:
            found.append(f"{on}active swap")
        above = tree.path("sys/dev/block", number, "holders")
        if is_there(above):
            found += [f"{on}held by {holder}" for holder in os.listdir(above)]
    found += _zrams_on(tree, dev_text(rdev))
    if not found:
        try:
            # Users that no list shows (btrfs, RAID, another namespace) show here.
            Opened(fd_path(fd), os.O_RDONLY | os.O_EXCL).close()
        except OSError as err:
            if err.errno != errno.EBUSY:
                raise from_errno(err.errno or 0, f"backing device {path}: open", path) from err
            found.append("claimed by another user")
    return found


def _with_partitions(directory: str, rdev: int, path: str) -> list[tuple[str, str]]:
    """Numbers and names of a device and its partitions."""
    found = [(dev_text(rdev), path)]
    for name in os.listdir(directory) if is_there(directory) else ():
        if is_there(f"{directory}/{name}/partition"):
            found.append((read_text(f"{directory}/{name}/dev").strip(), name))
    return found


def _zrams_on(tree: Sysfs, number: str) -> list[str]:
    """The zram devices that write back to the block device ``major:minor``."""
    from ..kernel.figure_reader import DeviceFigures, FigureReader

    found = []
    reader = FigureReader(tree)
    try:
        for zram in tree.numbers():
            try:
                backing = DeviceFigures(reader, zram)["backing_dev"]
            except DeviceNotFoundError:
                continue
            # A writeback that keeps readers waiting hides it too; then opening the device tells.
            if backing and backing != "none" and _is_node_of(tree, backing, number):
                found.append(f"backing device of zram{zram}")
    finally:
        reader.close()
    return found


def file_holders(tree: Sysfs, status: os.stat_result) -> list[str]:
    """Who uses a file: by its identity, because its name may have changed."""
    found = []
    for area in parse_swaps(read_proc(tree, "proc/swaps")):
        if loop.leads_to(area.path, status, f"{area.path}: inspect it, since it is swap"):
            found.append("active swap")
    block = tree.path("sys/block")
    for name in sorted(os.listdir(block)):
        file = loop.file_of(tree, name) if name.startswith("loop") else None
        if file is not None and loop.is_behind(f"{tree.dev}/{name}", file, status):
            holding = holders.lasting(tree, name)
            holding += _zrams_on(tree, holders.dev_of(tree, name))
            found.append(f"behind {name}{''.join(', ' + holder for holder in holding)}")
    return found


def _is_node_of(tree: Sysfs, path: str, number: str) -> bool:
    try:
        return node_dev(tree, path) == number
    except OSError:
        return False
