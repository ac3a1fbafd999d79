# SPDX-License-Identifier: MIT
"""What a device is used for: swap and file systems, taken up and given back."""

from __future__ import annotations

import errno
import os

from .. import _native, interruption
from ..errors import DeviceBusyError, InvalidValueError, ZramError, from_errno
from ..external import run_program
from ..kernel import holders
from ..kernel.parse import parse_mount_list
from ..kernel.sysfs import read_text
from ..limits import SWAP_LABEL_MAX, SWAP_PRIORITY_MAX
from .kinds import DISCARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .zram import Zram

LOCK_SECONDS = 5.0
LABEL_OPTION = {
    "btrfs": "-L",
    "exfat": "-L",
    "ext2": "-L",
    "ext3": "-L",
    "ext4": "-L",
    "f2fs": "-l",
    "vfat": "-n",
    "xfs": "-L",
}


# ---- swap ----------------------------------------------------------------------------------------


def mkswap(device: Zram, label: str | None, uuid: str | None) -> None:
    """Write a swap signature (:meth:`pyzram.Zram.mkswap`)."""
    if label is not None and len(os.fsencode(label)) > SWAP_LABEL_MAX:
        raise InvalidValueError(
            f"{device.name}: label {label!r}: longer than {SWAP_LABEL_MAX} bytes"
        )
    # Exclusive and locked: nobody uses it, and udev looks only when the signature is there.
    # mkswap opens the node itself, for which O_EXCL of ours must be gone again.
    os.close(open_exclusively(device, "make a swap signature"))
    command = ["mkswap"]
    if label is not None:
        command += ["--label", label]
    if uuid is not None:
        command += ["--uuid", uuid]
    run_program(f"{device.name}: make a swap signature", *command, device.node)


def swapon(device: Zram, priority: int, discard: str | None) -> None:
    """Start swapping (:meth:`pyzram.Zram.swapon`)."""
    if not -1 <= priority <= SWAP_PRIORITY_MAX:
        raise InvalidValueError(f"swap priority {priority}: not in -1..{SWAP_PRIORITY_MAX}")
    if discard is not None and discard not in DISCARD:
        raise InvalidValueError(f"swap discard {discard!r}: not one of {', '.join(DISCARD)}")
    try:
        _native.swapon(device.node, priority, discard)
    except OSError as err:
        remedy = ""
        if err.errno == errno.EBUSY:
            remedy = holders.describe(device.sysfs, device.name)
        elif err.errno == errno.EINVAL:
            remedy = "is there a swap signature? mkswap makes one"
        raise from_errno(
            err.errno or 0, f"{device.name}: swap on", device.node, remedy=remedy
        ) from err


def swapoff(device: Zram) -> None:
    """Stop swapping (:meth:`pyzram.Zram.swapoff`)."""
    try:
        while True:
            try:
                _native.swapoff(device.node)
                return
            except InterruptedError:
                # By a signal that ends nothing: a debugger, Ctrl-Z, suspend. Or one that does.
                interruption.check()
    except OSError as err:
        remedy = ""
        if err.errno == errno.ENOMEM:
            remedy = "memory cannot take the pages back"
        elif err.errno == errno.EINVAL:
            remedy = "it is not swap"
        raise from_errno(
            err.errno or 0, f"{device.name}: swap off", device.node, remedy=remedy
        ) from err


def open_exclusively(device: Zram, step: str) -> int:
    """Open the node, for which nobody else may use it.

    Raises:
        DeviceBusyError: somebody does (EBUSY); says who.
    """
    try:
        return _native.blkdev_open(device.node, wait_ms=round(LOCK_SECONDS * 1000))
    except OSError as err:
        code = errno.EBUSY if err.errno == errno.EWOULDBLOCK else err.errno or 0
        if code == errno.EBUSY:
            who = holders.describe(device.sysfs, device.name) or "locked by another process"
            raise DeviceBusyError(
                code, f"{device.name}: {step}: {os.strerror(code)} ({who})", device.node
            ) from err
        raise from_errno(code, f"{device.name}: {step}", device.node) from err


# ---- file systems --------------------------------------------------------------------------------


def mkfs(device: Zram, fstype: str, label: str | None, options: Sequence[str]) -> None:
    """Make a file system (:meth:`pyzram.Zram.mkfs`)."""
    if not fstype or not all(char.isalnum() or char in "-_." for char in fstype):
        raise InvalidValueError(f"{device.name}: file system {fstype!r}: not a name")
    os.close(open_exclusively(device, "make a file system"))
    words = [f"mkfs.{fstype}"]
    if fstype.startswith("ext"):
        words.append("-q")
    if label is not None:
        if fstype not in LABEL_OPTION:
            raise InvalidValueError(f"{device.name}: file system {fstype!r}: takes no label here")
        words += [LABEL_OPTION[fstype], label]
    step = f"{device.name}: make a file system"
    run_program(step, *words, *options, device.node, package="its programs")


def mount(device: Zram, point: str | os.PathLike[str], fstype: str, options: str) -> None:
    """Mount the file system (:meth:`pyzram.Zram.mount`)."""
    where = os.fspath(point)
    if not os.path.isdir(where):
        there = os.path.exists(where)
        raise from_errno(
            errno.ENOTDIR if there else errno.ENOENT,
            f"{device.name}: mount on {where}",
            where,
            remedy="" if there else "make the directory first",
        )
    words = ["mount", "-t", fstype, *(["-o", options] if options else [])]
    run_program(f"{device.name}: mount", *words, device.node, where)


def umount(device: Zram) -> None:
    """Unmount it wherever it is mounted, the latest first.

    Raises:
        DeviceBusyError: something else is mounted over it (EBUSY).
        ZramError: the words of umount; the other places are unmounted all the same.
    """
    failures: list[ZramError] = []
    for point in reversed(holders.mount_points(device.sysfs, device.name)):
        try:
            _umount(device, point)
        except ZramError as err:
            failures.append(err)
    if failures:
        raise failures[0]


def _umount(device: Zram, point: str) -> None:
    number = read_text(f"{device.path}/dev").strip()
    there = [
        dev
        for dev, place in parse_mount_list(device.sysfs.read("proc/self/mountinfo"))
        if place == point
    ]
    if number not in there:
        return  # gone with another, where mounts are shared
    # umount(8) takes a place, and what was mounted there last goes.
    if there[-1] != number:
        raise DeviceBusyError(
            errno.EBUSY,
            f"{device.name}: unmount {point}: something else is mounted over it, "
            "unmount that first",
            point,
        )
    run_program(f"{device.name}: unmount {point}", "umount", point)


def release(device: Zram) -> None:
    """Take back every use that :mod:`pyzram` knows how to: swap first, then mounts.

    Raises:
        ZramError: one could not be; says which and why.
    """
    if device.read_swap_area() is not None:
        device.swapoff()
    umount(device)
