# SPDX-License-Identifier: MIT
"""``pyzram tend --record``: a line of JSON about this machine and its devices each minute."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

from ...errors import ZramError
from ...tend.machine import Clocks
from ...tend.recording import AGES_EVERY, MINUTE, append, row
from .report import warn

if TYPE_CHECKING:
    from ...kernel.sysfs import Sysfs


def keep_recording(sysfs: Sysfs, path: str, once: bool) -> int:
    """Add a line each minute until interrupted; with ``once``, only one."""
    clocks = Clocks()
    try:
        for number in count():
            try:
                line = row(sysfs, clocks, number % AGES_EVERY == 0)
            except (ZramError, OSError) as err:
                if once:
                    raise
                # For example on 7.x, where figures cannot be read during writeback.
                warn(f"{err}; no line is added for this minute")
            else:
                append(path, line)
            if once:
                break
            time.sleep(MINUTE)
    except KeyboardInterrupt:
        pass
    return 0
