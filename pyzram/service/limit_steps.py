# SPDX-License-Identifier: MIT
# ruff: noqa: D102 - Action documents do and undo for all
"""The steps that change the limits of a device in use."""

from __future__ import annotations

from ..device.lifecycle import mem_limit
from .steps import Action


class MemLimit(Action):
    """Change a device's memory limit."""

    before: int | None = None

    def do(self) -> None:
        device = self.device()
        self.before = mem_limit(device)
        device.set_mem_limit(self.desired.mem_limit)

    undoing = "put mem_limit back"

    def undo(self) -> None:
        if self.before is not None:
            self.device().set_mem_limit(self.before)


class WritebackLimit(Action):
    """Change how much a device may still write back."""

    before: tuple[int, bool] | None = None

    def do(self) -> None:
        device = self.device()
        self.before = device.read_writeback_limit(), device.read_writeback_limit_enable()
        self.set(self.desired.writeback_limit)

    undoing = "put writeback_limit back"

    def undo(self) -> None:
        if self.before is not None:
            units, enabled = self.before
            self.set(units if enabled else None)

    def set(self, units: int | None) -> None:
        """Set a limit, or none."""
        device = self.device()
        if units is not None:
            device.set_writeback_limit(units)
        device.set_writeback_limit_enable(units is not None)


LIMIT_STEPS: dict[str, type[Action]] = {"mem_limit": MemLimit, "writeback_limit": WritebackLimit}
