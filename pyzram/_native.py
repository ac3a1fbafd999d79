# SPDX-License-Identifier: MIT
# The border: the one module that sees the extension. Each C function is wrapped once, its
# arguments are checked before C sees them, and a negative errno becomes an OSError here. What the
# errno means for a device is said one floor up.
from __future__ import annotations

import errno
import os

from .limits import PAGE_SIZE

try:
    from ._pyzram import ffi, lib
except ModuleNotFoundError as err:
    if err.name != f"{__package__}._pyzram":
        raise
    raise ModuleNotFoundError(
        f"{err}: the C extension is not built in {os.path.dirname(__file__)}. In a checkout run "
        "`make build`, which installs pyzram into .venv, and start Python there with -I "
        "or from another directory",
        name=err.name,
    ) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any

    Buffer = Any  # any object with the buffer protocol

# ---- errors ------------------------------------------------------------------------------------


def check(code: int, path: str | None = None) -> int:
    # The C library returns a figure or -errno.
    if code < 0:
        raise OSError(-code, os.strerror(-code), path)
    return code


# ---- fork -------------------------------------------------------------------------------------

# How often this process is a child: descriptors that were opened when there were fewer are the
# parent's, and their numbers may have been given away since.
forks = 0


def _forked() -> None:
    global forks
    forks += 1


os.register_at_fork(after_in_child=_forked)


# ---- sysfs -------------------------------------------------------------------------------------

AT_FDCWD = -100
ATTR_MAX = 4096
NUMBERS_MAX = 32


def attr_read(name: str, dir_fd: int = AT_FDCWD) -> str:
    buf = ffi.new("char[]", ATTR_MAX)
    length = check(lib.pyzram_attr_read(dir_fd, os.fsencode(name), buf, ATTR_MAX), name)
    return bytes(ffi.buffer(buf, length)).decode("utf-8", "surrogateescape")


def attr_write(name: str, value: str, dir_fd: int = AT_FDCWD, retry_ms: int = 0) -> None:
    data = os.fsencode(value)
    check(lib.pyzram_attr_write(dir_fd, os.fsencode(name), data, len(data), retry_ms), name)


class NumberFile:
    """An attribute of numbers that stays open, for reading it many times over.

    Synchronization: one thread at a time, the buffer is shared between reads.
    """

    __slots__ = ("_buf", "_fd", "_name")

    def __init__(self, name: str, dir_fd: int = AT_FDCWD) -> None:
        self._name = name
        self._fd = -1
        self._fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=_dir_fd(dir_fd))
        self._buf = ffi.new("uint64_t[]", NUMBERS_MAX)

    def read(self) -> list[int]:
        count = lib.pyzram_fd_read_numbers(self._fd, self._buf, NUMBERS_MAX)
        if count < 0:
            check(count, self._name)
        numbers: list[int] = ffi.unpack(self._buf, count)  # type: ignore[assignment]
        return numbers

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def abandon(self) -> None:
        # After a fork the number may belong to another file.
        self._fd = -1

    def __del__(self) -> None:
        self.close()


def _dir_fd(dir_fd: int) -> int | None:
    return None if dir_fd == AT_FDCWD else dir_fd


# ---- blkdev ------------------------------------------------------------------------------------


def blkdev_open(path: str, *, writable: bool = False, wait_ms: int = 0) -> int:
    return check(lib.pyzram_blkdev_open(os.fsencode(path), writable, wait_ms), path)


def blkdev_unused(path: str, *, wait_ms: int = 0) -> None:
    check(lib.pyzram_blkdev_unused(os.fsencode(path), wait_ms), path)


def blkdev_size(fd: int) -> int:
    size = ffi.new("uint64_t *")
    check(lib.pyzram_blkdev_size(fd, size))
    return int(size[0])


def blkdev_block_size(fd: int) -> int:
    size = ffi.new("uint32_t *")
    check(lib.pyzram_blkdev_block_size(fd, size))
    return int(size[0])


def blkdev_discard(fd: int, start: int, length: int) -> None:
    check(lib.pyzram_blkdev_discard(fd, start, length))


def blkdev_flush(fd: int) -> None:
    check(lib.pyzram_blkdev_flush(fd))


DISCARD = {
    None: lib.PYZRAM_DISCARD_NONE,
    "once": lib.PYZRAM_DISCARD_ONCE,
    "pages": lib.PYZRAM_DISCARD_PAGES,
    "both": lib.PYZRAM_DISCARD_ONCE | lib.PYZRAM_DISCARD_PAGES,
}


def swapon(path: str, priority: int = -1, discard: str | None = None) -> None:
    check(lib.pyzram_swapon(os.fsencode(path), priority, DISCARD[discard]), path)


def swapoff(path: str) -> None:
    check(lib.pyzram_swapoff(os.fsencode(path)), path)


def umount(path: str) -> None:
    check(lib.pyzram_umount(os.fsencode(path)), path)


def btrfs_uuid(fd: int) -> str:
    """Return the UUID of the btrfs that ``fd`` is on; OSError ENOTTY on any other file system."""
    found = ffi.new("uint8_t[16]")
    check(lib.pyzram_btrfs_uuid(fd, found), None)
    digits = bytes(ffi.buffer(found)).hex()
    return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


# ---- codec and pages ---------------------------------------------------------------------------

LEVEL_DEFAULT = lib.PYZRAM_LEVEL_DEFAULT

# Pins the bytes of a buffer in place: a context manager with a length.
pin = ffi.from_buffer


def pinned_bytes(data: Buffer) -> bytes:
    return bytes(ffi.buffer(data))


def codec_names() -> list[str]:
    names: list[str] = []
    while name := lib.pyzram_codec_name(len(names)):
        names.append(bytes(ffi.string(name)).decode("ascii"))  # type: ignore[arg-type]
    return names


def codec_levels(algorithm: str) -> tuple[int, int]:
    ret = ffi.new("int32_t[2]")
    check(lib.pyzram_codec_levels(algorithm.encode("ascii"), ret, ret + 1))
    return int(ret[0]), int(ret[1])


def zstd_version() -> tuple[int, int, int]:
    number = lib.pyzram_zstd_version()
    return number // 10000, number // 100 % 100, number % 100


def same_filled(page: Buffer, word_size: int) -> bool:
    with pin(page) as data:
        return bool(check(lib.pyzram_page_same_filled(data, len(data), word_size)))


class Codec:
    """An algorithm with its parameters, and idle contexts for whoever needs one.

    Synchronization: any thread may use it; each call takes a context of its own.
    """

    __slots__ = ("_idle", "_params", "page_size")

    def __init__(
        self,
        algorithm: str,
        page_size: int,
        level: int | None = None,
        winbits: int | None = None,
        dictionary: bytes | None = None,
    ) -> None:
        ret = ffi.new("struct pyzram_params **")
        check(
            lib.pyzram_params_create(
                algorithm.encode("ascii"),
                page_size,
                LEVEL_DEFAULT if level is None else level,
                LEVEL_DEFAULT if winbits is None else winbits,
                dictionary or ffi.NULL,
                len(dictionary or b""),
                ret,
            )
        )
        self.page_size = page_size
        self._params = ffi.gc(ret[0], lib.pyzram_params_destroy)
        self._idle: list[_Context] = []

    def _take(self) -> _Context:
        # pop and append are atomic, so no two threads ever hold the same context.
        try:
            return self._idle.pop()
        except IndexError:
            return _Context(self._params, self.page_size)

    def compress(self, page: Buffer) -> bytes:
        context = self._take()
        out = context.out
        length = lib.pyzram_page_compress(context.handle, page, len(page), out, len(out))
        data: bytes = ffi.unpack(out, length) if length > 0 else b""  # type: ignore[assignment]
        self._idle.append(context)
        check(length)
        return data

    def decompress(self, data: Buffer) -> bytes:
        context = self._take()
        out = context.out
        length = lib.pyzram_page_decompress(context.handle, data, len(data), out, len(out))
        page: bytes = ffi.unpack(out, length) if length > 0 else b""  # type: ignore[assignment]
        self._idle.append(context)
        check(length)
        return page

    def sizes(self, pages: Buffer, first: int, count: int, word_size: int, ret: array[int]) -> None:
        # pages: pinned bytes; ret: a uint32_t for each page
        if not 0 <= first <= first + count <= len(ret) <= len(pages) // self.page_size:
            check(-errno.EINVAL)
        context = self._take()
        lengths = ffi.from_buffer("uint32_t[]", ret, True)
        error = lib.pyzram_pages_sizes(
            context.handle, pages + first * self.page_size, count, word_size, lengths + first
        )
        self._idle.append(context)
        check(error)

    def time(self, pages: Buffer, word_size: int, ret: tuple[array[int], ...]) -> None:
        # ret: uint32_t of each page: the length, nanoseconds to compress, and to decompress it
        lengths, compress, decompress = (ffi.from_buffer("uint32_t[]", n, True) for n in ret)
        count = len(lengths)
        if not len(compress) == len(decompress) == count <= len(pages) // self.page_size:
            check(-errno.EINVAL)
        context = self._take()
        error = lib.pyzram_pages_time(
            context.handle, pages, count, word_size, lengths, compress, decompress
        )
        self._idle.append(context)
        check(error)


class _Context:
    # Scratch memory for one thread at a time, and room for what it makes of a page.
    __slots__ = ("_params", "handle", "out")

    def __init__(self, params: Buffer, page_size: int) -> None:
        ret = ffi.new("struct pyzram_context **")
        check(lib.pyzram_context_create(params, ret))
        self._params = params  # held for as long as the context is
        self.handle = ffi.gc(ret[0], lib.pyzram_context_destroy)
        self.out = ffi.new("char[]", 2 * page_size)


# ---- zsmalloc ----------------------------------------------------------------------------------

CHAIN_BY_PERCENT = lib.PYZRAM_CHAIN_BY_PERCENT
CHAIN_BY_WASTE = lib.PYZRAM_CHAIN_BY_WASTE


class Zsmalloc:
    """The size classes of one kernel. Immutable: any thread may use it."""

    __slots__ = ("_zs",)

    def __init__(self, page_size: int, word_size: int, chain_size: int, rule: int) -> None:
        ret = ffi.new("struct pyzram_zsmalloc **")
        check(lib.pyzram_zsmalloc_create(page_size, word_size, chain_size, rule, ret))
        self._zs = ffi.gc(ret[0], lib.pyzram_zsmalloc_destroy)

    def huge_size(self) -> int:
        return lib.pyzram_zsmalloc_huge_size(self._zs)

    def classes(self) -> list[tuple[int, int, int, int]]:
        # (number, object size, pages of a zspage, objects of a zspage), ascending
        rows: list[tuple[int, int, int, int]] = []
        ret: Any = ffi.new("struct pyzram_size_class *")
        while lib.pyzram_zsmalloc_class(self._zs, len(rows), ret) == 0:
            rows.append((ret.number, ret.size, ret.pages, ret.objects))
        return rows

    def position(self, length: int) -> int:
        return check(lib.pyzram_zsmalloc_position(self._zs, length))

    def store(self, lengths: Buffer) -> tuple[list[int], int, int, int]:
        # objects per class, then compr_data_size, same_pages, huge_pages
        ret: Any = ffi.new("struct pyzram_pool *")
        data = ffi.from_buffer("uint32_t[]", lengths)
        lib.pyzram_zsmalloc_store(self._zs, data, len(data), ret)
        counts: list[int] = ffi.unpack(ret.objects, lib.PYZRAM_CLASSES_MAX)  # type: ignore[assignment]
        return counts, ret.compr_data_size, ret.same_pages, ret.huge_pages

    def recompress(self, first: Buffer, second: Buffer, threshold: int, ret: Buffer) -> int:
        # ret is filled with the lengths afterwards; all three are of one size
        old = ffi.from_buffer("uint32_t[]", first)
        new = ffi.from_buffer("uint32_t[]", second)
        out = ffi.from_buffer("uint32_t[]", ret, True)
        if not len(old) == len(new) == len(out):
            check(-errno.EINVAL)
        return check(lib.pyzram_zsmalloc_recompress(self._zs, old, new, len(old), threshold, out))


# ---- pageset -----------------------------------------------------------------------------------


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
    """Numbers that were seen before. Synchronization: one thread at a time."""

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


# ---- procmem -----------------------------------------------------------------------------------

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
WEIGHT_ONE = lib.PYZRAM_WEIGHT_ONE
PAGES_ANON = lib.PYZRAM_PAGES_ANON
PAGES_SHMEM = lib.PYZRAM_PAGES_SHMEM
U64_MAX = (1 << 64) - 1
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
    """The memory of one process, as long as it lives.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_pm",)

    def __init__(self, proc_fd: int, method: str = "auto") -> None:
        ret = ffi.new("struct pyzram_procmem **")
        check(lib.pyzram_procmem_create(proc_fd, SCAN_METHODS[method], ret))
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


# ---- shmem -------------------------------------------------------------------------------------


def shmem_resident(fd: int, first: int, count: int) -> bytearray:
    # A byte for each page, odd for those in memory.
    resident = bytearray(count)
    check(lib.pyzram_shmem_resident(fd, first, count, ffi.from_buffer("uint8_t[]", resident)))
    return resident


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


# ---- block_state -------------------------------------------------------------------------------

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
    numbers: list[int] = ffi.unpack(indexes, count)  # type: ignore[assignment]
    accessed: list[int] = ffi.unpack(times, count)  # type: ignore[assignment]
    return numbers, accessed, bytes(ffi.buffer(flags, count)), lines.used


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
