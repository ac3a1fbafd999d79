# SPDX-License-Identifier: MIT
"""What is wrong or wasteful in the running setup, with the figure that shows it and a remedy.

Each check is a function over a :class:`~pyzram.doctor.snapshot.Snapshot` and does no I/O.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..config.values import DISCARD_AT_MOUNT, kernels_own_will_do
from ..kernel.sysfs import ZSWAP_OFF
from ..limits import PAGE_SIZE, SWAP_PRIORITY_MAX, TABLE_BYTES_PER_PAGE
from ..units import format_size
from ..value import JsonValue, check_path, documented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..kernel.sysfs import Sysfs
    from .snapshot import Snapshot

# Ratios of an almost empty device mean nothing.
STORED_BYTES_JUDGED = 16 << 20
HUGE_SHARE = 0.5
MEMORY_SHARE = 0.9
SCATTERED = 1.3
TENDED_WITHIN = 2 * 3600.0
"""The daemon looks every minute, and cron's runs look at least every hour."""


@documented
@dataclass(frozen=True, slots=True)
class Finding(JsonValue):
    """One thing to put right."""

    check: str
    """The check's code, such as ``page-cluster``, which is the same in every release."""
    device: str | None
    """``zramN``, or ``None`` for the machine."""
    what: str
    """What is wrong or wasteful, and why."""
    figure: str
    """The figure that shows it, and where it comes from."""
    remedy: str
    """A command, or what else helps."""

    def __str__(self) -> str:
        who = f"{self.device}: " if self.device else ""
        return f"{who}{self.what} ({self.figure}); {self.remedy}"


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


# ---- checks --------------------------------------------------------------------------------------


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
    """Whatever is in zram is gone when the machine is off."""
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


def mounted_without_discard(snapshot: Snapshot) -> Iterator[Finding]:
    """Deleted files stay in memory until their blocks are discarded."""
    for stats in snapshot.devices:
        options = (snapshot.mount_options or {}).get(stats.name)
        if not stats.mount_points or options is None or "discard" in options:
            continue
        if any(option.startswith("discard=") for option in options):
            continue
        stored = stats.mm_stat.orig_data_size or 0
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


def huge_pages_dominate(snapshot: Snapshot) -> Iterator[Finding]:
    """Pages that do not compress take as much memory as without zram.

    The memory that they take decides: a few pages can take most of it if the others compress well.
    """
    for stats in snapshot.devices:
        mm = stats.mm_stat
        huge = (mm.huge_pages or 0) * PAGE_SIZE
        compressed = mm.compr_data_size or 0
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
            "at least half of its compressed size is pages that did not compress",
            f"huge_pages {mm.huge_pages} = {format_size(huge)} of compr_data_size "
            f"{format_size(compressed)} ({huge / compressed:.0%})",
            remedy,
        )


def backing_never_used(snapshot: Snapshot) -> Iterator[Finding]:
    """Nothing goes to a backing device unless somebody asks the kernel."""
    if snapshot.config is not None and snapshot.config.tend:
        return  # pyzram tend decides what to write and when; see below
    # If ages are not tracked, --age would wait that long.
    which = "--age 1h" if snapshot.features.idle_age else "--mark"
    for stats in snapshot.devices:
        bd = stats.bd_stat
        stored = stats.mm_stat.compr_data_size or 0
        if stats.backing_dev and bd and not bd.bd_writes and stored >= STORED_BYTES_JUDGED:
            remedy = f"pyzram writeback {stats.name} {which} (regularly, for example from cron"
            if snapshot.config is None:
                remedy += f"; within a budget: pyzram tend --once {stats.name}"
            yield Finding(
                "writeback",
                stats.name,
                f"its backing device {stats.backing_dev} was never used",
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
        if not has or (stats.mm_stat.compr_data_size or 0) < STORED_BYTES_JUDGED:
            continue
        what = f"it has {' and '.join(has)}, but "
        if tended is None:
            last = "never" if snapshot.tended is None else f"{snapshot.tended / 3600:.0f} h ago"
            yield Finding(
                "tend",
                stats.name,
                f"{what}nothing uses it regularly",
                f"pyzram tend last looked: {last}"
                + (", as a daemon, which does not run any more" if snapshot.tend_ended else ""),
                "systemctl enable --now zram-tend (OpenRC: rc-update add zram-tend && rc-service "
                f"zram-tend start; without a daemon, or if pyzram start did not set {stats.name} "
                f'up: pyzram tend --once {stats.name} from cron; not wanted: TEND="no")',
            )
        elif stats.name not in tended:
            yield Finding(
                "tend",
                stats.name,
                f"{what}the pyzram tend that runs does not tend it",
                f"it tends {' '.join(sorted(tended)) or 'no device'}",
                "set it up by the configuration that pyzram tend reads (pyzram start), or stop "
                f"that one and run pyzram tend {' '.join((*sorted(tended), stats.name))}, because "
                "only one may run at a time",
            )
        elif not recent:
            yield Finding(
                "tend",
                stats.name,
                f"{what}the pyzram tend that runs does not look at it any more",
                f"pyzram tend last looked: {(snapshot.tended or 0.0) / 3600:.0f} h ago",
                "systemctl restart zram-tend (OpenRC: rc-service zram-tend restart; if it does not "
                "end, dmesg shows what the kernel waits for)",
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
    """Reading neighbours saves seeks, which zram does not have, and costs decompression."""
    swap = any(stats.swap for stats in snapshot.devices)
    if swap and snapshot.page_cluster:
        yield Finding(
            "page-cluster",
            None,
            f"swap reads {1 << snapshot.page_cluster} pages at once, which gains nothing on zram",
            f"vm.page-cluster is {snapshot.page_cluster}",
            "sysctl vm.page-cluster=0 (for good: a file in /etc/sysctl.d)",
        )


def wrong_config(snapshot: Snapshot) -> Iterator[Finding]:
    """The service would refuse the configuration at the next start."""
    if snapshot.config_error:
        first, *more = snapshot.config_error.splitlines()
        yield Finding(
            "config",
            None,
            "the configuration file has mistakes",
            first + (f" (and {len(more)} more)" if more else ""),
            "pyzram check (shows all of it)",
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


def refused_writes(snapshot: Snapshot) -> Iterator[Finding]:
    """Writes fail when mem_limit is reached, or memory is exhausted."""
    for stats in snapshot.devices:
        failed = stats.io_stat.failed_writes
        if not failed:
            continue
        limit = stats.mm_stat.mem_limit or 0
        yield Finding(
            "failed-writes",
            stats.name,
            "the kernel refused writes" + (", mem_limit may be too low" if limit else ""),
            f"io_stat counts {failed} failed writes, mem_limit is "
            f"{format_size(limit) if limit else 'none'}",
            f"echo {2 * limit} > /sys/block/{stats.name}/mem_limit (0 removes it)"
            if limit
            else "free memory, or add other swap behind zram",
        )


def no_gain(snapshot: Snapshot) -> Iterator[Finding]:
    """The pool takes as much as it stores, and the table comes on top."""
    for stats in snapshot.devices:
        mm = stats.mm_stat
        stored = (mm.orig_data_size or 0) - (
            (stats.bd_stat.bd_count_bytes or 0) if stats.bd_stat else 0
        )
        used = mm.mem_used_total or 0
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
        used = stats.mm_stat.mem_used_total or 0
        compressed = stats.mm_stat.compr_data_size or 0
        if compressed >= STORED_BYTES_JUDGED and used > SCATTERED * compressed:
            yield Finding(
                "scattered",
                stats.name,
                "holes in the pool waste memory",
                f"mem_used_total {format_size(used)} for compr_data_size "
                f"{format_size(compressed)} ({used / compressed:.0%})",
                f"echo 1 > /sys/block/{stats.name}/compact",
            )


def oversized(snapshot: Snapshot) -> Iterator[Finding]:
    """The whole table of slots is allocated, however little is stored."""
    for stats in snapshot.devices:
        table = stats.disksize // PAGE_SIZE * TABLE_BYTES_PER_PAGE
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
    """The device is initialised, but nobody can have stored anything."""
    for stats in snapshot.devices:
        if stats.swap or stats.mount_points or stats.stat.write_ios:
            continue
        table = stats.disksize // PAGE_SIZE * TABLE_BYTES_PER_PAGE
        yield Finding(
            "unused",
            stats.name,
            "initialised, but neither swap nor mounted nor ever written to",
            f"a table of at least {format_size(table)} for a disksize of "
            f"{format_size(stats.disksize)}",
            f"echo 1 > /sys/block/{stats.name}/reset",
        )


# From the code of its findings to each check.
CHECKS: dict[str, Callable[[Snapshot], Iterator[Finding]]] = {
    "failed-writes": refused_writes,
    "hibernation": resume_from_zram,
    "config": wrong_config,
    "algorithm": lost_algorithm,
    "zswap": zswap_in_front,
    "priority": swap_order,
    "writeback": backing_never_used,
    "tend": nobody_tends,
    "huge": huge_pages_dominate,
    "no-gain": no_gain,
    "scattered": scattered,
    "discard": mounted_without_discard,
    "page-cluster": read_ahead,
    "disksize": oversized,
    "unused": unused,
}
