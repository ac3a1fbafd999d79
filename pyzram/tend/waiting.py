# SPDX-License-Identifier: MIT
"""What wakes the daemon (pressure, a signal or time) and what it tells the service manager."""

from __future__ import annotations

import os
import select
import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from ..kernel.sysfs import Sysfs

# Windows that are multiples of 2 s need no capability (Documentation/accounting/psi.rst).
TRIGGERS = {"some": b"some 100000 2000000\n", "full": b"full 100000 2000000\n"}
NOTIFY_SECONDS = 1.0


class Waiting:
    """Triggers of memory pressure and signals, as one wait. Use as a context manager.

    Synchronization: the main thread only, because it handles signals.
    """

    def __init__(self, sysfs: Sysfs) -> None:
        self.stop = self.reload = False
        self._poll = select.poll()
        self._triggers: dict[int, str] = {}
        for name, text in TRIGGERS.items():
            try:
                fd = os.open(sysfs.path("proc/pressure/memory"), os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                os.write(fd, text)
            except OSError:
                os.close(fd)
                continue
            self._triggers[fd] = name
            self._poll.register(fd, select.POLLPRI)
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._reader, select.POLLIN)

    def __enter__(self) -> Waiting:
        signal.set_wakeup_fd(self._writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGHUP, self._ask_to_reload)
        return self

    def __exit__(self, *_exc: object) -> None:
        signal.set_wakeup_fd(-1)
        for fd in (*self._triggers, self._reader, self._writer):
            os.close(fd)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _ask_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True

    def wait(self, seconds: float) -> str:
        """Wait for pressure (returns ``some`` or ``full``), a signal or the end of ``seconds``."""
        if self.stop or self.reload:
            return ""
        found = ""
        for fd, events in self._poll.poll(seconds * 1000):
            if fd == self._reader:
                os.read(fd, 4096)
            elif events & (select.POLLERR | select.POLLNVAL):
                self._poll.unregister(fd)
            elif found != "full":
                found = self._triggers[fd]
        return found


def notify(message: str) -> None:
    """Notify the service manager, if it asks for that (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(NOTIFY_SECONDS)  # a manager that reads nothing must not hold up SIGTERM
            out.sendto(message.encode(), address)
    except OSError:
        pass  # a manager that is gone is no reason to stop
