# SPDX-License-Identifier: MIT
"""The view on textual: its screens, keys, and the steady look at the machine."""

from __future__ import annotations

import asyncio
import gc
import signal
import textwrap
import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer

from ..options import SHORTEST
from .device_view import DeviceScreen
from .driver_view import PatientDriver
from .lines_view import Lines
from .look import Look, Looker
from .parts import DELAY_MAX, Column, detail, fitting, overview
from .table_view import Table

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from .parts import Line

KEYS = 22  # columns of the keys in the help
LEAST_DETAIL = 7  # lines for the device under the cursor, before the list gets more

HELP = (
    ("up, down, wheel", "the device below, above"),
    ("enter, double click", "its page: figures, size classes, ages"),
    ("escape", "back"),
    ("s, S, click a heading", "sort by another column"),
    ("r", "reverse the order"),
    ("p, space", "pause"),
    ("+, -", "refresh more or less often"),
    ("u (on the page)", "read classes and ages now"),
    ("q, Ctrl-C", "quit"),
    ("", ""),
    ("TOTAL", "memory in use"),
    ("RATIO", "DATA / TOTAL; green from 2, red below 1.1"),
    ("FILL", "of size, limit or swap, whichever is fullest; yellow from 75 %, red from 90 %"),
    ("READ/s, WRITE/s", "requests per second"),
    ("pressure", "share of the last 10 s in which some process waited"),
    ("tend", "mode and latest reasons of pyzram tend"),
)


class HelpScreen(ModalScreen[None]):
    """What the keys do and the terms mean."""

    BINDINGS: ClassVar = [
        Binding("escape,enter,q,question_mark,space", "dismiss", "close"),
    ]
    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen Lines { width: 100%; max-width: 84; background: $panel; padding: 1 2; }
    """

    def compose(self) -> ComposeResult:
        """One text."""
        yield Lines("help")

    def on_mount(self) -> None:
        """Show it."""
        width = min(self.size.width, 84) - 4 - KEYS
        lines: list[Line] = []
        for keys, text in HELP:
            first, *more = textwrap.wrap(text, max(width, 10)) or [""]
            lines.append(((keys.ljust(KEYS), "head"), (first, "")))
            lines += [((" " * KEYS, ""), (line, "")) for line in more]
        self.query_one(Lines).show(lines)

    def on_click(self) -> None:
        """A click anywhere closes it."""
        self.dismiss()


class MainScreen(Screen[None]):
    """The machine, the devices, and the one under the cursor."""

    BINDINGS: ClassVar = [
        Binding("s", "sort(1)", "sort"),
        Binding("S", "sort(-1)", "sort back", show=False),
        Binding("r", "reverse", "reverse"),
        Binding("p,space", "app.pause", "pause"),
        Binding("plus,equals_sign", "app.faster(0.5)", "more often", show=False),
        Binding("minus", "app.faster(2)", "less often", show=False),
        Binding("question_mark,f1", "app.help", "help", key_display="?"),
        Binding("q", "app.quit", "quit"),
    ]
    CSS = """
    MainScreen #detail { height: 1fr; }
    """

    def __init__(self, column: Column, reverse: bool) -> None:
        super().__init__()
        self.table = Table(column, reverse)
        self.look = Look()

    @property
    def top(self) -> Top:
        """The application."""
        assert isinstance(self.app, Top)
        return self.app

    def compose(self) -> ComposeResult:
        """Three parts, and the keys."""
        yield Lines("overview")
        yield self.table
        yield Lines("detail")
        yield Footer()

    def on_mount(self) -> None:
        """The keys are the table's."""
        self.table.focus()

    def on_resize(self) -> None:
        """Fit everything into the window."""
        self.draw()

    def feed(self, look: Look) -> None:
        """Another look."""
        self.look = look
        self.draw()

    def draw(self) -> None:
        """Show everything; what has not changed costs nothing."""
        width, height = self.size
        if not self.is_mounted or not width:
            return
        lines = overview(self.look, width, "pyzram top", self.top.said)
        room = height - len(lines) - 1
        rows = min(len(self.look.devices) + 1, max(room - LEAST_DETAIL, 2))
        if self.table.styles.height is None or self.table.styles.height.value != rows:
            self.table.styles.height = rows
        self.query_one("#overview", Lines).show(lines)
        self.table.feed(self.look.devices)
        self.query_one("#detail", Lines).show(
            detail(self.table.device, self.look.total, width, max(room - rows, 0))
        )

    def on_table_chosen(self) -> None:
        """The cursor has moved."""
        self.draw()

    def on_table_opened(self) -> None:
        """A page is wanted."""
        if self.table.device:
            screen = DeviceScreen(self.table.device.name, self.top.looker.sysfs)
            self.app.push_screen(screen)
            screen.feed(self.look)

    def on_table_sorted(self, message: Table.Sorted) -> None:
        """A heading was clicked; again turns the order round."""
        if message.column is self.table.column:
            self.action_reverse()
        else:
            self._sort(message.column)

    def action_sort(self, by: int) -> None:
        """Sort by the next column of those that are shown."""
        shown = fitting(self.table.content_width)
        at = shown.index(self.table.column) if self.table.column in shown else -by
        self._sort(shown[(at + by) % len(shown)])

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.table.reverse = not self.table.reverse
        self.draw()

    def _sort(self, column: Column) -> None:
        self.table.column, self.table.reverse = column, not column.words
        self.draw()


class Top(App[None]):
    """The live view."""

    TITLE = "pyzram top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),
    ]

    def __init__(self, looker: Looker, delay: float, column: Column, reverse: bool) -> None:
        super().__init__(driver_class=PatientDriver)
        self.looker = looker
        self.delay = delay
        self.message = ""
        self.paused = False
        self._first = (column, reverse if column.words else not reverse)
        self._wake = asyncio.Event()
        self._main: MainScreen | None = None

    @property
    def said(self) -> str:
        """The text at the right of the title."""
        often = "paused" if self.paused else f"every {self.delay:g} s"
        return f"{often}  {time.strftime('%H:%M:%S')}"

    def on_mount(self) -> None:
        """Begin to look."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        self._main = MainScreen(*self._first)
        self.push_screen(self._main)
        self.run_worker(self._watch())
        # What is there now stays: looking through it for garbage would cost more than the view.
        gc.collect()
        gc.freeze()

    def _end(self, number: int) -> None:
        self.exit(return_code=0 if number == signal.SIGINT else 128 + number)

    async def _watch(self) -> None:
        """Look, show, wait; beats that were missed are left out."""
        due = time.monotonic()
        while True:
            self._wake.clear()  # before the look: a key pressed meanwhile is not lost
            if not self.paused:
                look = await asyncio.to_thread(self.looker.look)
                if self.looker.over:
                    self.message = look.notes[-1] if look.notes else "no device"
                    self.exit(return_code=1)
                    return
                self._show(look)
            due = max(due + self.delay, time.monotonic())
            try:
                await asyncio.wait_for(self._wake.wait(), max(due - time.monotonic(), 0.001))
                due = time.monotonic()
            except TimeoutError:
                pass

    def _show(self, look: Look) -> None:
        # Only what is visible is drawn; the list below a page is updated for its return.
        for screen in self.screen_stack:
            if screen is self.screen and isinstance(screen, (MainScreen, DeviceScreen)):
                screen.feed(look)
            elif isinstance(screen, MainScreen):
                screen.look = look

    def action_help(self) -> None:
        """Explain."""
        self.push_screen(HelpScreen())

    def action_pause(self) -> None:
        """Stop or go on."""
        self.paused = not self.paused
        self._redraw()

    def action_faster(self, factor: float) -> None:
        """Update more or less often."""
        self.delay = min(max(self.delay * factor, SHORTEST), DELAY_MAX)
        self._redraw()

    def _redraw(self) -> None:
        if self._main:
            self._main.draw()
        self._wake.set()
