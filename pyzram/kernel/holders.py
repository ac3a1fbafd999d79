# SPDX-License-Identifier: MIT
"""What holds a device: swap areas and mounts, by device, and whatever does so for good.

:mod:`pyzram.kernel.holder_words` finds passing holders too, and names them all.
"""

from __future__ import annotations

import os

from ..errors import DeviceNotFoundError, from_errno
from ..limits import SECTOR_SIZE
from ..text import quote
from .parse import parse_mountinfo, parse_swaps
from .sysfs import Sysfs, is_there, node_dev, read_proc, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .parse import Mount, SwapArea

# The kernel appends this to the path of a file that was removed.
DELETED = " (deleted)"


def swap_areas(sysfs: Sysfs) -> dict[str, SwapArea]:
    """Return the swap areas on block devices by the kernel's name of the device (/proc/swaps)."""
    return areas_by_name(sysfs, parse_swaps(read_proc(sysfs, "proc/swaps")))


def areas_by_name(sysfs: Sysfs, areas: Iterable[SwapArea]) -> dict[str, SwapArea]:
    """Return the areas that are on block devices, by the kernel's name of the device.

    Raises:
        ZramOSError: an area's node is gone, and the kernel cannot be asked which device it is on.
    """
    found: dict[str, SwapArea] = {}
    lost = []
    for area in areas:
        if area.type == "partition":
            name = _found_name(sysfs, area.path)
            if name:
                found[name] = area
            else:
                lost.append((_last_name(sysfs, area.path), area))
    if lost and not sysfs.root:
        from .lost_areas import on_devices

        return found | on_devices(sysfs, lost, found)
    return found | dict(lost)  # in a captured tree there is no kernel to ask


def block_name(sysfs: Sysfs, path: str) -> str:
    """Return the kernel's name of a block device, given the kernel's path of its node.

    That path may be anything: a mapping's own name, another folder, a node that has been removed,
    or one below the root of another mount namespace.
    """
    return _found_name(sysfs, path) or _last_name(sysfs, path)


def _found_name(sysfs: Sysfs, path: str) -> str:
    """Return the name of the block device whose node is there, or nothing."""
    try:
        number = node_dev(sysfs, path)
        return device_name(sysfs, number) if number else ""
    except OSError:
        return ""


def _last_name(sysfs: Sysfs, path: str) -> str:
    """Return the name that a path ends in; it may have been another device's."""
    name = path.removesuffix(DELETED).rpartition("/")[2]
    if ":" in name:  # /dev/block/MAJOR:MINOR
        try:
            return device_name(sysfs, name)
        except OSError:
            pass
    return name


def block_size(sysfs: Sysfs, path: str) -> int | None:
    """Return the size of a block device in bytes, given its node; ``None`` if it is unknown.

    It is unknown for a file, which older kernels may name, and for a node that is gone.
    """
    try:
        name = block_name(sysfs, path)
        return int(sysfs.read(f"sys/class/block/{name}/size")) * SECTOR_SIZE
    except (OSError, ValueError):
        return None


def device_name(sysfs: Sysfs, number: str) -> str:
    """Return the kernel's name of the block device with a number ``major:minor``.

    Raises:
        OSError: there is none.
    """
    return os.readlink(sysfs.path("sys/dev/block", number)).rpartition("/")[2]


def swap_area(sysfs: Sysfs, name: str) -> SwapArea | None:
    """Return the swap area on device ``name``, or ``None``."""
    return swap_areas(sysfs).get(name)


def mounts_by_device(sysfs: Sysfs, mounts: Iterable[Mount]) -> dict[str, list[Mount]]:
    """Return mounts by the number ``major:minor`` of the device that they are on, in order.

    A mount on several devices (btrfs) appears under each of them.
    """
    found: dict[str, list[Mount]] = {}
    known = None
    for mount in mounts:
        numbers: tuple[str, ...] = (mount.number,)
        if mount.fstype == "btrfs" and mount.number.startswith("0:"):
            from . import btrfs

            if known is None:
                known = btrfs.filesystems(sysfs)
            numbers = btrfs.devices(sysfs, mount, known)
        for number in numbers:
            found.setdefault(number, []).append(mount)
    return found


def spread_from(mount: Mount, origin: Mount, table: dict[int, Mount]) -> bool:
    """Whether a mount is a copy of ``origin``, made because the mounts that they are on are shared.

    If folders are mounted twice and shared, whatever is mounted below one appears below the other
    and goes away with it. ``table`` has all mounts by their ``id``.
    """
    above, below = table.get(origin.parent), table.get(mount.parent)
    if above is None or below is None or above is below or mount.root != origin.root:
        return False
    groups = {peer.rpartition(":")[2] for peer in above.peers if peer.startswith("shared:")}
    return any(peer.rpartition(":")[2] in groups for peer in below.peers)


def dev_of(sysfs: Sysfs, name: str) -> str:
    """Return ``major:minor`` of a block device by its name.

    Raises:
        DeviceNotFoundError: it is gone.
    """
    path = sysfs.block(name) + "/dev"
    try:
        return read_text(path).strip()
    except OSError as err:
        raise from_errno(err.errno or 0, f"{name}: read dev", path, of_device=True) from err


def mounts(sysfs: Sysfs, name: str) -> list[Mount]:
    """Return the mounts of device ``name`` in this mount namespace, the oldest first.

    Raises:
        DeviceNotFoundError: the device is gone.
    """
    number = dev_of(sysfs, name)
    table = parse_mountinfo(read_proc(sysfs, "proc/self/mountinfo", always=True))
    return mounts_by_device(sysfs, table).get(number, [])


def mount_points(sysfs: Sysfs, name: str) -> list[str]:
    """Return where device ``name`` is mounted in this mount namespace.

    Raises:
        DeviceNotFoundError: the device is gone.
    """
    return [mount.point for mount in mounts(sysfs, name)]


def lasting(sysfs: Sysfs, name: str) -> list[str]:
    """Return what keeps a device in use for good, each as a phrase: swap, mounts, device-mapper."""
    phrases = []
    if swap_area(sysfs, name):
        phrases.append("active swap")
    phrases += [f"mounted on {quote(point)}" for point in mount_points(sysfs, name)]
    holders = sysfs.block(name) + "/holders"
    if is_there(holders):
        phrases += [f"held by {holder}" for holder in os.listdir(holders)]
    if not phrases:
        phrases += _btrfs(sysfs, name)
    return phrases


def _btrfs(sysfs: Sysfs, name: str) -> list[str]:
    """Name the btrfs that a device is part of, if its mounts do not show that."""
    try:
        names = os.listdir(sysfs.path("sys/fs/btrfs"))
    except FileNotFoundError:
        return []  # the kernel has no btrfs, or the module is being unloaded
    if set(names) <= {"features", "debug"}:
        return []  # none is mounted, and starting swap should not load the module below
    from .btrfs import filesystems

    try:
        number = dev_of(sysfs, name)
    except DeviceNotFoundError:
        return []
    known = filesystems(sysfs)
    return [f"part of the btrfs {uuid}" for uuid, numbers in known.items() if number in numbers]
