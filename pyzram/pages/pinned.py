# SPDX-License-Identifier: MIT
"""Memory that stays where it is because a device or io_uring may write to it at any time."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..descriptor import Opened
from ..kernel.sysfs import GONE
from ..limits import PAGE_SIZE
from .shared_object import joined
from .smaps import figure

if TYPE_CHECKING:
    from .process import Process

RING = "anon_inode:[io_uring]"
# A registered buffer, in /proc/PID/fdinfo/FD of a ring: its number, address and length.
BUFFER = re.compile(r"^ *\d+: 0x([0-9a-f]+)/(\d+)$", re.MULTILINE)


def pinned_ranges(process: Process) -> list[tuple[int, int]]:
    """Addresses of the buffers that a process registered with io_uring, ascending, joined.

    Raises:
        OSError: ESRCH, it has exited.
    """
    if not figure(process.read("status"), "\nVmPin:"):
        return []
    found = []
    with Opened("fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=process.fd) as folder:
        for name in os.listdir(folder):
            try:
                if os.readlink(name, dir_fd=folder) != RING:
                    continue
                text = process.read(f"fdinfo/{name}")
            except OSError as err:
                if err.errno not in GONE:
                    raise
                continue  # closed meanwhile
            # The list ends where the next word stands.
            _, _, rest = text.partition("\nUserBufs:")
            for match in BUFFER.finditer(rest.partition("\nPollList:")[0]):
                start = int(match[1], 16)
                found.append((start // PAGE_SIZE, -(-(start + int(match[2])) // PAGE_SIZE)))
    return [(start * PAGE_SIZE, end * PAGE_SIZE) for start, end in joined(found)]
