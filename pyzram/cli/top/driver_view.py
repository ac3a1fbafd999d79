# SPDX-License-Identifier: MIT
"""The terminal's input, waited for instead of looked for.

textual's thread for keys and mouse checks ten times a second whether there is something to read,
and before that whether it has to end. Here the second check waits while nothing happens, which
saves an eighth of what the view costs (measured by bench/top.py).
"""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

PATIENCE = 2000  # milliseconds of a wait
LIVELY = 1.0  # seconds after input in which textual looks as often as it wants to
# textual waits a tenth of a second for input. If it asks again sooner, there was some, perhaps a
# lone Escape; to tell that from the beginning of another key, textual looks once more.
SOON = 0.09


class Ending(threading.Event):
    """Whether the thread for input has to end.

    Synchronization: safe.
    """

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self.asker = 0
        """The thread that has to wait."""
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(terminal, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._asked = self._lively = 0.0

    def is_set(self) -> bool:
        """Whether it has to end; the thread gets its answer on input, and now and then."""
        if threading.get_ident() == self.asker:
            now = time.monotonic()
            if now - self._asked < SOON:
                self._lively = now + LIVELY
            if now >= self._lively and self._poll.poll(PATIENCE):
                self._lively = time.monotonic() + LIVELY
            self._asked = time.monotonic()
        return super().is_set()

    def set(self) -> None:
        """Tell it to end now."""
        super().set()
        os.write(self._wake, b"\0")

    def clear(self) -> None:
        """Let another thread begin."""
        if super().is_set():
            os.read(self._woken, 64)
        super().clear()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._woken)
        os.close(self._wake)


class PatientDriver(LinuxDriver):
    """textual's driver, which waits for input."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.exit_event: Ending = Ending(self.fileno)

    def run_input_thread(self) -> None:
        """Read keys and mouse until the end."""
        self.exit_event.asker = threading.get_ident()
        super().run_input_thread()

    def close(self) -> None:
        """Close what it has open."""
        super().close()
        self.exit_event.close()
