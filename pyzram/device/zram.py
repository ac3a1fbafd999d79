# SPDX-License-Identifier: MIT
"""A zram device: its life from hot_add to hot_remove, and everything in between."""

from __future__ import annotations

from ..errors import DeviceNotFoundError
from ..kernel.sysfs import Sysfs
from .lifecycle import Lifecycle
from .stats import Statistics


def devices(*, sysfs: Sysfs | None = None) -> list[Zram]:
    """Return a handle for every zram device, by ascending number; empty without a driver."""
    found = []
    tree = sysfs or Sysfs()
    for number in tree.numbers():
        try:
            found.append(Zram(number, sysfs=tree))
        except DeviceNotFoundError:
            continue  # removed since it was listed
    return found


class Zram(Lifecycle, Statistics):
    """A zram device.

    ``Zram(1)``, ``Zram("zram1")`` and ``Zram("/dev/zram1")`` are handles of an existing device,
    :meth:`add` makes a new one. Properties cost nothing; methods ask the kernel.

    Synchronization: one thread at a time for each handle; any number of handles.
    """
