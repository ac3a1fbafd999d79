# SPDX-License-Identifier: MIT
"""A device kept by its open node, and programs that write a signature or a file system to it.

While the node is open, no other device can get its name.
"""

from __future__ import annotations

import errno
import os

from ..descriptor import Opened, fd_path
from ..errors import DeviceNotFoundError, NotZramError, ZramError, from_errno
from ..external import ProgramError, run_program
from ..kernel.parse import parse_io_stat
from ..kernel.sysfs import dev_text, node_dev
from ..units import format_count, format_size
from .lifecycle import mem_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .zram import Zram


class OpenNode:
    """A context in which nobody can remove a device, for programs that are given its name.

    Raises:
        DeviceNotFoundError: another device now has its name (ENODEV).
        ZramOSError: the node cannot be opened.
    """

    def __init__(self, device: Zram) -> None:
        self.device = device
        self._node: Opened | None = None

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
            self._node = _open(device)
            if device.removed():
                raise DeviceNotFoundError(
                    errno.ENODEV,
                    f"{device.name}: the device is gone, and its number may be another's",
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


def _open(device: Zram) -> Opened:
    number, flags = device.read("dev"), os.O_RDONLY | os.O_NONBLOCK
    try:
        if node_dev(device.sysfs, f"dev/{device.name}") == number:
            opened = Opened(device.node, flags)
            if dev_text(os.fstat(opened.fd).st_rdev) == number:
                return opened
            opened.close()
    except FileNotFoundError:
        pass
    # Somebody has removed the node, or put something else in its place.
    from ..kernel.node import open_by_number

    return open_by_number(device.sysfs, device.name, number, flags)


# ---- programs that open its node by name ---------------------------------------------------------


def own_node(device: Zram, step: str) -> str:
    """Return the path of a device's node for a program, which opens it by name.

    Raises:
        NotFoundError: there is none.
        NotZramError: it is not this device's node.
    """
    node, number = device.node, device.read("dev")
    make_it = f"mknod -m 660 {node} b {number.replace(':', ' ')}"
    try:
        if node_dev(device.sysfs, f"dev/{device.name}") == number:
            return node
    except OSError as err:
        code, what = err.errno or 0, f"{device.name}: {step}: {node}"
        raise from_errno(code, what, node, remedy=make_it if code == errno.ENOENT else "") from err
    raise NotZramError(
        errno.ENOTBLK,
        f"{device.name}: {step}: {node} is not its node but another's (rm {node} && {make_it})",
        node,
    )


def make(device: Zram, step: str, command: Sequence[str], package: str = "util-linux") -> None:
    """Run a program that writes to a device, and name the cause if writes were refused.

    The programs say "Input/output error", or nothing if they do not check.

    Raises:
        ProgramError: it failed.
        ZramOSError: it did not fail, but writes did (EIO).
    """
    before = device.read("io_stat")
    try:
        with OpenNode(device):
            run_program(f"{device.name}: {step}", *command, own_node(device, step), package=package)
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
    return f"the kernel refused {format_count(failed - had, 'write')}: {cause}"
