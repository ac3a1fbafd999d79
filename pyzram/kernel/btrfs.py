# SPDX-License-Identifier: MIT
"""Which devices a mounted btrfs is on.

It may have several, so mountinfo shows an anonymous number (``0:39``) and, as the source, one
device by whatever path it was found. Neither says which devices: a mount is on a device if its
source leads to one that the kernel lists with it (``/sys/fs/btrfs/UUID/devices``).
"""

from __future__ import annotations

import os

from .sysfs import GONE, node_dev, read_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .parse import Mount
    from .sysfs import Sysfs

FOLDER = "sys/fs/btrfs"


def filesystems(sysfs: Sysfs) -> dict[str, tuple[str, ...]]:
    """Return the UUID of each mounted btrfs, and the numbers ``major:minor`` of its devices."""
    found = {}
    for uuid in _names(sysfs.path(FOLDER)):
        # The folder "features" beside them has no devices.
        folder = sysfs.path(FOLDER, uuid, "devices")
        numbers = [read_value(f"{folder}/{name}/dev") for name in _names(folder)]
        if numbers:
            found[uuid] = tuple(filter(None, numbers))
    return found


def devices(sysfs: Sysfs, mount: Mount, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the numbers of the devices that a mount is on; none if that is unknown.

    ``known`` is what :func:`filesystems` gave.
    """
    source = _source(sysfs, mount.source)
    return next((numbers for numbers in known.values() if source in numbers), ())


def _source(sysfs: Sysfs, path: str) -> str:
    try:
        if number := node_dev(sysfs, path):
            return number
    except OSError:
        pass  # the root of another mount namespace, or a node that is gone
    folder, _, name = path.rpartition("/")
    return read_value(sysfs.path("sys/class/block", name, "dev")) if folder == "/dev" else ""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as err:
        if err.errno in GONE:
            return []
        raise
