# SPDX-License-Identifier: MIT
"""Recompress stored pages with a better algorithm, in bounded steps."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from .. import interruption
from ..device.algorithms import recompress
from ..device.handle import check_device
from ..errors import from_errno
from ..limits import PAGE_SIZE, RECOMPRESS_TYPES
from ..value import check_count, check_flag, check_word
from .bounded_steps import Baseline, PostprocessResult, StepSizer, check_progress
from .marks import exclusive_marked
from .turns import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..algorithm import Algorithm
    from ..device.zram import Zram
    from ..limits import RecompressType
    from .bounded_steps import Stopped


def recompress_pages(
    device: Zram,
    type: RecompressType | None = None,
    *,
    age: int | None = None,
    threshold: int | None = None,
    algorithm: str | Algorithm | None = None,
    priority: int | None = None,
    max_pages: int | None = None,
    timeout: float | None = None,
    compact: bool = False,
    progress: Callable[[int], object] | None = None,
) -> PostprocessResult:
    """Recompress all pages of one kind (:meth:`Zram.recompress`), until a deadline at most.

    ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``None`` for all. With ``age`` (seconds),
    pages are marked idle first, as by :func:`pyzram.writeback_pages`. ``max_pages`` limits how many
    are tried, whether or not they become smaller. ``algorithm`` is one of the device's secondary
    ones, by name or as :class:`Algorithm`. ``timeout`` is in seconds.
    ``compact`` compacts the pool afterwards, because replaced objects may leave holes.
    ``progress`` is called with an upper bound of the pages tried so far; the kernel does not report
    them.

    Raises:
        InvalidValueError: see :meth:`Zram.recompress`.
        UnsupportedError: this kernel has no recompression.
        DeviceBusyError: another run lasted until the deadline.
        ZramOSError: EINVAL if the device is not initialised.
    """
    check_device(device)
    check_progress(progress)
    check_flag("compact", compact)
    if type is not None:
        check_word("recompress type", type, RECOMPRESS_TYPES)
    age, threshold, max_pages = (
        number if number is None else check_count(what, number)
        for what, number in (("idle age", age), ("threshold", threshold), ("max_pages", max_pages))
    )
    sizer = StepSizer(timeout)
    device.read_recomp_algorithms()  # raises early if this kernel has no recompression
    if not device.read_disksize():
        raise from_errno(
            errno.EINVAL, f"{device.name}: recompress", device.path, remedy="not initialised"
        )
    device.find_recomp_priority(algorithm, priority)  # raises even if there is nothing to do

    def command(pages: int) -> None:
        device.recompress(
            type=type,
            threshold=threshold,
            max_pages=pages,
            algorithm=algorithm,
            priority=priority,
        )

    run = RecompressionRun(device, command, sizer, max_pages, progress)
    with exclusive_marked(device, sizer, age) as in_time:
        if not in_time:
            return Baseline(device).result(sizer, "timeout")
        baseline = Baseline(device)
        while run.step():
            pass
        if compact:
            device.compact()
        return baseline.result(sizer, run.stopped)


def gentle_recompression(device: Zram, type: RecompressType, pages: int) -> RecompressionRun:
    """A recompression whose commands last half a second at most and wait for nobody.

    The first one tries so many ``pages``; how many follows from the time that each takes.
    """

    def command(pages: int) -> None:
        at_once(device, lambda: recompress(device, type, None, pages, None, None, patience=0.0))

    return RecompressionRun(device, command, StepSizer(None, pages), at_any_cost=False)


class RecompressionRun:
    """A recompression, one command of the kernel at a time, each while others are kept off.

    Synchronization: one thread.
    """

    def __init__(
        self,
        device: Zram,
        command: Callable[[int], object],
        sizer: StepSizer,
        allowed: int | None = None,
        progress: Callable[[int], object] | None = None,
        *,
        at_any_cost: bool = True,
    ) -> None:
        """``command`` recompresses at most so many pages; all together try at most ``allowed``.

        ``at_any_cost``, commands may last longer than a step where they try the same pages in vain
        each time (6.12 with several algorithms) and only a larger one reaches those beyond.
        """
        self.tried = 0
        """An upper bound of the pages tried so far."""
        self.stopped: Stopped | None = None
        """Why it ended early."""
        self._device = device
        self._command = command
        self._sizer = sizer
        self._allowed = allowed
        self._progress = progress
        self._at_any_cost = at_any_cost

    @property
    def pages(self) -> int:
        """How many the next command tries."""
        return self._sizer.pages

    def step(self) -> bool:
        """Try some pages; return whether there may be more."""
        interruption.check()
        now = self._device.read_mm_stat()
        stored = now.orig_data_size // PAGE_SIZE
        if stored == 0:
            return False
        if self._sizer.over:
            self.stopped = "timeout"
            return False
        # A step that covers every page is the last one.
        pages = min(self._sizer.pages, stored)
        if self._allowed is not None:
            pages = min(pages, self._allowed - self.tried)
            if pages == 0:
                self.stopped = "limit"
                return False
        with self._sizer.step():
            self._command(pages)
        self.tried += pages
        if self._progress is not None:
            self._progress(self.tried)
        if pages == stored:
            return False
        if self._at_any_cost:
            after = self._device.read_mm_stat()
            if after.compr_data_size == now.compr_data_size:
                self._sizer.pages = max(self._sizer.pages, 2 * pages)
        return True
