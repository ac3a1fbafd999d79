# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle``: how much memory is cold, what zram makes of it, and the price."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..pages import cold
from ..pages.estimator import estimate_pages
from ..pages.process import all_processes
from ..pages.recommend import conf_d, recommend
from ..pages.zsmalloc import PoolModel
from ..text import quote
from ..units import format_seconds, format_size
from .options import UsageError
from .source_arguments import algorithm_names, chosen_processes, say, skipped_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..pages.chain import Chain
    from ..pages.estimate import AlgorithmEstimate, Estimate
    from .options import Arguments

DEFAULT_SECONDS = (300.0,)
# Writeback is worth considering from this share of the machine's memory on, and only if few pages
# come back (in a minute, for each GiB of them).
WORTH_SHARE = 0.05
SELDOM = 600.0
RECOMPRESSION_SAVES = 0.10


class Look(NamedTuple):
    """One age: what was cold by then, and what the algorithms make of it."""

    age: cold.Age
    estimate: Estimate


class Looked(NamedTuple):
    """What watching gave."""

    label: str
    """What was watched, in words."""
    total: int
    """Bytes that could go to swap."""
    skipped: dict[str, int]
    """How much could not be looked at, by reason."""
    looks: list[Look]
    """By age, ascending."""


def main(options: Arguments, chain: Chain, ram: int, offered: Sequence[str] | None) -> int:
    """Watch, then tell."""
    if options.operands or options.page_size is not None:
        raise UsageError("--idle is for processes: files have no age")
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


def watched(
    options: Arguments, chain: Chain, names: Sequence[str], *, timing: bool, quiet: bool
) -> Looked:
    """Watch once, as long as the options say; ``names`` are the algorithms, empty for all."""
    pids, label = chosen_processes(options) or (_others(), "system")
    looks = [*options.idle] if options.idle else [*DEFAULT_SECONDS]
    # Returns are counted between two looks; a first one halfway gives them for the first age.
    seconds = [looks[0] / 2, *looks]
    if not quiet:
        _announce(label, looks)
    with cold.watch(pids, seconds, label=label, progress=_progress()) as watch:
        _clear()
        everything = watch.everything()
        total = everything.pages * everything.page_size
        everything.close()
        halfway, *ages = watch.ages()
        halfway.source.close()
        found = []
        for age in ages:
            with age.source as source:
                estimate = estimate_pages(
                    source,
                    names or None,
                    store=PoolModel(page_size=source.page_size, chain=chain),
                    precision=options.precision / 100,
                    full=options.full,
                    timing=timing and age is ages[-1],
                    threads=options.threads,
                    seed=options.seed,
                )
            found.append(Look(age, estimate))
        return Looked(label, total, watch.skipped, found)


def _others() -> list[int]:
    return [pid for pid in all_processes() if pid != os.getpid()]


def _announce(label: str, looks: list[float]) -> None:
    print(
        f"watching {quote(label)} for {format_seconds(looks[-1])}; this clears the referenced bits "
        "of its pages once and changes nothing else",
        file=sys.stderr,
    )


def _progress() -> Callable[[float], None] | None:
    if not sys.stderr.isatty():
        return None
    return lambda passed: print(f"\r{format_seconds(passed)} ", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)


def gained(look: Look, algorithm: AlgorithmEstimate) -> int:
    """Bytes of memory that are free once zram holds what is cold."""
    return look.age.cold_bytes - algorithm.figures.mem_used_total


def stall(look: Look, microseconds: float | None) -> float | None:
    """Milliseconds in a minute that programs wait for pages that come back."""
    return None if microseconds is None else look.age.returns * microseconds / 1000


def report(
    total: int,
    skipped: dict[str, int],
    looks: Sequence[Look],
    ram: int,
    offered: Sequence[str] | None,
) -> str:
    """The report of watching."""
    last = looks[-1]
    lines = [f"{format_size(total)} could go to swap; of this was not touched"]
    for look in looks:
        share = look.age.cold_bytes / total if total else 0.0
        lines.append(
            f"  for {format_seconds(look.age.seconds):>8}: {format_size(look.age.cold_bytes):>7} "
            f"({share:.0%}), pages touched again a minute: {look.age.returns:.0f}"
        )
    if skipped:
        lines.append(skipped_line(skipped))
    if not last.age.source.pages:
        return "\n".join([*lines, "Nothing is cold: zram would gain nothing without being felt."])
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
    rows = [("algorithm", "takes", "gained", "waiting, ms a minute", "at the 99th percentile")]
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
            f"Recompression with {smallest.label} would free {format_size(saved)} more of what "
            "stays cold."
        )
    else:
        lines.append(
            "Recompression would free little: no algorithm is much smaller on this memory."
        )
    if held < WORTH_SHARE * ram:
        lines.append(
            f"Writeback would free {format_size(held)}, less than "
            f"{WORTH_SHARE:.0%} of this machine's memory: not worth wearing a medium."
        )
    elif look.age.returns / gib > SELDOM:
        lines.append(
            f"Writeback would free {format_size(held)}, but too much comes back "
            f"(pages a minute: {look.age.returns:.0f}): watch for longer (--idle 1h) "
            "before you decide."
        )
    else:
        lines.append(f"Writeback would free {format_size(held)} more, and little of it comes back.")
    return lines


def commented(look: Look, algorithm: AlgorithmEstimate, reason: str) -> list[str]:
    """The reason for the lines of the configuration."""
    return [
        f"# {format_size(look.age.cold_bytes)} was not touched for "
        f"{format_seconds(look.age.seconds)}; a quarter more leaves room for growth.",
        f"# {algorithm.label} {reason}.",
    ]
