# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle``: how much memory is cold, what zram makes of it, at what price."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ...pages.estimate.recommend import recommend
from ...units import format_change, format_seconds, format_size
from ..options import UsageError
from ..output import output_width
from ..source_arguments import algorithm_names, say, skipped_line
from .cold_advice import advice, recompression
from .cold_looks import extrapolated, gained, stall, watched
from .config_text import conf_d
from .offered import offered
from .report import TOO_LITTLE, folded, laid_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...device.features import Features
    from ...pages.estimate.estimate import AlgorithmEstimate
    from ...pages.estimate.recommend import Recommendation
    from ...pages.pool.chain import Chain
    from ..options import Arguments
    from .cold_looks import ColdLook


def show_cold(options: Arguments, chain: Chain, ram: int, kernel: Features | None) -> int:
    """Watch, then report."""
    if options.operands or options.page_size is not None:
        raise UsageError("--idle needs processes: files have no age")
    if options.watch:
        from .watch import keep_watching

        return keep_watching(options, chain, ram, kernel)
    names = list(dict.fromkeys(algorithm_names(options)))
    label, total, skipped, found = watched(
        options, chain, names, timing=not options.no_timing, quiet=options.json
    )
    best = recommended(found[-1], ram, kernel)
    if options.json:
        from ..json_documents import of_idle

        say(json.dumps(of_idle(label, total, skipped, found), indent=2))
    else:
        say(report(total, skipped, found, ram, kernel, best, output_width(100)))
    if options.plot:
        from ...pages.plot.cold import plot_cold

        ages = [(look.seconds, total, look.estimate) for look in found]
        plot_cold(ages, label, options.plot, best.algorithm if best else "")
    return 0


def recommended(look: ColdLook, ram: int, kernel: Features | None) -> Recommendation | None:
    """The recommendation for the memory cold longest; ``None`` if there is none or too little."""
    best = recommend(look.estimate, ram, offered(look.estimate.algorithms, kernel))
    if best is None or look.age.cold_bytes < TOO_LITTLE:
        return None
    return best if gained(look, look.estimate.algorithms[best.algorithm]) > 0 else None


def report(
    total: int,
    skipped: dict[str, int],
    looks: Sequence[ColdLook],
    ram: int,
    kernel: Features | None,
    best: Recommendation | None,
    width: int | None = None,
) -> str:
    """The report of watching, at most ``width`` columns wide if that is given."""
    last = looks[-1]
    lines = [f"{format_size(total)} of mapped memory could go to swap; not touched:"]
    for look in looks:
        share = look.age.cold_bytes / total if total else 0.0
        short = extrapolated(look)
        lines.append(
            f"  for {format_seconds(look.seconds):>8}: {format_size(look.age.cold_bytes):>7} "
            f"({share:.0%}), pages touched again per minute: {look.age.returns:.0f}"
            + (f" ({short})" if short else "")
        )
    if skipped:
        lines.append(skipped_line(skipped))
    if last.age.source.pages:
        lines += ["", *table(last, width), *recommendation(last, ram, kernel, best)]
    else:
        lines.append("Nothing is cold: zram would slow down whatever it compresses.")
    return "\n".join(folded(lines, width))


def recommendation(
    last: ColdLook, ram: int, kernel: Features | None, best: Recommendation | None
) -> list[str]:
    """What to do with what was cold longest, with the lines of the configuration."""
    lines = []
    if any(a.decompress_us is not None for a in last.estimate.algorithms.values()):
        lines.append(
            "(waiting for decompression; the kernel takes a few microseconds more for each page "
            "that comes back)"
        )
    if short := extrapolated(last):
        lines.append(
            f"({short} and scaled up to a minute: right after the referenced bits are cleared, "
            "more comes back than later)"
        )
    if best is None:
        return lines + without(last)
    algorithm = last.estimate.algorithms[best.algorithm]
    better = recompression(last, algorithm, kernel)
    lines += ["", *advice(last, algorithm, ram, kernel)]
    lines += ["", "/etc/conf.d/zram:"]
    lines += [f"    {line}" for line in commented(last, algorithm, best.reason)]
    size = max(64 << 20, -(-last.age.cold_bytes * 5 // 4 >> 26) << 26)
    lines += [f"    {line}" for line in conf_d(replace(best, disksize=size)).splitlines()]
    if better is not None:
        freed = algorithm.figures.mem_used_total - better.figures.mem_used_total
        lines += [
            "    # Recompressing what stays idle (pyzram tend) would free another "
            f"{format_size(freed)}.",
            f'    ZRAM_RECOMP_ALGORITHM_0="{better.label}"',
        ]
    return lines


def without(look: ColdLook) -> list[str]:
    """Why nothing is recommended, if the table does not show it."""
    if look.age.cold_bytes < TOO_LITTLE:
        return [
            "",
            f"Too little is cold to recommend anything: less than {format_size(TOO_LITTLE)}, where "
            "zspages that are not full weigh more than what is compressed.",
        ]
    found = [a for a in look.estimate.algorithms.values() if a.decompress_us is not None]
    if found and all(gained(look, a) <= 0 for a in found):
        return ["", "Nothing is recommended: no algorithm would free memory."]
    return []


def table(look: ColdLook, width: int | None) -> list[str]:
    """What each algorithm makes of cold memory, and what returning pages cost."""
    rows = [("algorithm", "takes", "gained", "waiting, ms per minute", "at the 99th percentile")]
    for name, a in look.estimate.algorithms.items():
        typical, rare = stall(look, a.decompress_us), stall(look, a.decompress_us_p99)
        rows.append(
            (
                name,
                format_size(a.figures.mem_used_total),
                format_change(gained(look, a)),
                "-" if typical is None else f"{typical:.2f}",
                "-" if rare is None else f"{rare:.2f}",
            )
        )
    return laid_out(rows, width)


def commented(look: ColdLook, algorithm: AlgorithmEstimate, reason: str) -> list[str]:
    """The comment that explains the lines of configuration."""
    return [
        f"# {format_size(look.age.cold_bytes)} was not touched for "
        f"{format_seconds(look.age.seconds)}; a quarter more leaves room for growth.",
        f"# {algorithm.label} {reason}.",
    ]
