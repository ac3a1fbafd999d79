# SPDX-License-Identifier: MIT
"""Whose memory it is."""

from __future__ import annotations

from dataclasses import dataclass

from ...value import JsonValue, documented


@documented
@dataclass(frozen=True, slots=True)
class Owner(JsonValue):
    """Whose memory it is: a process, or with ``pid`` 0 an object of shared memory, or a file."""

    pid: int
    """Number of the process; 0 for memory that belongs to no single one."""
    name: str
    """The name of the program, the object or the file."""
    part: str
    """``heap``, ``stack``, ``data`` (changed pages of files), ``shared``, or ``file``."""
