# SPDX-License-Identifier: MIT
"""Shared memory locked by processes that were not chosen: it stays in memory for all."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING

from ...kernel.parse import parse_meminfo
from ...kernel.sysfs import pass_over, read_text
from ...limits import PAGE_SIZE
from ..process.mappings import Mapping, parse_maps
from ..process.process import Process, all_processes
from ..process.smaps import figure, parse_smaps
from .shared_object import OURS, object_pages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .shared_memory import SharedMemory


def add_others_locks(shared: SharedMemory, chosen: Collection[int]) -> int:
    """Note which of this memory others lock; return how many may, but do not show it.

    Only the flags of page frames say more, but too late: the kernel sets them when it is about to
    page the frames out. So a whole mapping counts as locked, as for processes that were chosen.
    """
    hidden = 0
    if not shared.objects or not parse_meminfo(read_text("/proc/meminfo")).get("Mlocked"):
        return hidden
    for pid in all_processes():
        if pid in chosen:
            continue
        try:
            status = read_text(f"/proc/{pid}/status")
            # Locked memory is mapped and in memory, so both figures must be above 0.
            if figure(status, "\nVmLck:") and figure(status, "\nRssShmem:"):
                with Process(pid) as process:
                    for mapping in _locked(process):
                        shared.add_lock(process, mapping)
        except OSError as err:
            pass_over(err)
            hidden += err.errno in (errno.EACCES, errno.EPERM)
    return hidden if hidden and not _mapped_alone(shared, chosen) else 0


def _mapped_alone(shared: SharedMemory, chosen: Iterable[int]) -> bool:
    """Whether each page of this memory is mapped once, by one of these: nobody else locks it."""
    alone = Counter[tuple[str, int, str]]()
    try:
        resident = {key: object_pages(item).resident for key, item in shared.objects.items()}
        for pid in chosen:
            with Process(pid) as process:
                text = process.read("smaps")
                figures = parse_smaps(text, "Private_Clean:", "Private_Dirty:")
                own = {start: sum(private) for start, _, _, private in figures}
                for mapping in parse_maps(process.read("maps")):
                    if mapping.perms.endswith("s"):
                        alone[shared.key_of(process, mapping)] += own.get(mapping.start, 0)
        return all(pages * PAGE_SIZE <= alone[key] for key, pages in resident.items())
    except OSError as err:
        if err.errno in OURS:
            raise
        return False


def _locked(process: Process) -> list[Mapping]:
    starts = {start for start, _, locked, _ in parse_smaps(process.read("smaps")) if locked}
    return [mapping for mapping in parse_maps(process.read("maps")) if mapping.start in starts]
