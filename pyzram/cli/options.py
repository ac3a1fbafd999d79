# SPDX-License-Identifier: MIT
"""Command lines from one table: parsing, help, errors and completions.

argparse is not used, because it alone takes as long to load as the interpreter takes to start.
"""

from __future__ import annotations

from ..text import closest, is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

# Kinds of values that completion looks up; see tools/completions.py.
FILE = "file"
DEVICE = "device"
ALGORITHM = "algorithm"
ALGORITHMS = "algorithms"
COLUMNS = "columns"
# Seconds between two refreshes of a live view.
SHORTEST = 0.1


class UsageError(Exception):
    """The command line is wrong; the message says why, and ``meant`` what may have been meant."""

    def __init__(self, message: str, meant: str = "") -> None:
        super().__init__(f"{message} (did you mean {meant}?)" if meant else message)
        self.meant = meant

    def advice(self, program: str) -> str:
        """Return the message, which points to the help unless it says what may have been meant."""
        return str(self) if self.meant else f"{self} (see {program} --help)"


class Option:
    """One option; ``metavar`` names its value, in brackets if that may be left out.

    ``values`` are the words that it accepts, or one of the kinds above. ``convert`` turns a word
    into a value and raises :class:`ValueError` for a wrong one. With ``repeat`` the option may be
    given several times; with ``many`` it also takes several words at once. Both give a list.
    """

    __slots__ = (
        "convert",
        "default",
        "help",
        "long",
        "many",
        "metavar",
        "repeat",
        "short",
        "values",
    )

    def __init__(
        self,
        short: str,
        long: str,
        metavar: str,
        text: str,
        *,
        values: Sequence[str] = (),
        convert: Callable[[str], Any] | None = None,
        repeat: bool = False,
        many: bool = False,
        default: Any = None,
    ) -> None:
        self.short = short
        self.long = long
        self.metavar = metavar
        self.help = text
        self.values = values
        self.convert = convert
        self.repeat = repeat or many
        self.many = many
        self.default = default

    @property
    def optional(self) -> bool:
        """Whether the value may be left out."""
        return self.metavar.startswith("[")


HELP = Option("h", "help", "", "show this help")
VERSION = Option("V", "version", "", "show the version")
TEXTFILE = Option(
    "",
    "textfile",
    "FILE",
    "write metrics into FILE, for node_exporter's textfile collector",
    values=FILE,
)


class Arguments:
    """What a command line gave: an attribute for each long option (``-`` is ``_``), and operands.

    An option without a value is true or false; any other is its value or default, or ``()`` if an
    optional value was left out. ``given`` has the long names of the options that were there, in
    order.
    """

    def __init__(
        self, values: dict[str, Any], operands: list[str], given: tuple[str, ...] = ()
    ) -> None:
        self.operands = operands
        self.given = given
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # for the type checker: real attributes are set above


class Command:
    """A command line: its name, what it does, its options and its operands.

    ``operands`` is how the usage shows the operands, ``takes`` is their kind, and ``count`` their
    least and greatest number (``None``: any). ``lists`` returns the end of the help.
    """

    __slots__ = ("count", "lists", "name", "notes", "operands", "options", "takes", "text")

    def __init__(
        self,
        name: str,
        text: str,
        options: Iterable[Option],
        *,
        operands: str = "",
        takes: str = "",
        count: tuple[int, int | None] = (0, 0),
        notes: str = "",
        lists: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self.text = text
        self.options = (*options, HELP, VERSION)
        self.operands = operands
        self.takes = takes
        self.count = count
        self.notes = notes
        self.lists = lists

    def arguments(self, argv: list[str]) -> Arguments | None:
        """Read the words; ``None`` if they ask for the help or the version, which is printed.

        Raises:
            UsageError: the words are wrong.
        """
        given, operands = _collect(self.options, argv)
        if "help" in given:
            print(self.usage(), end="")
            return None
        if "version" in given:
            from .._version import __version__

            package = "pyzram" if " " in self.name else f"{self.name} (pyzram)"
            print(f"{package} {__version__}")
            return None
        least, most = self.count
        if len(operands) < least:
            raise UsageError(f"{self.operands} is missing")
        if most is not None and len(operands) > most:
            raise UsageError(f"unexpected {operands[most]}")
        values = {option.long.replace("-", "_"): _typed(option, given) for option in self.options}
        return Arguments(values, operands, tuple(given))

    def usage(self) -> str:
        """The help text."""
        import textwrap

        head = " ".join(filter(None, [f"usage: {self.name}", "[OPTION...]", self.operands]))
        parts = [head, textwrap.fill(self.text, 80), "options:\n" + describe(self.options).rstrip()]
        if self.notes:
            parts.append(textwrap.fill(self.notes, 80))
        if self.lists is not None:
            parts.append(self.lists().rstrip())
        return "\n\n".join(parts) + "\n"


def _typed(option: Option, given: dict[str, list[str]]) -> Any:
    words = given.get(option.long)
    if not option.metavar:
        return words is not None
    if words is None:
        return option.default
    if option.optional and words == [""]:
        return ()
    values = [_converted(option, word) for word in words]
    return values if option.repeat else values[-1]


def _converted(option: Option, word: str) -> Any:
    if option.values and not isinstance(option.values, str) and word not in option.values:
        known = ", ".join(option.values)
        raise UsageError(
            f"--{option.long}: {word!r} is not one of {known}", closest(word, option.values)
        )
    if option.values == FILE and not word:
        raise UsageError(f"--{option.long}: the name of the file is empty")
    if option.convert is None:
        return word
    try:
        return option.convert(word)
    except ValueError as err:
        raise UsageError(f"--{option.long}: {err}") from None


def at_most_one(options: Arguments, *names: str) -> None:
    """Refuse options that cannot be combined.

    Raises:
        UsageError: more than one of these was given.
    """
    given = [name for name in names if name in options.given]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} cannot be combined")


def is_number(text: str) -> bool:
    """Whether text is a plain decimal such as ``2`` or ``0.5``."""
    return text.isascii() and text.replace(".", "", 1).isdigit()


def seconds_up_to(longest: float) -> Callable[[str], float]:
    """Make a function that reads the seconds between two refreshes."""

    def seconds(text: str) -> float:
        if not is_number(text) or not SHORTEST <= float(text) <= longest:
            raise ValueError(f"{text}: not from {SHORTEST:g} to {longest:g} seconds")
        return float(text)

    return seconds


def whole(text: str) -> int:
    """A number of pages, bytes or threads: 0 or more."""
    if not is_whole(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def positive(text: str) -> int:
    """A whole number that is not 0."""
    if whole(text) == 0:
        raise ValueError("0 is too small")
    return whole(text)


def _collect(options: Iterable[Option], words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Split words into options (long name to values, empty without one) and operands.

    Short options may be joined, long ones may be abbreviated while they stay unambiguous, and
    ``--`` ends the options. The next word is taken as an optional value only if it is a number.
    """
    operands: list[str] = []
    given: dict[str, list[str]] = {}
    for option, value in _scan(tuple(options), words, operands):
        given.setdefault(option.long, []).append(value)
    return given, operands


def _scan(
    options: tuple[Option, ...], words: list[str], operands: list[str]
) -> Iterator[tuple[Option, str]]:
    shorts = {option.short: option for option in options if option.short}
    longs = {option.long: option for option in options}
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word == "--":
            operands += reversed(rest)
            return
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = longs.get(name) or _unabridged(longs, name)
            if equals and not option.metavar:
                raise UsageError(f"--{option.long} takes no value")
            yield option, value if equals else _value(option, f"--{option.long}", rest)
            if option.many:
                yield from _more(option, rest)
        else:
            letters = word[1:]
            while letters:
                if letters[0] not in shorts:
                    raise UsageError(f"unknown option -{letters[0]}")
                option, letters = shorts[letters[0]], letters[1:]
                if letters and option.metavar:
                    yield option, letters
                    letters = ""
                else:
                    yield option, _value(option, f"-{option.short}", rest)
                if option.many:
                    yield from _more(option, rest)


def _more(option: Option, rest: list[str]) -> Iterator[tuple[Option, str]]:
    while rest and is_number(rest[-1]):
        yield option, rest.pop()


def _unabridged(longs: dict[str, Option], name: str) -> Option:
    matches = [option for long, option in longs.items() if name and long.startswith(name)]
    if matches[1:]:
        raise UsageError(f"ambiguous option --{name}")
    if not matches:
        close = closest(name, longs)
        raise UsageError(f"unknown option --{name}", close and f"--{close}")
    return matches[0]


def _value(option: Option, written: str, rest: list[str]) -> str:
    if not option.metavar:
        return ""
    if option.optional:
        return rest.pop() if rest and _fits(option, rest[-1]) else ""
    if not rest:
        raise UsageError(f"{written} needs a value: {option.metavar}")
    return rest.pop()


def _fits(option: Option, word: str) -> bool:
    """Whether a word is the value of an option whose value is optional."""
    if option.convert is None or not word[:1].isdigit():
        return is_number(word)
    try:
        option.convert(word)
    except ValueError:
        return False
    return True


def describe(options: Iterable[Option]) -> str:
    """Return the part of the help that lists the options."""
    lines = []
    for option in options:
        long = "--" + option.long
        if option.metavar:
            long += f"[={option.metavar[1:]}" if option.optional else f" {option.metavar}"
        short = f"-{option.short}, " if option.short else "    "
        head = f"  {short + long:<24}"
        if len(head) > 26:
            lines.append(f"{head}\n")
            head = " " * 26
        lines.append(f"{head}  {option.help}\n")
    return "".join(lines)
