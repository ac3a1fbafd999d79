# SPDX-License-Identifier: MIT
"""What those who look at devices share with those who act on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .machine import read_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..kernel.sysfs import Sysfs
    from .ledger import Ledger
    from .machine import Clocks
    from .medium import Medium
    from .roster import Roster
    from .sleeps import Sleeps


class Common(NamedTuple):
    """The machine and what is known of it."""

    sysfs: Sysfs
    clocks: Clocks
    sleeps: Sleeps
    roster: Roster
    ledger: Ledger
    budget_of: Callable[[Medium], int]
    """Bytes in any 24 hours."""

    def let_time_pass(self) -> None:
        """Have the ledger know what time it is."""
        self.ledger.advance(read_clock(self.sysfs, self.clocks, self.ledger.clock.boot))
