# SPDX-License-Identifier: MIT
"""What ``pyzram tend`` shows about the control groups that it asks for idle memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...tend.reclaim import refusal, wanted
from ...text import quote
from ...units import format_size

if TYPE_CHECKING:
    from ...tend.reclaim import Reclaimer


def reclaimed(reclaimer: Reclaimer) -> dict[str, object]:
    """What the daemon has asked control groups for since it started; empty if there are none."""
    if not reclaimer.names:
        return {}
    asked = {name: reclaimer.asked.get(name, 0) for name in reclaimer.names}
    return {"reclaim": {"asked": asked, "reason": reclaimer.reason}}


class ReclaimPlan:
    """What a daemon would ask control groups for now, in the order of the configuration.

    ``held`` says that the daemon does nothing at the moment.
    """

    def __init__(self, reclaimer: Reclaimer, held: bool) -> None:
        self.names = reclaimer.names
        system, groups = reclaimer.look()
        self.reason = "the daemon does nothing at the moment" if held else refusal(system)
        self.groups = {group.name: group for group in groups}
        self.sizes = {group.name: 0 if self.reason else wanted(group) for group in groups}
        self.left_out = dict(reclaimer.left_out)

    def as_dict(self) -> dict[str, object]:
        """As plain values: sizes in bytes, ``null`` for an unlimited protection."""
        return {
            "reason": self.reason,
            "groups": {
                name: {
                    "current": group.current,
                    "protected": None if math.isinf(group.protected) else int(group.protected),
                    "some10": group.some10,
                    "would_ask": self.sizes[name],
                }
                for name, group in self.groups.items()
            },
            "left_out": self.left_out,
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [f"control groups are left alone: {self.reason}"] if self.reason else []
        for name in self.names:
            if name in self.groups:
                current, size = format_size(self.groups[name].current), self.sizes[name]
                found.append(f"{quote(name)}: {current}, would ask for {format_size(size)}")
            else:
                found.append(f"{quote(name)}: {quote(self.left_out[name])}")
        return found
