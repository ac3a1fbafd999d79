# SPDX-License-Identifier: MIT
"""The list of devices: sorted by a column, with a cursor, for keys and the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .lines_view import COMPONENTS, Shown, css_of
from .parts import Column, column_at, fitting, headings, ordered, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .look import Device


class Table(Shown, ScrollView, can_focus=True):
    """The devices; its first line has the headings and stays where it is."""

    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
        Binding("enter", "open", "device"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {*COMPONENTS, "lines--cursor"}
    DEFAULT_CSS = (
        "Table { background: $surface; overflow-x: hidden; overflow-y: auto;"
        " scrollbar-size-vertical: 1; }\n"
        "Table .lines--cursor { background: $primary 30%; }\n" + css_of("Table")
    )

    class Chosen(Message):
        """The cursor has moved to another device."""

    class Opened(Message):
        """The user wants a device's page."""

    class Sorted(Message):
        """The user clicked a heading."""

        def __init__(self, column: Column) -> None:
            super().__init__()
            self.column = column

    def __init__(self, column: Column, reverse: bool) -> None:
        super().__init__("table")
        self.column = column
        self.reverse = reverse
        self.devices: list[Device] = []
        self.cursor = 0
        self.name_at_cursor = ""

    @property
    def device(self) -> Device | None:
        """The device under the cursor."""
        return self.devices[self.cursor] if self.devices else None

    def feed(self, devices: Sequence[Device]) -> None:
        """Show these devices; the cursor stays on its device, wherever that moves to."""
        self.devices = ordered(devices, self.column, self.reverse)
        names = [device.name for device in self.devices]
        if self.name_at_cursor in names:
            cursor = names.index(self.name_at_cursor)
        else:
            cursor = min(self.cursor, max(len(names) - 1, 0))
        self._put(cursor)
        columns = fitting(self.content_width)
        self.show(
            [
                headings(columns, self.column, self.reverse),
                *(row(device, columns) for device in self.devices),
            ]
        )

    @property
    def content_width(self) -> int:
        """Columns for a row, beside the scrollbar."""
        return self.scrollable_content_region.width or self.app.size.width

    def resized(self) -> None:
        """Adjust to more devices, or fewer."""
        self.virtual_size = Size(0, len(self.lines))
        self.refresh()

    def draw(self, changed: Sequence[Region]) -> None:
        """Draw these lines again, wherever they have been scrolled to."""
        top = round(self.scroll_offset.y)
        self.refresh(*(r if r.y == 0 else r.translate((0, -top)) for r in changed))

    def render_line(self, y: int) -> Strip:
        """One line of the window."""
        at = y if y == 0 else y + round(self.scroll_offset.y)
        strip = self.strip(at)
        if at == self.cursor + 1 and self.devices:
            # Over what the roles say of the background.
            cursor = Style(bgcolor=self.style_of("cursor").bgcolor, bold=True)
            return Strip(list(Segment.apply_style(strip, post_style=cursor)), strip.cell_length)
        return strip

    # ---- keys and mouse --------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._put(min(max(self.cursor + by, 0), max(len(self.devices) - 1, 0)))

    def action_page(self, by: int) -> None:
        """Move the cursor by as many lines as fit."""
        self.action_move(by * max(self.size.height - 2, 1))

    def action_open(self) -> None:
        """Open the page of the device under the cursor."""
        if self.devices:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """A click on a heading sorts; on a device it chooses, and on the chosen one it opens."""
        if event.y == 0:
            column = column_at(fitting(self.content_width), event.x)
            if column:
                self.post_message(self.Sorted(column))
            return
        at = event.y + round(self.scroll_offset.y) - 1
        if at >= len(self.devices):
            return
        if at == self.cursor and getattr(event, "chain", 1) == 2:  # not in 1.0
            self.action_open()
        else:
            self._put(at)

    def _put(self, cursor: int) -> None:
        before, self.cursor = self.cursor, cursor
        name = self.devices[cursor].name if self.devices else ""
        if before != cursor:
            width = self.size.width
            self.draw([Region(0, before + 1, width, 1), Region(0, cursor + 1, width, 1)])
        if name != self.name_at_cursor:
            self.name_at_cursor = name
            room = self.size.height - 1
            top = round(self.scroll_offset.y)
            if room > 0 and not top <= cursor < top + room:
                self.scroll_to(y=cursor if cursor < top else cursor - room + 1, animate=False)
            self.post_message(self.Chosen())
