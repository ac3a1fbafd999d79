# SPDX-License-Identifier: MIT
"""Devices that a killed run of ours left behind, which the next run removes.

A swap left at the highest priority would take the pages that others page out to their own. The
maker of a device holds a lock on its file in FOLDER, which ends with the process, however that
ends; a device is known by its diskseq, which the kernel never gives twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import pyzram

FOLDER = Path("/run/pyzram-tests")


def hold(number: int) -> int | None:
    """Claim a device for this process; return what :func:`let_go` takes."""
    try:
        diskseq = Path(f"/sys/block/zram{number}/diskseq").read_text().strip()
    except FileNotFoundError:  # before Linux 5.15
        return None
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    file = FOLDER / f"{number}-{diskseq}"
    unlocked = file.with_name(f".{file.name}")
    descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unlocked.rename(file)
    return descriptor


def let_go(descriptor: int | None) -> None:
    """Drop the claim on a device that is gone."""
    if descriptor is not None:
        Path(os.readlink(f"/proc/self/fd/{descriptor}")).unlink(missing_ok=True)
        os.close(descriptor)


def take_away() -> list[str]:
    """Remove the devices whose makers are gone; return their names."""
    gone = []
    for file in sorted(FOLDER.glob("[0-9]*-*")):
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its maker, or another run, was faster
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        number, diskseq = map(int, file.name.split("-"))
        with contextlib.suppress(pyzram.DeviceNotFoundError), pyzram.Zram(number) as device:
            if device.read_diskseq() == diskseq:
                device.remove(release=True)
                gone.append(device.name)
        let_go(descriptor)
    return gone
