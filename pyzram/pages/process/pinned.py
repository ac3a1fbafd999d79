# SPDX-License-Identifier: MIT
"""Memory that stays where it is because a device or io_uring may write to it at any time."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ...descriptor import Opened
from ...kernel.parse import parse_vmstat
from ...kernel.sysfs import GONE, read_text
from ...limits import PAGE_SIZE
from .ranges import joined
from .smaps import figure

if TYPE_CHECKING:
    from .process import Process

RING = "anon_inode:[io_uring]"
# A registered buffer, in /proc/PID/fdinfo/FD of a ring: its number, address and length.
BUFFER = re.compile(r"^ *\d+: 0x([0-9a-f]+)/(\d+)$", re.MULTILINE)


class Pinned(NamedTuple):
    """The pinned memory of a process."""

    ranges: list[tuple[int, int]]
    """addresses of the buffers that it registered with io_uring, ascending and joined"""
    elsewhere: int
    """other pages that the kernel counts as pinned (VmPin), private or shared: by a ring that is
    already closed, by RDMA, or the rest of a huge page"""


NOTHING = Pinned([], 0)


def anything_pinned() -> bool:
    """Whether the machine may have pinned pages; true if its kernel does not count them."""
    found = parse_vmstat(read_text("/proc/vmstat"))
    counts = [count for name, count in found.items() if name.startswith("nr_foll_pin_")]
    return len(counts) != 2 or counts[0] != counts[1]


def pinned_ranges(process: Process) -> Pinned:
    """What a process has pinned, as far as the kernel counts it (VmPin).

    Raises:
        OSError: ESRCH if it has exited.
    """
    pinned = figure(process.read("status"), "\nVmPin:") // PAGE_SIZE
    if not pinned:
        return NOTHING
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
            # The list ends at the next keyword.
            _, _, rest = text.partition("\nUserBufs:")
            for match in BUFFER.finditer(rest.partition("\nPollList:")[0]):
                start = int(match[1], 16)
                found.append((start // PAGE_SIZE, -(-(start + int(match[2])) // PAGE_SIZE)))
    # A buffer that is registered twice is pinned twice.
    elsewhere = max(0, pinned - sum(end - start for start, end in found))
    return Pinned([(start * PAGE_SIZE, end * PAGE_SIZE) for start, end in joined(found)], elsewhere)
