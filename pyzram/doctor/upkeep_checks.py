# SPDX-License-Identifier: MIT
"""What is configured but missing, or there but unused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..config.values import kernels_own_will_do
from ..units import format_size
from .finding import STORED_BYTES_JUDGED, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .snapshot import Snapshot

TENDED_WITHIN = 2 * 3600.0
"""The daemon looks every minute, and cron's runs look at least every hour."""


def wrong_config(snapshot: Snapshot) -> Iterator[Finding]:
    """The service would refuse the configuration at the next start."""
    if snapshot.config_error:
        first, *more = snapshot.config_error.splitlines()
        yield Finding(
            "config",
            None,
            "the configuration file has mistakes",
            first + (f" (and {len(more)} more)" if more else ""),
            "pyzram check (shows all of them)",
        )


def lost_algorithm(snapshot: Snapshot) -> Iterator[Finding]:
    """A new kernel may have been built without an algorithm that the configuration names."""
    has = snapshot.features.algorithms
    if has is None or snapshot.config is None:
        return
    for desired in snapshot.config.devices:
        names = [choice.name for choice in desired.algorithms]
        lacking = not any(name in has for name in names)
        if lacking and not kernels_own_will_do(desired.algorithms):
            yield _lost(snapshot, desired.index, names, has)
        for choice in desired.recompression:
            if choice.name not in has:
                yield _lost(snapshot, desired.index, [choice.name], has)


def _lost(snapshot: Snapshot, index: int, names: list[str], has: tuple[str, ...]) -> Finding:
    path = snapshot.config.path if snapshot.config else DEFAULT_PATH
    # From 6.12 on the driver has its own algorithms; before that, it used the crypto API's.
    own = snapshot.features.algorithm_params is not False
    option = "CONFIG_ZRAM_BACKEND_" if own else "CONFIG_CRYPTO_"
    return Finding(
        "algorithm",
        None,
        # The number in the file, which need not be the device's.
        f"{path}: device {index} asks for {' or '.join(names)}, which this kernel lacks",
        f"comp_algorithm offers: {' '.join(has)}",
        f"pyzram reload, after naming one of these in {path}; or a kernel with "
        f"{option}{names[0].split('-')[0].upper()}",
    )


def backing_never_used(snapshot: Snapshot) -> Iterator[Finding]:
    """Nothing goes to a backing device unless somebody asks the kernel."""
    if snapshot.config is not None and snapshot.config.tend:
        return  # pyzram tend decides what to write and when; see below
    # If the kernel does not track ages, --age would wait that long.
    which = "--age 1h" if snapshot.features.idle_age else "--mark"
    for stats in snapshot.devices:
        bd = stats.bd_stat
        stored = stats.mm_stat.compr_data_size
        if stats.backing_dev and bd and not bd.bd_writes and stored >= STORED_BYTES_JUDGED:
            remedy = f"pyzram writeback {stats.name} {which} (regularly, for example from cron"
            if snapshot.config is None:
                remedy += f"; within a budget: pyzram tend --once {stats.name}"
            yield Finding(
                "writeback",
                stats.name,
                f"its backing device {stats.backing_dev} has never been used",
                f"bd_stat counts 0 writes, with {format_size(stored)} compressed in memory",
                f"{remedy})",
            )


def nobody_tends(snapshot: Snapshot) -> Iterator[Finding]:
    """Only a daemon or a cron job uses what is configured for cold pages."""
    if snapshot.config is None or not snapshot.config.tend:
        return
    tended = snapshot.tended_devices
    recent = snapshot.tended is not None and snapshot.tended <= TENDED_WITHIN
    if tended is None and recent and not snapshot.tend_ended:
        return
    for stats in snapshot.devices:
        has = ["a backing device"] if stats.backing_dev else []
        has += ["a recompression algorithm"] if stats.recomp_algorithms else []
        if not has or stats.mm_stat.compr_data_size < STORED_BYTES_JUDGED:
            continue
        what = f"it has {' and '.join(has)}, but "
        if tended is None:
            last = "never" if snapshot.tended is None else f"{snapshot.tended / 3600:.0f} h ago"
            yield Finding(
                "tend",
                stats.name,
                f"{what}nothing uses it regularly",
                f"pyzram tend last looked: {last}"
                + (", as a daemon, which no longer runs" if snapshot.tend_ended else ""),
                "systemctl enable --now zram-tend (OpenRC: rc-update add zram-tend && rc-service "
                f"zram-tend start; without a daemon, or if pyzram start did not set {stats.name} "
                f'up: pyzram tend --once {stats.name} from cron; not wanted: TEND="no")',
            )
        elif stats.name not in tended:
            yield Finding(
                "tend",
                stats.name,
                f"{what}the running pyzram tend does not tend it",
                f"it tends {' '.join(sorted(tended)) or 'no device'}",
                "set it up by the configuration that pyzram tend reads (pyzram start), or stop "
                f"that one and run pyzram tend {' '.join((*sorted(tended), stats.name))}, because "
                "only one may run at a time",
            )
        elif not recent:
            yield Finding(
                "tend",
                stats.name,
                f"{what}the running pyzram tend no longer looks at it",
                f"pyzram tend last looked: {(snapshot.tended or 0.0) / 3600:.0f} h ago",
                "systemctl restart zram-tend (OpenRC: rc-service zram-tend restart; if it does not "
                "end, dmesg shows what the kernel waits for)",
            )
