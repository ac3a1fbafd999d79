# SPDX-License-Identifier: MIT
"""Recompress stored pages with a better algorithm, in bounded steps."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from .. import interruption
from ..device.handle import check_device
from ..errors import from_errno
from ..limits import PAGE_SIZE, RECOMPRESS_TYPES
from ..value import check_count, check_flag, check_word
from .bounded_steps import (
    Baseline,
    PostprocessResult,
    StepSizer,
    check_progress,
    exclusive,
)
from .writeback import mark_idle

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
    if age is not None and not mark_idle(device, age, timeout=timeout):
        return Baseline(device).result(sizer, "timeout")

    def step(pages: int) -> None:
        device.recompress(
            type=type,
            threshold=threshold,
            max_pages=pages,
            algorithm=algorithm,
            priority=priority,
        )

    with exclusive(device, sizer):
        baseline = Baseline(device)
        stopped = _step_by_step(device, sizer, max_pages, progress, step)
        if compact:
            device.compact()
        return baseline.result(sizer, stopped)


def _step_by_step(
    device: Zram,
    sizer: StepSizer,
    allowed: int | None,
    progress: Callable[[int], object] | None,
    step: Callable[[int], None],
) -> Stopped | None:
    """Try that many pages at a time until all were tried; return why that ended early."""
    tried = 0
    while True:
        interruption.check()
        now = device.read_mm_stat()
        stored = now.orig_data_size // PAGE_SIZE
        if stored == 0:
            return None
        if sizer.over:
            return "timeout"
        if allowed is not None and tried >= allowed:
            return "limit"
        # A step that covers every page is the last one. A step that changed nothing has tried pages
        # that will not get smaller; the next must reach beyond them.
        pages = min(sizer.pages, stored)
        if allowed is not None:
            pages = min(pages, allowed - tried)
        with sizer.step():
            step(pages)
        tried += pages
        if progress is not None:
            progress(tried)
        if pages == stored:
            return None
        if device.read_mm_stat().compr_data_size == now.compr_data_size:
            sizer.pages = max(sizer.pages, 2 * pages)
