# SPDX-License-Identifier: MIT
"""Snapshots of a device's figures: frozen, with the kernel's field names.

A figure that this kernel does not have is ``None``. Derived figures are ``None`` for an empty
device, never a division by zero. Where each figure comes from is said at its class.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UnsupportedError, from_errno
from ..kernel import figures, holders, parse
from ..kernel.parse import BD_UNIT
from ..kernel.sysfs import read_text
from .handle import Handle

if TYPE_CHECKING:
    from typing import Self

    from .block_state import Summary


class _Snapshot:
    """Fast construction from the numbers of a kernel file, in the order of the fields.

    The generated ``__init__`` of a frozen dataclass sets each field by a call of its own; a
    reader in a loop feels that.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def _of(cls, numbers: list[int]) -> Self:
        self = cls.__new__(cls)
        # A field without a number keeps the class's default, None.
        self.__dict__.update(zip(cls.__dataclass_fields__, numbers, strict=False))
        return self


def _share(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole


@dataclass(frozen=True, kw_only=True)
class MmStat(_Snapshot):
    """``/sys/block/zramN/mm_stat`` (Documentation/admin-guide/blockdev/zram.rst).

    Synchronization: none needed, immutable.
    """

    orig_data_size: int | None = None
    """Bytes stored, uncompressed; same-filled and written-back pages included."""
    compr_data_size: int | None = None
    """Bytes of the stored objects; an incompressible page counts whole, a same-filled one 0."""
    mem_used_total: int | None = None
    """Bytes of memory the pool takes now, allocator overhead included."""
    mem_limit: int | None = None
    """Bytes the pool may take; 0 is no limit."""
    mem_used_max: int | None = None
    """Highest ``mem_used_total`` so far, in bytes: a peak, not the present use."""
    same_pages: int | None = None
    """Pages now stored as one repeated word; they take no memory of the pool."""
    pages_compacted: int | None = None
    """Pages of memory freed by compaction since initialisation: a count, not bytes."""
    huge_pages: int | None = None
    """Pages now stored uncompressed (4.18)."""
    huge_pages_since: int | None = None
    """Pages ever stored uncompressed since initialisation (5.13)."""

    @property
    def compression_ratio(self) -> float | None:
        """``compr_data_size / orig_data_size``, lower is better; ``None`` for an empty device."""
        return _share(self.compr_data_size, self.orig_data_size)

    @property
    def memory_ratio(self) -> float | None:
        """``mem_used_total / orig_data_size``: what a stored byte really costs."""
        return _share(self.mem_used_total, self.orig_data_size)

    @property
    def avg_compr_ratio(self) -> int | None:
        """The historic figure: ``compression_ratio`` in whole percent, rounded down."""
        return figures.avg_compr_ratio(self.compr_data_size, self.orig_data_size)

    @property
    def mem_overhead(self) -> int | None:
        """The historic figure: memory beyond ``compr_data_size``, in whole percent of it."""
        return figures.mem_overhead(self.mem_used_total, self.compr_data_size)


@dataclass(frozen=True, kw_only=True)
class IoStat(_Snapshot):
    """``/sys/block/zramN/io_stat``: counts since initialisation."""

    failed_reads: int | None = None
    """Requests."""
    failed_writes: int | None = None
    """Requests, those refused by ``mem_limit`` included."""
    invalid_io: int | None = None
    """Requests not aligned to a page; constant 0 since 6.12."""
    notify_free: int | None = None
    """Pages freed by swap-slot notification or discard."""


@dataclass(frozen=True, kw_only=True)
class BdStat(_Snapshot):
    """``/sys/block/zramN/bd_stat``: the backing device, in units of 4096 bytes (5.1)."""

    bd_count: int | None = None
    """Units on the backing device now."""
    bd_reads: int | None = None
    """Units read from it since initialisation."""
    bd_writes: int | None = None
    """Units written to it since initialisation: its wear."""

    @property
    def bd_count_bytes(self) -> int | None:
        """``bd_count`` in bytes."""
        return None if self.bd_count is None else self.bd_count * BD_UNIT

    @property
    def bd_writes_bytes(self) -> int | None:
        """``bd_writes`` in bytes."""
        return None if self.bd_writes is None else self.bd_writes * BD_UNIT


@dataclass(frozen=True, kw_only=True)
class DebugStat(_Snapshot):
    """``/sys/block/zramN/debug_stat``: no promise of stability by the kernel (4.8)."""

    writestall: int | None = None
    """Stores that had to wait for memory; constant 0 on newer kernels."""
    miss_free: int | None = None
    """Slots that could not be freed because they were locked."""


@dataclass(frozen=True, kw_only=True)
class BlockStat(_Snapshot):
    """``/sys/block/zramN/stat`` (Documentation/block/stat.rst).

    ``_ios`` and ``_merges`` count requests, ``_sectors`` units of 512 bytes, ``_ticks`` and
    ``time_in_queue`` milliseconds.
    """

    read_ios: int | None = None
    read_merges: int | None = None
    read_sectors: int | None = None
    read_ticks: int | None = None
    write_ios: int | None = None
    write_merges: int | None = None
    write_sectors: int | None = None
    write_ticks: int | None = None
    in_flight: int | None = None
    io_ticks: int | None = None
    time_in_queue: int | None = None
    discard_ios: int | None = None
    discard_merges: int | None = None
    discard_sectors: int | None = None
    discard_ticks: int | None = None
    flush_ios: int | None = None
    flush_ticks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Everything the kernel tells about one device, taken in one go (but not atomically)."""

    name: str
    """``zramN``."""
    disksize: int
    """Bytes the device offers, uncompressed; 0 before it is initialised. Not memory in use."""
    comp_algorithm: str | None
    """The selected algorithm."""
    recomp_algorithms: dict[int, str | None] | None
    """Priority to algorithm; ``None`` where the kernel has no recompression."""
    mm_stat: MmStat
    io_stat: IoStat
    bd_stat: BdStat | None
    """``None`` where the kernel has no writeback."""
    debug_stat: DebugStat
    stat: BlockStat
    backing_dev: str | None
    """Path, or ``None`` without one (or where the kernel has no writeback)."""
    swap: parse.SwapArea | None
    """The swap area on the device (/proc/swaps), sizes in bytes."""
    mount_points: tuple[str, ...]
    """Where it is mounted."""

    @property
    def initstate(self) -> bool:
        """Whether the device is initialised."""
        return self.disksize != 0


class Statistics(Handle):
    """The reading half of a device."""

    def read_mm_stat(self) -> MmStat:
        """Read ``mm_stat``; all zeros before initialisation."""
        return MmStat._of(self.read_numbers("mm_stat"))

    def read_io_stat(self) -> IoStat:
        """Read ``io_stat``."""
        return IoStat._of(self.read_numbers("io_stat"))

    def read_bd_stat(self) -> BdStat:
        """Read ``bd_stat``.

        Raises:
            UnsupportedError: this kernel has no writeback.
        """
        return BdStat._of(self.read_numbers("bd_stat"))

    def read_debug_stat(self) -> DebugStat:
        """Read ``debug_stat``; its fields are ``None`` where the kernel has no such file."""
        try:
            text = self.read("debug_stat")
        except UnsupportedError:
            return DebugStat()
        return DebugStat(**parse.parse_debug_stat(text))

    def read_stat(self) -> BlockStat:
        """Read ``stat``, the block layer's figures; never blocks."""
        return BlockStat._of(self.read_numbers("stat"))

    def read_block_state(self) -> Summary:
        """Count the stored pages by flag and age (debugfs's ``block_state``).

        :func:`pyzram.device.block_state.slots` goes through them one by one.

        Raises:
            UnsupportedError: the kernel has no block_state, or debugfs is not mounted.
            AccessError: not root.
            ZramOSError: EINVAL before the device is initialised.
        """
        from .block_state import summary

        return summary(self)

    def read_pool_classes(self) -> list[dict[str, int]]:
        """Read the size classes of the device's pool (``zsmalloc/zramN/classes`` in debugfs).

        The keys are the header's words, which differ between kernels
        (:func:`pyzram.kernel.parse.parse_pool_classes`); sizes are bytes, the others counts. Empty
        before the device is initialised.

        Raises:
            UnsupportedError: no CONFIG_ZSMALLOC_STAT, or debugfs is not mounted.
            AccessError: not root.
            DeviceNotFoundError: the device was removed.
        """
        pools = self.sysfs.path("sys/kernel/debug/zsmalloc")
        path = f"{pools}/{self.name}/classes"
        try:
            return parse.parse_pool_classes(read_text(path))
        except FileNotFoundError as err:
            if not int(self.read("disksize")) and os.path.isdir(pools):
                return []
            raise UnsupportedError(
                errno.ENOENT,
                f"{self.name}: read classes: this kernel has none (CONFIG_ZSMALLOC_STAT), "
                "or debugfs is not mounted (mount -t debugfs debugfs /sys/kernel/debug)",
                path,
            ) from err
        except OSError as err:
            raise from_errno(err.errno or 0, f"{self.name}: read classes", path) from err

    def stats(self) -> Stats:
        """Take a snapshot of everything.

        Raises:
            DeviceNotFoundError: the device was removed meanwhile.
        """
        writeback = self.has("bd_stat")
        backing = self.read("backing_dev") if writeback else "none"
        recompression = self.has("recomp_algorithm")
        return Stats(
            name=self.name,
            disksize=int(self.read("disksize")),
            comp_algorithm=parse.parse_algorithms(self.read("comp_algorithm"))[0],
            recomp_algorithms=(
                parse.parse_recomp_algorithms(self.read("recomp_algorithm"))
                if recompression
                else None
            ),
            mm_stat=self.read_mm_stat(),
            io_stat=self.read_io_stat(),
            bd_stat=self.read_bd_stat() if writeback else None,
            debug_stat=self.read_debug_stat(),
            stat=self.read_stat(),
            backing_dev=None if backing == "none" else backing,
            swap=holders.swap_area(self.sysfs, self.name),
            mount_points=tuple(holders.mount_points(self.sysfs, self.name)),
        )
