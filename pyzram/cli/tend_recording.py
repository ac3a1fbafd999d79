# SPDX-License-Identifier: MIT
"""``pyzram tend --record``: a line of JSON about this machine and its devices each minute."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

from ..tend.machine import Clocks
from ..tend.recording import AGES_EVERY, MINUTE, append, row

if TYPE_CHECKING:
    from ..kernel.sysfs import Sysfs


def keep_recording(sysfs: Sysfs, path: str, once: bool) -> int:
    """Add lines until ended, or ``once`` one."""
    clocks = Clocks()
    try:
        for number in count():
            append(path, row(sysfs, clocks, number % AGES_EVERY == 0))
            if once:
                break
            time.sleep(MINUTE)
    except KeyboardInterrupt:
        pass
    return 0
