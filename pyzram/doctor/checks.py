# SPDX-License-Identifier: MIT
"""What is wrong or wasteful in the running setup, with the figure that shows it and a remedy.

Each check is a function over a :class:`~pyzram.doctor.snapshot.Snapshot` and does no I/O.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..value import check_path
from . import memory_checks, swap_checks, upkeep_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..kernel.sysfs import Sysfs
    from .finding import Finding
    from .snapshot import Snapshot

# From the code of its findings to each check.
CHECKS: dict[str, Callable[[Snapshot], Iterator[Finding]]] = {
    "failed-writes": memory_checks.refused_writes,
    "hibernation": swap_checks.resume_from_zram,
    "config": upkeep_checks.wrong_config,
    "algorithm": upkeep_checks.lost_algorithm,
    "zswap": swap_checks.zswap_in_front,
    "priority": swap_checks.swap_order,
    "writeback": upkeep_checks.backing_never_used,
    "tend": upkeep_checks.nobody_tends,
    "huge": memory_checks.huge_pages_dominate,
    "no-gain": memory_checks.no_gain,
    "scattered": memory_checks.scattered,
    "discard": memory_checks.mounted_without_discard,
    "page-cluster": swap_checks.read_ahead,
    "disksize": memory_checks.oversized,
    "unused": memory_checks.unused,
}


def examine(snapshot: Snapshot) -> list[Finding]:
    """Run all checks."""
    return [finding for check in CHECKS.values() for finding in check(snapshot)]


def diagnose(
    *, sysfs: Sysfs | None = None, config_path: str | os.PathLike[str] = DEFAULT_PATH
) -> list[Finding]:
    """Examine the machine and return what is wrong or wasteful; empty if nothing is.

    Raises:
        UnsupportedError: no zram driver is loaded.
        ZramOSError: something cannot be read.
    """
    from .snapshot import take_snapshot

    path = check_path("config_path", config_path)
    return examine(take_snapshot(sysfs=sysfs, config_path=path))
