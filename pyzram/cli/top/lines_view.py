# SPDX-License-Identifier: MIT
"""Lines on the screen, of which only changed ones are drawn again.

textual's own table and texts draw all of themselves at each change, which would be most of what
the view costs (bench/top.py tells that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

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
    """The lines of a widget, and their styles."""

    lines: Sequence[Line] = ()
    _styles_of: dict[str, Style] | None = None

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on."""
        before, self.lines = self.lines, lines
        if len(before) != len(lines):
            self.resized()
            return
        width = self.size.width
        changed = [
            Region(0, y, width, 1)
            for y, (old, new) in enumerate(zip(before, lines, strict=True))
            if old != new
        ]
        if changed:
            self.draw(changed)

    def resized(self) -> None:
        """There are more lines or fewer."""
        raise NotImplementedError

    def draw(self, changed: Sequence[Region]) -> None:
        """Draw these lines again."""
        raise NotImplementedError

    def strip(self, line: Line, width: int) -> Strip:
        """A line in the colours of its roles."""
        segments = [Segment(text, self.style_of(role)) for text, role in line]
        return Strip(segments).adjust_cell_length(width, self.style_of(""))

    def style_of(self, role: str) -> Style:
        """The style of a role, looked up once for each theme."""
        if self._styles_of is None:
            self._styles_of = {
                known: self.get_component_rich_style(f"lines--{known}") for known in ROLES
            }
            self._styles_of[""] = self.rich_style
        return self._styles_of[role]

    def notify_style_update(self) -> None:
        """Another theme: the styles are looked up again."""
        super().notify_style_update()
        self._styles_of = None


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
        """One line, as the compositor wants it."""
        return self.strip(self.lines[y] if y < len(self.lines) else (), self.size.width)
