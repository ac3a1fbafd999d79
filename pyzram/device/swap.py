# SPDX-License-Identifier: MIT
"""Swap on a device: its signature, and swapping on and off."""

from __future__ import annotations

import errno
import os

from .. import _native, interruption
from ..errors import DeviceBusyError, InvalidValueError, from_errno
from ..external import run_program
from ..kernel import holders
from ..kernel.parse import SwapArea
from .handle import Handle

PRIORITY_MAX = 32767
LABEL_MAX = 16
LOCK_SECONDS = 5.0


class Swap(Handle):
    """The swap half of a device."""

    def swap_area(self) -> SwapArea | None:
        """Return the active swap area on the device (/proc/swaps), or ``None``."""
        return holders.swap_area(self.sysfs, self.name)

    def mkswap(self, *, label: str | None = None, uuid: str | None = None) -> None:
        """Write a swap signature with util-linux's mkswap.

        Raises:
            DeviceBusyError: mounted, swap or open exclusively elsewhere (EBUSY).
            ZramError: mkswap is missing or failed; its own words are kept.
        """
        if label is not None and len(os.fsencode(label)) > LABEL_MAX:
            raise InvalidValueError(f"{self.name}: label {label!r}: longer than {LABEL_MAX} bytes")
        # Exclusive and locked: nobody uses it, and udev looks only when the signature is there.
        # mkswap opens the node itself, for which O_EXCL of ours must be gone again.
        os.close(self._open_exclusively("make a swap signature"))
        command = ["mkswap"]
        if label is not None:
            command += ["--label", label]
        if uuid is not None:
            command += ["--uuid", uuid]
        run_program(f"{self.name}: make a swap signature", *command, self.node)

    def swapon(self, *, priority: int = -1, discard: str | None = None) -> None:
        """Start swapping on the device (swapon(2)).

        ``priority`` 0..32767 sets the order, -1 leaves it to the kernel (lowest). ``discard`` is
        ``None``, ``"once"``, ``"pages"`` or ``"both"``; zram frees slots without it.

        Raises:
            InvalidValueError: priority or discard out of range.
            DeviceBusyError: it is swap already (EBUSY).
            ZramOSError: EINVAL without a swap signature, EPERM without privilege.
        """
        if not -1 <= priority <= PRIORITY_MAX:
            raise InvalidValueError(f"swap priority {priority}: not in -1..{PRIORITY_MAX}")
        if discard not in _native.DISCARD:
            raise InvalidValueError(f"swap discard {discard!r}: not once, pages or both")
        try:
            _native.swapon(self.node, priority, discard)
        except OSError as err:
            remedy = ""
            if err.errno == errno.EBUSY:
                remedy = holders.describe(self.sysfs, self.name)
            elif err.errno == errno.EINVAL:
                remedy = "is there a swap signature? mkswap makes one"
            raise from_errno(
                err.errno or 0, f"{self.name}: swap on", self.node, remedy=remedy
            ) from err

    def swapoff(self) -> None:
        """Stop swapping on the device (swapoff(2)); its pages return to memory first.

        Raises:
            ZramOSError: ENOMEM memory cannot take the pages, EINVAL it is no swap, EPERM.
        """
        try:
            self._swapoff()
        except OSError as err:
            remedy = ""
            if err.errno == errno.ENOMEM:
                remedy = "memory cannot take the pages back"
            elif err.errno == errno.EINVAL:
                remedy = "it is not swap"
            raise from_errno(
                err.errno or 0, f"{self.name}: swap off", self.node, remedy=remedy
            ) from err

    def _swapoff(self) -> None:
        while True:
            try:
                _native.swapoff(self.node)
                return
            except InterruptedError:
                # By a signal that ends nothing: a debugger, Ctrl-Z, suspend. Or one that does.
                interruption.check()

    def _open_exclusively(self, step: str) -> int:
        try:
            return _native.blkdev_open(self.node, wait_ms=round(LOCK_SECONDS * 1000))
        except OSError as err:
            code = errno.EBUSY if err.errno == errno.EWOULDBLOCK else err.errno or 0
            if code == errno.EBUSY:
                who = holders.describe(self.sysfs, self.name) or "locked by another process"
                raise DeviceBusyError(
                    code, f"{self.name}: {step}: {os.strerror(code)} ({who})", self.node
                ) from err
            raise from_errno(code, f"{self.name}: {step}", self.node) from err
