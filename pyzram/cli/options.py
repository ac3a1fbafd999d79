# SPDX-License-Identifier: MIT
"""Command line options, without argparse: that alone takes as long as the interpreter's start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class UsageError(Exception):
    """The command line makes no sense; the message says why."""


class Option:
    """One option: ``metavar`` names its value, in brackets if it may be left out.

    ``handler`` (``module:function``) takes over the whole command when the option is given.
    """

    __slots__ = ("handler", "help", "long", "metavar", "short")

    def __init__(
        self, short: str, long: str, metavar: str, text: str, *, handler: str = ""
    ) -> None:
        self.short = short
        self.long = long
        self.metavar = metavar
        self.help = text
        self.handler = handler

    @property
    def optional(self) -> bool:
        """Whether the value may be left out."""
        return self.metavar.startswith("[")


def is_number(text: str) -> bool:
    """Whether text is a plain decimal such as ``2`` or ``0.5``."""
    return text.isascii() and text.replace(".", "", 1).isdigit()


def parse(options: Iterable[Option], words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Split words into options (long name to value, empty without one) and operands.

    Short options may be joined, long ones cut as long as they stay clear, ``--`` ends them. A
    value that may be left out is the next word only if that is a number.

    Raises:
        UsageError: an unknown option, a value too many or too few.
    """
    shorts = {option.short: option for option in options if option.short}
    longs = {option.long: option for option in options}
    given: dict[str, str] = {}
    operands: list[str] = []
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word == "--":
            operands += reversed(rest)
            break
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = longs.get(name) or _unabridged(longs, name)
            if equals and not option.metavar:
                raise UsageError(f"--{option.long} takes no value")
            given[option.long] = value if equals else _value(option, f"--{option.long}", rest)
        else:
            letters = word[1:]
            while letters:
                if letters[0] not in shorts:
                    raise UsageError(f"unknown option -{letters[0]}")
                option, letters = shorts[letters[0]], letters[1:]
                if letters and option.metavar:
                    given[option.long], letters = letters, ""
                else:
                    given[option.long] = _value(option, f"-{option.short}", rest)
    return given, operands


def _unabridged(longs: dict[str, Option], name: str) -> Option:
    matches = [option for long, option in longs.items() if name and long.startswith(name)]
    if len(matches) != 1:
        raise UsageError(f"{'ambiguous' if matches else 'unknown'} option --{name}")
    return matches[0]


def _value(option: Option, written: str, rest: list[str]) -> str:
    if not option.metavar:
        return ""
    if option.optional:
        return rest.pop() if rest and is_number(rest[-1]) else ""
    if not rest:
        raise UsageError(f"{written} needs a value: {option.metavar}")
    return rest.pop()


def describe(options: Iterable[Option]) -> str:
    """The option part of a help text."""
    lines = []
    for option in options:
        long = "--" + option.long
        if option.metavar:
            long += f"[={option.metavar[1:]}" if option.optional else f" {option.metavar}"
        short = f"-{option.short}, " if option.short else "    "
        lines.append(f"  {short + long:<24}  {option.help}\n")
    return "".join(lines)
