# SPDX-License-Identifier: MIT
"""The kernel's files of figures, one class per file: frozen, with the kernel's names.

All kernels from 6.1 on have every figure that is not optional. Derived figures are ``None`` for an
empty device, never a division by zero. Each class says where its figures come from. A figure that a
new kernel adds begins with a row in :mod:`pyzram.kernel.figures`, which says what else it takes.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UnsupportedError
from ..kernel import figures, parse
from ..limits import BD_UNIT, SECTOR_SIZE
from ..value import JsonValue, documented

if TYPE_CHECKING:
    from typing import Self

    from .handle import Handle


class _StatFile(JsonValue):
    """A kernel file of numbers, in the order of the fields.

    The generated ``__init__`` of a frozen dataclass sets each field with a separate call, which
    slows down a reader in a loop, so :meth:`_of` bypasses it.

    Figures that Linux 6.1 does not have come last, with ``None`` as their default.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    _file: ClassVar[str]
    _counters: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _of(cls, numbers: list[int]) -> Self:
        self = cls.__new__(cls)
        names = cls.__dataclass_fields__
        if len(numbers) < len(names):
            self.__dict__.update(cls._newer(len(numbers)))
        self.__dict__.update(zip(names, numbers, strict=False))
        return self

    @classmethod
    def _newer(cls, count: int) -> dict[str, None]:
        """Return the figures that a kernel with ``count`` of them does not have."""
        every = cls.__dataclass_fields__
        needed = sum(figure.default is not None for figure in every.values())
        if count < needed:
            raise UnsupportedError(
                errno.EOPNOTSUPP,
                f"{cls._file}: {count} figures where Linux 6.1 has {needed}: this kernel is too "
                "old",
            )
        return dict.fromkeys([*every][count:])

    @classmethod
    def _is_needed(cls, name: str) -> bool:
        return cls.__dataclass_fields__[name].default is not None

    def as_dict(self) -> dict[str, int | None]:
        """Return the figures by name, for JSON; :meth:`from_dict` takes them back."""
        return dict(self.__dict__)

    def _minus(self, before: Self) -> Self:
        return type(self)(
            **{
                name: None if None in (now, then) else now - then
                for name, now in self.__dict__.items()
                for then in (getattr(before, name),)
            }
        )

    def _restarted(self, before: Self) -> bool:
        return any(
            (getattr(self, name) or 0) < (getattr(before, name) or 0) for name in self._counters
        )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@documented
@dataclass(frozen=True, kw_only=True)
class MmStat(_StatFile):
    """``/sys/block/zramN/mm_stat`` (Documentation/admin-guide/blockdev/zram.rst).

    Synchronization: none needed, immutable.
    """

    _file = "mm_stat"
    _counters = ("pages_compacted", "huge_pages_since")

    orig_data_size: int = 0
    """Bytes stored, before compression, including same-filled and written-back pages."""
    compr_data_size: int = 0
    """Bytes of the stored objects; an incompressible page counts in full, a same-filled one not."""
    mem_used_total: int = 0
    """Bytes of memory that the pool takes now, including the allocator's overhead."""
    mem_limit: int = 0
    """Bytes that the pool may take; 0 means no limit."""
    mem_used_max: int = 0
    """Highest ``mem_used_total`` so far, in bytes: a peak, not the present use."""
    same_pages: int = 0
    """Pages now stored as one repeated word, which take no memory in the pool."""
    pages_compacted: int = 0
    """Pages of memory freed by compaction since initialisation: a count, not bytes."""
    huge_pages: int = 0
    """Pages now stored uncompressed (4.18)."""
    huge_pages_since: int = 0
    """Pages ever stored uncompressed since initialisation (5.13)."""

    @property
    def compression_ratio(self) -> float | None:
        """``compr_data_size / orig_data_size``, lower is better; ``None`` for an empty device."""
        return _ratio(self.compr_data_size, self.orig_data_size)

    @property
    def memory_ratio(self) -> float | None:
        """``mem_used_total / orig_data_size``: what a stored byte really costs."""
        return _ratio(self.mem_used_total, self.orig_data_size)

    @property
    def avg_compr_ratio(self) -> int | None:
        """The historic figure: ``compression_ratio`` in whole percent, rounded down."""
        return figures.avg_compr_ratio(self.compr_data_size, self.orig_data_size)

    @property
    def mem_overhead(self) -> int | None:
        """The historic figure: memory beyond ``compr_data_size``, in whole percent of it."""
        return figures.mem_overhead(self.mem_used_total, self.compr_data_size)


@documented
@dataclass(frozen=True, kw_only=True)
class IoStat(_StatFile):
    """``/sys/block/zramN/io_stat``: counts since initialisation."""

    _file = "io_stat"
    _counters = ("failed_reads", "failed_writes", "notify_free")

    failed_reads: int = 0
    """Read requests that failed."""
    failed_writes: int = 0
    """Write requests that failed, including those refused because of ``mem_limit``."""
    invalid_io: int = 0
    """Requests not aligned to a page; always 0 since 6.12."""
    notify_free: int = 0
    """Pages freed by swap-slot notification or discard."""


def counted_since(before: int, now: int) -> int:
    """What a counter has counted at least since it was ``before``; a reset sets it to 0."""
    return now - before if now >= before else now


@documented
@dataclass(frozen=True, kw_only=True)
class BdStat(_StatFile):
    """``/sys/block/zramN/bd_stat``: the backing device, in units of 4096 bytes (5.1)."""

    _file = "bd_stat"
    _counters = ("bd_reads", "bd_writes")

    bd_count: int = 0
    """Units of 4096 bytes on the backing device now."""
    bd_reads: int = 0
    """Units of 4096 bytes read from it since initialisation."""
    bd_writes: int = 0
    """Units of 4096 bytes written to it since initialisation: its wear."""

    @property
    def bd_count_bytes(self) -> int:
        """``bd_count`` in bytes."""
        return self.bd_count * BD_UNIT

    @property
    def bd_reads_bytes(self) -> int:
        """``bd_reads`` in bytes."""
        return self.bd_reads * BD_UNIT

    @property
    def bd_writes_bytes(self) -> int:
        """``bd_writes`` in bytes."""
        return self.bd_writes * BD_UNIT


@documented
@dataclass(frozen=True, kw_only=True)
class DebugStat(_StatFile):
    """``/sys/block/zramN/debug_stat``: the kernel does not promise that it stays stable (4.8)."""

    _file = "debug_stat"
    _counters = ("writestall", "miss_free")

    writestall: int = 0
    """Events: stores that had to wait for memory; always 0 on newer kernels."""
    miss_free: int = 0
    """Events: slots that could not be freed because they were locked."""

    @classmethod
    def _read(cls, device: Handle) -> DebugStat:
        figures = parse.parse_debug_stat(device.read("debug_stat"))
        return cls._of([value for value in figures.values() if value is not None])


@documented
@dataclass(frozen=True, kw_only=True)
class BlockStat(_StatFile):
    """``/sys/block/zramN/stat`` (Documentation/block/stat.rst).

    All except ``in_flight`` count from the time when the device was added.
    """

    _file = "stat"
    _counters = ("read_ios", "write_ios", "discard_ios", "flush_ios")

    read_ios: int = 0
    """Completed read requests."""
    read_merges: int = 0
    """Read requests that were merged with queued ones."""
    read_sectors: int = 0
    """Units of 512 bytes read."""
    read_ticks: int = 0
    """Milliseconds that read requests took in total."""
    write_ios: int = 0
    """Completed write requests."""
    write_merges: int = 0
    """Write requests that were merged with queued ones."""
    write_sectors: int = 0
    """Units of 512 bytes written."""
    write_ticks: int = 0
    """Milliseconds that write requests took in total."""
    in_flight: int = 0
    """Requests under way now."""
    io_ticks: int = 0
    """Milliseconds in which at least one request was under way."""
    time_in_queue: int = 0
    """Milliseconds that all requests took in total."""
    discard_ios: int = 0
    """Completed discard requests."""
    discard_merges: int = 0
    """Discard requests that were merged with queued ones."""
    discard_sectors: int = 0
    """Units of 512 bytes discarded."""
    discard_ticks: int = 0
    """Milliseconds that discard requests took in total."""
    flush_ios: int = 0
    """Completed flush requests."""
    flush_ticks: int = 0
    """Milliseconds that flush requests took in total."""

    @property
    def read_bytes(self) -> int:
        """``read_sectors`` in bytes."""
        return self.read_sectors * SECTOR_SIZE

    @property
    def written_bytes(self) -> int:
        """``write_sectors`` in bytes."""
        return self.write_sectors * SECTOR_SIZE
