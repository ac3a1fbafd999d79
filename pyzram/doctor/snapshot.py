# SPDX-License-Identifier: MIT
"""Everything that the doctor looks at, read once."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.config import Config, ConfigError
from ..config.layers import DEFAULT_PATH, read_layers
from ..config.parser import parse_layers
from ..device.features import Features, features
from ..device.zram import Zram
from ..errors import DeviceNotFoundError, UnsupportedError, from_errno
from ..kernel import holders
from ..kernel.parse import SwapArea, parse_mountinfo, parse_swaps
from ..kernel.sysfs import Sysfs, as_sysfs, read_value, resume_device, zswap_enabled
from ..limits import total_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..device.stats import Stats
    from ..kernel.parse import Mount


# Files that pyzram tend leaves in its folders.
TEND_STATUS, TEND_LEDGER = "tend/status.json", "ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that the checks look at."""

    features: Features
    devices: tuple[Stats, ...] = ()
    """Initialised devices."""
    swaps: tuple[SwapArea, ...] = ()
    """All active swap areas, zram or not."""
    mount_options: dict[str, frozenset[str]] | None = None
    """Device name to the options it is mounted with, of mounted devices."""
    file_systems: dict[str, str] | None = None
    """Device name to its file system, of mounted devices."""
    zswap: bool = False
    """zswap is enabled."""
    resume: str | None = None
    """Name of the device that the kernel would resume from."""
    page_cluster: int | None = None
    """``vm.page-cluster``: the power of two of pages that are read from swap at once."""
    memory: int = 0
    """Bytes of the machine's memory."""
    config: Config | None = None
    """The configuration, where there is a valid one."""
    config_error: str | None = None
    """What is wrong with the configuration."""
    tended: float | None = None
    """Seconds since ``pyzram tend`` last looked, as a daemon or from cron; ``None``: never."""


def take_snapshot(*, sysfs: Sysfs | None = None, config_path: str = DEFAULT_PATH) -> Snapshot:
    """Take the snapshot.

    Raises:
        UnsupportedError: no zram driver is loaded.
        BlockedError: the kernel did not answer in time (7.x, while writeback runs).
        ZramOSError: something else cannot be read.
    """
    tree = as_sysfs(sysfs)
    if not tree.has_driver():
        raise UnsupportedError(
            errno.ENOENT, "no zram driver is loaded (modprobe zram)", tree.control
        )
    config, config_error = _config(tree, config_path)
    stats = []
    for number in tree.numbers():
        try:
            with Zram(number, sysfs=tree) as device:
                if device.read_disksize():
                    stats.append(device.stats())
        except DeviceNotFoundError:
            continue  # removed since it was listed
    mounted = list(_mounted(tree))
    return Snapshot(
        features=features(sysfs=tree),
        devices=tuple(stats),
        swaps=tuple(parse_swaps(read_value(tree.path("proc/swaps")))),
        # Per mount and per file system; discard is one of the latter.
        mount_options={
            name: frozenset(f"{mount.options},{mount.super_options}".split(","))
            for name, mount in mounted
        },
        file_systems={name: mount.fstype for name, mount in mounted},
        zswap=zswap_enabled(tree),
        resume=_resume_device(tree),
        page_cluster=_number(read_value(tree.path("proc/sys/vm/page-cluster"))),
        memory=total_memory(),
        config=config,
        config_error=config_error,
        tended=_tended(tree),
    )


def _config(tree: Sysfs, path: str) -> tuple[Config | None, str | None]:
    """Read the files that there are; ``None`` if there are none."""
    where = tree.root + path if path.startswith("/") else path
    try:
        layers, none = read_layers(where)
        if none:
            return None, None
        return parse_layers(layers, where, ram=total_memory(), cpus=os.cpu_count() or 1), None
    except ConfigError as err:
        return None, str(err)
    except FileNotFoundError as err:
        # A drop-in that is a dangling link is an error that makes every command of the service
        # fail.
        return None, None if err.filename == where else str(err)


def _tended(tree: Sysfs) -> float | None:
    """Judge by the files that it leaves; ignore a clock that jumped."""
    folders = (
        (os.environ.get("PYZRAM_RUN", "/run/pyzram"), TEND_STATUS),
        (os.environ.get("PYZRAM_STATE", "/var/lib/pyzram"), TEND_LEDGER),
    )
    found = []
    for folder, name in folders:
        path = f"{tree.root}{folder}/{name}"
        try:
            found.append(time.time() - os.stat(path).st_mtime)
        except PermissionError:
            return 0.0  # this user may not know, so do not complain
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as err:
            raise from_errno(err.errno or 0, f"{path}: look", path) from err
    return min((max(0.0, age) for age in found), default=None)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _mounted(tree: Sysfs) -> Iterator[tuple[str, Mount]]:
    """Mounted devices, by name."""
    table = parse_mountinfo(tree.read("proc/self/mountinfo"))
    mounts = holders.mounts_by_device(tree, table)
    for name in (f"zram{number}" for number in tree.numbers()):
        for mount in mounts.get(read_value(tree.path(f"sys/block/{name}/dev")), []):
            yield name, mount


def _resume_device(tree: Sysfs) -> str | None:
    """The device that the kernel resumes from, or else the one its command line names."""
    if device := resume_device(tree):
        return device
    for word in read_value(tree.path("proc/cmdline")).split():
        if word.startswith("resume=/dev/"):
            return word.removeprefix("resume=/dev/")
    return None
