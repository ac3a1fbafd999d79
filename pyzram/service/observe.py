# SPDX-License-Identifier: MIT
"""Observe the machine for the planner: our devices, the others, swap and memory."""

from __future__ import annotations

import os

from ..errors import AccessError, ZramOSError
from ..kernel.parse import parse_meminfo, parse_mountinfo, parse_swaps
from ..kernel.sysfs import Sysfs, is_there, read_proc, read_value, resume_device, zswap_enabled
from ..limits import BD_UNIT
from .observed import ObservedDevice, ObservedSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from ..kernel.parse import Mount, SwapArea
    from .registry import Registry

    T = TypeVar("T")

CONTAINER_FILES = {
    "run/systemd/container": "",
    ".dockerenv": "docker",
    "run/.containerenv": "podman",
    "proc/vz/veinfo": "openvz",
}


def observe(registry: Registry, config: Config | None) -> ObservedSystem:
    """Take a snapshot; ``registry`` must have been loaded.

    Mount points are looked for if the file mounts something or a device could be mounted.

    Raises:
        ZramOSError: /sys or /proc cannot be read.
    """
    sysfs = registry.sysfs
    areas = parse_swaps(read_proc(sysfs, "proc/swaps"))
    ours = [registered.number for registered in registry.devices]
    # Our own devices, in the order in which they were made.
    others = [number for number in sysfs.numbers() if number not in ours]
    elsewhere = registry.read_elsewhere() if others else {}
    driver = sysfs.has_driver()
    writable = not driver or not os.statvfs(sysfs.control).f_flag & os.ST_RDONLY
    devices = {}
    for number in ours + others:
        disksize = read_value(sysfs.path(f"sys/block/zram{number}/disksize"))
        if disksize:  # otherwise it has gone since it was listed
            devices[number] = ObservedDevice(
                number, disksize=int(disksize), elsewhere=elsewhere.get(number, "")
            )
    on: dict[int, list[Mount]] = {}
    table: list[Mount] = []
    # Without a size a device can be neither swap nor mounted.
    sized = any(device.disksize for device in devices.values())
    if sized or (config and any(desired.mount_point for desired in config.devices)):
        # Some machines have hundreds of mounts.
        table = parse_mountinfo(read_proc(sysfs, "proc/self/mountinfo"))
    if sized:
        on = _find_uses(sysfs, devices, areas, table)
    if registry.devices:
        _look_closely(registry, devices)
        for registered in registry.devices:
            if (device := devices.get(registered.number)) and device.index is not None:
                _tell_apart(device, on.get(registered.number, []), table)
    resumed = _warned_of(resume_device, sysfs, None) or ""
    return ObservedSystem(
        driver=driver,
        writable=writable,
        container="" if driver and writable else container(sysfs),
        available=mem_available(sysfs),
        areas=areas,
        devices=devices.values(),
        mounted=[mount.point for mount in table],
        zswap=_warned_of(zswap_enabled, sysfs, False),
        resume=resumed if resumed.startswith("zram") else "",
    )


def _find_uses(
    sysfs: Sysfs, devices: dict[int, ObservedDevice], areas: list[SwapArea], table: list[Mount]
) -> dict[int, list[Mount]]:
    """Note which devices are swap, and where they are mounted; return their mounts."""
    from ..kernel.holders import areas_by_name, mounts_by_device

    by_name, by_dev = areas_by_name(sysfs, areas), mounts_by_device(sysfs, table)
    on = {}
    for number, device in devices.items():
        dev = read_value(sysfs.path(f"sys/block/zram{number}/dev"))
        on[number] = by_dev.get(dev, [])
        device.area = by_name.get(device.name)
        device.mounts = tuple(mount.point for mount in on[number])
    return on


def _tell_apart(device: ObservedDevice, mounts: list[Mount], table: list[Mount]) -> None:
    """Separate our mounts from those that others made of the same device."""
    point = device.settings and device.settings.mount_point
    # Ours is the oldest mount at its place; a later one was bound over it.
    ours = next((mount for mount in mounts if mount.point == point), None)
    if ours is None:
        device.mounts, device.others = (), device.mounts
        return
    from ..kernel.holders import spread_from

    by_id = {mount.id: mount for mount in table}
    device.mounts = (ours.point,)
    device.others = tuple(
        mount.point for mount in mounts if mount is not ours and not spread_from(mount, ours, by_id)
    )


def _look_closely(registry: Registry, devices: dict[int, ObservedDevice]) -> None:
    """Add what matters only for our own devices; the kernel may make us wait for some of it."""
    from ..kernel.figure_reader import DeviceFigures, FigureReader

    reader = FigureReader(registry.sysfs)
    try:
        for registered in registry.devices:
            device = devices.get(registered.number)
            if device is None or _used_otherwise(device, registered.settings):
                continue
            device.index = registered.index
            device.ready = registered.ready
            device.settings = registered.settings
            figures = DeviceFigures(reader, registered.number)
            recompression = figures["recomp_algorithm"] or {}
            device.algorithm = figures["comp_algorithm"]
            device.recompression = tuple(str(recompression[key]) for key in sorted(recompression))
            device.mem_used = figures["mem_used_total"] or 0
            device.mem_limit = figures["mem_limit"] or 0
            if device.settings and device.settings.backing_dev:
                device.backed = (figures["bd_count"] or 0) * BD_UNIT
            device.busy = figures.waiting
    finally:
        reader.close()


def _used_otherwise(device: ObservedDevice, settings: DeviceConfig | None) -> bool:
    """Whether somebody uses one of our devices for something else."""
    if settings is None:
        return False
    if settings.disksize not in (0, device.disksize) and device.disksize:
        return True
    return bool(device.mounts if settings.is_swap else device.area)


def mem_available(sysfs: Sysfs) -> int:
    """Return MemAvailable of /proc/meminfo, in bytes."""
    return parse_meminfo(read_proc(sysfs, "proc/meminfo")).get("MemAvailable", 0)


def container(sysfs: Sysfs) -> str:
    """Return what kind of container this is; empty if it is none, or an unknown kind."""
    for path, kind in CONTAINER_FILES.items():
        if is_there(sysfs.path(path)):
            return kind or read_value(sysfs.path(path))
    try:
        environment = read_value(sysfs.path("proc/1/environ")).split("\0")
    except AccessError:
        return ""  # only root can read this
    kinds = [word.partition("=")[2] for word in environment if word.startswith("container=")]
    return kinds[0] if kinds else ""


def _warned_of(look: Callable[[Sysfs], T], sysfs: Sysfs, otherwise: T) -> T:
    """Look at something that only warnings need; if that fails, go on without it."""
    try:
        return look(sysfs)
    except ZramOSError:
        return otherwise
