# SPDX-License-Identifier: MIT
"""What commands print with ``--json``: fewer figures than ``as_dict()``, and derived ones.

Sizes are bytes; ``ratio`` is compr_data_size / orig_data_size, as everywhere.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..doctor.finding import Finding
    from ..doctor.snapshot import Snapshot
    from ..pages.estimate.benchmark import BenchResult
    from ..pages.estimate.estimate import Estimate
    from .estimate.cold_looks import ColdLook


def of_estimate(estimate: Estimate) -> dict[str, object]:
    """What ``pyzram estimate --json`` prints; ``libzstd`` is ``None`` unless zstd is tried."""
    from ..pages.codec.codec import zstd_release

    tried = {algorithm.name for algorithm in estimate.algorithms.values()}
    version, kernel = zstd_release()
    return {
        "source": estimate.source,
        "page_size": estimate.pool.page_size,
        "pages": estimate.pages,
        "sampled": estimate.sampled,
        "swapped": estimate.swapped,
        "lost": estimate.lost,
        "skipped": estimate.skipped,
        "exact": estimate.exact,
        "zero_pages": estimate.zero_pages,
        "left_out": estimate.left_out,
        "processes": estimate.processes,
        "pss": estimate.pss,
        "file_backed": estimate.file_backed,
        "parts": [
            {
                "pid": part.owner.pid or None,
                "name": part.owner.name,
                "part": part.owner.part,
                "pages": part.pages,
                "sampled": part.sampled,
                "mem_used_total": part.mem_used_total,
            }
            for part in estimate.parts
        ],
        "algorithms": {
            label: {
                "orig_data_size": a.figures.orig_data_size,
                "compr_data_size": a.figures.compr_data_size,
                "mem_used_total": a.figures.mem_used_total,
                "mem_used_total_low": round(a.mem_used_total.low) if a.mem_used_total else None,
                "mem_used_total_high": round(a.mem_used_total.high) if a.mem_used_total else None,
                "same_pages": a.figures.same_pages,
                "huge_pages": a.figures.huge_pages,
                "compression_ratio": a.compression_ratio.mean if a.figures.pages else None,
                "compression_ratio_low": a.compression_ratio.low if a.figures.pages else None,
                "compression_ratio_high": a.compression_ratio.high if a.figures.pages else None,
                "compress_us": a.compress_us,
                "compress_us_p99": a.compress_us_p99,
                "decompress_us": a.decompress_us,
                "decompress_us_p99": a.decompress_us_p99,
            }
            for label, a in estimate.algorithms.items()
        },
        "libzstd": {"version": version, "kernel": kernel} if "zstd" in tried else None,
    }


def of_bench(result: BenchResult) -> dict[str, object]:
    """What ``pyzram bench --json`` prints for each; speeds are in bytes a second, or ``None``."""
    return {
        "algorithm": result.name,
        "level": result.level,
        "compression_ratio": result.figures.compression_ratio,
        "memory_ratio": result.memory_ratio,
        "orig_data_size": result.figures.orig_data_size,
        "compr_data_size": result.figures.compr_data_size,
        "compress_bytes_per_second": round(result.compress_bytes_per_second) or None,
        "decompress_bytes_per_second": round(result.decompress_bytes_per_second) or None,
        "compress_threads_bytes_per_second": round(result.compress_threads_bytes_per_second)
        or None,
        "threads": result.threads,
        "speedup": result.speedup,
    }


def of_idle(
    label: str, total: int, skipped: dict[str, int], looks: Sequence[ColdLook]
) -> dict[str, object]:
    """What ``pyzram estimate --idle --json`` prints; its outer ``cold_bytes`` is the last age's."""
    from .estimate.cold_looks import gained, stall

    last = looks[-1]
    times = last.estimate.algorithms
    return {
        "source": label,
        "swappable_bytes": total,
        "cold_bytes": last.age.cold_bytes,
        "skipped": skipped,
        "ages": [
            {
                "seconds": round(look.age.seconds, 3),
                "cold_bytes": look.age.cold_bytes,
                "returns_per_minute": look.age.returns,
                "algorithms": {
                    name: {
                        "cold_bytes": look.age.cold_bytes,
                        "compr_data_size": a.figures.compr_data_size,
                        "mem_used_total": a.figures.mem_used_total,
                        "memory_gained": gained(look, a),
                        "compression_ratio": a.compression_ratio.mean if a.figures.pages else None,
                        "compression_ratio_low": a.compression_ratio.low
                        if a.figures.pages
                        else None,
                        "compression_ratio_high": a.compression_ratio.high
                        if a.figures.pages
                        else None,
                        "stall_ms_per_minute": stall(look, times[name].decompress_us),
                        "stall_ms_per_minute_p99": stall(look, times[name].decompress_us_p99),
                    }
                    for name, a in look.estimate.algorithms.items()
                },
            }
            for look in looks
        ],
    }


def of_watch(
    label: str, total: int, skipped: dict[str, int], looks: Sequence[ColdLook]
) -> dict[str, object]:
    """What each line of ``--idle --watch --json`` has: the same, and its Unix time."""
    return {"time": round(time.time(), 3), **of_idle(label, total, skipped, looks)}


def of_doctor(snapshot: Snapshot, findings: Sequence[Finding]) -> dict[str, object]:
    """What ``pyzram doctor --json`` prints."""
    return {
        "kernel": snapshot.features.as_dict(),
        "devices": [
            {
                "name": stats.name,
                "disksize": stats.disksize,
                "comp_algorithm": stats.comp_algorithm,
                "recomp_algorithms": stats.recomp_algorithms,
                "backing_dev": stats.backing_dev,
                "swap": stats.swap is not None,
                "mount_points": list(stats.mount_points),
            }
            for stats in snapshot.devices
        ],
        "findings": [finding.as_dict() for finding in findings],
    }
