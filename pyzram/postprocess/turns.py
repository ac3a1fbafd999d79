# SPDX-License-Identifier: MIT
"""One run of pyzram at a time moves the pages of a device."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from .. import own_files
from ..errors import DeviceBusyError, ZramError, ZramOSError, from_errno
from .bounded_steps import STEP_SECONDS, StepSizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..device.zram import Zram


@contextlib.contextmanager
def exclusive(device: Zram, sizer: StepSizer) -> Iterator[int]:
    """Keep other runs of pyzram off the device; they wait until their deadline.

    Yield the number of times that this was done so far. It is the size of the lock's file, which
    takes no space.

    Raises:
        DeviceBusyError: another run lasted until the deadline (EBUSY).
    """
    # Files that only root can open: anybody may open a folder of sysfs and lock it.
    path = device.sysfs.path("run/pyzram/locks", device.name)
    try:
        # Whoever waits longest is next, even after one that gives way only for a moment.
        with own_files.lock(f"{path}.next", sizer.left()):
            lock = own_files.lock(path, sizer.left())
    except BlockingIOError as err:
        raise _busy(device, "is under way") from err
    except ZramError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: take the lock", path) from err
    with lock as fd:
        count = os.fstat(fd).st_size + 1
        # If /run is read-only, nobody can tell one time from another, as if others were at work.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, count)
        yield count


class Turns:
    """The turns of a run that lets others have theirs in between, and notices if they had.

    Synchronization: one thread.
    """

    def __init__(self, device: Zram) -> None:
        self._device = device
        self._last = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other runs of pyzram off the device; let no turn last longer than a step.

        Raises:
            DeviceBusyError: another run has had the device since the last turn, or has it now.
        """
        with exclusive(self._device, StepSizer(STEP_SECONDS)) as count:
            if self._last and count != self._last + 1:
                raise _busy(self._device, "came between")
            self._last = count
            yield


def at_once(device: Zram, command: Callable[[], object]) -> None:
    """Issue a command of the kernel, and wait for no other program that has it move pages.

    Raises:
        DeviceBusyError: another program does so, and the kernel waits for none either (6.12).
    """
    try:
        command()
    except ZramOSError as err:
        if err.errno != errno.EAGAIN:
            raise
        raise _busy(device, "is under way") from err


def _busy(device: Zram, what: str) -> DeviceBusyError:
    text = f"{device.name}: another writeback or recompression {what}"
    return DeviceBusyError(errno.EBUSY, text, device.path)
