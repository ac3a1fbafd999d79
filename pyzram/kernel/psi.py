# SPDX-License-Identifier: MIT
"""Pressure stall information: how long processes wait for memory, disks or processors."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .sysfs import Sysfs


class Pressure(NamedTuple):
    """One file of /proc/pressure: percentages, and total seconds."""

    some10: float
    some300: float
    full10: float
    total: float


def parse_pressure(text: str) -> Pressure:
    """``/proc/pressure/*`` (Documentation/accounting/psi.rst)."""
    found: dict[str, float] = {}
    for line in text.split("\n"):
        word, *pairs = line.split()[:5] or [""]
        for pair in pairs:
            key, _, value = pair.partition("=")
            found[f"{word} {key}"] = float(value)
    return Pressure(
        found["some avg10"],
        found["some avg300"],
        found.get("full avg10", 0.0),
        found["some total"] / 1e6,
    )


def read_pressure(sysfs: Sysfs, resource: str, errors: list[str] | None = None) -> Pressure | None:
    """Pressure of ``memory``, ``io`` or ``cpu``; ``None`` if the kernel does not report it.

    Also ``None`` if it cannot be read; then the reason is added to ``errors``.
    """
    path = f"proc/pressure/{resource}"
    try:
        return parse_pressure(sysfs.read(path))
    except OSError as err:
        # A kernel started with psi=0 has the files and answers EOPNOTSUPP.
        if err.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            return None
        cause = os.strerror(err.errno or 0)
    except (KeyError, ValueError):
        cause = "not as the kernel documents it"
    if errors is not None:
        errors.append(f"{sysfs.path(path)}: {cause}")
    return None
