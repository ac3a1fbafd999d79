# SPDX-License-Identifier: MIT
"""Who uses a device: swap, mounts, other block devices, processes that have it open."""

from __future__ import annotations

import os

from ..errors import from_errno
from .parse import parse_mounts, parse_swaps
from .sysfs import Sysfs, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .parse import SwapArea


def swap_areas(sysfs: Sysfs) -> dict[str, SwapArea]:
    """Return the swap areas by the name of their device (/proc/swaps)."""
    try:
        text = sysfs.read("proc/swaps")
    except FileNotFoundError:
        return {}  # a kernel without swap
    areas = {}
    for area in parse_swaps(text):
        # swapon keeps the path it was given, which may be a link to the node. What was swapped on
        # in another mount namespace shows without the /dev of that one.
        path = area.path
        if not path.startswith(("/dev/zram", "/zram")):
            path = os.path.realpath(path)
        areas[path.removeprefix("/dev").removeprefix("/")] = area
    return areas


def swap_area(sysfs: Sysfs, name: str) -> SwapArea | None:
    """Return the swap area on device ``name``, or ``None``."""
    return swap_areas(sysfs).get(name)


def mount_points(sysfs: Sysfs, name: str) -> list[str]:
    """Return where device ``name`` is mounted in this mount namespace.

    Raises:
        DeviceNotFoundError: the device is gone.
    """
    path = sysfs.block(name) + "/dev"
    try:
        number = read_text(path).strip()
    except OSError as err:
        raise from_errno(err.errno or 0, f"{name}: read dev", path) from err
    return parse_mounts(sysfs.read("proc/self/mountinfo")).get(number, [])


def openers(sysfs: Sysfs, name: str) -> list[str]:
    """Return ``comm[pid]`` of processes that have the node open, as far as the caller may look."""
    node = f"/dev/{name}"
    found = []
    for pid in filter(str.isdigit, os.listdir(sysfs.path("proc"))):
        directory = sysfs.path("proc", pid, "fd")
        try:
            if any(_leads_to(f"{directory}/{fd}", node) for fd in os.listdir(directory)):
                found.append(f"{sysfs.read(f'proc/{pid}/comm').strip()}[{pid}]")
        except OSError:
            continue  # gone, or not ours to look at
    return found


def _leads_to(link: str, target: str) -> bool:
    try:
        return os.readlink(link) == target
    except OSError:
        return False  # closed since it was listed, as the descriptor of the listing itself


def claims(sysfs: Sysfs, name: str) -> list[str]:
    """Return lasting users, each as a phrase: swap, mounts, device-mapper and the like."""
    phrases = []
    if swap_area(sysfs, name):
        phrases.append("active swap")
    phrases += [f"mounted on {point}" for point in mount_points(sysfs, name)]
    holders = sysfs.block(name) + "/holders"
    if os.path.isdir(holders):
        phrases += [f"held by {holder}" for holder in os.listdir(holders)]
    return phrases


def mounted_elsewhere(sysfs: Sysfs, name: str) -> list[str]:
    """Return mounts of other mount namespaces, as far as the caller may look."""
    found: list[str] = []
    try:
        number = read_text(sysfs.block(name) + "/dev").strip()
        seen = {os.readlink(sysfs.path("proc/self/ns/mnt"))}
    except OSError:
        return found
    for pid in filter(str.isdigit, os.listdir(sysfs.path("proc"))):
        try:
            namespace = os.readlink(sysfs.path("proc", pid, "ns/mnt"))
            if namespace in seen:
                continue
            seen.add(namespace)
            points = parse_mounts(sysfs.read(f"proc/{pid}/mountinfo")).get(number, [])
            who = f"{sysfs.read(f'proc/{pid}/comm').strip()}[{pid}]"
        except OSError:
            continue  # gone, or not ours to look at
        found += [f"mounted on {point} in the mount namespace of {who}" for point in points]
    return found


def describe(sysfs: Sysfs, name: str) -> str:
    """Return one phrase that names every user found, or the empty string."""
    phrases = claims(sysfs, name) + mounted_elsewhere(sysfs, name)
    phrases += [f"open in {process}" for process in openers(sysfs, name)]
    return ", ".join(phrases)
