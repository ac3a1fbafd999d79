# SPDX-License-Identifier: MIT
"""Write pages back within a budget and a deadline, and count them.

The kernel's ``writeback`` runs until it has finished. Here, each command gets a small budget
(``writeback_limit``), and right after it the device's own limit is restored, less what was written
(:mod:`pyzram.postprocess.limit_override`). So a run can stop between commands, and the
administrator's limit still holds.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING

from .. import interruption
from ..device.backing import as_range, in_steps
from ..device.handle import check_device
from ..errors import (
    DeviceBusyError,
    InvalidValueError,
    ZramOSError,
    from_errno,
)
from ..limits import BD_UNIT, PAGE_SIZE, WRITEBACK_TYPES
from ..units import parse_size
from ..value import as_tuple, check_count, check_word
from .bounded_steps import Baseline, PostprocessResult, StepSizer, check_progress
from .limit_override import UNITS_PER_PAGE, apply, is_recorded, recover, restore
from .marks import exclusive_marked
from .turns import at_once, exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..device.zram import Zram
    from ..limits import WritebackType
    from .bounded_steps import Stopped

    Progress = Callable[[int], object]


def writeback_pages(
    device: Zram,
    type: WritebackType = "idle",
    *,
    age: int | None = None,
    limit: int | str | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> PostprocessResult:
    """Write all pages of one kind to the backing device.

    ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``incompressible``. With ``age``, pages that
    were not used for this many seconds are first marked idle (if the kernel does not track access
    times, by marking all and waiting that long); without it, pages that are already marked are
    written. ``limit`` is the most to write in this run, in bytes or as a size;
    ``timeout`` is in seconds. ``progress`` is called with the bytes written so far.

    An interrupt (any exception) takes effect between two commands of the kernel, which last about
    half a second; what was written stays written, and the device's own limit is restored.

    Raises:
        InvalidValueError: an unknown type, or an age for a type that takes none.
        UnsupportedError: this kernel has no writeback, or not of this type.
        DeviceBusyError: another run lasted until the deadline.
        ZramOSError: ENODEV without a backing device, EINVAL if the device is not initialised, EIO
            if the backing device failed.
    """
    check_device(device)
    check_word("writeback type", type, WRITEBACK_TYPES)
    check_progress(progress)
    if age is not None and "idle" not in type:
        raise InvalidValueError(f"an age does not apply to {type} pages")
    sizer = StepSizer(timeout)
    if age is not None:
        age = check_count("idle age", age)
    return _write_back(device, sizer, limit, progress, [lambda: device.writeback(type)], age)


def writeback_ranges(
    device: Zram,
    ranges: Iterable[tuple[int, int]],
    *,
    limit: int | str | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> PostprocessResult:
    """Write ranges of pages, ``(first, last)``, to the backing device.

    Pages that are not stored, same-filled or already written back are skipped. Otherwise this does
    the same as :func:`writeback_pages`.

    Raises:
        InvalidValueError: a range is not such a pair, or ends before it begins.
    """
    check_device(device)
    check_progress(progress)
    wanted = [as_range("range of ranges", pages) for pages in as_tuple("ranges", ranges)]
    sizer = StepSizer(timeout)

    return _write_back(device, sizer, limit, progress, _by_place(device, wanted, sizer))


def write_pages_in_turn(
    device: Zram, type: WritebackType, age: int | None, limit: int, timeout: float
) -> None:
    """As :func:`writeback_pages`; the caller keeps other runs off (:mod:`.turns`)."""
    _refuse_unbacked(device)
    if age is not None:
        device.mark_idle(age)
    sizer = StepSizer(timeout)
    command = partial(at_once, device, lambda: device.writeback(type))
    _write_alone(device, sizer, limit // PAGE_SIZE, None, [command])


def write_ranges_in_turn(
    device: Zram, ranges: Sequence[tuple[int, int]], limit: int, timeout: float
) -> None:
    """As :func:`writeback_ranges`; the caller keeps other runs off (:mod:`.turns`)."""
    _refuse_unbacked(device)
    sizer = StepSizer(timeout)
    commands = (partial(at_once, device, command) for command in _by_place(device, ranges, sizer))
    _write_alone(device, sizer, limit // PAGE_SIZE, None, commands)


def _by_place(
    device: Zram, ranges: Iterable[tuple[int, int]], sizer: StepSizer
) -> Iterator[Callable[[], object]]:
    def write(batch: list[tuple[int, int]]) -> None:
        for pages in batch:
            device.writeback(page_indexes=pages)

    # Several short ranges share one override of the limit, which costs more than they do.
    return (partial(write, batch) for batch in in_steps(ranges, lambda: sizer.pages))


def remaining_budget(device: Zram) -> int | None:
    """Return the bytes that may still be written back; ``None`` without a limit."""
    if not device.read_writeback_limit_enable():
        return None
    return device.read_writeback_limit() * BD_UNIT


def restore_limit(device: Zram) -> None:
    """Put back the device's own limit where a killed run has left that of a step.

    Without such a run this takes a look. While another run is at work, it does nothing.

    Raises:
        ZramOSError: the limit, or the record of it, cannot be read or written.
    """
    if not is_recorded(device):
        return
    try:
        with exclusive(device, StepSizer(0.0)):
            recover(device)
    except DeviceBusyError:
        pass  # whose limit it is, and who puts it back


def _bytes_of_limit(limit: int | str) -> int:
    try:
        return parse_size(limit)
    except InvalidValueError as err:
        raise type(err)(f"limit: {err}") from err


def _write_back(
    device: Zram,
    sizer: StepSizer,
    limit: int | str | None,
    progress: Progress | None,
    commands: Iterable[Callable[[], object]],
    age: int | None = None,
) -> PostprocessResult:
    allowed = None if limit is None else _bytes_of_limit(limit) // PAGE_SIZE
    _refuse_unbacked(device)
    with exclusive_marked(device, sizer, age) as in_time:
        if not in_time:
            return Baseline(device).result(sizer, "timeout")
        return _write_alone(device, sizer, allowed, progress, commands)


def _write_alone(
    device: Zram,
    sizer: StepSizer,
    allowed: int | None,
    progress: Progress | None,
    commands: Iterable[Callable[[], object]],
) -> PostprocessResult:
    """Write at most ``allowed`` pages, while other runs are kept off."""
    recover(device)
    baseline = Baseline(device)
    try:
        stopped = _step_by_step(device, sizer, allowed, progress, commands)
    finally:
        recover(device)
    return baseline.result(sizer, stopped)


def _step_by_step(
    device: Zram,
    sizer: StepSizer,
    allowed: int | None,
    progress: Progress | None,
    commands: Iterable[Callable[[], object]],
) -> Stopped | None:
    """Issue all commands, each as often as needed; return why that ended early."""
    written = 0
    for command in commands:
        done = False
        while not done:
            interruption.check()
            if sizer.over:
                return "timeout"
            if allowed is not None and written >= allowed:
                return "limit"
            pages = sizer.pages if allowed is None else min(sizer.pages, allowed - written)
            with sizer.step():
                used, stopped, done = _within_budget(device, pages, command, sizer)
            written += used
            if progress is not None:
                progress(written * PAGE_SIZE)
            if stopped is not None:
                return stopped
    return None


def _within_budget(
    device: Zram, pages: int, command: Callable[[], object], sizer: StepSizer
) -> tuple[int, Stopped | None, bool]:
    """Issue one command within a budget; return pages written, why to stop, whether it finished."""
    override = apply(device, pages)
    if override.granted == 0:
        return 0, "limit", False
    stopped: Stopped | None = None
    done = False
    try:
        stopped, done = _patiently(command, sizer)
    except ZramOSError as err:
        # EIO means either a failed write or that the budget is used up.
        if err.errno != errno.EIO or device.read_writeback_limit() >= UNITS_PER_PAGE:
            raise
    return restore(device, override), stopped, done


def _patiently(command: Callable[[], object], sizer: StepSizer) -> tuple[Stopped | None, bool]:
    """Issue the command, and wait for other runs if the kernel does not (6.12)."""
    while True:
        try:
            command()
            return None, True
        except ZramOSError as err:
            if err.errno == errno.ENOSPC:
                return "full", False
            if err.errno != errno.EAGAIN:
                raise
            if sizer.over:
                return "timeout", False
        interruption.pause(0.05)


def _refuse_unbacked(device: Zram) -> None:
    backing = device.read_backing_dev()
    if not device.read_disksize():
        raise from_errno(
            errno.EINVAL, f"{device.name}: write back", device.path, remedy="not initialised"
        )
    if backing is None:
        raise from_errno(
            errno.ENODEV,
            f"{device.name}: write back",
            device.path,
            remedy="it has no backing device, which must be set before disksize",
        )
