# SPDX-License-Identifier: MIT
"""Where the ledger is kept, and what the budget is there."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from ... import own_files
from ...errors import ZramOSError, from_errno
from ...kernel.sysfs import is_there
from ...tend.ledger import Ledger
from ...tend.machine import read_clock
from ...tend.times import HOUR
from .report import warn

if TYPE_CHECKING:
    from ...kernel.sysfs import Sysfs
    from ...tend.machine import Clocks


def open_ledger(sysfs: Sysfs, clocks: Clocks, run: str, *, read_only: bool = False) -> Ledger:
    """The ledger in /var, or in /run with half the budget if /var is not writable.

    With ``read_only``, nothing is written, and it comes from where a daemon would keep it.
    """
    clock = read_clock(sysfs, clocks)
    folder = own_files.state_directory(sysfs.root)
    spare = ledger = Ledger(run, clock)
    place = spare.path
    damaged = [spare.path] if spare.damaged else []
    try:
        _refuse_foreign(folder)  # whoever owns it can put back a ledger that was replaced
        ledger = Ledger(folder, clock)
        if ledger.damaged:
            damaged.append(ledger.path)
        # What was charged in one place while the other was unusable stays charged.
        ledger.include(spare)
        if read_only:
            refuse_folder(folder)
        else:
            ledger.save()
            _remove(place)
    except ZramOSError as err:
        keeping = "a daemon would keep it" if read_only else "keeping it"
        warn(f"{err}; {keeping} in {run}, which a reboot empties, with half the budget")
        ledger.path, ledger.share = place, 0.5
        if not read_only:
            ledger.save()
    if ledger.time < ledger.blocked:
        hours = (ledger.blocked - ledger.time) / HOUR
        what = (
            f"{' and '.join(damaged)}: damaged"
            if damaged
            else f"{ledger.path}: a ledger was damaged"
        )
        warn(
            f"{what}, so that nobody knows what was written; nothing is written back for "
            f"{hours:.0f} h"
        )
    return ledger


def _remove(path: str) -> None:
    """Remove the spare ledger, whose whole contents are now in the other one.

    The next ledger in that place is a new one.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as err:
        warn(f"{path}: remove it: {err.strerror}; what it says is charged once more")


def refuse_folder(folder: str) -> None:
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


def _refuse_foreign(folder: str) -> None:
    try:
        own_files.refuse_foreign(folder)
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{folder}: keep the ledger", folder) from err
