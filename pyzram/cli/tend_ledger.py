# SPDX-License-Identifier: MIT
"""Where the ledger is kept, and what the budget is there."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from ..errors import ZramOSError, from_errno
from ..kernel.sysfs import is_there
from ..tend.ledger import Ledger
from ..tend.machine import read_clock
from ..tend.times import HOUR
from .tend_report import warn

if TYPE_CHECKING:
    from ..kernel.sysfs import Sysfs
    from ..tend.machine import Clocks

LEDGER = "/var/lib/pyzram"


def open_ledger(
    sysfs: Sysfs, clocks: Clocks, run: str, *, look: bool = False
) -> tuple[Ledger, float]:
    """The ledger in /var, or in /run with half the budget where /var cannot be written.

    With ``look`` it is only read, from where a daemon would keep it.
    """
    clock = read_clock(sysfs, clocks)
    folder = os.environ.get("PYZRAM_STATE", LEDGER)
    try:
        if look:
            refuse_unwritable(folder)
        ledger = Ledger(folder, clock)
        if not look:
            ledger.save()
        _tell_of_damage(ledger)
        return ledger, 1.0
    except ZramOSError as err:
        keeping = "a daemon would keep it" if look else "keeping it"
        warn(f"{err}; {keeping} in {run}, which a reboot empties, with half the budget")
    ledger = Ledger(run, clock)
    if not look:
        ledger.save()
    _tell_of_damage(ledger)
    return ledger, 0.5


def _tell_of_damage(ledger: Ledger) -> None:
    if ledger.time < ledger.blocked:
        hours = (ledger.blocked - ledger.time) / HOUR
        warn(
            f"{ledger.path}: damaged, so that nobody knows what was written; nothing is written "
            f"back for {hours:.0f} h"
        )


def refuse_unwritable(folder: str) -> None:
    """Reject a directory where writing would fail, as far as that can be seen without trying.

    Raises:
        ZramOSError: EROFS the file system is read-only; EACCES not even root may.
    """
    at = os.path.abspath(folder)
    while not is_there(at):
        at = os.path.dirname(at)
    # If users other than root may not write there, that says nothing about the daemon.
    read_only = os.statvfs(at).f_flag & os.ST_RDONLY
    if read_only or (os.geteuid() == 0 and not os.access(at, os.W_OK)):
        code = errno.EROFS if read_only else errno.EACCES
        raise from_errno(code, f"{folder}: keep the ledger", folder)
