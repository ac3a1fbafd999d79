# SPDX-License-Identifier: MIT
# The extension's ages of pages, taken from the lines of block_state.
from __future__ import annotations

from ._native import check, ffi, lib, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


class PageAges:
    """Times of last use in ``table``, two bytes per slot.

    The table cannot be resized before :meth:`close`, which the end of a ``with`` block calls.

    Synchronization: one thread at a time.
    """

    KEPT = int(lib.PYZRAM_AGES_KEPT)

    __slots__ = ("_ages", "_table")

    def __init__(self, table: Any, unit: int) -> None:
        self._table: Any = ffi.from_buffer("uint16_t[]", table)
        self._ages: Any = ffi.new("struct pyzram_ages *", [self._table, len(self._table), unit])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        # Not left to whoever drops this last, because a traceback may keep it.
        self._ages = None
        ffi.release(self._table)

    def remember(self, text: bytes, now: float, since: float, counts: Any) -> int:
        # All methods that take text return the bytes used, like BlockCounts.add.
        data = ffi.from_buffer(text)
        check(lib.pyzram_ages_remember(data, len(text), self._ages, now, since, counts))
        return int(counts.used)

    def keep(self, text: bytes, counts: Any) -> int:
        check(lib.pyzram_ages_keep(ffi.from_buffer(text), len(text), self._ages, counts))
        return int(counts.used)

    def used(self, place: int, time: int, now: float) -> float:
        return float(lib.pyzram_ages_used(self._ages, place, time, now))


def ages_counts() -> Any:
    # untried, huge, tried
    return ffi.new("struct pyzram_ages_counts *")


class AgesSelection:
    """Places by age, sorted by pyzram_ages_select into ``room`` of at least ``size_of()``."""

    __slots__ = ("_count", "_least", "_room", "_wanted")

    def __init__(self, now: float, least: list[float], cap: int, huge: bool, room: Any) -> None:
        steps = len(least)
        self._room: Any = ffi.from_buffer("uint64_t[]", room)
        self._least: Any = ffi.new("double[]", least)
        self._count: Any = ffi.new("size_t[]", steps)
        self._wanted: Any = ffi.new(
            "struct pyzram_ages_wanted *",
            [now, self._least, steps, cap, huge, self._room, self._count, 0],
        )

    @staticmethod
    def size_of(steps: int, cap: int) -> int:
        return steps * cap * 8

    def add(self, text: bytes, ages: PageAges) -> int:
        data = ffi.from_buffer(text)
        check(lib.pyzram_ages_select(data, len(text), ages._ages, self._wanted))
        return int(self._wanted.used)

    @property
    def full(self) -> bool:
        return bool(self._count[0] == self._wanted.cap)

    def places(self, step: int, most: int) -> list[int]:
        start = self._room + step * self._wanted.cap
        return unpacked(start, max(0, min(most, self._count[step])))
