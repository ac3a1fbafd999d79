# SPDX-License-Identifier: MIT
"""The life cycle of a device: made, set up completely or not at all, and removed."""

from __future__ import annotations

import errno
import os
import time

from .. import _native, interruption
from ..algorithm import Algorithm, as_algorithms, first_offered
from ..errors import (
    DeviceBusyError,
    InvalidValueError,
    UnsupportedError,
    ZramError,
    from_errno,
)
from ..kernel.parse import parse_algorithms, parse_block_stat, parse_mm_stat
from ..kernel.sysfs import ADDING, NO_DRIVER
from ..limits import ALGORITHM_PRIORITY_MAX, PAGE_SIZE, total_memory
from ..units import U64_MAX, parse_size
from ..value import check_count, check_flag, check_path
from .handle import BUSY_RETRY_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..kernel.sysfs import Sysfs
    from .handle import Handle
    from .zram import Zram

    Algorithms = str | Algorithm | Iterable[str | Algorithm]

NODE_TIMEOUT_SECONDS = 10.0


def hot_add(sysfs: Sysfs) -> int:
    """Make a device and return its number."""
    path = f"{sysfs.control}/hot_add"
    try:
        return int(_native.attr_read(path))
    except FileNotFoundError as err:
        raise UnsupportedError(errno.ENOENT, NO_DRIVER, path) from err
    except OSError as err:
        raise from_errno(err.errno or 0, ADDING, path) from err


def hot_remove(device: Zram, timeout: float) -> None:
    """Remove a device, and wait for those that merely have it open.

    Raises:
        DeviceNotFoundError: it is gone; its number may belong to another device.
        DeviceBusyError: somebody keeps it open (EBUSY); the message says who.
    """
    path = f"{device.sysfs.control}/hot_remove"
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        # Check before each attempt: another device may have got the number while we waited.
        device._require_present("remove")
        try:
            _native.attr_write(path, str(device.number))
            return
        except OSError as err:
            busy = err.errno == errno.EBUSY
            if not busy or time.monotonic() >= deadline:
                remedy = device._busy("reset") if busy else ""
                raise from_errno(
                    err.errno or 0,
                    f"{device.name}: remove",
                    device.path,
                    remedy=remedy,
                    of_device=True,
                ) from err
        interruption.pause(pause)
        pause = min(pause * 2, 0.25)


def configure(
    device: Zram,
    *,
    disksize: int | str,
    algorithm: Algorithms | None,
    recompression: Algorithms,
    backing_dev: str | os.PathLike[str] | None,
    compressed_writeback: bool | None,
    mem_limit: int | str | None,
    writeback_limit: int | None,
    writeback_batch_size: int | None,
    force: bool,
) -> Algorithm | None:
    """Set the device up (:meth:`pyzram.Zram.configure`); return the chosen algorithm."""
    preferences = None if algorithm is None else as_algorithms(algorithm, "algorithm")
    secondary = as_algorithms(recompression, "recompression")
    if backing_dev is not None:
        backing_dev = check_path("backing_dev", backing_dev)
    check_flag("force", force)
    if len(secondary) > ALGORITHM_PRIORITY_MAX:
        raise InvalidValueError(
            f"{device.name}: more than {ALGORITHM_PRIORITY_MAX} recompression algorithms"
        )
    if not size_of(device, disksize, "disksize"):
        raise InvalidValueError(f"{device.name}: disksize 0: nothing to configure")
    if compressed_writeback is not None:
        check_flag("compressed_writeback", compressed_writeback)
    if mem_limit is not None:
        size_of(device, mem_limit, "mem_limit")
    if writeback_limit is not None:
        check_count("writeback_limit", writeback_limit, 0, U64_MAX)
    if writeback_batch_size is not None:
        check_count("writeback_batch_size", writeback_batch_size, 1)

    primary = None if preferences is None else choose_algorithm(device, preferences)
    start_over(device)
    # What survives a reset: the algorithm up to 6.11, the others always.
    lasting = {
        "comp_algorithm": primary,
        "compressed_writeback": compressed_writeback,
        "writeback_limit": writeback_limit,
        "writeback_limit_enable": writeback_limit,
        "writeback_batch_size": writeback_batch_size,
    }
    kept = {
        name: _read_setting(device, name)
        for name, new in lasting.items()
        if new is not None and device.has(name)
    }
    try:
        if backing_dev is not None:
            device.set_backing_dev(backing_dev, force=force)
        if compressed_writeback is not None:
            device.set_compressed_writeback(compressed_writeback)
        _set_algorithms(device, primary, secondary)
        device.set_disksize(disksize)
        if mem_limit is not None:
            device.set_mem_limit(mem_limit)
        if writeback_limit is not None:
            device.set_writeback_limit(writeback_limit)
            device.set_writeback_limit_enable(True)
        if writeback_batch_size is not None:
            device.set_writeback_batch_size(writeback_batch_size)
    except BaseException as err:
        undo(err, lambda: _put_back(device, kept))
        raise
    return primary


def _set_algorithms(
    device: Zram, primary: Algorithm | None, secondary: tuple[Algorithm, ...]
) -> None:
    """Set the algorithm of each priority, then their parameters; ``None`` leaves the kernel's."""
    if primary is not None:
        device.set_comp_algorithm(primary.name)
    for priority, entry in enumerate(secondary, 1):
        device.set_recomp_algorithm(entry.name, priority=priority)
    for priority, chosen in enumerate([primary, *secondary]):
        if chosen is not None and chosen.params():
            device.set_algorithm_params(
                priority=priority,
                level=chosen.level,
                dictionary=chosen.dictionary,
                winbits=chosen.winbits,
            )


def choose_algorithm(device: Zram, wanted: Algorithms) -> Algorithm:
    """Return the first of ``wanted`` that this kernel has.

    Raises:
        UnsupportedError: it has none of them (EINVAL); the message names those that it has.
        InvalidValueError: the list is empty.
    """
    preferences = as_algorithms(wanted)
    offered = device.read_algorithms()
    if not preferences:
        raise InvalidValueError(f"{device.name}: no algorithm named (it has: {' '.join(offered)})")
    chosen = first_offered(preferences, offered)
    if chosen is None:
        from .algorithms import no_algorithm

        raise no_algorithm(device, *(algorithm.name for algorithm in preferences))
    return chosen


def size_of(device: Handle, size: int | str, what: str) -> int:
    """Accept a size in bytes or as text; percentages are of the machine's memory."""
    try:
        wanted = parse_size(size, total=total_memory)
    except InvalidValueError as err:
        raise type(err)(f"{device.name}: {what}: {err}") from err
    if wanted > U64_MAX - PAGE_SIZE:
        # The kernel rounds up to whole pages, so this would become 0, which means no limit.
        raise InvalidValueError(f"{device.name}: {what}: {wanted} rounds up to 2^64 bytes")
    return wanted


def mem_limit(device: Handle) -> int:
    """Return a device's memory limit in bytes; 0 means none."""
    return parse_mm_stat(device.read("mm_stat"))["mem_limit"] or 0


def start_over(device: Zram) -> None:
    """Reset before a configuration, unless that would destroy something."""
    # Without a size a device can be neither swap nor mounted; the kernel knows who has it open.
    if device.read_disksize():
        refuse_claimed(device, "configure")
        if parse_block_stat(device.read("stat"))["write_ios"]:
            raise DeviceBusyError(
                errno.EBUSY,
                f"{device.name}: configure: already initialised and written to, reset it first",
                device.path,
            )
    # Not reset(), which would check for claims once more.
    device.write("reset", 1, step="reset", timeout=BUSY_RETRY_SECONDS)


def refuse_claimed(device: Handle, step: str) -> None:
    """Fail at once if the device has a lasting user: waiting would not help."""
    from ..kernel.holders import lasting

    holders = [] if device.removed() else lasting(device.sysfs, device.name)
    if holders and not device.removed():
        raise DeviceBusyError(
            errno.EBUSY,
            f"{device.name}: {step}: {os.strerror(errno.EBUSY)} "
            f"({', '.join(holders)}; swapoff, umount or remove(release=True) first)",
            device.path,
        )


def _read_setting(device: Handle, name: str) -> str:
    """Read an attribute in the form in which it is written."""
    text = device.read(name)
    return (parse_algorithms(text)[0] or "") if name == "comp_algorithm" else text


def _put_back(device: Zram, kept: dict[str, str]) -> None:
    """Reset, and restore what a reset keeps."""
    device.reset()
    for name, value in kept.items():
        if _read_setting(device, name) != value:
            device.write(name, value, step=f"put {name} back")


def undo(error: BaseException, action: Callable[[], None]) -> None:
    """Undo after ``error``, which comes first in the message even if undoing fails."""
    try:
        action()
    except ZramError as err:
        text = f"undoing it failed too: {err}"
        if not isinstance(error, ZramError):
            error.add_note(text)
        elif text not in str(error):
            error._append(text)


def wait_until(condition: Callable[[], bool], path: str) -> None:
    """Wait for a file that the kernel or udev makes.

    Raises:
        BlockedError: it did not appear within :data:`NODE_TIMEOUT_SECONDS` (ETIMEDOUT).
    """
    deadline = time.monotonic() + NODE_TIMEOUT_SECONDS
    pause = 0.001
    while not condition():
        if time.monotonic() > deadline:
            raise from_errno(errno.ETIMEDOUT, f"{path}: wait for it", path)
        interruption.pause(pause)
        pause = min(pause * 2, 0.1)
