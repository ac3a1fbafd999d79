# SPDX-License-Identifier: MIT
"""Which memory is cold, and what the algorithms make of it, for ``pyzram estimate --idle``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from ...pages.estimate.estimator import estimate_pages
from ...pages.pool.zsmalloc import PoolModel
from ...pages.process.process import all_processes
from ...pages.source import cold
from ...text import quote
from ...units import format_seconds
from ..source_arguments import chosen_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...pages.estimate.estimate import AlgorithmEstimate, Estimate
    from ...pages.pool.chain import Chain
    from ...pages.process.process import Chosen
    from ..options import Arguments

DEFAULT_SECONDS = (300.0,)
MINUTE = 60.0


class ColdLook(NamedTuple):
    """One age: what was that cold, and what the algorithms make of it."""

    age: cold.Age
    estimate: Estimate
    seconds: float
    """The age that was asked for; the look itself came a little later."""


class Looked(NamedTuple):
    """The result of watching."""

    label: str
    """What was watched, in words."""
    total: int
    """Bytes of mapped memory that could go to swap."""
    skipped: dict[str, int]
    """How much could not be inspected, by reason."""
    looks: list[ColdLook]
    """By age, ascending."""


def watched(
    options: Arguments, chain: Chain, names: Sequence[str], *, timing: bool, quiet: bool
) -> Looked:
    """Watch once, as long as the options say; ``names`` are the algorithms, empty for all."""
    chosen, label = chosen_processes(options) or (_others(), "system")
    looks = [*options.idle] if options.idle else [*DEFAULT_SECONDS]
    # Returns are counted between two looks; a first one halfway gives them for the first age.
    seconds = [looks[0] / 2, *looks]
    if not quiet:
        _announce(label, looks)
    _allow_descriptors()
    with cold.watch(chosen, seconds, label=label, progress=_progress()) as watch:
        _clear()
        everything = watch.everything()
        total = everything.pages * everything.page_size
        everything.close()
        skipped = everything.skipped
        halfway, *ages = watch.ages()
        halfway.source.close()
        found = []
        for asked, age in zip(looks, ages, strict=True):
            with age.source as source:
                estimate = estimate_pages(
                    source,
                    names or None,
                    pool=PoolModel(page_size=source.page_size, chain=chain),
                    precision=options.precision / 100,
                    full=options.full,
                    timing=timing and age is ages[-1],
                    threads=options.threads,
                    seed=options.seed,
                )
            found.append(ColdLook(age, estimate, asked))
        return Looked(label, total, skipped, found)


def _allow_descriptors() -> None:
    """Raise the limit of open files as far as possible: each process takes one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _others() -> Chosen:
    return dict.fromkeys(pid for pid in all_processes() if pid != os.getpid())


def _announce(label: str, looks: list[float]) -> None:
    print(
        f"watching {quote(label)} for {format_seconds(looks[-1])}; this clears the pages' "
        "referenced bits once and changes nothing else",
        file=sys.stderr,
    )


def _progress() -> Callable[[float], None] | None:
    if not sys.stderr.isatty():
        return None
    return lambda passed: print(f"\r{format_seconds(passed)} ", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)


def extrapolated(look: ColdLook) -> str:
    """In how little time a rate per minute was counted; empty if in a whole minute."""
    if look.age.window >= MINUTE:
        return ""
    return f"counted in {format_seconds(round(look.age.window, 1))}"


def gained(look: ColdLook, algorithm: AlgorithmEstimate) -> int:
    """Bytes of memory that are free once zram holds what is cold."""
    return look.age.cold_bytes - algorithm.figures.mem_used_total


def stall(look: ColdLook, microseconds: float | None) -> float | None:
    """Milliseconds per minute that programs wait for the decompression of pages that come back.

    That is a part of the fault: what the kernel does around it is not in the time of the codec.
    """
    return None if microseconds is None else look.age.returns * microseconds / 1000
