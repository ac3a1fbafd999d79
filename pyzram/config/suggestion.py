# SPDX-License-Identifier: MIT
"""What an unknown name may have been meant to be."""

from __future__ import annotations

from ..text import closest
from .variables import GLOBALS, PER_DEVICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def of_variable(name: str) -> str:
    """Say what an unknown variable may have been meant to be, or nothing."""
    if name in PER_DEVICE:
        return f" (did you mean {name}_0?)"
    if name.rstrip("0123456789") in ("type", "size", "mlim", "algo", "flag", "back"):
        return " (this looks like zram-init's file: pyzram import translates it)"
    digits = name.rpartition("_")[2]
    tail = f"_{digits}" if digits.isdigit() else "_0"
    return nearest(name.upper(), [*GLOBALS, *(key + tail for key in PER_DEVICE)])


def nearest(word: str, known: Sequence[str]) -> str:
    """Say which known name is the closest, or nothing."""
    close = closest(word, known)
    return f" (did you mean {close}?)" if close else ""
