# SPDX-License-Identifier: MIT
"""Which of an estimate's algorithms this kernel could really use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...device.features import Features
    from ...pages.estimate.estimate import AlgorithmEstimate


def offered(
    algorithms: Mapping[str, AlgorithmEstimate], kernel: Features | None
) -> list[str] | None:
    """Return their labels; ``None`` if that is unknown.

    An algorithm with a level needs ``algorithm_params`` as well.
    """
    if kernel is None or kernel.algorithms is None:
        return None
    return [
        label
        for label, one in algorithms.items()
        if one.name in kernel.algorithms
        and (one.level is None or kernel.algorithm_params is not False)
    ]
