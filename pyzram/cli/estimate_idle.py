# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle``: how much memory is cold, what zram makes of it, and the price."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ..pages.recommend import conf_d, recommend
from ..units import format_seconds, format_size
from .cold_looks import gained, stall, watched
from .options import UsageError
from .source_arguments import algorithm_names, say, skipped_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..pages.chain import Chain
    from ..pages.estimate import AlgorithmEstimate
    from .cold_looks import Look
    from .options import Arguments

# Writeback is worth considering from this share of the machine's memory on, and only if few pages
# come back (in a minute, for each GiB of them).
WORTH_SHARE = 0.05
SELDOM = 600.0
RECOMPRESSION_SAVES = 0.10


def main(options: Arguments, chain: Chain, ram: int, offered: Sequence[str] | None) -> int:
    """Watch, then report."""
    if options.operands or options.page_size is not None:
        raise UsageError("--idle needs processes: files have no age")
    if options.watch:
        from .estimate_watch import main as keep_watching

        return keep_watching(options, chain, ram, offered)
    names = list(dict.fromkeys(algorithm_names(options)))
    label, total, skipped, found = watched(
        options, chain, names, timing=not options.no_timing, quiet=options.json
    )
    if options.json:
        from .json_documents import of_idle

        say(json.dumps(of_idle(label, total, skipped, found), indent=2))
    else:
        say(report(total, skipped, found, ram, offered))
    if options.plot:
        from ..pages.plot_cold import plot_cold

        plot_cold([(look.age.seconds, total, look.estimate) for look in found], label, options.plot)
    return 0


def report(
    total: int,
    skipped: dict[str, int],
    looks: Sequence[Look],
    ram: int,
    offered: Sequence[str] | None,
) -> str:
    """The report of watching."""
    last = looks[-1]
    lines = [f"{format_size(total)} could go to swap; not touched:"]
    for look in looks:
        share = look.age.cold_bytes / total if total else 0.0
        lines.append(
            f"  for {format_seconds(look.age.seconds):>8}: {format_size(look.age.cold_bytes):>7} "
            f"({share:.0%}), pages touched again per minute: {look.age.returns:.0f}"
        )
    if skipped:
        lines.append(skipped_line(skipped))
    if not last.age.source.pages:
        return "\n".join([*lines, "Nothing is cold: zram would slow down whatever it compresses."])
    lines += ["", *table(last)]
    best = recommend(last.estimate, ram, offered)
    if best:
        algorithm = last.estimate.algorithms[best.algorithm]
        lines += ["", *advice(last, algorithm, ram)]
        lines += ["", "/etc/conf.d/zram:"]
        lines += [f"    {line}" for line in commented(last, algorithm, best.reason)]
        size = max(64 << 20, -(-last.age.cold_bytes * 5 // 4 >> 26) << 26)
        lines += [f"    {line}" for line in conf_d(replace(best, disksize=size)).splitlines()]
    return "\n".join(lines)


def table(look: Look) -> list[str]:
    """What each algorithm makes of cold memory, and what returning pages cost."""
    rows = [("algorithm", "takes", "gained", "waiting, ms per minute", "at the 99th percentile")]
    for name, a in look.estimate.algorithms.items():
        typical, rare = stall(look, a.decompress_us), stall(look, a.decompress_us_p99)
        rows.append(
            (
                name,
                format_size(a.figures.mem_used_total),
                format_size(max(0, gained(look, a))),
                "-" if typical is None else f"{typical:.2f}",
                "-" if rare is None else f"{rare:.2f}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]


def advice(look: Look, algorithm: AlgorithmEstimate, ram: int) -> list[str]:
    """Whether recompression or writeback would be worth it here."""
    held = algorithm.figures.mem_used_total
    gib = max(1e-9, look.age.cold_bytes / (1 << 30))
    lines = []
    others = look.estimate.algorithms.values()
    smallest = min(others, key=lambda a: a.figures.mem_used_total)
    saved = held - smallest.figures.mem_used_total
    if held and saved / held >= RECOMPRESSION_SAVES:
        lines.append(
            f"Recompression with {smallest.label} would free another {format_size(saved)} of the "
            "cold memory."
        )
    else:
        lines.append(
            "Recompression would free little: no algorithm compresses this memory much better."
        )
    if held < WORTH_SHARE * ram:
        lines.append(
            f"Writeback would free {format_size(held)}, less than "
            f"{WORTH_SHARE:.0%} of this machine's memory: not worth the wear of a medium."
        )
    elif look.age.returns / gib > SELDOM:
        lines.append(
            f"Writeback would free {format_size(held)}, but too much comes back "
            f"({look.age.returns:.0f} pages per minute). Watch for longer (--idle 1h) before you "
            "decide."
        )
    else:
        lines.append(f"Writeback would free another {format_size(held)}, and little comes back.")
    return lines


def commented(look: Look, algorithm: AlgorithmEstimate, reason: str) -> list[str]:
    """The reason for the lines of the configuration."""
    return [
        f"# {format_size(look.age.cold_bytes)} was not touched for "
        f"{format_seconds(look.age.seconds)}; a quarter more leaves room for growth.",
        f"# {algorithm.label} {reason}.",
    ]
