# SPDX-License-Identifier: MIT
"""What another tool's file becomes: variables of the configuration, and what has no equivalent."""

from __future__ import annotations

from ..errors import InvalidValueError
from ..text import is_whole, quote
from ..units import U64_MAX
from .values import KERNELS_OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    Source = tuple[str, str]  # path, text

SIZES = ("ZRAM_SIZE", "ZRAM_MEM_LIMIT", "ZRAM_HOST_MEMORY_LIMIT")


class RefusedFileError(InvalidValueError):
    """The other tool refuses the file too; the message names the line and the reason."""


class Imported:
    """The equivalent of foreign files."""

    def __init__(self, source: str, tool: str) -> None:
        self.source = source
        self.tool = tool
        self.lines: list[tuple[str, str]] = []
        """Variables and values, in order."""
        self.read: dict[str, str] = {}
        """Where each thing that was read stands, by its name: ``line 2: zram0: zram-size``."""
        self.places: dict[str, str] = {}
        """The same, by the variable that it became."""
        self.lost: list[str] = []
        """What could not be carried over, and why; each names its line."""
        self.looks: list[str] = []
        """What was carried over, but needs a look; each names its line."""
        self.vital: tuple[str, ...] = ()
        """Variables for which the other tool makes no device if its value is wrong."""

    def add(self, name: str, value: str, *keys: str) -> None:
        """Set a variable from what the tool calls ``keys``; an empty value sets nothing."""
        if value:
            self.lines.append((name, in_gibibytes(value) if name.startswith(SIZES) else value))
            if places := [self.read[key] for key in keys if key in self.read]:
                self.places[name] = places[0]

    def lose(self, line: int | str, what: str) -> None:
        """Note what in a line (or another place) is not carried over."""
        self.lost.append(_place(line) + what)

    def look(self, line: int | str, what: str) -> None:
        """Note what is carried over but should be checked."""
        self.looks.append(_place(line) + what)

    def leave_out(self, name: str) -> None:
        """Take back a variable that was set."""
        self.lines = [line for line in self.lines if line[0] != name]

    def replace(self, name: str, value: str) -> None:
        """Change a variable that was set."""
        self.lines = [(key, value if key == name else old) for key, old in self.lines]

    def leave_out_device(self, index: int) -> None:
        """Take back all variables of a device; later devices move up."""
        kept: list[tuple[str, str]] = []
        for name, value in self.lines:
            stem, number = per_device(name)
            if name == "NUM_DEVICES":
                kept.append((name, str(int(value) - 1)))
            elif number != index:
                to = name if number < index else f"{stem}_{number - 1}"
                kept.append((to, value))
                if name in self.places:
                    self.places[to] = self.places.pop(name)
            else:
                self.places.pop(name, None)
        self.lines = kept

    def count(self, devices: int) -> None:
        """Set how many devices there are."""
        self.lines.insert(0, ("NUM_DEVICES", str(devices)))

    def text(self) -> str:
        """Return the file to write."""
        lines = [f"# Translated by pyzram import from {self.tool}'s {quote(self.source)}."]
        lines += [f"# Not carried over: {quote(reason)}" for reason in self.lost]
        lines += [f"# Needs a look: {quote(reason)}" for reason in self.looks]
        lines += [f"{name}={_quoted(value)}" for name, value in self.lines]
        return "\n".join(lines) + "\n"


def per_device(name: str) -> tuple[str, int]:
    """Split ``ZRAM_SIZE_3``; the number is -1 for a variable of no device."""
    stem, _, digits = name.rpartition("_")
    return (stem, int(digits)) if stem and is_number(digits) else (name, -1)


def _place(line: int | str) -> str:
    return f"line {line}: " if isinstance(line, int) and line else f"{line}: " if line else ""


def in_gibibytes(text: str) -> str:
    """Write ``1024M`` as pyzram prints it, ``1G``; parts of other numbers stay."""
    import re

    def shorter(found: re.Match[str]) -> str:
        mebibytes = int(found[1])
        return f"{mebibytes // 1024}G" if mebibytes and mebibytes % 1024 == 0 else found[0]

    return re.sub(r"(?<![\w.])(\d{1,20})M(?!\w)", shorter, text)


def is_number(digits: str) -> bool:
    """Whether a text is a whole number of up to 64 bits, in plain digits."""
    return is_whole(digits) and int(digits) <= U64_MAX


def with_fallback(algorithm: str) -> str:
    """Return the list for an algorithm if the other tool only warns when the kernel lacks it."""
    return f"{algorithm} {KERNELS_OWN}" if algorithm not in ("", KERNELS_OWN) else KERNELS_OWN


def _quoted(value: str) -> str:
    return '"' + "".join(f"\\{char}" if char in '\\"$`' else char for char in value) + '"'
