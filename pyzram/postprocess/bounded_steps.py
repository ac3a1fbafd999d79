# SPDX-License-Identifier: MIT
"""A run over stored pages in bounded steps: what it moved, and when it must stop.

The kernel cannot be interrupted within a command, so a run issues small ones, sized by the time
that they take.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..device.stat_files import BdStat, MmStat, counted_since
from ..limits import BD_UNIT, PAGE_SIZE
from ..value import FrozenDict, JsonValue, check_callable, check_seconds, documented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal, TypeAlias

    from ..device.zram import Zram

    Stopped: TypeAlias = Literal["timeout", "limit", "full"]

FIRST_STEP = 1024
STEP_SECONDS = 0.5


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessResult(JsonValue):
    """What a run did: the device's figures before and after, and why it ended."""

    _takes_back = FrozenDict(
        mm_before=MmStat.from_dict,
        mm_after=MmStat.from_dict,
        bd_before=BdStat.from_dict,
        bd_after=BdStat.from_dict,
    )
    _words_of = FrozenDict(stopped=("timeout", "limit", "full", None))

    mm_before: MmStat
    """Memory when the run started."""
    mm_after: MmStat
    """Memory when it ended."""
    bd_before: BdStat | None
    """The backing device when the run started; ``None`` if the kernel has no writeback."""
    bd_after: BdStat | None
    """The backing device when it ended; ``None`` as above."""
    seconds: float
    """How long it took, in seconds of the monotonic clock."""
    stopped: Stopped | None
    """Why it ended early: ``"timeout"``, ``"limit"`` (this run's, or the device's own) or
    ``"full"`` (the backing device); ``None`` if everything was done."""
    time: float = field(default=0.0, compare=False)
    """When it started, in seconds since 1970 by the wall clock, for records."""
    monotonic: float = field(default=0.0, compare=False)
    """When it started, in seconds of CLOCK_MONOTONIC, for intervals; meaningless after a reboot."""

    @property
    def pages_written(self) -> int:
        """Pages written to the backing device."""
        return self.bytes_written // PAGE_SIZE

    @property
    def bytes_written(self) -> int:
        """Bytes written to the backing device, since a reset if there was one meanwhile."""
        if self.bd_before is None or self.bd_after is None:
            return 0
        return counted_since(self.bd_before.bd_writes, self.bd_after.bd_writes) * BD_UNIT

    @property
    def memory_freed(self) -> int:
        """Bytes by which the pool shrank; negative if it grew meanwhile."""
        return self.mm_before.mem_used_total - self.mm_after.mem_used_total

    @property
    def compressed_freed(self) -> int:
        """Bytes by which the stored objects shrank."""
        return self.mm_before.compr_data_size - self.mm_after.compr_data_size


def check_progress(progress: Callable[[int], object] | None) -> None:
    """Refuse what is neither ``None`` nor a function.

    Raises:
        InvalidTypeError: it is something else.
    """
    if progress is not None:
        check_callable("progress", progress)


class StepSizer:
    """Decides how much to ask for next, in pages, and whether there is time left."""

    def __init__(self, timeout: float | None, pages: int | None = None) -> None:
        if timeout is not None:
            timeout = check_seconds("timeout", timeout)
        self.pages = pages or FIRST_STEP
        self.time = time.time()
        self.began = time.monotonic()
        self._end = None if timeout is None else self.began + timeout

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.began

    def left(self) -> float | None:
        """Seconds until the deadline, at least 0; ``None`` without one."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left() == 0.0

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Time one command and size the next one by it."""
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        if took > STEP_SECONDS:
            self.pages = max(1, self.pages // 2)
        elif took < STEP_SECONDS / 2:
            self.pages *= 2


class Baseline:
    """The figures at the start, for the :class:`PostprocessResult` at the end."""

    def __init__(self, device: Zram) -> None:
        self._device = device
        self._mm = device.read_mm_stat()
        self._bd = self._bd_stat()

    def result(self, sizer: StepSizer, stopped: Stopped | None) -> PostprocessResult:
        """Read the figures again."""
        return PostprocessResult(
            mm_before=self._mm,
            mm_after=self._device.read_mm_stat(),
            bd_before=self._bd,
            bd_after=self._bd_stat(),
            seconds=sizer.seconds,
            stopped=stopped,
            time=sizer.time,
            monotonic=sizer.began,
        )

    def _bd_stat(self) -> BdStat | None:
        return self._device.read_bd_stat() if self._device.has("bd_stat") else None
