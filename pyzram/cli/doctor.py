# SPDX-License-Identifier: MIT
"""``pyzram doctor``: what the kernel offers, what is used, and what should be mended."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..config.parser import DEFAULT_PATH
from ..doctor.checks import Finding, Snapshot, examine, take_snapshot, to_dict
from ..kernel.sysfs import Sysfs
from ..units import format_size
from .options import FILE, Command, Option

if TYPE_CHECKING:
    from ..device.stats import Stats

# 2, could not look or could not say, is what pyzram makes of an exception of ours.
NOTHING, FINDINGS = 0, 1


COMMAND = Command(
    "pyzram doctor",
    "Say what this kernel's zram offers, what the running set-up uses, and what is wrong or "
    "wasteful, with the figure that shows it and the command that mends it.",
    (
        Option(
            "c",
            "config",
            "FILE",
            f"configuration to hold against (default {DEFAULT_PATH})",
            values=FILE,
            default=DEFAULT_PATH,
        ),
        Option("", "json", "", "print JSON"),
    ),
    notes="Exit status: 0 nothing to mend, 1 findings, 2 could not look, or could not say.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return NOTHING
    snapshot = take_snapshot(
        sysfs=Sysfs(os.environ.get("PYZRAM_ROOT", "/")), config_path=options.config
    )
    findings = examine(snapshot)
    if options.json:
        print(json.dumps(to_dict(snapshot, findings), indent=2))
    else:
        print(text(snapshot, findings), end="")
    return FINDINGS if findings else NOTHING


def text(snapshot: Snapshot, findings: list[Finding]) -> str:
    """The report for people."""
    lines = [*offers(snapshot), ""]
    lines += [uses(stats) for stats in snapshot.devices] or ["no zram device is in use"]
    lines.append("")
    for number, finding in enumerate(findings, 1):
        who = f"{finding.device}: " if finding.device else ""
        lines += [
            f"{number}. {who}{finding.what} [{finding.check}]",
            f"   figure: {finding.figure}",
            f"   remedy: {finding.remedy}",
        ]
    if not findings:
        lines.append("nothing to mend")
    return "\n".join(lines) + "\n"


def offers(snapshot: Snapshot) -> list[str]:
    """What the kernel has; ``?`` where that cannot be told."""
    kernel = snapshot.features
    answers = {True: "yes", False: "no", None: "?"}
    rows = {
        "algorithms": " ".join(kernel.algorithms) if kernel.algorithms else "?",
        "levels, dictionaries": answers[kernel.algorithm_params],
        "recompression": answers[kernel.recompression],
        "writeback": answers[kernel.writeback],
        "compressed writeback": answers[kernel.compressed_writeback],
        "page ages": answers[kernel.idle_age],
        "block_state": answers[kernel.memory_tracking],
        "pressure (PSI)": answers[kernel.psi],
    }
    return ["This kernel's zram:", *(f"  {name:<21} {value}" for name, value in rows.items())]


def uses(stats: Stats) -> str:
    """One line on a device."""
    words = [stats.comp_algorithm or "no algorithm selected"]
    words += [f"{name} at priority {at}" for at, name in (stats.recomp_algorithms or {}).items()]
    if stats.backing_dev:
        words.append(f"backed by {stats.backing_dev}")
    if stats.swap:
        words.append(f"swap with priority {stats.swap.priority}")
    words += [f"mounted on {point}" for point in stats.mount_points]
    stored, used = stats.mm_stat.orig_data_size or 0, stats.mm_stat.mem_used_total or 0
    words.append(f"{format_size(stored)} in {format_size(used)} of {format_size(stats.disksize)}")
    return f"{stats.name}: {', '.join(words)}"
