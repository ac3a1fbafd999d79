# SPDX-License-Identifier: MIT
"""Memory of processes, or of the whole system, as a source; what they share counts once."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from ...errors import InvalidValueError, ZramOSError, from_errno
from ...kernel.sysfs import read_text
from ...limits import PAGE_SIZE
from ...value import check_count, check_kind
from ..process.mappings import SHARED
from ..process.owner import Owner
from ..process.process import all_processes
from ..process.process_pages import CLEAN, LOCKED
from ..process.procmem import Inspector
from ..process.smaps import figure
from ..shared_memory.closed import CLOSED_BY, CLOSED_OBJECTS
from ..shared_memory.others_locks import add_others_locks
from ..shared_memory.shared_memory import SharedMemory
from ..shared_memory.shared_object import OURS, object_pages
from .segments import ObjectSegment, ProcessSegment, ZeroSegment
from .sources import (
    HIDDEN_DESCRIPTORS,
    HIDDEN_LOCKS,
    IN_FLIGHT,
    NOT_TOLD_CLEAN,
    OTHERS_TOO,
    PINNED_SOMEWHERE,
    UNREADABLE,
    UNSEEN_SHARED,
    UNSEEN_SWAPPED,
    WITHOUT_MEMORY,
    Source,
)
from .unseen import Counted, counted, unseen

# smaps_rollup truncates sums to KiB, and each page's share to a fraction of a byte.
PSS_CUT = 2048

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..process.process import Chosen
    from ..process.process_pages import ProcessPages
    from ..shared_memory.shared_object import ObjectPages, SharedObject
    from .segments import Segment


def open_processes(pids: int | Iterable[int], label: str = "") -> Source:
    """Open the swappable memory of one or several processes; memory that they share counts once.

    Processes that cannot be inspected are skipped and counted, as long as one is left. Pages that
    are still shared after a fork count once, by frame, if the caller may see frames; otherwise each
    process counts its share of them (PSS).

    Raises:
        InvalidValueError: one is not a whole number.
        AccessError: none of them may be inspected (this is the first one's error).
        ZramOSError: ESRCH if none of them exists, or if they are kernel threads.
    """
    numbers = _numbers(pids)
    check_kind(str, {"label": label})
    if not numbers:
        raise InvalidValueError("pids: the list is empty")
    return open_chosen(dict.fromkeys(numbers), label or _label(numbers))


def open_chosen(chosen: Chosen, label: str) -> Source:
    """As :func:`open_processes`, but only the very processes that the caller chose.

    Raises:
        AccessError: none of them may be inspected (this is the first one's error).
        ZramOSError: ESRCH if none of them exists any more.
    """
    source = Source(label, PAGE_SIZE)
    with SharedMemory() as shared:
        pids, failure = _look_at(source, chosen, shared)
        if not source.processes:
            raise failure or from_errno(errno.ESRCH, f"{source.label}: look at")
        source._skip(HIDDEN_LOCKS, add_others_locks(shared, set(pids)))
        _add_shared(source, shared)
    return source


def _numbers(pids: int | Iterable[int]) -> list[int]:
    """Process numbers, each once; text is refused, because its letters would be a list."""
    several = hasattr(pids, "__iter__") and not isinstance(pids, (str, bytes))
    return list(dict.fromkeys(map(_number, pids if several else [pids])))  # type: ignore[arg-type]


def _number(pid: int) -> int:
    return check_count("pids", pid, wanted="pass a process's number, such as 12, or a list of them")


def _label(numbers: list[int]) -> str:
    if len(numbers) > 4:
        return f"{len(numbers)} processes"
    return "process" + " ".join(["es" * (len(numbers) > 1), *map(str, numbers)])


def open_system() -> Source:
    """Open the memory of all processes that the caller may inspect, except this one.

    It includes tmpfs files and System V segments that no process maps.

    Raises:
        ZramOSError: the lists of processes or of shared memory cannot be read.
    """
    source = Source("system", PAGE_SIZE)
    before = counted()
    with SharedMemory() as shared:
        others = (pid for pid in all_processes() if pid != os.getpid())
        pids, _ = _look_at(source, dict.fromkeys(others), shared)
        for reason, count in shared.add_unmapped(pids).items():
            source._skip(reason, count)
        found = Counted(_add_shared(source, shared), source.swapped + _own_swapped())
    missing = unseen(before, counted(), found)
    source._skip(UNSEEN_SHARED, missing.shared)
    source._skip(UNSEEN_SWAPPED, missing.swapped)
    return source


def _own_swapped() -> int:
    """Pages in swap of this process, whose memory is not inspected."""
    return figure(read_text("/proc/self/status"), "\nVmSwap:") // PAGE_SIZE


def _look_at(
    source: Source, chosen: Chosen, shared: SharedMemory
) -> tuple[list[int], ZramOSError | None]:
    """Add the private pages of these processes; those that exit or may not be read are skipped.

    Return those that were inspected, and why the first of the others was not.
    """
    found: list[int] = []
    failure: ZramOSError | None = None
    excess = 0
    with Inspector() as inspector:
        for pid, start_time in chosen.items():
            try:
                process = inspector.pages(pid, start_time)
            except ZramOSError as err:
                source._skip(why_left_out(err))
                failure = failure or err
                continue
            found.append(pid)
            _add_private(source, process)
            excess += process.distinct * PAGE_SIZE - process.rollup.pss_anon - PSS_CUT
            shared.add_process(process)
    source._skip(OTHERS_TOO, max(0, -(-excess // PAGE_SIZE)))
    return found, failure


def why_left_out(err: OSError) -> str:
    """Return the reason to go on without a process; raise any other error."""
    if err.errno in (errno.EACCES, errno.EPERM):
        return UNREADABLE
    if err.errno in (errno.ENOENT, errno.ESRCH):
        return WITHOUT_MEMORY
    raise err


def _add_private(source: Source, process: ProcessPages) -> None:
    source.processes += 1
    source.pss += process.rollup.pss
    source.file_backed += process.rollup.pss_file
    source.by_share += process.proportional
    source.swapped += sum(process.swapped.values())
    source._skip("mappings of devices, the kernel, or guards", process.skipped)
    source._skip(PINNED_SOMEWHERE, process.pinned_elsewhere)
    source._skip(HIDDEN_DESCRIPTORS, process.held_unknown)
    source._skip(IN_FLIGHT, process.held.in_flight)
    for reason, count in process.left_out.items():
        source._leave_out(reason, count)
    for part, pages in process.parts.items():
        owner = Owner(process.pid, process.name, part)
        source._segments.append(ProcessSegment(owner, process.start_time, pages, source._reader))


def seen_segments(source: Source, item: SharedObject) -> list[Segment]:
    """The pages of an object that only page tables show, each read through one of its processes."""
    owner = Owner(0, item.name, SHARED)
    return [
        ProcessSegment(owner, view.start_time, view.pages, source._reader, view.pid)
        for view in item.views
    ]


def pages_or_skip(source: Source, item: SharedObject) -> ObjectPages | None:
    """Ask an object which of its pages are in memory; one that cannot be opened is noted.

    Raises:
        ZramOSError: this process has run out of descriptors or memory.
    """
    try:
        return object_pages(item)
    except OSError as err:
        if err.errno in OURS:
            raise from_errno(err.errno, f"{item.name}: open shared memory") from err
        source._skip(CLOSED_BY.get(err.errno or 0, CLOSED_OBJECTS))
        return None


def _add_shared(source: Source, shared: SharedMemory) -> int:
    """Add shared memory; return how many of its pages are in memory, even those left out."""
    resident = shared.locked
    source._leave_out(LOCKED, shared.locked)
    for key, code in shared.closed.items():
        if key not in shared.objects:
            source._skip(CLOSED_BY.get(code, CLOSED_OBJECTS))
    for item in shared.objects.values():
        source._segments += seen_segments(source, item)
        resident += sum(len(view.pages) for view in item.views)
        if item.closed or item.views:
            source.by_page_table += 1
            source._skip(NOT_TOLD_CLEAN, 0 if item.locked else item.clean)
        if not item.ranges:
            continue
        found = pages_or_skip(source, item)
        if not found:
            continue
        pages, swapped, locked, reserved, clean, there = found
        source._leave_out(CLEAN, clean)
        source._skip(NOT_TOLD_CLEAN, max(0, item.clean - clean) if not locked else 0)
        resident += there
        source.swapped += swapped
        source._leave_out(LOCKED, locked)
        if len(pages):
            source._segments.append(ObjectSegment(item, pages, source._objects))
        if reserved:
            source._segments.append(ZeroSegment(Owner(0, item.name, SHARED), reserved))
    for code, count in shared.closed_small.items():
        source._skip(CLOSED_BY.get(code, CLOSED_OBJECTS), count)
    for files in shared.small:
        resident += files.resident
        source.swapped += files.swapped
        source._leave_out(LOCKED, files.locked)
        if files.pages:
            source._segments.append(files)
        if files.reserved:
            source._segments.append(ZeroSegment(files.owner, files.reserved))
    return resident
