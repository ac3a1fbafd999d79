# SPDX-License-Identifier: MIT
"""A device as swap: writing its signature, swapping on and off."""

from __future__ import annotations

import errno
import os

from .. import _native, interruption
from ..errors import DeviceBusyError, InvalidValueError, ZramError, from_errno
from ..limits import DISCARD, SWAP_LABEL_MAX, SWAP_PRIORITY_MAX
from ..value import check_count, check_kind, check_word
from .open_node import OpenNode, make, own_node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .zram import Zram

LOCK_SECONDS = 5.0


def mkswap(device: Zram, label: str | None, uuid: str | None) -> None:
    """Write a swap signature (:meth:`pyzram.Zram.mkswap`)."""
    check_kind(str, {"label": label, "uuid": uuid}, none=True)
    if label is not None and len(os.fsencode(label)) > SWAP_LABEL_MAX:
        raise InvalidValueError(
            f"{device.name}: label {label!r}: longer than {SWAP_LABEL_MAX} bytes"
        )
    # Opened exclusively and locked, so nobody uses it, and udev probes it only with its signature.
    # mkswap opens the node itself, so our O_EXCL must be gone by then.
    refuse_used(device, "make a swap signature")
    command = ["mkswap"]
    if label is not None:
        command += ["--label", label]
    if uuid is not None:
        command += ["--uuid", uuid]
    make(device, "make a swap signature", command)


def swapon(device: Zram, priority: int, discard: str | None) -> None:
    """Start swapping (:meth:`pyzram.Zram.swapon`)."""
    wanted = f"not in -1..{SWAP_PRIORITY_MAX}"
    priority = check_count("swap priority", priority, -1, SWAP_PRIORITY_MAX, wanted)
    if discard is not None:
        check_word("swap discard", discard, DISCARD)
    try:
        node = OpenNode(device)
        with node:
            _native.swapon(node.path, priority, discard)
    except ZramError:
        raise
    except OSError as err:
        remedy = ""
        if err.errno == errno.EBUSY:
            remedy = _holders(device)
        elif err.errno == errno.EINVAL:
            remedy = "is there a swap signature? mkswap makes one"
        raise from_errno(
            err.errno or 0, f"{device.name}: swap on", device.node, remedy=remedy
        ) from err


def swapoff(device: Zram) -> None:
    """Stop swapping (:meth:`pyzram.Zram.swapoff`)."""
    try:
        node = OpenNode(device)
        with node:
            while True:
                try:
                    _native.swapoff(node.path)
                    return
                except InterruptedError:
                    # A signal that ends nothing (a debugger, Ctrl-Z), or one that ends us.
                    interruption.check()
    except ZramError:
        raise
    except OSError as err:
        remedy = ""
        if err.errno == errno.ENOMEM:
            remedy = "memory cannot take the pages back"
        elif err.errno == errno.EINVAL:
            remedy = "it is not swap"
        raise from_errno(
            err.errno or 0, f"{device.name}: swap off", device.node, remedy=remedy
        ) from err


def refuse_used(device: Zram, step: str) -> None:
    """Refuse a device that somebody uses or has locked.

    Raises:
        DeviceBusyError: it is used or locked (EBUSY); the message says by whom.
    """
    device._require_present(step)
    node = own_node(device, step)
    try:
        # Open and close it in one call, so that nothing in between can leave it open.
        _native.blkdev_unused(node, wait_ms=round(LOCK_SECONDS * 1000))
    except OSError as err:
        device._require_present(step)
        code = errno.EBUSY if err.errno == errno.EWOULDBLOCK else err.errno or 0
        if code == errno.EBUSY:
            who = _holders(device) or "locked by another process"
            raise DeviceBusyError(
                code, f"{device.name}: {step}: {os.strerror(code)} ({who})", device.node
            ) from err
        raise from_errno(code, f"{device.name}: {step}", device.node) from err


def _holders(device: Zram) -> str:
    from ..kernel.holder_words import describe

    return describe(device.sysfs, device.name)
