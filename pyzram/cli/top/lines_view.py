# SPDX-License-Identifier: MIT
"""Lines on the screen, of which only changed ones are drawn again.

textual's own table and texts draw all of themselves at each change, and its way from a line to what
the terminal gets asks for every rule of a style at each line. Together that would be most of what
the view costs (bench/top.py tells that), so these widgets hand out finished strips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parts import Line

ROLES = {
    "label": "color: $text-muted;",
    "head": "text-style: bold; color: $primary;",
    "full": "color: $primary;",
    "second": "color: $primary-lighten-2;",
    "rest": "color: $text-disabled;",
    "mark": "text-style: bold underline;",
    "good": "color: $success;",
    "warn": "color: $warning;",
    "bad": "text-style: bold; color: $error;",
}
# Those before 6.0 do not tell what they take out of colours, and go their own way.
FILTERS = hasattr(Widget, "get_line_filters")
COMPONENTS = {f"lines--{role}" for role in ROLES}


def css_of(widget: str) -> str:
    """Component classes for the roles."""
    return "".join(f"{widget} .lines--{role} {{ {rules} }}\n" for role, rules in ROLES.items())


if TYPE_CHECKING:
    _Widget = Widget
else:
    # At run time it comes before a widget of any kind.
    _Widget = object


class Shown(_Widget):
    """The lines of a widget, and how each of them looks."""

    ALLOW_SELECT = False  # selected text would have to be painted into the strips
    lines: Sequence[Line] = ()

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._styles_of: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}
        self._width = 0  # of the strips

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on."""
        before, self.lines = self.lines, lines
        if len(before) != len(lines):
            self._strips.clear()
            self.resized()
            return
        width = self.size.width
        changed = [y for y, (old, new) in enumerate(zip(before, lines, strict=True)) if old != new]
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.draw([Region(0, y, width, 1) for y in changed])

    def resized(self) -> None:
        """There are more lines or fewer."""
        raise NotImplementedError

    def draw(self, changed: Sequence[Region]) -> None:
        """Draw these lines again."""
        raise NotImplementedError

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a part of the window, as the compositor wants them."""
        width = self.size.width
        if width != self._width:
            self._strips.clear()
            self._width = width
        if self.styles.gutter or not FILTERS:
            return super().render_lines(crop)
        strips = [self.render_line(y) for y in crop.line_range]
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def strip(self, y: int) -> Strip:
        """A line in the colours of its roles, as wide as the widget; blank below the last."""
        if y not in self._strips:
            width = self._width
            line = self.lines[y] if y < len(self.lines) else ()
            segments = [Segment(text, self.style_of(role)) for text, role in line]
            room = width - sum(len(text) if text.isascii() else cell_len(text) for text, _ in line)
            if room >= 0:
                self._strips[y] = Strip([*segments, Segment(" " * room, self.style_of(""))], width)
            else:
                self._strips[y] = Strip(segments).crop(0, width)
        return self._strips[y]

    def style_of(self, role: str) -> Style:
        """The style of a role, looked up once for each theme; grey where no colour is wanted."""
        if role not in self._styles_of:
            name = f"lines--{role}"
            style = self.get_component_rich_style(name) if role else self.rich_style
            segments = [Segment(" ", style)]
            for each in self.get_line_filters() if FILTERS else ():
                segments = each.apply(segments, self.background_colors[1])
            self._styles_of[role] = segments[0].style or style
        return self._styles_of[role]

    def notify_style_update(self) -> None:
        """Another theme: the styles are looked up again."""
        super().notify_style_update()
        self._styles_of.clear()
        self._strips.clear()


class Lines(Shown, Widget):
    """Lines of :mod:`pyzram.cli.top.parts`; a longer one is cut at the edge."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = "Lines { height: auto; }\n" + css_of("Lines")

    def resized(self) -> None:
        """There are more lines or fewer."""
        self.refresh(layout=True)

    def draw(self, changed: Sequence[Region]) -> None:
        """Draw these lines again."""
        self.refresh(*changed)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """One line."""
        return self.strip(y)
