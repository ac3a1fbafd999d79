# SPDX-License-Identifier: MIT
"""Look at the machine for the planner: our devices, the others, swap and memory."""

from __future__ import annotations

import os

from .parse import parse_algorithms, parse_mounts, parse_recomp_algorithms, parse_swaps
from .plan import Machine, Running
from .sysfs import Sysfs, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .parse import SwapArea
    from .state import State

CONTAINER_FILES = {
    "run/systemd/container": "",
    ".dockerenv": "docker",
    "run/.containerenv": "podman",
    "proc/vz/veinfo": "openvz",
}


def survey(state: State) -> Machine:
    """Take a snapshot; ``state`` must have been loaded.

    Raises:
        ZramOSError: /sys or /proc can not be read.
    """
    sysfs = state.sysfs
    areas = parse_swaps(sysfs.read("proc/swaps"))
    mounts = parse_mounts(sysfs.read("proc/self/mountinfo"))
    by_name = {_device_name(area.path): area for area in areas}
    ours = [record.number for record in state.records]
    # Our own in the order in which they were made.
    others = [number for number in sysfs.numbers() if number not in ours]
    driver = sysfs.has_driver()
    writable = not driver or not os.statvfs(sysfs.control).f_flag & os.ST_RDONLY
    return Machine(
        driver=driver,
        writable=writable,
        container="" if driver and writable else container(sysfs),
        available=mem_available(sysfs),
        areas=areas,
        devices=[_look(state, number, by_name, mounts) for number in ours + others],
        mounted=[point for points in mounts.values() for point in points],
        zswap=_read(sysfs, "sys/module/zswap/parameters/enabled") == "Y",
        resume=_resume(sysfs),
    )


def _look(
    state: State, number: int, areas: dict[str, SwapArea], mounts: dict[str, list[str]]
) -> Running:
    sysfs = state.sysfs
    base = f"sys/block/zram{number}"
    device = Running(
        number,
        disksize=int(_read(sysfs, f"{base}/disksize") or 0),
        area=areas.get(f"zram{number}"),
        mounts=tuple(mounts.get(_read(sysfs, f"{base}/dev"), [])),
    )
    if all(record.number != number for record in state.records):
        return device
    record = state.record(number)
    device.index = record.index
    device.ready = record.ready
    device.record = record.memory
    device.algorithm = parse_algorithms(_read(sysfs, f"{base}/comp_algorithm"))[0]
    recompression = parse_recomp_algorithms(_read(sysfs, f"{base}/recomp_algorithm"))
    device.recompression = tuple(str(recompression[key]) for key in sorted(recompression))
    figures = [int(word) for word in _read(sysfs, f"{base}/mm_stat").split()]
    if len(figures) > 3:
        device.mem_used, device.mem_limit = figures[2], figures[3]
    return device


def _device_name(path: str) -> str:
    """Return the name of the device that a swap area's path means; empty for a file."""
    directory, _, name = os.path.realpath(path).rpartition("/")
    # Anything but /dev: it was swapped on in another mount namespace or below another root.
    return name if directory == "" or directory.endswith("/dev") else ""


def mem_available(sysfs: Sysfs) -> int:
    """Return MemAvailable of /proc/meminfo, in bytes."""
    for line in sysfs.read("proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def container(sysfs: Sysfs) -> str:
    """Return what kind of container this is; empty for none, or one that does not show."""
    for path, kind in CONTAINER_FILES.items():
        if os.path.exists(sysfs.path(path)):
            return kind or _read(sysfs, path)
    try:
        environment = sysfs.read("proc/1/environ").split("\0")
    except OSError:
        return ""
    kinds = [word.partition("=")[2] for word in environment if word.startswith("container=")]
    return kinds[0] if kinds else ""


def _resume(sysfs: Sysfs) -> str:
    """Return the zram device that the kernel is to resume from, or nothing."""
    number = _read(sysfs, "sys/power/resume")
    if number in ("", "0:0"):
        return ""
    try:
        name = os.path.basename(os.readlink(sysfs.path("sys/dev/block", number)))
    except OSError:
        return ""
    return name if name.startswith("zram") else ""


def _read(sysfs: Sysfs, path: str) -> str:
    """Read a file that not every kernel has, and that may vanish; empty without it."""
    try:
        return read_text(sysfs.path(path)).strip()
    except OSError:
        return ""
