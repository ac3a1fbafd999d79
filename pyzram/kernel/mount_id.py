# SPDX-License-Identifier: MIT
"""The mount that an open file is on, by the number that mountinfo gives it."""

from __future__ import annotations

import errno
import os

from ..descriptor import Opened
from .sysfs import read_text


def mount_id(fd: int) -> int:
    """Return the number, as in mountinfo, of the mount that an open file is on."""
    for line in read_text(f"/proc/self/fdinfo/{fd}").split("\n"):
        if line.startswith("mnt_id:"):
            return int(line[7:])
    raise OSError(errno.ENOSYS, "no mnt_id in fdinfo")


def is_mount_root(fd: int) -> bool:
    """Whether an open folder is where something is mounted."""
    with Opened("..", os.O_PATH | os.O_DIRECTORY, dir_fd=fd) as above:
        return mount_id(above) != mount_id(fd)
