# SPDX-License-Identifier: MIT
"""Pages of processes, files, core dumps, block devices and streams: all of them, or a fair sample.

A sample is stratified: the pages are lined up process by process, mapping by mapping, in order of
address, cut into blocks of equal size, and two pages are drawn from each block. So each mapping is
heard by its weight, however pages of a kind lie together, and the two pages of a block tell how
far the figures may be off. Such waves are drawn until the error is small enough, which depends on
the precision asked for, not on the memory: 16 GiB cost what 256 MiB cost.
"""

from __future__ import annotations

import errno
import math
import os
import random
import stat
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, Protocol

from . import procmem
from .errors import InvalidValueError, ZramOSError, from_errno

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PRECISION = 0.01
# 97 %: the error is an estimate itself, and looking at it to stop takes some of it, so that 95 %
# are left.
Z_97 = 2.170090
# What none of n pages shows may yet be true of 3 / n of all pages.
MISSED = 3.0
BATCH_BYTES = 4 << 20
# A process has 65530 mappings by default; more than this are no true dump.
SEGMENTS_MAX = 1 << 20
WAVES = 5


class Extent(Protocol):
    """A row of pages that are read in one way."""

    pages: int

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """Read the pages at these ascending places into ``out``, one behind the other.

        Says for each whether it was there; a page that was not takes no room in ``out``.
        """

    def close(self) -> None:
        """Let go of what is open."""


class Batch(NamedTuple):
    """Pages in memory, until the next batch is taken."""

    pages: memoryview
    blocks: array[int]
    """for each page the block that it was drawn from"""


class Interval(NamedTuple):
    """A mean and the bounds of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class FileExtent:
    """A range of a file or block device; the last page is filled up with zeros."""

    __slots__ = ("_fd", "_length", "_offset", "_page_size", "pages")

    def __init__(self, fd: int, offset: int, length: int, page_size: int) -> None:
        self._fd = fd
        self._offset = offset
        self._length = length
        self._page_size = page_size
        self.pages = -(-length // page_size)

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Extent`; what a file has lost since it was opened is zeros."""
        size = self._page_size
        if len(ranks) > 1 and ranks[-1] - ranks[0] == len(ranks) - 1:
            self._fill(ranks[0] * size, out[: len(ranks) * size])
        else:
            for i, rank in enumerate(ranks):
                self._fill(rank * size, out[i * size : (i + 1) * size])
        return [True] * len(ranks)

    def _fill(self, start: int, out: memoryview) -> None:
        wanted = min(len(out), self._length - start)
        done = 0
        while done < wanted:
            got = os.preadv(self._fd, [out[done:wanted]], self._offset + start + done)
            if got == 0:
                break
            done += got
        if done < len(out):
            out[done:] = bytes(len(out) - done)

    def close(self) -> None:
        """The file belongs to the source."""


class ProcessExtent:
    """The swappable pages in memory of one process, mapping by mapping."""

    __slots__ = ("_mappings", "_next", "_pages", "_reader", "_starts", "pages")

    def __init__(
        self, pages: procmem.ProcessPages, mappings: list[procmem.SwappableMapping]
    ) -> None:
        self._pages = pages
        self._mappings = [m for m in mappings if m.present]
        self._starts = [0]
        for mapping in self._mappings:
            self._starts.append(self._starts[-1] + mapping.present)
        self.pages = self._starts[-1]
        self._reader: procmem.ProcessReader | None = None
        # Mapping, place and address where the last read ended: the next one goes on from there.
        self._next = (-1, 0, 0)

    def read(self, ranks: array[int], out: memoryview) -> Sequence[bool]:
        """See :class:`Extent`; pages that were freed or swapped out meanwhile are not there."""
        try:
            if self._reader is None:
                self._reader = procmem.ProcessReader(self._pages)
            wanted = array("Q")
            found: list[bool] = []
            for i, mapping in enumerate(self._mappings):
                first = self._starts[i]
                low = bisect_left(ranks, first)
                high = bisect_left(ranks, self._starts[i + 1])
                if low == high:
                    continue
                local = array("Q", [rank - first for rank in ranks[low:high]])
                addresses = self._addresses(i, mapping, local)
                wanted += addresses
                found += [True] * len(addresses) + [False] * (high - low - len(addresses))
            was_read = iter(self._reader.read(wanted, out))
            return [there and next(was_read) for there in found]
        except OSError:
            return [False] * len(ranks)  # it has exited, or it is no longer ours to look at

    def _addresses(
        self, i: int, mapping: procmem.SwappableMapping, ranks: array[int]
    ) -> array[int]:
        assert self._reader is not None
        at, place, address = self._next
        if at != i or place > ranks[0]:
            place, address = 0, mapping.mapping.start
        found = self._reader.addresses(mapping, array("Q", [r - place for r in ranks]), address)
        if len(found) == len(ranks):
            self._next = (i, ranks[-1] + 1, found[-1] + os.sysconf("SC_PAGE_SIZE"))
        return found

    def close(self) -> None:
        """Let go of the process."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Source:
    """Where pages come from: rows of pages, and what was left out on the way to them.

    ``pages`` is how many there are, ``swapped`` how many more are in swap already. ``skipped``
    counts by reason what could not be looked at.

    Synchronization: one thread at a time.
    """

    def __init__(self, label: str, page_size: int) -> None:
        self.label = label
        self.page_size = page_size
        self.extents: list[Extent] = []
        self.swapped = 0
        self.skipped: dict[str, int] = {}
        self._fds: list[int] = []

    @property
    def pages(self) -> int:
        """Pages that are there to be read."""
        return sum(extent.pages for extent in self.extents)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count what was left out."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def keep_open(self, fd: int) -> int:
        """Close a descriptor together with the source."""
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        """Let go of files and processes."""
        for extent in self.extents:
            extent.close()
        while self._fds:
            os.close(self._fds.pop())

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


# ---- sources -------------------------------------------------------------------------------------


def open_processes(pids: Iterable[int]) -> Source:
    """Open the swappable memory of these processes; memory they share counts once.

    Private pages that a fork left shared count for each process that has them.

    Raises:
        AccessError: one of them may not be looked at.
        ZramOSError: ESRCH, one of them is not there.
    """
    devices = procmem.MemoryDevices.of_this_system()
    numbers = list(dict.fromkeys(pids))
    label = "process" + " ".join(["es" * (len(numbers) > 1), *map(str, numbers)])
    source = Source(label, os.sysconf("SC_PAGE_SIZE"))
    _add_processes(source, [procmem.process_pages(pid, devices=devices) for pid in numbers])
    return source


def open_system() -> Source:
    """Open the memory of all processes that the caller may look at, except this one."""
    devices = procmem.MemoryDevices.of_this_system()
    source = Source("system", os.sysconf("SC_PAGE_SIZE"))
    found = []
    for pid in procmem.all_processes():
        if pid == os.getpid():
            continue
        try:
            found.append(procmem.process_pages(pid, devices=devices))
        except ZramOSError as err:
            if err.errno in (errno.EACCES, errno.EPERM):
                source.skip("unreadable processes")
            elif err.errno == errno.ESRCH:
                source.skip("kernel threads and exited processes")
            else:
                raise
    _add_processes(source, found)
    return source


def _add_processes(source: Source, found: list[procmem.ProcessPages]) -> None:
    # Of processes that map the same shared memory, the one that has used most of it speaks for it.
    owners: dict[tuple[str, int, int, int], tuple[int, int]] = {}
    for process in found:
        for m in process.mappings:
            if m.kind == procmem.SHMEM and m.present > owners.get(_identity(m), (0, 0))[0]:
                owners[_identity(m)] = (m.present, process.pid)
    for process in found:
        kept = [
            m
            for m in process.mappings
            if m.kind == procmem.ANON or owners.get(_identity(m), (0, 0))[1] == process.pid
        ]
        source.swapped += sum(m.swapped for m in kept)
        source.skip("mappings of devices, the kernel, or guards", process.skipped)
        source.skip("mappings shared with another process", len(process.mappings) - len(kept))
        extent = ProcessExtent(process, kept)
        if extent.pages:
            source.extents.append(extent)


def _identity(m: procmem.SwappableMapping) -> tuple[str, int, int, int]:
    mapping = m.mapping
    return mapping.dev, mapping.inode, mapping.offset, mapping.end - mapping.start


def open_files(paths: Sequence[str], *, page_size: int | None = None) -> Source:
    """Open files, core dumps and block devices as one source.

    Of an ELF core dump the memory segments count, of other files everything. Raises the
    OSError subclasses of :mod:`pyzram.errors`.
    """
    source = Source(" ".join(paths), page_size or os.sysconf("SC_PAGE_SIZE"))
    try:
        for path in paths:
            _add_file(source, path)
    except OSError as err:
        source.close()
        if isinstance(err, ZramOSError):
            raise
        raise from_errno(err.errno or errno.EIO, f"{path}: read", path) from err
    return source


def _add_file(source: Source, path: str) -> None:
    # A pipe that nobody writes to is to be refused, not waited for.
    fd = source.keep_open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise from_errno(errno.EISDIR, f"{path}: read", path)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise from_errno(
            errno.ESPIPE, f"{path}: read", path, remedy="pass a stream on standard input"
        )
    _add_ranges(source, fd, core_segments(fd) if stat.S_ISREG(mode) else None)


def _add_ranges(source: Source, fd: int, ranges: list[tuple[int, int]] | None) -> None:
    """Add (offset, length) of a file, as far as it reaches; all of it by default."""
    size = os.lseek(fd, 0, os.SEEK_END)
    for offset, length in ranges if ranges is not None else [(0, size)]:
        length = min(length, size - offset)
        if length > 0:
            source.extents.append(FileExtent(fd, offset, length, source.page_size))


def core_segments(fd: int) -> list[tuple[int, int]] | None:
    """Where memory lies in an ELF core dump: (offset, length) in bytes; ``None`` for other files.

    See elf(5). Both word sizes and byte orders.
    """
    import struct

    head = os.pread(fd, 64, 0)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order, wide = "<>"[head[5] - 1], head[4] == 2
    if struct.unpack_from(order + "H", head, 16)[0] != 4:  # ET_CORE
        return None
    try:
        table, sections = struct.unpack_from(
            order + ("QQ" if wide else "II"), head, 32 if wide else 28
        )
        entry_size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
        if count == 0xFFFF:  # more than fit: the first section header knows
            at = sections + (44 if wide else 28)
            count = struct.unpack(order + "I", os.pread(fd, 4, at))[0]
        if entry_size != (56 if wide else 32) or count > SEGMENTS_MAX:
            return None
        data = b""
        while len(data) < entry_size * count:
            chunk = os.pread(fd, entry_size * count - len(data), table + len(data))
            if not chunk:
                break
            data += chunk
        found = []
        for at in range(0, len(data) - entry_size + 1, entry_size):
            if wide:
                kind, _, offset, _, _, length = struct.unpack_from(order + "IIQQQQ", data, at)
            else:
                kind, offset, _, _, length = struct.unpack_from(order + "IIIII", data, at)
            if kind == 1 and length:  # PT_LOAD
                found.append((offset, length))
    except (struct.error, OverflowError):
        return None
    except OSError as err:
        if err.errno != errno.EINVAL:  # a place beyond every file
            raise
        return None
    return found


class Stream:
    """Standard input, or another descriptor that can be read only once.

    How long it is shows at its end, so its sample is a plain random one, drawn on the way
    (a reservoir), and held in memory.
    """

    def __init__(self, fd: int, label: str, page_size: int | None = None) -> None:
        self.label = label
        self.page_size = page_size or os.sysconf("SC_PAGE_SIZE")
        self.pages = 0
        self.swapped = 0
        self.skipped: dict[str, int] = {}
        self._fd = fd

    def close(self) -> None:
        """The descriptor belongs to the caller."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def chunks(self, out: memoryview) -> Iterator[int]:
        """Fill ``out`` again and again; yields how many pages it holds now."""
        size = self.page_size
        while True:
            done = 0
            while done < len(out):
                got = os.readv(self._fd, [out[done:]])
                if got == 0:
                    break
                done += got
            if done == 0:
                return
            pages = -(-done // size)
            out[done : pages * size] = bytes(pages * size - done)
            self.pages += pages
            yield pages
            if done < len(out):
                return


def open_stream(
    fd: int, label: str = "standard input", *, page_size: int | None = None
) -> Stream | Source:
    """Open a descriptor; a regular file on it is sampled where it lies."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        source = Source(label, page_size or os.sysconf("SC_PAGE_SIZE"))
        _add_ranges(source, fd, core_segments(fd))
        return source
    return Stream(fd, label, page_size)


# ---- drawing -------------------------------------------------------------------------------------


def sample_size(precision: float) -> int:
    """How many pages bring the half width of the interval of a share to ``precision``, at worst.

    Raises:
        InvalidValueError: not between 0.0005 and 0.5.
    """
    if not 0.0005 <= precision <= 0.5:
        raise InvalidValueError(
            f"precision {precision}: not between 0.0005 (0.05 percentage points) and 0.5"
        )
    # Half of all pages at each end of the scale spread most: z / 2 / sqrt(n) + MISSED / n.
    b = Z_97 / 2
    x = (math.sqrt(b * b + 4 * MISSED * precision) - b) / (2 * MISSED)
    return 2 * math.ceil(1 / (x * x) / 2)


class Sample:
    """The pages drawn from a source. Iterate over it once; then the counts are known.

    Either ``census`` (every page is read) or up to WAVES times two pages of each of many blocks of
    equal size. Between the waves ``enough`` is asked whether to go on, if it is set.

    Synchronization: one thread at a time.
    """

    def __init__(
        self,
        source: Source | Stream,
        *,
        precision: float = PRECISION,
        full: bool = False,
        seed: int | None = None,
    ) -> None:
        self.source = source
        self.wave_size = 2 * -(-sample_size(precision) // (2 * WAVES))
        self.wanted = WAVES * self.wave_size
        self.enough: Callable[[], bool] | None = None
        self.full = full
        self.taken = 0
        self.lost = 0
        self._random = random.Random(seed)
        # A sample of half of all pages saves little, and blocks of three pages are no blocks.
        self.census = full or (isinstance(source, Source) and source.pages <= 2 * self.wanted)

    @property
    def expected(self) -> int | None:
        """How many pages iterating will bring at most, if that is known."""
        if isinstance(self.source, Stream):
            return None
        return self.source.pages if self.census else self.wanted

    def __iter__(self) -> Iterator[Batch]:
        size = self.source.page_size
        buffer = memoryview(bytearray(max(1, BATCH_BYTES // size) * size))
        if isinstance(self.source, Stream):
            batches = self._stream(self.source, buffer)
        elif self.census:
            batches = self._all(self.source, buffer)
        else:
            batches = self._drawn(self.source, buffer)
        for batch in batches:
            self.taken += len(batch.blocks)
            if batch.blocks:
                yield batch

    def _all(self, source: Source, buffer: memoryview) -> Iterator[Batch]:
        step = len(buffer) // source.page_size
        for extent in source.extents:
            for first in range(0, extent.pages, step):
                ranks = array("Q", range(first, min(first + step, extent.pages)))
                yield self._read(source, extent, ranks, ranks, buffer)
            extent.close()

    def _drawn(self, source: Source, buffer: memoryview) -> Iterator[Batch]:
        for wave in range(WAVES):
            if wave and self.enough and self.enough():
                return
            yield from self._wave(source, buffer, self._places(source.pages, wave))

    def _wave(
        self, source: Source, buffer: memoryview, places: list[tuple[int, int]]
    ) -> Iterator[Batch]:
        step = len(buffer) // source.page_size
        at = first = 0
        for extent in source.extents:
            end = at
            while end < len(places) and places[end][0] < first + extent.pages:
                end += 1
            for low in range(at, end, step):
                part = places[low : min(low + step, end)]
                ranks = array("Q", [rank - first for rank, _ in part])
                blocks = array("Q", [block for _, block in part])
                yield self._read(source, extent, ranks, blocks, buffer)
            extent.close()
            at = end
            first += extent.pages

    def _read(
        self,
        source: Source,
        extent: Extent,
        ranks: array[int],
        blocks: array[int],
        buffer: memoryview,
    ) -> Batch:
        there = extent.read(ranks, buffer)
        got = array("Q", [b for b, ok in zip(blocks, there, strict=True) if ok])
        self.lost += len(ranks) - len(got)
        return Batch(buffer[: len(got) * source.page_size], got)

    def _places(self, pages: int, wave: int) -> list[tuple[int, int]]:
        """Draw two places of each block, as (place, block), ascending by place."""
        blocks = self.wave_size // 2
        # Blocks differ by one page in size; a random start makes that fair to every page.
        shift = self._random.randrange(pages)
        places = []
        for block in range(blocks):
            low, high = block * pages // blocks, (block + 1) * pages // blocks
            for place in self._random.sample(range(low, high), 2):
                places.append(((place + shift) % pages, wave * blocks + block))
        places.sort()
        return places

    def _stream(self, stream: Stream, buffer: memoryview) -> Iterator[Batch]:
        size = stream.page_size
        if self.full:
            for count in stream.chunks(buffer):
                first = stream.pages - count
                yield Batch(buffer[: count * size], array("Q", range(first, stream.pages)))
            self.census = True
            return
        kept = self._reservoir(stream, buffer)
        self.census = stream.pages <= self.wanted
        step = len(buffer)
        count = min(stream.pages, self.wanted)
        for low in range(0, count * size, step):
            part = memoryview(kept)[low : min(low + step, count * size)]
            # Each page is a block of its own: no two say what a block is like.
            yield Batch(part, array("Q", range(low // size, (low + len(part)) // size)))

    def _reservoir(self, stream: Stream, buffer: memoryview) -> bytearray:
        """A random sample of a stream of unknown length (Li's algorithm L)."""
        size, wanted = stream.page_size, self.wanted
        kept = bytearray()
        weight = 1.0
        following = wanted - 1
        for count in stream.chunks(buffer):
            first = stream.pages - count
            fill = max(0, min(wanted - first, count))
            kept += buffer[: fill * size]
            while following < stream.pages:
                if following >= max(first, wanted):
                    slot = self._random.randrange(wanted) * size
                    at = (following - first) * size
                    kept[slot : slot + size] = buffer[at : at + size]
                weight *= math.exp(math.log(1 - self._random.random()) / wanted)
                gap = math.log(1 - self._random.random()) / math.log1p(-weight)
                following += int(gap) + 1
        return kept


def interval(
    values: Sequence[float],
    blocks: Sequence[int],
    population: int,
    *,
    census: bool = False,
    wave_size: int | None = None,
) -> Interval:
    """Mean of values between 0 and 1, one per page, with its 95 % confidence interval.

    ``blocks`` names the block of each value; the differences inside blocks give the error. Where
    no block has two values, it is a plain random sample. ``population`` counts all pages, of
    which ``wave_size`` different ones were drawn at a time, by default all at once.
    """
    count = len(values)
    if count == 0:
        return Interval(math.nan, 0.0, 1.0)
    mean = math.fsum(values) / count
    if census:
        return Interval(mean, mean, mean)
    first: dict[int, float] = {}
    squares = 0.0
    for value, block in zip(values, blocks, strict=True):
        # The first of a block differs from itself by nothing.
        squares += (value - first.setdefault(block, value)) ** 2 / 2
    pairs = count - len(first)
    if pairs:
        variance = squares / pairs
    elif count > 1:
        variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    else:
        variance = 0.25
    rest = max(0.0, 1 - min(count, wave_size or count) / population)
    half = Z_97 * math.sqrt(variance * rest / count) + MISSED * rest / count
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))
