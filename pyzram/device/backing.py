# SPDX-License-Identifier: MIT
"""The backing device of a zram device, and writing pages to it."""

from __future__ import annotations

import errno
import os

from ..errors import InvalidValueError, UnsupportedError, ZramOSError
from ..limits import PAGE_SIZE, WRITEBACK_TYPES
from ..value import check_count, check_flag, check_path, check_word, is_list, wrong_type
from .backing_attach import attach_backing, release_backing
from .backing_check import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .zram import Zram

RANGES_MOST = 64
"""The most ranges in one step of writeback, because many short ones take longer than a long one."""


def set_backing_dev(device: Zram, path: str | os.PathLike[str], force: bool) -> None:
    """Attach a block device or a file (:meth:`pyzram.Zram.set_backing_dev`)."""
    path = check_path("path", path)
    check_flag("force", force)
    step = f"set backing_dev to {absolute(path)}"
    if not device.has("backing_dev"):
        device.read("backing_dev")  # raises an error with the reason
    device._require_uninitialised(step)
    store = attach_backing(path, force=force, sysfs=device.sysfs)

    def attached(found: str | None) -> bool:
        return found is not None and os.stat(found).st_rdev == os.stat(store.device).st_rdev

    try:
        device._write_verified(
            "backing_dev", store.device, device.read_backing_dev, attached, step=step
        )
    finally:
        release_backing(store)


def writeback(
    device: Zram,
    type: str | None,
    page_index: int | None,
    page_indexes: tuple[int, int] | None,
) -> None:
    """Issue one writeback command (:meth:`pyzram.Zram.writeback`)."""
    if (type, page_index, page_indexes).count(None) != 2:
        raise InvalidValueError("writeback: give one of type, page_index and page_indexes")
    if page_index is not None:
        page = check_count("page_index", page_index)
        _write_range(device, page, page)
        return
    if page_indexes is not None:
        _write_range(device, *as_range("page_indexes", page_indexes))
        return
    assert type is not None
    check_word("writeback type", type, WRITEBACK_TYPES)
    try:
        # Every kernel that has the file understands the bare word.
        device.write("writeback", type, step=f"write back {type}")
    except ZramOSError as err:
        if err.errno == errno.EINVAL and device.read_disksize():
            raise UnsupportedError(
                errno.EINVAL,
                f"{device.name}: write back {type}: this kernel does not know the type",
                err.filename,
            ) from err
        raise


def as_range(what: str, pages: tuple[int, int]) -> tuple[int, int]:
    """Accept a range of pages.

    Raises:
        InvalidTypeError: it is not a pair of whole numbers.
        InvalidValueError: it ends before it begins.
    """
    wanted = "not a pair (first, last)"
    if not is_list(pages):
        raise wrong_type(what, pages, wanted)
    try:
        first, last = pages
    except ValueError:
        raise wrong_type(what, pages, wanted) from None
    first = check_count(f"{what}: first page", first)
    return first, check_count(f"{what}: last page", last, first)


def _write_range(device: Zram, low: int, high: int) -> None:
    pages = device.read_disksize() // PAGE_SIZE
    if pages and high >= pages:
        raise InvalidValueError(
            f"{device.name}: write back pages {low}-{high}: the device has pages 0-{pages - 1}"
        )
    if low < high and device._takes_ranges is not False:
        try:
            device.write("writeback", f"page_indexes={low}-{high}", step=f"write back {low}-{high}")
            device._takes_ranges = True
            return
        except ZramOSError as err:
            if err.errno != errno.EINVAL or device._takes_ranges or not pages:
                raise
            device._takes_ranges = False
    for index in range(low, high + 1):
        device.write("writeback", f"page_index={index}", step=f"write back page {index}")


def in_steps(
    ranges: Iterable[tuple[int, int]], pages: Callable[[], int]
) -> Iterator[list[tuple[int, int]]]:
    """Cut ranges of pages, ``(first, last)``, into steps, each as long as wanted at that moment.

    Several short ranges make one step, at most :data:`RANGES_MOST`.
    """
    step: list[tuple[int, int]] = []
    room = pages()
    for first, last in ranges:
        while first <= last:
            end = min(last, first + room - 1)
            step.append((first, end))
            room -= end - first + 1
            first = end + 1
            if room == 0 or len(step) == RANGES_MOST:
                yield step
                step, room = [], pages()
    if step:
        yield step
