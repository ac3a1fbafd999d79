# SPDX-License-Identifier: MIT
"""Which values of a configuration contradict each other, and which hardly make sense together.

Each value is right by itself; values that are wrong by themselves are refused when their text is
read.
"""

from __future__ import annotations

import os

from ..limits import LOGICAL_BLOCK_SIZE, PAGE_SIZE
from ..units import format_size
from .values import MIN_SIZES, TESTED, label_max
from .variables import FILE_SYSTEM, PER_DEVICE, SWAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from .device_config import DeviceConfig

# Data hardly compress by more than this factor: with a limit below this part of its size, writes
# fail long before the device is full.
MEM_LIMIT_PART = 16
# Beyond this, the memory is full first even if data compress well.
SIZE_TIMES_RAM = 4
F2FS_BLOCK = 4096


def contradictions(desired: DeviceConfig, given: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that cannot stay as they are, each with the reason.

    ``given`` are the variables that the file sets for this device.
    """
    index = desired.index
    others, why = (
        (FILE_SYSTEM, f"needs ZRAM_MOUNT_{index}")
        if desired.is_swap
        else (SWAP, "is for swap only")
    )
    for name, row in PER_DEVICE.items():
        if row.of == others and name in given:
            yield name, why
    if not desired.is_swap and desired.discard not in ("none", "both"):
        yield "ZRAM_DISCARD", "yes or no for a file system"
    if desired.writeback_limit is not None and not desired.backing_dev:
        yield "ZRAM_WRITEBACK_LIMIT", f"needs ZRAM_BACKING_DEV_{index}"
    kind = "swap" if desired.is_swap else desired.fstype
    most = label_max(kind)
    if desired.label and len(os.fsencode(desired.label)) > most:
        yield "ZRAM_LABEL", f"{desired.label!r} is too long: {kind} takes {most} bytes"
    for _, block in _blocks(desired, given):
        if block < LOGICAL_BLOCK_SIZE:
            why = f"blocks of {block} bytes: zram has none smaller than {LOGICAL_BLOCK_SIZE}"
            yield "ZRAM_MKFS_OPTS", why


def doubts(desired: DeviceConfig, given: Container[str], ram: int) -> Iterator[tuple[str, str]]:
    """Yield the variables that can stay as they are but hardly should, each with the reason."""
    size = format_size(desired.disksize)
    if not desired.is_swap:
        yield from _doubts_of_file_system(desired, given)
    if 0 < desired.mem_limit < desired.disksize // MEM_LIMIT_PART:
        yield (
            "ZRAM_MEM_LIMIT",
            f"{format_size(desired.mem_limit)} for a device of {size}: "
            "writes fail long before it is full",
        )
    elif not desired.mem_limit and desired.disksize > SIZE_TIMES_RAM * ram:
        yield (
            "ZRAM_SIZE",
            f"{size} in {format_size(ram)} of memory: memory is full long before the device is",
        )


def collisions(devices: Sequence[DeviceConfig], resolve: Callable[[str], str]) -> Iterator[str]:
    """Say what two devices cannot share; ``resolve`` makes names of the same file equal."""
    for point in _repeated([desired.mount_point for desired in devices if desired.mount_point]):
        yield f"two devices are to be mounted on {point}"
    backing = [resolve(desired.backing_dev) for desired in devices if desired.backing_dev]
    for path in _repeated(backing):
        yield f"two devices are to write back to {path}"


def doubts_of_all(devices: Sequence[DeviceConfig], ram: int) -> Iterator[str]:
    """Say if devices that are fine one by one are together too much for the memory."""
    unlimited = [device.disksize for device in devices if not device.mem_limit]
    total, most = sum(unlimited), SIZE_TIMES_RAM * ram
    if len(unlimited) > 1 and total > most >= max(unlimited):
        yield (
            f"devices of {format_size(total)} in all in {format_size(ram)} of memory: memory is "
            "full long before they are"
        )


def _doubts_of_file_system(
    desired: DeviceConfig, given: Container[str]
) -> Iterator[tuple[str, str]]:
    fstype = desired.fstype
    if fstype not in TESTED:
        yield (
            "ZRAM_FSTYPE",
            f"{fstype} is not tested with pyzram, only {' '.join(TESTED)} are",
        )
    # Releases up to 1.16 of its programs cannot make others; -b is for later ones.
    block_given = any(word.startswith("-b") for word in desired.mkfs_options)
    if fstype == "f2fs" and PAGE_SIZE > F2FS_BLOCK and not block_given:
        yield (
            "ZRAM_FSTYPE",
            f"mkfs.f2fs makes blocks of {F2FS_BLOCK} bytes, and this kernel mounts f2fs only "
            f"with blocks of a page ({PAGE_SIZE})",
        )
    for is_kernels, block in _blocks(desired, given):
        if block > PAGE_SIZE and is_kernels:
            yield (
                "ZRAM_MKFS_OPTS",
                f"blocks of {block} bytes: few kernels mount {fstype} with blocks larger than a "
                f"page ({PAGE_SIZE})",
            )
    least = MIN_SIZES.get(fstype, 0)
    if desired.disksize < least:
        # Not an error, because other versions of their programs accept less.
        yield (
            "ZRAM_SIZE",
            f"{format_size(desired.disksize)}: some releases of mkfs.{fstype} take no less than "
            f"{format_size(least)}",
        )


def _blocks(desired: DeviceConfig, given: Container[str]) -> Iterator[tuple[bool, int]]:
    """Yield the block sizes given to mkfs, and whether they are those of the kernel's blocks."""
    if desired.is_swap or "ZRAM_MKFS_OPTS" not in given:
        return
    from .block_size import OF_KERNEL, block_sizes

    # If an option is given twice, the last one counts.
    for option, block in dict(block_sizes(desired.fstype, desired.mkfs_options)).items():
        yield option == OF_KERNEL.get(desired.fstype), block


def _repeated(paths: list[str]) -> list[str]:
    return sorted({path for path in paths if paths.count(path) > 1})
