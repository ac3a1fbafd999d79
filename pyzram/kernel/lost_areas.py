# SPDX-License-Identifier: MIT
"""Finds the zram devices of swap areas whose nodes are gone or elsewhere.

The kernel names an area by the path of a node. If the node has been removed, or is in another mount
namespace, that path says nothing about the device but a last name, which another device's node may
have had. So the kernel is asked about each zram device instead. Where the caller may not ask, the
name is believed; swapoff does the kernel's own check in any case.
"""

from __future__ import annotations

from ..limits import PAGE_SIZE, SECTOR_SIZE
from .node import is_swap
from .sysfs import read_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .parse import SwapArea
    from .sysfs import Sysfs


def on_devices(
    sysfs: Sysfs, lost: Iterable[tuple[str, SwapArea]], known: Iterable[str]
) -> dict[str, SwapArea]:
    """Return lost areas by the name of their device.

    Each is given with the last name in its path. ``known`` are the devices whose area was found by
    its node. If several areas may be the one on a device, the likeliest is taken, and among equals
    the one that needs the most memory.

    Raises:
        ZramOSError: the kernel cannot be asked about a device.
    """
    found: dict[str, SwapArea] = {}
    left = list(lost)
    settled = set(known)
    for number in sysfs.numbers():
        device = f"zram{number}"
        asked = None if device in settled else is_swap(sysfs, device)
        if asked is None:
            continue
        settled.add(device)
        size = _size(sysfs, device) - PAGE_SIZE  # the first page has the signature
        fit = [at for at in left if at[1].size <= size]
        if asked and fit:
            named = max(fit, key=lambda at: (at[0] == device, at[1].size == size, at[1].used))
            found[device] = named[1]
            left.remove(named)
    return found | {name: area for name, area in left if name not in settled}


def _size(sysfs: Sysfs, name: str) -> int:
    return int(read_value(f"{sysfs.block(name)}/size") or 0) * SECTOR_SIZE
