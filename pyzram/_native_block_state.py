# SPDX-License-Identifier: MIT
# The extension's parser for the lines of block_state.
from __future__ import annotations

from ._native import check, ffi, lib, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK_FLAGS = {
    "same": lib.PYZRAM_BLOCK_SAME,
    "written_back": lib.PYZRAM_BLOCK_WRITTEN_BACK,
    "huge": lib.PYZRAM_BLOCK_HUGE,
    "idle": lib.PYZRAM_BLOCK_IDLE,
    "recompressed": lib.PYZRAM_BLOCK_RECOMPRESSED,
    "incompressible": lib.PYZRAM_BLOCK_INCOMPRESSIBLE,
}
BLOCK_LINE_MIN = len("0 0.000000 .\n")


def block_state_parse(text: bytes) -> tuple[list[int], list[int], bytes, int]:
    # (indexes, microseconds, flags, bytes used) of all whole lines
    cap = len(text) // BLOCK_LINE_MIN + 1
    indexes, times = ffi.new("uint64_t[]", cap), ffi.new("uint64_t[]", cap)
    flags = ffi.new("uint8_t[]", cap)
    lines: Any = ffi.new("struct pyzram_block_lines *", [indexes, times, flags, 0])
    count = lib.pyzram_block_state_parse(ffi.from_buffer(text), len(text), cap, lines)
    check(count)
    taken = bytes(ffi.buffer(flags, count))
    return unpacked(indexes, count), unpacked(times, count), taken, lines.used


class BlockCounts:
    """Sums over any number of lines. Synchronization: one thread at a time."""

    __slots__ = ("_counts", "_now", "slots")

    def __init__(self, now: int) -> None:
        self.slots = 0
        self._now = now
        self._counts: Any = ffi.new("struct pyzram_block_counts *")

    def add(self, text: bytes) -> int:
        # Returns the bytes used: what follows them is the start of a line.
        counts = self._counts
        data = ffi.from_buffer(text)
        self.slots += check(lib.pyzram_block_state_count(data, len(text), self._now, counts))
        return int(counts.used)

    def flags(self) -> dict[str, int]:
        return dict(zip(BLOCK_FLAGS, self._counts.flags, strict=True))

    def ages(self) -> list[int]:
        return list(self._counts.ages)
