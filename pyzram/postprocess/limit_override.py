# SPDX-License-Identifier: MIT
"""The budget of one step of writeback, restored even after SIGKILL.

Only ``writeback_limit`` ends a command early, so a step sets its own. The device's previous limit
is first recorded in /run/pyzram: if the process is killed within the step, the next run finds the
record and restores the limit before it begins.

Apply and recover with the device locked (:func:`pyzram.postprocess.turns.exclusive`): a
record found while we hold the lock was left by a dead process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from .. import own_files
from ..errors import ZramError, from_errno
from ..kernel.sysfs import BOOT_ID, is_there, read_value
from ..limits import BD_UNIT, PAGE_SIZE

if TYPE_CHECKING:
    from ..device.zram import Zram

UNITS_PER_PAGE = PAGE_SIZE // BD_UNIT


class LimitOverride(NamedTuple):
    """The device's own limit, and that of one step, in units of 4096 bytes."""

    own: int
    limited: bool
    """Whether its own limit is in force."""
    granted: int
    charged: bool = False
    """Whether ``own`` is what remains after the step's use."""


def apply(device: Zram, pages: int) -> LimitOverride:
    """Let the next command write at most this many pages, within the device's own limit."""
    limited = device.read_writeback_limit_enable()
    own = device.read_writeback_limit()
    granted = pages * UNITS_PER_PAGE
    if limited:
        granted = min(granted, own // UNITS_PER_PAGE * UNITS_PER_PAGE)
    override = LimitOverride(own, limited, granted)
    if granted:
        _write_down(device, override)
        device.set_writeback_limit(granted)
        device.set_writeback_limit_enable(True)
    return override


def restore(device: Zram, override: LimitOverride) -> int:
    """Restore the device's own limit, less what was used of it; return the pages used."""
    left = device.read_writeback_limit()
    if override.limited:
        _write_down(device, _charged(override, left))
    _put_back(device, _charged(override, left))
    return (override.granted - left) // UNITS_PER_PAGE


def is_recorded(device: Zram) -> bool:
    """Whether a run is at work, or was killed."""
    return is_there(_path(device))


def recover(device: Zram) -> None:
    """Restore the limit that a killed process left changed."""
    override = _recorded(device)
    if override is None:
        return
    left = device.read_writeback_limit()
    if left <= override.granted:
        _put_back(device, _charged(override, left))
    else:
        # No budget had been set yet, or somebody has set another limit since.
        os.unlink(_path(device))


def _charged(override: LimitOverride, left: int) -> LimitOverride:
    if override.limited and not override.charged:
        return override._replace(own=override.own - (override.granted - left), charged=True)
    return override


def _put_back(device: Zram, override: LimitOverride) -> None:
    if not override.limited:
        device.set_writeback_limit_enable(False)
    device.set_writeback_limit(override.own)
    os.unlink(_path(device))


# ---- the record ----------------------------------------------------------------------------------


def _path(device: Zram) -> str:
    return device.sysfs.path("run/pyzram/limits", device.name)


def _identity(device: Zram) -> str:
    """What distinguishes this device from others that had or will have its number."""
    boot = read_value(device.sysfs.path(BOOT_ID)) or "-"
    return f"{boot} {device.read_diskseq()}"


def _write_down(device: Zram, override: LimitOverride) -> None:
    path = _path(device)
    line = " ".join([_identity(device), *(str(int(value)) for value in override)])
    try:
        own_files.write_file(path, line + "\n")
    except ZramError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: record its limit", path) from err


def _recorded(device: Zram) -> LimitOverride | None:
    path = _path(device)
    try:
        text = own_files.read_file(path)
    except ZramError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: read its limit", path) from err
    words = (text or "").removesuffix("\n").split(" ")
    if " ".join(words[:2]) != _identity(device) or len(words) != 2 + len(LimitOverride._fields):
        return None
    own, limited, granted, charged = map(int, words[2:])
    return LimitOverride(own, bool(limited), granted, bool(charged))
