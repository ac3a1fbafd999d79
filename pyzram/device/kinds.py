# SPDX-License-Identifier: MIT
"""The words that the kernel knows for kinds of pages and of discarding."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    RecompressType: TypeAlias = Literal["idle", "huge", "huge_idle"]
    WritebackType: TypeAlias = Literal["idle", "huge", "huge_idle", "incompressible"]
    Discard: TypeAlias = Literal["once", "pages", "both"]

RECOMPRESS_TYPES: tuple[RecompressType, ...] = ("idle", "huge", "huge_idle")
"""What :meth:`pyzram.Zram.recompress` takes; ``None`` for all pages."""
WRITEBACK_TYPES: tuple[WritebackType, ...] = ("idle", "huge", "huge_idle", "incompressible")
"""What :meth:`pyzram.Zram.writeback` takes."""
DISCARD: tuple[Discard, ...] = ("once", "pages", "both")
"""What :meth:`pyzram.Zram.swapon` takes; ``None`` for no discarding."""
