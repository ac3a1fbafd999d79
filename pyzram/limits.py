# SPDX-License-Identifier: MIT
"""Bounds, units and words that the kernel and its tools define, each in one place."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    RecompressType: TypeAlias = Literal["idle", "huge", "huge_idle"]
    WritebackType: TypeAlias = Literal["idle", "huge", "huge_idle", "incompressible"]
    Discard: TypeAlias = Literal["once", "pages", "both"]
    DiscardPolicy: TypeAlias = Literal["none", "once", "pages", "both"]

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
"""Bytes in a page of this machine."""
PAGE_SIZES = (4096, 16384, 65536)
"""Bytes in a page, for all kinds of machines that pyzram knows."""
BD_UNIT = 4096
"""Bytes in the unit that ``bd_stat`` and ``writeback_limit`` count in, whatever the page size."""
LOGICAL_BLOCK_SIZE = 4096
"""Bytes in the smallest block of a device, whatever the page size (zram_drv.h)."""
SECTOR_SIZE = 512
"""Bytes in the unit that ``stat`` counts in."""
SWAP_PRIORITY_MAX = 32767
"""Highest priority of a swap area (swapon(2)); -1 leaves it to the kernel."""
SWAP_LABEL_MAX = 15
"""The most bytes of a swap label; mkswap(8) truncates a longer one."""
ALGORITHM_PRIORITY_MAX = 3
"""Highest priority of a secondary algorithm; the primary one has 0."""
TABLE_BYTES_PER_PAGE = 16
"""Bytes that the kernel allocates at once for each page of disksize, used or not."""

RECOMPRESS_TYPES: tuple[RecompressType, ...] = ("idle", "huge", "huge_idle")
"""What :meth:`pyzram.Zram.recompress` accepts; ``None`` for all pages."""
WRITEBACK_TYPES: tuple[WritebackType, ...] = ("idle", "huge", "huge_idle", "incompressible")
"""What :meth:`pyzram.Zram.writeback` accepts."""
DISCARD: tuple[Discard, ...] = ("once", "pages", "both")
"""What :meth:`pyzram.Zram.swapon` accepts; ``None`` for no discarding."""


def table_size(disksize: int) -> int:
    """Return the bytes that the kernel at least allocates at once for a device of so many bytes."""
    return disksize // PAGE_SIZE * TABLE_BYTES_PER_PAGE


def page_up(size: int) -> int:
    """Round bytes up to whole pages, as the kernel does with disksize and mem_limit."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE


def total_memory() -> int:
    """Return the machine's memory in bytes, of which sizes in percent are a share."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE
