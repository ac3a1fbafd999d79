# SPDX-License-Identifier: MIT
"""The budget that one step of writeback is lent, given back even after SIGKILL.

``writeback_limit`` is all that ends a command of the kernel early, so a step sets its own. What
the device had before is written down first, in /run/pyzram: if the process is killed within the
step, the next run finds that and puts it right before it begins.

Lend and recover with the device locked (:func:`pyzram.postprocess.bounded_steps.alone`): a record
under a lock of ours is a dead process's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..errors import from_errno
from ..kernel.parse import BD_UNIT
from ..kernel.sysfs import read_text

if TYPE_CHECKING:
    from ..device.zram import Zram

UNITS_PER_PAGE = os.sysconf("SC_PAGE_SIZE") // BD_UNIT


class Loan(NamedTuple):
    """What the device had, and what it has for one step, in units of 4096 bytes."""

    own: int
    limited: bool
    """Whether its own limit counts."""
    lent: int
    settled: bool = False
    """``own`` is already less what was used."""


def lend(device: Zram, pages: int) -> Loan:
    """Let the next command write at most so many pages; less if the device's own limit is."""
    limited = device.read_writeback_limit_enable()
    own = device.read_writeback_limit()
    lent = pages * UNITS_PER_PAGE
    if limited:
        lent = min(lent, own // UNITS_PER_PAGE * UNITS_PER_PAGE)
    loan = Loan(own, limited, lent)
    if lent:
        _write_down(device, loan)
        device.set_writeback_limit(lent)
        device.set_writeback_limit_enable(True)
    return loan


def give_back(device: Zram, loan: Loan) -> int:
    """Put the device's own limit back, less what was used of it; return the pages used."""
    left = device.read_writeback_limit()
    if loan.limited:
        _write_down(device, _settled(loan, left))
    _put_back(device, _settled(loan, left))
    return (loan.lent - left) // UNITS_PER_PAGE


def recover(device: Zram) -> None:
    """Put right what a killed process left."""
    loan = _recorded(device)
    if loan is None:
        return
    left = device.read_writeback_limit()
    if left <= loan.lent:
        _put_back(device, _settled(loan, left))
    else:
        # Nothing was lent yet, or somebody has set another limit since.
        os.unlink(_path(device))


def _settled(loan: Loan, left: int) -> Loan:
    if loan.limited and not loan.settled:
        return loan._replace(own=loan.own - (loan.lent - left), settled=True)
    return loan


def _put_back(device: Zram, loan: Loan) -> None:
    if not loan.limited:
        device.set_writeback_limit_enable(False)
    device.set_writeback_limit(loan.own)
    os.unlink(_path(device))


# ---- the record ----------------------------------------------------------------------------------


def _path(device: Zram) -> str:
    return device.sysfs.path("run/pyzram", f"{device.name}.lent")


def _identity(device: Zram) -> str:
    """What tells this device from others that had or get its number."""
    words = []
    for path in (device.sysfs.path("proc/sys/kernel/random/boot_id"), f"{device.path}/diskseq"):
        try:
            words.append(read_text(path).strip())
        except FileNotFoundError:
            words.append("-")  # diskseq is from 5.15
    return " ".join(words)


def _write_down(device: Zram, loan: Loan) -> None:
    path = _path(device)
    line = " ".join([_identity(device), *(str(int(value)) for value in loan)])
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(line + "\n")
        os.replace(f"{path}.new", path)
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: write the limit down", path) from err


def _recorded(device: Zram) -> Loan | None:
    try:
        words = read_text(_path(device)).split()
    except FileNotFoundError:
        return None
    if " ".join(words[:2]) != _identity(device) or len(words) != 2 + len(Loan._fields):
        return None
    own, limited, lent, settled = map(int, words[2:])
    return Loan(own, bool(limited), lent, bool(settled))
