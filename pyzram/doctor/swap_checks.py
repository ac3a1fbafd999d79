# SPDX-License-Identifier: MIT
"""What stands in the way of zram as swap: zswap, the order of areas, the machine's settings."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from ..kernel.sysfs import ZSWAP_OFF
from ..limits import SWAP_PRIORITY_MAX
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .snapshot import Snapshot


def zswap_in_front(snapshot: Snapshot) -> Iterator[Finding]:
    """zswap compresses pages, and those that it evicts are decompressed and compressed again."""
    names = [stats.name for stats in snapshot.devices if stats.swap]
    if snapshot.zswap and names:
        yield Finding(
            "zswap",
            None,
            f"zswap is on as well as swap on {' '.join(names)}: pages are compressed twice",
            "/sys/module/zswap/parameters/enabled is Y",
            ZSWAP_OFF,
        )


def resume_from_zram(snapshot: Snapshot) -> Iterator[Finding]:
    """What is in zram is lost when the machine is switched off."""
    if not snapshot.resume or not snapshot.resume.startswith("zram"):
        return
    disks = (area.path for area in snapshot.swaps if area.type == "partition")
    disk = next((path for path in disks if not os.path.basename(path).startswith("zram")), None)
    if disk:
        remedy = (
            f"lsblk -dnro MAJ:MIN {shlex.quote(disk)} > /sys/power/resume (for good: "
            f"resume={disk} on the kernel command line)"
        )
    else:
        remedy = (
            "echo 0:0 > /sys/power/resume (which Linux 6.1 refuses; for good: take resume= off "
            "the kernel command line)"
        )
    yield Finding(
        "hibernation",
        snapshot.resume,
        "hibernation would write memory to memory: the machine could not resume",
        f"the kernel's resume device is {snapshot.resume}",
        remedy,
    )


def swap_order(snapshot: Snapshot) -> Iterator[Finding]:
    """The kernel fills the area with the highest priority first."""
    ours = {stats.swap.path for stats in snapshot.devices if stats.swap}
    others = [area for area in snapshot.swaps if area.path not in ours]
    for stats in snapshot.devices:
        ahead = [area for area in others if stats.swap and area.priority >= stats.swap.priority]
        if stats.swap is None or not ahead:
            continue
        first = max(area.priority for area in ahead)
        paths = " ".join(area.path for area in ahead)
        when = "before" if first > stats.swap.priority else "as much as to"
        figures = [f"{area.path} {area.priority}" for area in ahead]
        # Not the path in /proc/swaps, which may belong to another mount namespace.
        node = f"/dev/{stats.name}"
        if first < SWAP_PRIORITY_MAX:
            moves = [(node, max(100, first + 1))]
        else:
            # There is no higher priority.
            moves = [(area.path, 99) for area in ahead]
            if stats.swap.priority < 100:
                moves.append((node, 100))
        yield Finding(
            "priority",
            stats.name,
            f"the kernel swaps to {paths} {when} zram",
            f"priorities: {', '.join(figures)}, {stats.name} {stats.swap.priority}",
            " && ".join(
                f"swapoff {path} && swapon -p {priority} {path}"
                for path, priority in ((shlex.quote(path), at) for path, at in moves)
            ),
        )


def read_ahead(snapshot: Snapshot) -> Iterator[Finding]:
    """Reading neighbours saves seeks, which zram does not need, and costs decompression."""
    swap = any(stats.swap for stats in snapshot.devices)
    if swap and snapshot.page_cluster:
        yield Finding(
            "page-cluster",
            None,
            f"swap reads {1 << snapshot.page_cluster} pages at once, which gains nothing on zram",
            f"vm.page-cluster is {snapshot.page_cluster}",
            "sysctl vm.page-cluster=0 (for good: a file in /etc/sysctl.d)",
        )
