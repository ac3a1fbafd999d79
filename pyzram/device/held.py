# SPDX-License-Identifier: MIT
"""A device held by its open node, and programs that write a signature or a file system to it.

While it is held, no other device can get its name.
"""

from __future__ import annotations

import errno
import os
from stat import S_IFBLK

from ..descriptor import Opened, fd_path
from ..errors import DeviceNotFoundError, ZramError, from_errno
from ..external import ProgramError, run_program
from ..kernel.parse import parse_io_stat
from ..kernel.sysfs import dev_text
from ..units import format_size
from .lifecycle import mem_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .zram import Zram


class Held:
    """A context in which nobody can remove a device, for programs that are given its name.

    Raises:
        DeviceNotFoundError: another device now has its name (ENODEV).
        ZramOSError: the node cannot be opened.
    """

    def __init__(self, device: Zram, *, close: bool = False) -> None:
        self.device = device
        self._node: Opened | None = None
        self._close = close

    @property
    def fd(self) -> int:
        """Descriptor of the node; -1 outside the context."""
        return self._node.fd if self._node else -1

    @property
    def path(self) -> str:
        """A path to this very device, for this process."""
        return fd_path(self.fd)

    def __enter__(self) -> Zram:
        device = self.device
        try:
            # From here on, hot_remove fails with EBUSY.
            self._node = _open_node(device)
            rdev = os.fstat(self.fd).st_rdev
            same = dev_text(rdev) == device.read("dev")
            if not same or device.removed():
                raise DeviceNotFoundError(
                    errno.ENODEV,
                    f"{device.name}: the device is gone, and its node belongs to another",
                    device.node,
                )
        except BaseException as err:
            self.__exit__()
            if isinstance(err, OSError) and not isinstance(err, ZramError):
                code = err.errno or 0
                what = f"{device.name}: open"
                raise from_errno(code, what, device.node, of_device=True) from err
            raise
        return device

    def __exit__(self, *_exc: object) -> None:
        if self._node:
            self._node.close()
        if self._close:
            self.device.close()


def _open_node(device: Zram) -> Opened:
    flags = os.O_RDONLY | os.O_NONBLOCK
    try:
        return Opened(device.node, flags)
    except FileNotFoundError:
        # Somebody has removed the node: reach the device through a temporary one.
        major, _, minor = device.read("dev").partition(":")
        node = f"{device.sysfs.dev}/.{device.name}.{os.getpid()}"
        os.mknod(node, S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
        try:
            return Opened(node, flags)
        finally:
            os.unlink(node)


# ---- programs that write to it -------------------------------------------------------------------


def make(device: Zram, step: str, command: Sequence[str], package: str = "util-linux") -> None:
    """Run a program that writes to a device, and name the cause if writes were refused.

    The programs say "Input/output error", or nothing if they do not check.

    Raises:
        ProgramError: it failed.
        ZramOSError: it did not fail, but writes did (EIO).
    """
    before = device.read("io_stat")
    try:
        with Held(device):
            run_program(f"{device.name}: {step}", *command, device.node, package=package)
    except ProgramError as err:
        if why := _refused(device, before):
            err._append(why)
        raise
    if why := _refused(device, before):
        raise from_errno(errno.EIO, f"{device.name}: {step}", device.node, remedy=why)


def _refused(device: Zram, before: str) -> str:
    after = device.read("io_stat")
    if after == before:
        return ""
    failed, had = (parse_io_stat(text)["failed_writes"] or 0 for text in (after, before))
    if failed <= had:
        return ""
    limit = mem_limit(device)
    cause = f"mem_limit {format_size(limit)} is too small" if limit else "memory is short"
    return f"the kernel refused {failed - had} writes: {cause}"
