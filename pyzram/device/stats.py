# SPDX-License-Identifier: MIT
"""Snapshots of a device, and what changed between two of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import InvalidValueError
from ..kernel.parse import SwapArea
from ..value import FrozenDict, JsonValue, check_real, documented
from .stat_files import BdStat, BlockStat, DebugStat, IoStat, MmStat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .zram import Zram

_PARTS: dict[str, Callable[[Any], Any]] = {
    "mm_stat": MmStat.from_dict,
    "io_stat": IoStat.from_dict,
    "bd_stat": BdStat.from_dict,
    "debug_stat": DebugStat.from_dict,
    "stat": BlockStat.from_dict,
}


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(JsonValue):
    """Everything that the kernel says about one device, read in one go but not atomically.

    Two are equal if all their figures are, whenever they were taken. ``now - before`` gives a
    :class:`StatsChange`, with rates.
    """

    _takes_back = FrozenDict(
        **_PARTS,
        recomp_algorithms=lambda found: {int(k): v for k, v in found.items()},
        swap=SwapArea.from_dict,
        mount_points=tuple,
    )
    name: str
    """``zramN``, the kernel's name."""
    disksize: int
    """Bytes that the device offers, before compression (``disksize``); 0 before it is initialised.
    This is not memory in use."""
    comp_algorithm: str | None
    """The selected algorithm (``comp_algorithm``); ``None`` if the kernel marks none."""
    recomp_algorithms: Mapping[int, str | None] | None
    """The secondary algorithms by priority (``recomp_algorithm``), read-only; ``None`` if the
    kernel has no recompression."""
    mm_stat: MmStat
    """Memory (``mm_stat``)."""
    io_stat: IoStat
    """Failures, and slots freed (``io_stat``)."""
    bd_stat: BdStat | None
    """The backing device (``bd_stat``); ``None`` if the kernel has no writeback."""
    debug_stat: DebugStat | None
    """Events (``debug_stat``); ``None`` if the kernel has no such file."""
    stat: BlockStat
    """Requests of the block layer (``stat``)."""
    backing_dev: str | None
    """Path (``backing_dev``); ``None`` without one, or if the kernel has no writeback."""
    swap: SwapArea | None
    """The swap area on the device (/proc/swaps); ``None`` without one."""
    mount_points: tuple[str, ...]
    """Where it is mounted, in this mount namespace (/proc/self/mountinfo)."""
    diskseq: int
    """A number that no other device has had or will have until a reboot (``diskseq``)."""
    time: float = field(default=0.0, compare=False)
    """When it was taken, in seconds since 1970 by the wall clock, for records."""
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
            InvalidValueError: ``before`` is of another device or later, or the device has been
                reset since: it has another disksize or algorithm, or a counter went down.
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
class StatsChange(JsonValue):
    """What changed between two snapshots of a device; figures are differences and may be negative.

    Figures that :attr:`mm_stat` derives, such as ratios, have no meaning for differences.

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
    """Differences of the figures; ``None`` if the kernel has no writeback."""
    debug_stat: DebugStat | None
    """Differences of the figures; ``None`` if the kernel has no such file."""
    stat: BlockStat
    """Differences of the figures."""

    def rate(self, difference: float) -> float:
        """Return a difference per second: ``change.rate(change.stat.write_ios)``."""
        difference = check_real("difference", difference)
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
