# SPDX-License-Identifier: MIT
"""Where a device takes more memory than it saves, and where writes fail."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ..config.values import DISCARD_AT_MOUNT
from ..limits import PAGE_SIZE, table_size
from ..units import format_size
from .finding import STORED_BYTES_JUDGED, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .snapshot import Snapshot

HUGE_SHARE = 0.5
MEMORY_SHARE = 0.9
SCATTERED = 1.3


def refused_writes(snapshot: Snapshot) -> Iterator[Finding]:
    """Writes fail when mem_limit is reached, or memory is exhausted."""
    for stats in snapshot.devices:
        failed = stats.io_stat.failed_writes
        if not failed:
            continue
        limit = stats.mm_stat.mem_limit
        yield Finding(
            "failed-writes",
            stats.name,
            "the kernel refused writes" + (", mem_limit may be too low" if limit else ""),
            f"failed_writes is {failed}, mem_limit is {format_size(limit) if limit else 'none'}",
            f"echo {2 * limit} > /sys/block/{stats.name}/mem_limit (0 removes it)"
            if limit
            else "free memory, or add other swap behind zram",
        )


def huge_pages_dominate(snapshot: Snapshot) -> Iterator[Finding]:
    """Pages that do not compress take as much memory as without zram.

    The memory that they take decides: a few pages can take most of it if the others compress well.
    """
    for stats in snapshot.devices:
        mm = stats.mm_stat
        huge = mm.huge_pages * PAGE_SIZE
        compressed = mm.compr_data_size
        if compressed < STORED_BYTES_JUDGED or huge < HUGE_SHARE * compressed:
            continue
        if stats.backing_dev:
            remedy = f"pyzram writeback {stats.name} --type huge"
        elif stats.recomp_algorithms:
            remedy = f"pyzram recompress {stats.name} --type huge"
        else:
            remedy = "pyzram estimate (shows what another algorithm would make of this memory)"
        yield Finding(
            "huge",
            stats.name,
            "at least half of its compressed data consists of pages that did not compress",
            f"huge_pages {mm.huge_pages} = {format_size(huge)} of compr_data_size "
            f"{format_size(compressed)} ({huge / compressed:.0%})",
            remedy,
        )


def no_gain(snapshot: Snapshot) -> Iterator[Finding]:
    """The pool takes almost as much memory as the data in it would, and the table comes on top."""
    for stats in snapshot.devices:
        mm = stats.mm_stat
        stored = mm.orig_data_size - (stats.bd_stat.bd_count_bytes if stats.bd_stat else 0)
        used = mm.mem_used_total
        if stored >= STORED_BYTES_JUDGED and used > MEMORY_SHARE * stored:
            yield Finding(
                "no-gain",
                stats.name,
                "it takes almost as much memory as it holds",
                f"mem_used_total {format_size(used)} for {format_size(stored)} "
                f"({used / stored:.0%})",
                "pyzram estimate (shows what each algorithm would make of this memory)",
            )


def scattered(snapshot: Snapshot) -> Iterator[Finding]:
    """Freed objects leave holes in the pool's pages."""
    for stats in snapshot.devices:
        used = stats.mm_stat.mem_used_total
        compressed = stats.mm_stat.compr_data_size
        if compressed >= STORED_BYTES_JUDGED and used > SCATTERED * compressed:
            yield Finding(
                "scattered",
                stats.name,
                "holes in the pool waste memory",
                f"mem_used_total {format_size(used)} for compr_data_size "
                f"{format_size(compressed)} ({used / compressed:.0%})",
                f"echo 1 > /sys/block/{stats.name}/compact",
            )


def mounted_without_discard(snapshot: Snapshot) -> Iterator[Finding]:
    """Deleted files stay in memory until their blocks are discarded."""
    for stats in snapshot.devices:
        options = (snapshot.mount_options or {}).get(stats.name)
        if not stats.mount_points or options is None or "discard" in options:
            continue
        if any(option.startswith("discard=") for option in options):
            continue
        stored = stats.mm_stat.orig_data_size
        point = shlex.quote(stats.mount_points[0])
        mount = f"mount -o remount,discard {point}"
        if (snapshot.file_systems or {}).get(stats.name) in DISCARD_AT_MOUNT:
            mount = f"umount {point} && mount -o discard /dev/{stats.name} {point}"
        yield Finding(
            "discard",
            stats.name,
            "mounted without discard: deleted files stay in memory",
            f"{format_size(stored)} stored, mounted on {stats.mount_points[0]}",
            f"{mount} && fstrim {point}",
        )


def oversized(snapshot: Snapshot) -> Iterator[Finding]:
    """The whole table of slots is allocated, however little is stored."""
    for stats in snapshot.devices:
        table = table_size(stats.disksize)
        if snapshot.memory and stats.disksize > 4 * snapshot.memory:
            yield Finding(
                "disksize",
                stats.name,
                "far larger than can ever be stored; its table takes memory all the time",
                f"disksize {format_size(stats.disksize)} for {format_size(snapshot.memory)} of "
                f"memory: a table of at least {format_size(table)}",
                "a disksize of one to three times the memory, in the configuration",
            )


def unused(snapshot: Snapshot) -> Iterator[Finding]:
    """The device is initialised, but nobody uses it or ever wrote to it."""
    for stats in snapshot.devices:
        if stats.swap or stats.mount_points or stats.stat.write_ios:
            continue
        table = table_size(stats.disksize)
        yield Finding(
            "unused",
            stats.name,
            "initialised, but neither swap nor mounted nor ever written to",
            f"a table of at least {format_size(table)} for a disksize of "
            f"{format_size(stats.disksize)}",
            f"echo 1 > /sys/block/{stats.name}/reset",
        )
