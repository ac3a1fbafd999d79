# SPDX-License-Identifier: MIT
"""A recommendation as lines of configuration, for pyzram and for zram-generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...algorithm import Algorithm
from ...units import format_size

if TYPE_CHECKING:
    from ...pages.estimate.recommend import Recommendation


def conf_d(recommendation: Recommendation) -> str:
    """Lines for /etc/conf.d/zram."""
    best = Algorithm.parse(recommendation.algorithm)
    lines = [
        f'ZRAM_SIZE_0="{format_size(recommendation.disksize)}"',
        f'ZRAM_ALGORITHM_0="{best.name}"',
    ]
    if params := best.params():
        lines.append(f'ZRAM_PARAMS_0="{params}"')
    return "\n".join(lines) + "\n"


def zram_generator(recommendation: Recommendation) -> str:
    """Text for zram-generator.conf(5), where sizes count MiB."""
    return (
        f"[zram0]\nzram-size = {recommendation.disksize >> 20}\n"
        f"compression-algorithm = {Algorithm.parse(recommendation.algorithm)}\n"
    )
