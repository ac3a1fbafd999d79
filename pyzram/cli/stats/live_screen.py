# SPDX-License-Identifier: MIT
"""The terminal of zram_stats's live view: its size, its keys, and what stops it.

Plain escape sequences suffice: curses would add nothing that is needed here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from ... import interruption
from ...text import quote
from ..bars import ASCII_BARS, BARS
from ..colour import wanted
from ..device_history import Histories
from ..zram_stats import Collection, complain, write
from .live_picture import READ, picture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENTER = "\x1b[?1049h\x1b[?25l"  # the alternate screen, no cursor
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME_POSITION, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """The picture on a terminal, and the keys."""

    def __init__(self, collection: Collection, seconds: float) -> None:
        self.watch = Histories(collection, READ)
        self.seconds = seconds
        self.keys = sys.stdin.isatty() if sys.stdin is not None else False
        self.bars = BARS if "utf" in (sys.stdout.encoding or "").lower() else ASCII_BARS
        self.coloured = wanted(sys.stdout)
        self.notes: list[str] = []
        # Standard error is most likely this very terminal.
        collection.tell = lambda message: self.notes.append(quote(str(message)))
        self._paused = False
        self._saved: list[Any] = []

    def run(self) -> int:
        """Show until q or Ctrl-C; whatever happens, the terminal is restored."""
        wake, woken = os.pipe()
        for fd in (wake, woken):
            os.set_blocking(fd, False)
        # These make select() return; their handlers do nothing, or only take note.
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            signal.signal(number, lambda *_: None)
        interruption.take_note()
        signal.signal(signal.SIGTSTP, self._note_pause)
        try:
            self._enter()
            return self._loop(wake)
        except interruption.Ended as end:
            if end.code != 128 + signal.SIGINT:
                raise
            return 0
        finally:
            self._leave()
            for note in self.notes:
                complain(note)

    def _loop(self, wake: int) -> int:
        due = time.monotonic()
        while True:
            self.watch.step()
            collection = self.watch.collection
            if not self.watch.devices and collection.operands:
                return collection.status
            due = max(due + self.seconds, time.monotonic())
            self._draw(wake)
            while (left := due - time.monotonic()) > 0:
                ready = select.select([wake, 0] if self.keys else [wake], [], [], left)[0]
                if wake in ready:
                    os.read(wake, 64)
                    self._pause_if_told()
                    self._draw(wake)
                if 0 in ready:
                    pressed = os.read(0, 64)
                    if b"q" in pressed or b"Q" in pressed:
                        return 0
                    # End of input: the terminal is gone, or no more keys can come.
                    self.keys = bool(pressed)

    def _draw(self, wake: int) -> None:
        # A stopped terminal (Ctrl-S) accepts nothing, and a write would block.
        while not select.select([wake], [1], [])[1]:
            os.read(wake, 64)
            interruption.check()
        interruption.check()
        width, height = os.get_terminal_size(1)
        title = f"zram_stats, q quits; every {self.seconds:g} s, {time.strftime('%F %T')}"
        drawn = picture(
            self.watch,
            max(width, 1),
            max(height, 1),
            title,
            notes=self.notes[-2:],
            bars=self.bars,
            coloured=self.coloured,
        )
        text = HOME_POSITION + (CLEAR_LINE + "\n").join(drawn) + CLEAR_LINE + CLEAR_BELOW
        write(text)
        sys.stdout.flush()

    def _enter(self) -> None:
        if self.keys:
            import termios

            self._saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(0, termios.TCSADRAIN, mode)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _leave(self) -> None:
        takes = bool(select.select([], [1], [], 0)[1])
        if takes:
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
        if self._saved:
            import termios

            when = termios.TCSADRAIN if takes else termios.TCSANOW
            termios.tcsetattr(0, when, self._saved)

    def _note_pause(self, _number: int, _frame: object) -> None:
        # Do not pause here: the signal may arrive in the middle of a write.
        self._paused = True

    def _pause_if_told(self) -> None:
        """Ctrl-Z: give the terminal back while stopped."""
        if not self._paused:
            return
        self._paused = False
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note_pause)
        self._enter()
