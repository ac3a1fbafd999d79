# SPDX-License-Identifier: MIT
"""What the kernel knows about each stored page: ``block_state`` in debugfs.

``/sys/kernel/debug/zram/zramN/block_state`` (CONFIG_ZRAM_MEMORY_TRACKING, root only). Memory
use is constant however large the device is. The file is not a snapshot: pages come and go while
it is being read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .. import _native_block_state
from ..descriptor import Opened
from ..errors import DeviceNotFoundError, UnsupportedError, ZramOSError, from_errno
from ..value import FrozenDict, JsonValue, check_count, documented
from .handle import check_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .zram import Zram

# The file's offset counts slots, and a buffer of one line or less reads as the end of the file.
# So the buffers are longer, and the offsets are places.
READ_SIZE = 1 << 18
LINE_MOST = 64
"""The most bytes in a line; with six flags it has 40."""
MOST_AT_ONCE = 4096
"""Places that one read of a part may span."""
GAP_MOST = 32
"""The most places between two ranges that are read rather than skipped: another read costs more."""


SLOT_FLAGS: Mapping[str, int] = FrozenDict(_native_block_state.BLOCK_FLAGS)
"""The value of each flag that :func:`slots` gives for a page, by name.

They are same, written_back, huge, idle, and from 6.2 recompressed and incompressible.

Up to 6.12 a page loses ``huge`` when it is written back; on 7.x it keeps it.
"""


@documented
@dataclass(frozen=True, slots=True)
class BlockState(JsonValue):
    """Counts over all stored pages. Two are equal if their counts are, whenever they were taken."""

    _takes_back = FrozenDict(flags=FrozenDict, ages=tuple)

    slots: int
    """How many pages are stored."""
    flags: Mapping[str, int]
    """How many pages have each flag, by its name (:data:`SLOT_FLAGS`)."""
    ages: tuple[int, ...]
    """How many pages were last used less than 1 s, 1 s, 2..3 s, 4..7 s ago, and so on."""
    time: float = field(default=0.0, compare=False)
    """When counting began, in seconds since 1970 by the wall clock, for records."""
    monotonic: float = field(default=0.0, compare=False)
    """When counting began, in seconds of CLOCK_MONOTONIC, for intervals; lost with a reboot."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "flags", FrozenDict(self.flags))

    def older_than(self, seconds: int) -> int:
        """Pages not used for ``seconds``; exact for powers of two.

        Raises:
            InvalidValueError: not a whole number from 0 up.
        """
        seconds = check_count("seconds", seconds)
        return sum(self.ages[seconds.bit_length() :] if seconds > 0 else self.ages)


def path_of(device: Zram) -> str:
    """The path of the device's file."""
    return device.sysfs.path("sys/kernel/debug/zram", device.name, "block_state")


@documented
class Slot(NamedTuple):
    """A stored page. There may be millions of them, so it is a plain tuple with names."""

    place: int
    """Its place: the number of the page on the device, counted from the start."""
    accessed: int
    """When it was last used, in microseconds of CLOCK_BOOTTIME (whole seconds on 7.x)."""
    flags: int
    """The sum of the values of its flags (:data:`SLOT_FLAGS`)."""


def slots(device: Zram) -> Iterator[Slot]:
    """Yield each stored page, in ascending order of place.

    Raises:
        UnsupportedError: the kernel has no block_state, or debugfs is not mounted.
        AccessError: not root.
        ZramOSError: EINVAL before the device is initialised.
    """
    check_device(device)
    return _slots(device)


def _slots(device: Zram) -> Iterator[Slot]:
    for text, rest in texts(device):
        indexes, times, flags, used = _native_block_state.block_state_parse(text)
        rest.append(text[used:])
        yield from map(Slot._make, zip(indexes, times, flags, strict=True))


def slots_within(device: Zram, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """As :func:`slots`, but only for the places in these ranges, ``(first, last)``.

    Neighbours take one read. The kernel goes on from the first place until the buffer is full or
    the device ends. That is cheap if most places hold pages; in the worst case, with few pages on a
    large device, the kernel goes through the rest of it.
    """
    with _opened(device) as fd:
        for places in _neighbours(ranges):
            first, last = min(places), max(places)
            while first <= last:
                text = _text_at(fd, LINE_MOST * (last - first + 2), first)
                indexes, times, flags, _ = _native_block_state.block_state_parse(text)
                for slot in zip(indexes, times, flags, strict=True):
                    if slot[0] in places:
                        yield slot
                first = max(first, indexes[-1]) + 1 if indexes else last + 1


def _neighbours(ranges: Iterable[tuple[int, int]]) -> Iterator[set[int]]:
    """The places of ranges that are read at once, because each is close to the one before."""
    places: set[int] = set()
    start = end = 0
    for first, last in ranges:
        for at in range(first, last + 1, MOST_AT_ONCE):
            to = min(last, at + MOST_AT_ONCE - 1)
            if places and (not end < at <= end + GAP_MOST or to - start >= MOST_AT_ONCE):
                yield places
                places = set()
            if not places:
                start = at
            places.update(range(at, to + 1))
            end = to
    if places:
        yield places


def summary(device: Zram) -> BlockState:
    """Count the stored pages by flag and age.

    Raises:
        As :func:`slots`.
    """
    began, monotonic = time.time(), time.monotonic()
    counts = _native_block_state.BlockCounts(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)
    for text, rest in texts(device):
        rest.append(text[counts.add(text) :])
    return BlockState(counts.slots, counts.flags(), tuple(counts.ages()), began, monotonic)


def texts(device: Zram) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield text, and a list for an unused rest of it, which comes again before the next text.

    Raises:
        As :func:`slots`.
    """
    with _opened(device) as fd:
        rest: list[bytes] = []
        while chunk := os.read(fd, READ_SIZE):
            text = rest.pop() + chunk if rest else chunk
            yield text, rest
        if rest and rest[0]:
            raise OSError(errno.EINVAL, "it ends within a line")


def _text_at(fd: int, size: int, place: int) -> bytes:
    return os.pread(fd, size, place)


@contextlib.contextmanager
def _opened(device: Zram) -> Iterator[int]:
    """The open file; an error in reading it becomes one that names the device."""
    path = path_of(device)
    device._require_present("read block_state")
    try:
        file = Opened(path, os.O_RDONLY)
    except FileNotFoundError as err:
        raise _missing(device, path) from err
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: read block_state", path) from err
    try:
        device._require_present("read block_state")
        yield file.fd
    except ZramOSError:
        raise
    except OSError as err:
        raise ZramOSError(
            err.errno or 0, f"{device.name}: read block_state: {err.strerror}", path
        ) from err
    finally:
        file.close()


def _missing(device: Zram, path: str) -> ZramOSError:
    if device.removed():
        return DeviceNotFoundError(errno.ENOENT, f"{device.name}: the device is gone", path)
    why = "this kernel has no block_state (CONFIG_ZRAM_MEMORY_TRACKING)"
    if not os.path.isdir(device.sysfs.path("sys/kernel/debug/zram")):
        why += ", or debugfs is not mounted (mount -t debugfs debugfs /sys/kernel/debug)"
    return UnsupportedError(errno.ENOENT, f"{device.name}: read block_state: {why}", path)
