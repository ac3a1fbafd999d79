# SPDX-License-Identifier: MIT
"""A recommendation as lines of configuration, for pyzram and for zram-generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...units import format_size

if TYPE_CHECKING:
    from ...pages.estimate.recommend import Recommendation


def conf_d(recommendation: Recommendation) -> str:
    """Lines for /etc/conf.d/zram."""
    name, _, level = recommendation.algorithm.partition(":")
    lines = [f'ZRAM_SIZE_0="{format_size(recommendation.disksize)}"', f'ZRAM_ALGORITHM_0="{name}"']
    if level:
        lines.append(f'ZRAM_PARAMS_0="level={level}"')
    return "\n".join(lines) + "\n"


def zram_generator(recommendation: Recommendation) -> str:
    """Text for zram-generator.conf(5), where sizes count MiB."""
    name, _, level = recommendation.algorithm.partition(":")
    algorithm = f"{name}(level={level})" if level else name
    return (
        f"[zram0]\nzram-size = {recommendation.disksize >> 20}\n"
        f"compression-algorithm = {algorithm}\n"
    )
