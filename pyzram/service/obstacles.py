# SPDX-License-Identifier: MIT
"""What this machine lacks for a configuration, found only by looking.

A start finds the same by trying. Here it is reported beforehand, with the line that requires it.
Devices that already run are skipped.
"""

from __future__ import annotations

import errno
import os

from ..config.values import KERNELS_OWN
from ..device.backing_check import check_backing
from ..device.features import features
from ..device.file_system import MKFS_PACKAGES
from ..device.mounting import Folder
from ..errors import AccessError, ZramError, ZramOSError
from ..external import find
from ..kernel.dictionary_file import open_dictionary
from ..text import quote
from ..value import Value
from .steps import choose, left_to_kernel, without_feature, without_secondaries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from ..device.features import Features
    from ..kernel.sysfs import Sysfs
    from .registry import Registry

    Found = tuple[str, str, bool]  # variable without its number, reason, whether it is fatal


class Obstacle(Value):
    """Something that this machine lacks, for one device of the file."""

    _fields = ("index", "variable", "place", "why", "fatal")
    __slots__ = _fields

    index: int
    """The number of the device in the file."""
    variable: str
    """The variable that requires it, such as ``ZRAM_FSTYPE_1``."""
    place: str
    """``file:line`` of that variable, or just the file for a default."""
    why: str
    """What is missing."""
    fatal: bool
    """Whether the device cannot be set up at all; otherwise it is set up without this."""

    def __init__(self, index: int, variable: str, place: str, why: str, fatal: bool) -> None:
        self._set(index, variable, place, why, fatal)

    def __str__(self) -> str:
        return f"{self.place}: {self.variable}: {self.why}"


def find_obstacles(config: Config, registry: Registry) -> list[Obstacle]:
    """Look at the kernel, the programs and the folders for all devices that do not run yet."""
    try:
        registry.load()
        running = {registered.index for registered in registry.devices if registered.ready}
    except AccessError:
        running = set()  # not root
    sysfs = registry.sysfs
    try:
        kernel = features(sysfs=sysfs)
    except ZramError:
        kernel = None  # the device that was examined has gone, so nothing is known
    found = []
    for desired in config.devices:
        if desired.index in running:
            continue
        untold = kernel is None or kernel.algorithms is None
        names = [choice.name for choice in desired.algorithms]
        if untold and KERNELS_OWN not in names:
            variable = f"ZRAM_ALGORITHM_{desired.index}"
            if place := config.sources.get(variable):  # the default needs none of this
                why = "not checked: without a zram device the kernel does not say which it has"
                found.append(Obstacle(desired.index, variable, place, why, False))
        for stem, why, fatal in _of_device(desired, kernel, sysfs):
            variable = f"{stem}_{desired.index}"
            place = config.sources.get(variable, config.path)
            found.append(Obstacle(desired.index, variable, place, why, fatal))
    return found


def _of_device(desired: DeviceConfig, kernel: Features | None, sysfs: Sysfs) -> Iterator[Found]:
    yield from _algorithms(desired, kernel)
    yield from _recompression(desired, kernel)
    if desired.backing_dev:
        yield from _backing(desired.backing_dev, kernel, sysfs)
    if desired.is_swap:
        yield from _program("ZRAM_SIZE", "mkswap")
    else:
        yield from _file_system(desired, sysfs)


def _algorithms(desired: DeviceConfig, kernel: Features | None) -> Iterator[Found]:
    if kernel is None or kernel.algorithms is None:
        return  # unknown without a device
    try:
        choice = choose(desired.algorithms, kernel.algorithms)
        if choice and choice.dictionary:
            open_dictionary(choice.dictionary, "").close()
    except ZramError as err:
        yield "ZRAM_ALGORITHM", str(err), True
        return
    if choice is None and (why := left_to_kernel(desired.algorithms)):
        yield "ZRAM_ALGORITHM", why, False
    if choice and choice.params() and kernel.algorithm_params is False:
        yield "ZRAM_ALGORITHM", f"this kernel takes no parameters for {choice.name}", True


def _recompression(desired: DeviceConfig, kernel: Features | None) -> Iterator[Found]:
    if not desired.recompression or kernel is None:
        return
    if kernel.recompression is False:
        yield "ZRAM_RECOMP_ALGORITHM", without_feature("recomp_algorithm"), False
    elif kernel.algorithms is not None:
        for why in without_secondaries(desired.recompression, kernel.algorithms):
            yield "ZRAM_RECOMP_ALGORITHM", why, False


def _backing(path: str, kernel: Features | None, sysfs: Sysfs) -> Iterator[Found]:
    try:
        check_backing(path, sysfs=sysfs)
    except ZramError as err:
        yield "ZRAM_BACKING_DEV", str(err), True
        return
    if kernel and kernel.writeback is False:
        yield "ZRAM_BACKING_DEV", without_feature("backing_dev"), False


def _program(stem: str, name: str, package: str = "util-linux") -> Iterator[Found]:
    if find(name) is None:
        yield stem, f"{name} is missing (install {package})", True


def _file_system(desired: DeviceConfig, sysfs: Sysfs) -> Iterator[Found]:
    fstype, point = desired.fstype, desired.mount_point or ""
    package = MKFS_PACKAGES.get(fstype, "its programs")
    yield from _program("ZRAM_FSTYPE", f"mkfs.{fstype}", package)
    yield from _program("ZRAM_MOUNT", "mount")
    if not _kernel_has(fstype, sysfs):
        why = f"this kernel has no file system {fstype}, neither built in nor as a module"
        yield "ZRAM_FSTYPE", why, True
    try:
        with Folder("", point):
            pass
    except ZramOSError as err:
        if err.errno == errno.ENOENT:
            why = f"{quote(point)}: there is no such directory: start will make it"
            yield "ZRAM_MOUNT", why, False
        else:
            yield "ZRAM_MOUNT", str(err).removeprefix(": "), True


def _kernel_has(fstype: str, sysfs: Sysfs) -> bool:
    """Whether the kernel has a file system or could load it; true if that is unknown."""
    try:
        known = sysfs.read("proc/filesystems").split("\n")
    except OSError:
        return True
    if any(line.rpartition("\t")[2] == fstype for line in known):
        return True
    # The kernel loads a file system by this alias.
    folder = sysfs.path("lib/modules", os.uname().release)
    for name in ("modules.alias", "modules.builtin.alias"):
        try:
            with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
                if any(line.split()[1:2] == [f"fs-{fstype}"] for line in file):
                    return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False
