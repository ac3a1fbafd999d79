# SPDX-License-Identifier: MIT
"""Snapshots of a device's figures: frozen, with the kernel's field names.

Every figure that is not optional is in all kernels from 6.1 on. Derived figures are ``None`` for an
empty device, never a division by zero. Where each figure comes from is said at its class.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import DeviceNotFoundError, InvalidValueError, UnsupportedError, from_errno
from ..kernel import figures, parse
from ..kernel.parse import SwapArea
from ..kernel.sysfs import read_text
from ..limits import BD_UNIT, SECTOR_SIZE
from ..value import FrozenDict, Record, documented

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from .handle import Handle
    from .zram import Zram


class _Figures(Record):
    """What the numbers of a kernel file have in common, in the order of the fields.

    The generated ``__init__`` of a frozen dataclass sets each field by a call of its own; a
    reader in a loop feels that, so :meth:`_of` does without.

    What Linux 6.1 does not have comes last, with ``None`` as its default.
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
class MmStat(_Figures):
    """``/sys/block/zramN/mm_stat`` (Documentation/admin-guide/blockdev/zram.rst).

    Synchronization: none needed, immutable.
    """

    _file = "mm_stat"
    _counters = ("pages_compacted", "huge_pages_since")

    orig_data_size: int = 0
    """Bytes stored, uncompressed; same-filled and written-back pages included."""
    compr_data_size: int = 0
    """Bytes of the stored objects; an incompressible page counts whole, a same-filled one 0."""
    mem_used_total: int = 0
    """Bytes of memory the pool takes now, allocator overhead included."""
    mem_limit: int = 0
    """Bytes the pool may take; 0 is no limit."""
    mem_used_max: int = 0
    """Highest ``mem_used_total`` so far, in bytes: a peak, not the present use."""
    same_pages: int = 0
    """Pages now stored as one repeated word; they take no memory of the pool."""
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
class IoStat(_Figures):
    """``/sys/block/zramN/io_stat``: counts since initialisation."""

    _file = "io_stat"
    _counters = ("failed_reads", "failed_writes", "notify_free")

    failed_reads: int = 0
    """Requests to read that failed."""
    failed_writes: int = 0
    """Requests to write that failed, those refused by ``mem_limit`` included."""
    invalid_io: int = 0
    """Requests not aligned to a page; constant 0 since 6.12."""
    notify_free: int = 0
    """Pages freed by swap-slot notification or discard."""


@documented
@dataclass(frozen=True, kw_only=True)
class BdStat(_Figures):
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
class DebugStat(_Figures):
    """``/sys/block/zramN/debug_stat``: no promise of stability by the kernel (4.8)."""

    _file = "debug_stat"
    _counters = ("writestall", "miss_free")

    writestall: int = 0
    """Events: stores that had to wait for memory; constant 0 on newer kernels."""
    miss_free: int = 0
    """Events: slots that could not be freed because they were locked."""

    @classmethod
    def _read(cls, device: Handle) -> DebugStat:
        figures = parse.parse_debug_stat(device.read("debug_stat"))
        return cls._of([value for value in figures.values() if value is not None])


@documented
@dataclass(frozen=True, kw_only=True)
class BlockStat(_Figures):
    """``/sys/block/zramN/stat`` (Documentation/block/stat.rst).

    All but ``in_flight`` count from when the device was added.
    """

    _file = "stat"
    _counters = ("read_ios", "write_ios", "discard_ios", "flush_ios")

    read_ios: int = 0
    """Read requests that were completed."""
    read_merges: int = 0
    """Read requests that were merged with queued ones."""
    read_sectors: int = 0
    """Units of 512 bytes read."""
    read_ticks: int = 0
    """Milliseconds that read requests took, summed."""
    write_ios: int = 0
    """Write requests that were completed."""
    write_merges: int = 0
    """Write requests that were merged with queued ones."""
    write_sectors: int = 0
    """Units of 512 bytes written."""
    write_ticks: int = 0
    """Milliseconds that write requests took, summed."""
    in_flight: int = 0
    """Requests under way now."""
    io_ticks: int = 0
    """Milliseconds in which any request was under way."""
    time_in_queue: int = 0
    """Milliseconds that all requests took, summed."""
    discard_ios: int = 0
    """Discard requests that were completed."""
    discard_merges: int = 0
    """Discard requests that were merged with queued ones."""
    discard_sectors: int = 0
    """Units of 512 bytes discarded."""
    discard_ticks: int = 0
    """Milliseconds that discard requests took, summed."""
    flush_ios: int = 0
    """Flush requests that were completed."""
    flush_ticks: int = 0
    """Milliseconds that flush requests took, summed."""

    @property
    def read_bytes(self) -> int:
        """``read_sectors`` in bytes."""
        return self.read_sectors * SECTOR_SIZE

    @property
    def written_bytes(self) -> int:
        """``write_sectors`` in bytes."""
        return self.write_sectors * SECTOR_SIZE


_PARTS: dict[str, Callable[[Any], Any]] = {
    "mm_stat": MmStat.from_dict,
    "io_stat": IoStat.from_dict,
    "bd_stat": BdStat.from_dict,
    "debug_stat": DebugStat.from_dict,
    "stat": BlockStat.from_dict,
}


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(Record):
    """Everything the kernel tells about one device, taken in one go (but not atomically).

    Two are equal if all figures are, whenever they were taken. ``now - before`` gives a
    :class:`StatsChange`, with rates.
    """

    _takes_back = {  # noqa: RUF012
        **_PARTS,
        "recomp_algorithms": lambda found: {int(k): v for k, v in found.items()},
        "swap": SwapArea.from_dict,
        "mount_points": tuple,
    }
    name: str
    """``zramN``, the kernel's name."""
    disksize: int
    """Bytes that the device offers, uncompressed (``disksize``); 0 before it is initialised. Not
    memory in use."""
    comp_algorithm: str | None
    """The selected algorithm (``comp_algorithm``); ``None`` if the kernel marks none."""
    recomp_algorithms: Mapping[int, str | None] | None
    """Priority to algorithm, read only (``recomp_algorithm``); ``None`` where the kernel has no
    recompression."""
    mm_stat: MmStat
    """Memory (``mm_stat``)."""
    io_stat: IoStat
    """Failures, and slots freed (``io_stat``)."""
    bd_stat: BdStat | None
    """The backing device (``bd_stat``); ``None`` where the kernel has no writeback."""
    debug_stat: DebugStat | None
    """Events (``debug_stat``); ``None`` where the kernel has no such file."""
    stat: BlockStat
    """Requests of the block layer (``stat``)."""
    backing_dev: str | None
    """Path (``backing_dev``); ``None`` without one, or where the kernel has no writeback."""
    swap: SwapArea | None
    """The swap area on the device (/proc/swaps); ``None`` without one."""
    mount_points: tuple[str, ...]
    """Where it is mounted, in this mount namespace (/proc/self/mountinfo)."""
    diskseq: int
    """What no other device had or will have until the machine reboots (``diskseq``)."""
    time: float = field(default=0.0, compare=False)
    """When it was taken, in seconds since 1970 by the clock on the wall, for records."""
    monotonic: float = field(default=0.0, compare=False)
    """When it was taken, in seconds of CLOCK_MONOTONIC, for intervals; lost with a reboot."""

    def __post_init__(self) -> None:
        if self.recomp_algorithms is not None:
            object.__setattr__(self, "recomp_algorithms", FrozenDict(self.recomp_algorithms))

    @property
    def initstate(self) -> bool:
        """Whether the device is initialised."""
        return self.disksize != 0

    def __sub__(self, before: Stats) -> StatsChange:
        """Return what has changed since ``before``.

        Raises:
            InvalidValueError: ``before`` is of another device, later, or the device was reset
                since: it has another disksize or algorithm, or a counter went down.
        """
        if not isinstance(before, Stats):
            return NotImplemented
        return StatsChange._between(before, self)

    @classmethod
    def _of_device(cls, device: Zram) -> Stats:
        recompression = device.has("recomp_algorithm")
        return cls(
            time=time.time(),
            monotonic=time.monotonic(),
            name=device.name,
            diskseq=device.read_diskseq(),
            disksize=device.read_disksize(),
            comp_algorithm=device.read_comp_algorithm(),
            recomp_algorithms=device.read_recomp_algorithms() if recompression else None,
            mm_stat=device.read_mm_stat(),
            io_stat=device.read_io_stat(),
            bd_stat=device.read_bd_stat() if device.has("bd_stat") else None,
            debug_stat=device.read_debug_stat() if device.has("debug_stat") else None,
            stat=device.read_stat(),
            backing_dev=device.read_backing_dev() if device.has("backing_dev") else None,
            swap=device.read_swap_area(),
            mount_points=device.read_mount_points(),
        )


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class StatsChange(Record):
    """What changed between two snapshots of a device; figures are differences, which may be < 0.

    ``reads_per_second`` and the other rates are means over :attr:`seconds`, and 0 for two snapshots
    of the same moment.
    """

    _takes_back = _PARTS
    name: str
    """``zramN``."""
    seconds: float
    """Seconds between the two, by the monotonic clock."""
    mm_stat: MmStat
    """Differences of the figures."""
    io_stat: IoStat
    """Differences of the figures."""
    bd_stat: BdStat | None
    """Differences of the figures; ``None`` where the kernel has no writeback."""
    debug_stat: DebugStat | None
    """Differences of the figures; ``None`` where the kernel has no such file."""
    stat: BlockStat
    """Differences of the figures."""

    def rate(self, difference: float) -> float:
        """Return a difference per second: ``change.rate(change.stat.write_ios)``."""
        return difference / self.seconds if self.seconds else 0.0

    @property
    def reads_per_second(self) -> float:
        """Read requests a second."""
        return self.rate(self.stat.read_ios)

    @property
    def writes_per_second(self) -> float:
        """Write requests a second."""
        return self.rate(self.stat.write_ios)

    @property
    def read_bytes_per_second(self) -> float:
        """Bytes read from the device a second, before compression."""
        return self.rate(self.stat.read_bytes)

    @property
    def written_bytes_per_second(self) -> float:
        """Bytes written to the device a second, before compression."""
        return self.rate(self.stat.written_bytes)

    @classmethod
    def _between(cls, before: Stats, now: Stats) -> StatsChange:
        if (before.name, before.diskseq) != (now.name, now.diskseq):
            raise InvalidValueError(f"{now.name} - {before.name}: not the same device")
        if now.monotonic < before.monotonic:
            raise InvalidValueError(f"{now.name}: subtract the earlier snapshot from the later")
        # Neither changes while the device is initialised.
        if before.disksize and (before.disksize, before.comp_algorithm) != (
            now.disksize,
            now.comp_algorithm,
        ):
            raise InvalidValueError(f"{now.name}: it was reset between the two snapshots")
        differences: dict[str, Any] = {}
        for part in fields(cls)[2:]:
            new, old = getattr(now, part.name), getattr(before, part.name)
            if new is None or old is None:
                differences[part.name] = None
                continue
            if new._restarted(old):
                raise InvalidValueError(f"{now.name}: it was reset between the two snapshots")
            differences[part.name] = new._minus(old)
        return cls(name=now.name, seconds=now.monotonic - before.monotonic, **differences)


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClass(Record):
    """One size class of a device's pool (``zsmalloc/zramN/classes`` in debugfs)."""

    _takes_back = {"fullness": FrozenDict}  # noqa: RUF012

    number: int
    """Its number, the column ``class``."""
    size: int
    """Bytes of an object, its handle included."""
    fullness: Mapping[str, int]
    """How many zspages are so full: ``10%`` to ``100%``; up to 6.2 ``almost_full`` and
    ``almost_empty``."""
    obj_allocated: int
    """Objects that its zspages have room for."""
    obj_used: int
    """Objects that are there."""
    pages_used: int
    """Pages of memory of its zspages."""
    pages_per_zspage: int
    """Pages of one zspage."""
    freeable: int
    """Pages that a compaction would free."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fullness", FrozenDict(self.fullness))


def _pool_class(row: dict[str, int]) -> PoolClass:
    row = {"number" if name == "class" else name: figure for name, figure in row.items()}
    known = [field.name for field in fields(PoolClass) if field.name != "fullness"]
    if lacking := [name for name in known if name not in row]:
        raise OSError(errno.EOPNOTSUPP, f"no column {' '.join(lacking)}")
    fullness = {name: figure for name, figure in row.items() if name not in known}
    return PoolClass(fullness=fullness, **{name: row[name] for name in known})


def read_pool_classes(device: Handle) -> tuple[PoolClass, ...]:
    """Read the size classes of a pool (:meth:`pyzram.Zram.read_pool_classes`)."""
    pools = device.sysfs.path("sys/kernel/debug/zsmalloc")
    path = f"{pools}/{device.name}/classes"
    try:
        text = device._ask_by_name("read classes", lambda _sysfs, _name: read_text(path))
        return tuple(map(_pool_class, parse.parse_pool_classes(text)))
    except DeviceNotFoundError:
        raise
    except FileNotFoundError as err:
        if not device.read_disksize() and os.path.isdir(pools):
            return ()
        raise UnsupportedError(
            errno.ENOENT,
            f"{device.name}: read classes: this kernel has none (CONFIG_ZSMALLOC_STAT), "
            "or debugfs is not mounted (mount -t debugfs debugfs /sys/kernel/debug)",
            path,
        ) from err
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: read classes", path) from err
