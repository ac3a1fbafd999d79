# SPDX-License-Identifier: MIT
"""Everything that the doctor examines, read once."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .. import own_files, tend_status
from ..config.config import Config, ConfigError
from ..config.layers import DEFAULT_PATH, read_layers
from ..config.parser import parse_layers
from ..device.features import Features, features
from ..device.zram import Zram
from ..errors import DeviceNotFoundError, UnsupportedError, ZramOSError, from_errno
from ..kernel import holders
from ..kernel.parse import SwapArea, parse_mountinfo, parse_swaps
from ..kernel.sysfs import (
    NO_DRIVER,
    Sysfs,
    as_sysfs,
    read_proc,
    read_value,
    resume_device,
    zswap_enabled,
)
from ..limits import total_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..device.stats import Stats
    from ..kernel.parse import Mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that the checks examine."""

    features: Features
    devices: tuple[Stats, ...] = ()
    """Initialised devices."""
    swaps: tuple[SwapArea, ...] = ()
    """All active swap areas, zram or not."""
    mount_options: dict[str, frozenset[str]] | None = None
    """From the name of each mounted device to its mount options."""
    file_systems: dict[str, str] | None = None
    """From the name of each mounted device to its type of file system."""
    zswap: bool = False
    """Whether zswap is enabled."""
    resume: str | None = None
    """Name of the device that the kernel would resume from."""
    page_cluster: int | None = None
    """``vm.page-cluster``: the power of two of pages that are read from swap at once."""
    memory: int = 0
    """Bytes of the machine's memory."""
    config: Config | None = None
    """The configuration, if there is a valid one."""
    config_error: str | None = None
    """What is wrong with the configuration."""
    tended: float | None = None
    """Seconds since ``pyzram tend`` last looked, as a daemon or from cron; ``None`` if never."""
    tend_ended: bool = False
    """Whether a daemon did so and no longer runs."""
    tended_devices: frozenset[str] | None = None
    """What a running daemon tends; ``None`` if none runs, or if this user may not know."""


def take_snapshot(*, sysfs: Sysfs | None = None, config_path: str = DEFAULT_PATH) -> Snapshot:
    """Take the snapshot.

    Raises:
        UnsupportedError: no zram driver is loaded.
        BlockedError: the kernel did not answer in time (7.x, while writeback runs).
        ZramOSError: something else cannot be read.
    """
    tree = as_sysfs(sysfs)
    if not tree.has_driver():
        raise UnsupportedError(errno.ENOENT, NO_DRIVER, tree.control)
    config, config_error = _config(tree, config_path)
    tended = _tended(tree)
    stats = []
    names = set()
    for number in tree.numbers():
        try:
            with Zram(number, sysfs=tree) as device:
                if device.read_disksize():
                    stats.append(device.stats())
                if tended.keys and str(device.read_diskseq()) in tended.keys:
                    names.add(device.name)
        except DeviceNotFoundError:
            continue  # it was removed after it was listed
    mounted = list(_mounted(tree))
    return Snapshot(
        features=features(sysfs=tree),
        devices=tuple(stats),
        swaps=tuple(parse_swaps(read_proc(tree, "proc/swaps"))),
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
        tended=tended.ago,
        tend_ended=tended.ended,
        tended_devices=None if tended.keys is None else frozenset(names),
    )


def _config(tree: Sysfs, path: str) -> tuple[Config | None, str | None]:
    """Read the existing files; ``None`` if there are none."""
    where = tree.root + path if path.startswith("/") else path
    try:
        layers, none = read_layers(where)
        if none:
            return None, None
        return parse_layers(layers, where, ram=total_memory()), None
    except ConfigError as err:
        return None, str(err)
    except FileNotFoundError as err:
        # A drop-in that is a dangling link is an error, with which every command of the service
        # fails.
        return None, None if err.filename == where else str(err)


class _TendStatus(NamedTuple):
    """The fields of the snapshot, but with devices by key."""

    ago: float | None
    ended: bool = False
    keys: frozenset[str] | None = None


def _tended(tree: Sysfs) -> _TendStatus:
    """Judge by the files that ``pyzram tend`` leaves, and ignore a clock that jumped.

    Raises:
        ZramOSError: one of them cannot be read.
    """
    run = own_files.run_directory(tree.root)
    state = own_files.state_directory(tree.root)
    path = f"{run}/{tend_status.NAME}"
    try:
        told = _written(path)
        found = tend_status.read_status(run) if told else None
        path = f"{state}/{tend_status.LEDGER}"
        charged = _written(path)
    except PermissionError:
        return _TendStatus(0.0)  # this user may not know, so do not complain
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: look", path) from err
    if told is None and charged is None:
        return _TendStatus(None)
    last = max(told or 0.0, charged or 0.0)
    ago = max(0.0, time.time() - last)
    if found is None:
        # A daemon's last words come after its last entry in the ledger; from cron, there are none.
        return _TendStatus(ago, told is not None and told >= (charged or 0.0))
    try:
        devices = found["seen"]["devices"]
        return _TendStatus(ago, keys=frozenset(str(device["key"]) for device in devices))
    except (KeyError, TypeError):
        return _TendStatus(ago)  # the status is from another version of pyzram


def _written(path: str) -> float | None:
    """When a file was written, in seconds since 1970; ``None`` if there is none."""
    try:
        return os.stat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _mounted(tree: Sysfs) -> Iterator[tuple[str, Mount]]:
    """Mounted devices, by name."""
    table = parse_mountinfo(read_proc(tree, "proc/self/mountinfo", always=True))
    mounts = holders.mounts_by_device(tree, table)
    for name in (f"zram{number}" for number in tree.numbers()):
        for mount in mounts.get(read_value(tree.path(f"sys/block/{name}/dev")), []):
            yield name, mount


def _resume_device(tree: Sysfs) -> str | None:
    """The device that the kernel resumes from, or else the one that its command line names."""
    if device := resume_device(tree):
        return device
    for word in read_value(tree.path("proc/cmdline")).split():
        if word.startswith("resume=/dev/"):
            return word.removeprefix("resume=/dev/")
    return None
