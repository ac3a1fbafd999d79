# SPDX-License-Identifier: MIT
"""Block devices that are opened by their number, because their nodes are gone or elsewhere."""

from __future__ import annotations

import errno
import os
from stat import S_IFBLK

from ..descriptor import Opened
from ..errors import NO_DEVICE, from_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sysfs import Sysfs

# These say that we may not ask: a user, a /dev or device that is read-only, or one that is mounted
# on a kernel that lets nobody else write to those.
MAY_NOT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


def open_by_number(sysfs: Sysfs, name: str, number: str, flags: int) -> Opened:
    """Open the block device ``major:minor`` through a node that exists only meanwhile.

    Raises:
        OSError: the kernel's own.
    """
    major, _, minor = number.partition(":")
    node = f"{sysfs.dev}/.{name}.{os.getpid()}"
    os.mknod(node, S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
    try:
        return Opened(node, flags)
    finally:
        os.unlink(node)


def is_swap(sysfs: Sysfs, name: str) -> bool | None:
    """Ask the kernel whether a device is swap; ``None`` if the caller may not ask.

    The kernel refuses to write to swap, even nothing at all: ETXTBSY (since 5.4), except to the
    device that it resumes from.

    Raises:
        ZramOSError: it answers something else.
    """
    try:
        number = sysfs.read(f"sys/block/{name}/dev").strip()
        with open_by_number(sysfs, name, number, os.O_WRONLY | os.O_NONBLOCK) as fd:
            os.pwrite(fd, b"", 0)
    except OSError as err:
        if err.errno == errno.ETXTBSY:
            return True
        if err.errno in MAY_NOT:
            return None
        if err.errno in NO_DEVICE:
            return False
        what = f"{name}: ask whether it is swap"
        raise from_errno(err.errno or 0, what, f"{sysfs.dev}/{name}") from err
    return False
