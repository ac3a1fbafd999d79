# SPDX-License-Identifier: MIT
# The extension's access to process memory: sets of pages, and how they are found and read.
from __future__ import annotations

import errno

from ._native import check
from ._pages import ffi, lib
from .limits import PAGE_SIZE
from .units import U64_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Buffer = Any  # any object with the buffer protocol

# ---- pageset -------------------------------------------------------------------------------------


class PageSet:
    """Ascending page numbers. Synchronization: one thread at a time."""

    __slots__ = ("pointer",)

    def __init__(self) -> None:
        ret = ffi.new("struct pyzram_pageset **")
        check(lib.pyzram_pageset_create(ret))
        self.pointer: Any = ffi.gc(ret[0], lib.pyzram_pageset_destroy)

    def __len__(self) -> int:
        return int(lib.pyzram_pageset_pages(self.pointer))

    def add_resident(self, first: int, resident: Buffer) -> None:
        data = ffi.from_buffer("uint8_t[]", resident)
        check(lib.pyzram_pageset_add_resident(self.pointer, first, data, len(data)))

    def select(self, ranks: Buffer, numbers: Buffer) -> None:
        # numbers is filled with the members at these places
        wanted = ffi.from_buffer("uint64_t[]", ranks)
        found = ffi.from_buffer("uint64_t[]", numbers, require_writable=True)
        if len(found) < len(wanted):
            check(-errno.EINVAL)
        check(lib.pyzram_pageset_select(self.pointer, wanted, len(wanted), found))


class Seen:
    """The numbers seen so far. Synchronization: one thread at a time."""

    __slots__ = ("pointer",)

    def __init__(self) -> None:
        ret = ffi.new("struct pyzram_seen **")
        check(lib.pyzram_seen_create(ret))
        self.pointer: Any = ffi.gc(ret[0], lib.pyzram_seen_destroy)

    def add(self, numbers: Buffer) -> bytes:
        # A byte for each number: 1 if it was there before
        data = ffi.from_buffer("uint64_t[]", numbers)
        before = ffi.new("uint8_t[]", max(1, len(data)))
        check(lib.pyzram_seen_add(self.pointer, data, len(data), before))
        return bytes(ffi.buffer(before, len(data)))


# ---- procmem -------------------------------------------------------------------------------------

SCAN_METHODS = {
    "auto": lib.PYZRAM_SCAN_AUTO,
    "ioctl": lib.PYZRAM_SCAN_IOCTL,
    "pagemap": lib.PYZRAM_SCAN_PAGEMAP,
}
WALK_LOCKED = lib.PYZRAM_WALK_LOCKED
WALK_FRAMES = lib.PYZRAM_WALK_FRAMES
READ_DONE = lib.PYZRAM_READ_DONE
READ_FREED = lib.PYZRAM_READ_FREED
WALK_THIN = lib.PYZRAM_WALK_THIN
WALK_HUGE = lib.PYZRAM_WALK_HUGE
WEIGHT_ONE = lib.PYZRAM_WEIGHT_ONE
PAGES_ANON = lib.PYZRAM_PAGES_ANON
PAGES_SHMEM = lib.PYZRAM_PAGES_SHMEM
OPEN_FILES = 1024  # asked for at a time
COUNTS = ffi.sizeof("struct pyzram_page_counts") // 8


def walk(
    start: int,
    end: int,
    kind: int,
    *,
    pages: int = -1,
    flags: int = 0,
    weight: int = 0,
    first: int = 0,
    seen_max: int = U64_MAX,
) -> tuple[int, ...]:
    # A mapping to walk, with the index of its set (none: only the counts are wanted).
    return start, end, seen_max, first, weight, kind, flags, pages


class ProcMem:
    """The memory of one process, for as long as it lives.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_pm",)

    def __init__(self, proc_fd: int, method: str = "auto", areas: int = 0) -> None:
        # Areas: how many swap areas there are; of more than 22, all count only if it is known.
        ret = ffi.new("struct pyzram_procmem **")
        check(lib.pyzram_procmem_create(proc_fd, SCAN_METHODS[method], areas, ret))
        self._pm: Any = ffi.gc(ret[0], lib.pyzram_procmem_destroy)

    def close(self) -> None:
        pm, self._pm = self._pm, None
        if pm is not None:
            ffi.release(pm)

    def abandon(self) -> None:
        # After a fork: its descriptors are the parent's, so it is not destroyed.
        pm, self._pm = self._pm, None
        if pm is not None:
            ffi.gc(pm, None)

    def _open(self) -> Any:
        if self._pm is None:
            raise ValueError("the reader of this process is closed")
        return self._pm

    def method(self) -> str:
        number = lib.pyzram_procmem_method(self._open())
        return next(name for name, value in SCAN_METHODS.items() if value == number)

    def shows_frames(self) -> bool:
        return bool(lib.pyzram_procmem_shows_frames(self._open()))

    def turn(self, proc_fd: int) -> None:
        # Switches to another process; what the kernel can do is known already.
        check(lib.pyzram_procmem_turn(self._open(), proc_fd))

    def collect(
        self,
        walks: list[tuple[int, ...]],
        sets: list[PageSet],
        *,
        seen: Seen | None = None,
        slots: Seen | None = None,
    ) -> list[list[int]]:
        # Walks are those of walk(); the counts of each, in the order of struct pyzram_page_counts.
        count = len(walks)
        null = ffi.NULL
        ret = ffi.new("struct pyzram_page_counts[]", max(1, count))
        check(
            lib.pyzram_procmem_collect(
                self._open(),
                ffi.new("struct pyzram_walk[]", walks),
                count,
                null if seen is None else seen.pointer,
                null if slots is None else slots.pointer,
                ffi.new("struct pyzram_pageset *[]", [pages.pointer for pages in sets]),
                len(sets),
                ret,
            )
        )
        numbers = memoryview(ffi.buffer(ret)).cast("Q").tolist()
        return [numbers[at : at + COUNTS] for at in range(0, count * COUNTS, COUNTS)]

    def read(self, addresses: Buffer, pages: Buffer, freed: bool = False) -> tuple[int, bytes]:
        # pages is filled from its start; the bytes say what became of each address (READ_...)
        wanted = ffi.from_buffer("uint64_t[]", addresses)
        out = ffi.from_buffer("uint8_t[]", pages, require_writable=True)
        if len(out) < len(wanted) * PAGE_SIZE:
            check(-errno.EINVAL)
        flags = ffi.new("uint8_t[]", max(1, len(wanted)))
        done = check(lib.pyzram_procmem_read(self._open(), wanted, len(wanted), freed, out, flags))
        return done, bytes(ffi.buffer(flags, len(wanted)))


def compare_memory(task: int, other: int) -> int:
    # 0 if it is the same, else 1 or 2: the first comes before or after the other
    return check(lib.pyzram_procmem_compare(task, other))


def open_files(proc_fd: int) -> list[int]:
    # Descriptors of files without a name, of sockets, and of what cannot be determined.
    found: list[int] = []
    room = ffi.new("int32_t[]", OPEN_FILES)
    while True:
        first = found[-1] + 1 if found else 0
        count = check(lib.pyzram_procmem_open_files(proc_fd, first, room, OPEN_FILES))
        found.extend(room[0:count])
        if count < OPEN_FILES:
            return found


# ---- shmem ---------------------------------------------------------------------------------------


def shmem_resident(fd: int, first: int, count: int) -> bytearray:
    # A byte for each page, odd for those in memory.
    resident = bytearray(count)
    check(lib.pyzram_shmem_resident(fd, first, count, ffi.from_buffer("uint8_t[]", resident)))
    return resident


def shmem_tells(fd: int) -> bool:
    # Whether shmem_resident tells this caller the truth.
    return bool(check(lib.pyzram_shmem_tells(fd)))


def shmem_read(fd: int, numbers: Buffer, pages: Buffer) -> tuple[int, bytes]:
    # As ProcMem.read.
    wanted = ffi.from_buffer("uint64_t[]", numbers)
    out = ffi.from_buffer("uint8_t[]", pages, require_writable=True)
    if len(out) < len(wanted) * PAGE_SIZE:
        check(-errno.EINVAL)
    flags = ffi.new("uint8_t[]", max(1, len(wanted)))
    done = check(lib.pyzram_shmem_read(fd, wanted, len(wanted), out, flags))
    return done, bytes(ffi.buffer(flags, len(wanted)))


def shm_open(number: int) -> int:
    return check(lib.pyzram_shm_open(number))
