# SPDX-License-Identifier: MIT
"""The questions that people ask before they set zram up, each as one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from ..algorithm import as_algorithms
from ..errors import InvalidValueError
from ..limits import total_memory
from ..value import check_flag
from .estimate.benchmark import PRECISION as BENCH_PRECISION
from .estimate.benchmark import BenchResult, bench_pages, read_sample
from .estimate.estimate import Estimate
from .estimate.estimator import estimate_pages
from .estimate.recommend import Recommendation, is_offered
from .estimate.recommend import recommend as recommend_for
from .estimate.sampling import PRECISION
from .pool.zsmalloc import PoolModel
from .source.file_sources import open_paths
from .source.process_sources import open_processes, open_system
from .source.sources import Source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Literal, TypeAlias

    from ..algorithm import Algorithm

    Algorithms: TypeAlias = str | Algorithm | Iterable[str | Algorithm] | None
    SomePaths: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    Paths: TypeAlias = SomePaths | None


# Exactly one source, so that type checkers see which one it is.
@overload
def estimate(
    *,
    pids: int | Iterable[int],
    algorithms: Algorithms = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
) -> Estimate: ...
@overload
def estimate(
    *,
    files: SomePaths,
    algorithms: Algorithms = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
) -> Estimate: ...
@overload
def estimate(
    *,
    system: Literal[True],
    algorithms: Algorithms = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
) -> Estimate: ...
def estimate(
    *,
    pids: int | Iterable[int] | None = None,
    files: Paths = None,
    system: bool = False,
    algorithms: Algorithms = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
) -> Estimate:
    """Estimate what zram would make of processes, of files, or of the whole system.

    Give exactly one of ``pids``, ``files`` (also core dumps and block devices) and ``system``.
    ``algorithms`` defaults to all of the page engine's. ``precision`` is the largest half width of
    the ratio's 95 % interval, 0.01 being one percentage point; ``full`` reads every page. Times are
    those of a single core, in microseconds per page. The result has each algorithm's figures in
    ``algorithms``, under its :attr:`Algorithm.label`, such as ``zstd:9``.

    Raises:
        InvalidValueError: not exactly one source, an unknown algorithm or level, or an invalid
            precision, number of threads or seed.
        AccessError: none of the processes may be inspected.
        ZramOSError: opening failed.
    """
    with open_source(pids=pids, files=files, system=system) as source:
        return estimate_pages(
            source,
            algorithms,
            precision=precision,
            full=full,
            timing=timing,
            threads=threads,
            seed=seed,
        )


def recommend(
    estimate: Estimate, *, ram: int | None = None, offered: Algorithms = None
) -> Recommendation | None:
    """Choose an algorithm and a disksize for a machine with ``ram`` bytes, by default this one's.

    ``offered`` are the algorithms of its kernel (``device.read_algorithms()``), by default all that
    were estimated; one with a level is offered at that level only. Return ``None`` if there are no
    pages, or if nothing was timed.

    Raises:
        InvalidValueError: ``ram`` is not a positive number, something offered is not an algorithm,
            or nothing offered was estimated, or not at that level.
    """
    if offered is not None and isinstance(estimate, Estimate):
        offered = as_algorithms(offered, "offered")
        if estimate.algorithms and not any(
            is_offered(found, one) for found in estimate.algorithms.values() for one in offered
        ):
            wanted = ", ".join(one.label for one in offered) or "nothing"
            there = ", ".join(estimate.algorithms)
            raise InvalidValueError(
                f"offered {wanted}: none of them was estimated (estimated: {there})"
            )
    return recommend_for(estimate, total_memory() if ram is None else ram, offered)


@overload
def bench(
    *,
    pids: int | Iterable[int],
    algorithms: Algorithms = None,
    precision: float = BENCH_PRECISION,
    full: bool = False,
    seed: int | None = None,
) -> list[BenchResult]: ...
@overload
def bench(
    *,
    files: SomePaths,
    algorithms: Algorithms = None,
    precision: float = BENCH_PRECISION,
    full: bool = False,
    seed: int | None = None,
) -> list[BenchResult]: ...
@overload
def bench(
    *,
    system: Literal[True],
    algorithms: Algorithms = None,
    precision: float = BENCH_PRECISION,
    full: bool = False,
    seed: int | None = None,
) -> list[BenchResult]: ...
def bench(
    *,
    pids: int | Iterable[int] | None = None,
    files: Paths = None,
    system: bool = False,
    algorithms: Algorithms = None,
    precision: float = BENCH_PRECISION,
    full: bool = False,
    seed: int | None = None,
) -> list[BenchResult]:
    """Measure ratio and speed of algorithms at their levels, on the sources of :func:`estimate`.

    Raises:
        As :func:`estimate`.
    """
    with open_source(pids=pids, files=files, system=system) as source:
        pages = read_sample(source, precision=precision, full=full, seed=seed)
        return bench_pages(pages, algorithms, pool=PoolModel(page_size=source.page_size))


def open_source(
    *, pids: int | Iterable[int] | None = None, files: Paths = None, system: bool = False
) -> Source:
    """Open the one source that is given."""
    check_flag("system", system)
    if (pids is not None) + (files is not None) + bool(system) != 1:
        raise InvalidValueError("give one of pids, files and system")
    if pids is not None:
        return open_processes(pids)
    if files is not None:
        return open_paths("files", files)
    return open_system()
