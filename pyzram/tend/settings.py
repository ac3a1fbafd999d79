# SPDX-License-Identifier: MIT
"""What the administrator decides."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """What may be done with devices at all."""

    writeback: bool = True
    recompression: bool = True
