# SPDX-License-Identifier: MIT
"""What a check of the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass

from ..value import JsonValue, documented

# Ratios of an almost empty device mean nothing.
STORED_BYTES_JUDGED = 16 << 20


@documented
@dataclass(frozen=True, slots=True)
class Finding(JsonValue):
    """One thing to put right."""

    check: str
    """The check's code, such as ``page-cluster``, which is the same in every release."""
    device: str | None
    """``zramN``, or ``None`` for the machine."""
    what: str
    """What is wrong or wasteful, and why."""
    figure: str
    """The figure that shows it, and its source."""
    remedy: str
    """A command, or something else that helps."""

    def __str__(self) -> str:
        who = f"{self.device}: " if self.device else ""
        return f"{who}{self.what} ({self.figure}); {self.remedy}"
