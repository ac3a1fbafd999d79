# SPDX-License-Identifier: MIT
"""What this kernel's zram can do, found by looking and never by version number."""

from __future__ import annotations

import errno
import os

from ..errors import DeviceNotFoundError
from ..kernel.parse import parse_algorithms
from ..kernel.sysfs import Sysfs, as_sysfs, is_there, read_text
from ..value import FrozenDict, Value
from .handle import check_device
from .zram import Zram


class Features(Value):
    """What the kernel offers. ``None`` means that this is unknown without a device."""

    _fields = (
        "driver",
        "hot_add",
        "algorithms",
        "default_algorithm",
        "writeback",
        "writeback_batch",
        "compressed_writeback",
        "recompression",
        "algorithm_params",
        "memory_tracking",
        "idle_age",
        "pool_classes",
        "psi",
    )
    __slots__ = _fields
    _takes_back = FrozenDict(algorithms=tuple)

    driver: bool
    """Whether a zram driver is loaded or built in."""
    hot_add: bool
    """Whether devices can be added and removed (4.2)."""
    algorithms: tuple[str, ...] | None
    """The names that ``comp_algorithm`` lists."""
    default_algorithm: str | None
    """The algorithm of an unconfigured device, if one was seen."""
    writeback: bool | None
    """Whether a backing device can be attached (CONFIG_ZRAM_WRITEBACK)."""
    writeback_batch: bool | None
    """Whether ``writeback_batch_size`` exists (7.x)."""
    compressed_writeback: bool | None
    """Whether ``compressed_writeback`` exists (7.x)."""
    recompression: bool | None
    """Whether secondary algorithms can be configured (CONFIG_ZRAM_MULTI_COMP)."""
    algorithm_params: bool | None
    """Whether levels and dictionaries can be set (6.12)."""
    memory_tracking: bool | None
    """Whether debugfs has ``block_state`` (CONFIG_ZRAM_MEMORY_TRACKING); root only."""
    idle_age: bool | None
    """Whether pages can be marked idle by age; known only with an initialised device."""
    pool_classes: bool | None
    """Whether debugfs has zsmalloc's class statistics (CONFIG_ZSMALLOC_STAT); root only."""
    psi: bool
    """Whether pressure stall information exists and is on (CONFIG_PSI)."""

    def __init__(
        self,
        *,
        driver: bool,
        hot_add: bool,
        algorithms: tuple[str, ...] | None,
        default_algorithm: str | None,
        writeback: bool | None,
        writeback_batch: bool | None,
        compressed_writeback: bool | None,
        recompression: bool | None,
        algorithm_params: bool | None,
        memory_tracking: bool | None,
        idle_age: bool | None,
        pool_classes: bool | None,
        psi: bool,
    ) -> None:
        self._set(
            driver,
            hot_add,
            algorithms,
            default_algorithm,
            writeback,
            writeback_batch,
            compressed_writeback,
            recompression,
            algorithm_params,
            memory_tracking,
            idle_age,
            pool_classes,
            psi,
        )


def features(device: Zram | None = None, *, sysfs: Sysfs | None = None) -> Features:
    """Look at what this kernel can do, without changing anything.

    This looks at ``device``, or else at any zram device. Without a device only ``driver``,
    ``hot_add`` and ``psi`` can be determined.

    Raises:
        DeviceNotFoundError: ``device`` was removed.
        ZramOSError: something exists but cannot be read, which says nothing either way.
    """
    tree = as_sysfs(sysfs)
    if device is not None:
        check_device(device)
    opened = None if device else _any_device(tree)
    handle = device or opened
    try:
        return _find_features(tree, handle)
    finally:
        if opened:
            opened.close()


def _any_device(tree: Sysfs) -> Zram | None:
    for number in tree.numbers():
        try:
            return Zram(number, sysfs=tree)
        except DeviceNotFoundError:
            continue
    return None


def _find_features(tree: Sysfs, handle: Zram | None) -> Features:
    selected, names = parse_algorithms(handle.read("comp_algorithm")) if handle else (None, None)
    initialised = bool(handle and handle.read_disksize())

    def has(name: str) -> bool | None:
        return handle.has(name) if handle else None

    return Features(
        driver=tree.has_driver(),
        hot_add=is_there(f"{tree.control}/hot_add"),
        algorithms=names,
        default_algorithm=None if initialised else selected,
        writeback=has("writeback"),
        writeback_batch=has("writeback_batch_size"),
        compressed_writeback=has("compressed_writeback"),
        recompression=has("recompress"),
        algorithm_params=has("algorithm_params"),
        memory_tracking=_tracking(tree, handle),
        idle_age=_idle_age(tree, handle),
        # Not the device's own directory there, because that appears only with its pool.
        pool_classes=_debugfs(tree, handle, "zsmalloc"),
        psi=_psi(tree),
    )


def _debugfs(tree: Sysfs, handle: Zram | None, place: str) -> bool | None:
    if handle is None:
        return None
    debugfs = tree.path("sys/kernel/debug")
    try:
        return is_there(f"{debugfs}/{place}") if os.listdir(debugfs) else None
    except OSError:
        return None  # this user may not look


def _tracking(tree: Sysfs, handle: Zram | None) -> bool | None:
    return _debugfs(tree, handle, f"zram/{handle.name}/block_state" if handle else "")


def _idle_age(tree: Sysfs, handle: Zram | None) -> bool | None:
    """Look in the kernel's configuration, because trying it would change marks."""
    for path in ("proc/config.gz", f"boot/config-{os.uname().release}"):
        try:
            with open(tree.path(path), "rb") as file:
                data = file.read()
        except OSError:
            continue
        if path.endswith(".gz"):
            import zlib  # gzip is slow to load

            data = zlib.decompress(data, zlib.MAX_WBITS | 16)
        options = data.decode("ascii", "replace").split("\n")
        return (
            "CONFIG_ZRAM_TRACK_ENTRY_ACTIME=y" in options
            or "CONFIG_ZRAM_MEMORY_TRACKING=y" in options
        )
    return True if _tracking(tree, handle) else None


def _psi(tree: Sysfs) -> bool:
    try:
        read_text(tree.path("proc/pressure/memory"))
    except OSError as err:
        return err.errno not in (errno.ENOENT, errno.EOPNOTSUPP)
    return True
