# SPDX-License-Identifier: MIT
"""The screen of one device's page."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer

from .lines_view import Lines
from .page import Inside, look_inside, page

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...kernel.sysfs import Sysfs
    from .look import Device, Look

# Reading block_state of a large device takes long: spend at most this share of the time on it.
SHARE = 0.01


class DeviceScreen(Screen[None]):
    """Every figure of a device, the size classes of its pool and the ages of its pages."""

    BINDINGS: ClassVar = [
        Binding("escape,backspace,left", "dismiss", "back"),
        Binding("u", "update", "read classes and ages"),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("q", "app.quit", "quit"),
        Binding("question_mark", "app.help", "help", key_display="?"),
    ]
    CSS = """
    DeviceScreen #title { height: 1; }
    """

    def __init__(self, name: str, sysfs: Sysfs) -> None:
        super().__init__()
        self.device_name = name
        self.sysfs = sysfs
        self.inside: Inside | None = None
        self.device: Device | None = None
        self.look: Look | None = None
        self._due = 0.0
        self._reading = False

    def compose(self) -> ComposeResult:
        """A title, the page, and the keys."""
        yield Lines("title")
        with VerticalScroll(id="scroll"):
            yield Lines("page")
        yield Footer()

    def on_mount(self) -> None:
        """Show what is known."""
        self.query_one("#scroll").focus()
        self.draw()

    def on_resize(self) -> None:
        """Fit the page into the window."""
        self.draw()

    def feed(self, look: Look) -> None:
        """Show new figures, or close the page if its device is gone."""
        found = [device for device in look.devices if device.name == self.device_name]
        if not found or (self.device and found[0].identity != self.device.identity):
            self.notify(f"{self.device_name} is gone", severity="warning")
            self.dismiss()
            return
        self.device, self.look = found[0], look
        if time.monotonic() >= self._due:
            self.action_update()
        self.draw()

    def draw(self) -> None:
        """Show the page."""
        if self.device is None or self.look is None or not self.is_mounted:
            return
        width = max(self.size.width - 2, 20)
        self.query_one("#title", Lines).show([((self.device_name, "head"),)])
        self.query_one("#page", Lines).show(page(self.device, self.inside, self.look, width))

    def action_scroll(self, by: int) -> None:
        """Scroll the page."""
        self.query_one("#scroll").scroll_relative(y=by, animate=False)

    def action_update(self) -> None:
        """Read classes and ages now."""
        if not self._reading:
            self._reading = True
            self.run_worker(self._read())

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            self.inside = await asyncio.to_thread(look_inside, self.sysfs, self.device_name)
        finally:
            self._reading = False
        now = time.monotonic()
        self._due = now + max((now - began) / SHARE, 1.0)
        self.draw()
