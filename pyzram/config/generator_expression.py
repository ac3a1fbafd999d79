# SPDX-License-Identifier: MIT
"""zram-generator's size expressions (MiB, floating point), turned into ours (bytes, exact)."""

from __future__ import annotations

import math

from ..errors import InvalidValueError
from .generator_syntax import COMPARISONS, fold, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .generator_syntax import Node

# How strongly our own operators bind.
LEVELS = {"<": 0, "+": 1, "-": 1, "*": 2, "/": 2, "negative": 3, "^": 4}
OURS = ("int", "ceil", "floor", "abs")
TIMES_MIB = "*1M"
TEXT_MAX = 250
"""The most characters of an expression, so that parsing it recurses no deeper than Python can."""
OURS_MAX = 4000
"""The most characters of our expression, since some operators name a value twice."""


class UntranslatableError(InvalidValueError):
    """The generator accepts it, but the configuration's expressions cannot express it."""


class UnknownNameError(InvalidValueError):
    """A name that is neither ``ram`` nor a function; :attr:`name` has it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not defined")
        self.name = name


def check_syntax(text: str) -> None:
    """Refuse what the generator refuses when parsing, whether it needs the value or not.

    Raises:
        InvalidValueError: it is not an expression.
    """
    if len(text) <= TEXT_MAX:  # a longer one is not translated anyway
        parse(text)


def translate(text: str) -> str:
    """Return the size that an expression in MiB is, in the configuration's words.

    Raises:
        UnknownNameError: a variable that a command would have set.
        UntranslatableError: the generator knows it, but the configuration has no equivalent.
        InvalidValueError: the generator refuses it too.
    """
    if len(text) > TEXT_MAX:
        raise UntranslatableError(f"longer than {TEXT_MAX} characters")
    tree, unknown, prints = parse(text)
    node = fold(tree)
    if unknown:
        raise UnknownNameError(unknown[0])
    if prints:
        raise UntranslatableError("print() has no equivalent")
    if node[0] == "number" and not node[2] >= 0:
        raise InvalidValueError(f"{text!r} is {node[2]}, not a size")
    return _bytes(node)


# ---- writing -----------------------------------------------------------------------------------


def _bytes(node: Node) -> str:
    """An expression in bytes, as simple as possible."""
    plain = _scaled(node)
    if plain is not None:
        return plain[0]
    text, level = _number_of(node)
    return (text if level >= LEVELS["*"] else f"({text})") + TIMES_MIB


def _scaled(node: Node) -> tuple[str, int] | None:
    """If all of it scales with the unit: the same in bytes, and how strongly it binds."""
    kind, parts, value = node
    if kind == "ram":
        return "mib(ram)", 9  # it rounds to whole MiB
    if kind == "number":
        if not 0 <= value < math.inf:
            return None
        size = value * (1 << 20)
        return (f"{_digits(value)}M", 9) if value else ("0", 9) if size == 0 else None
    if kind in ("min", "max"):
        found = [_scaled(part) for part in parts]
        words = [text for entry in found if entry is not None for text in entry[:1]]
        return (f"{kind}({', '.join(words)})", 9) if len(words) == len(parts) else None
    if kind in ("+", "-"):
        left, right = _scaled(parts[0]), _scaled(parts[1])
        return None if left is None or right is None else _joined(left, kind, right)
    if kind == "*":
        for one, other in (parts, parts[::-1]):
            if other[0] == "number" and other[2] >= 0 and (left := _scaled(one)) is not None:
                return _joined(left, "*", (_digits(other[2]), 9))
    if kind == "/" and parts[1][0] == "number" and parts[1][2] > 0:
        left = _scaled(parts[0])
        return None if left is None else _joined(left, "/", (_digits(parts[1][2]), 9))
    return None


def _number_of(node: Node) -> tuple[str, int]:
    """The same number (of MiB) in the configuration's words, and how strongly it binds."""
    text, level = _unlimited(node)
    if len(text) > OURS_MAX:
        raise UntranslatableError("the configuration would need too many words for it")
    return text, level


def _unlimited(node: Node) -> tuple[str, int]:
    kind, parts, value = node
    if kind == "number":
        return (_digits(value), 9) if value >= 0 else (f"-{_digits(-value)}", LEVELS["negative"])
    if kind == "ram":
        return "int(ram/1M)", 9
    found = [_number_of(part) for part in parts]
    words = [text for text, _ in found]
    if kind in OURS or kind in ("min", "max"):
        return f"{kind}({', '.join(words)})", 9
    if kind == "log":
        return f"log({', '.join(words)})", 9
    if kind == "round":
        if len(parts) == 1:
            return f"round({words[0]})", 9
        unit = f"({words[0]})"
        return f"round(({words[1]})/{unit})*{unit}", LEVELS["*"]
    if kind == "sign":
        return f"if(({words[0]}) < 0, -1, 1)", 9
    if kind == "!":
        return f"if({words[0]}, 0, 1)", 9
    if kind == "&&":
        return f"if({words[0]}, {words[1]}, {words[0]})", 9
    if kind == "||":
        return f"if({words[0]}, {words[0]}, {words[1]})", 9
    if kind == "%":
        return f"mod({words[0]}, {words[1]})", 9
    if kind == "negative":
        text, level = found[0]
        return f"-{text}" if level > LEVELS["negative"] else f"-({text})", LEVELS["negative"]
    if kind == "^":
        return f"({words[0]})^({words[1]})", LEVELS["^"]
    if kind in COMPARISONS:
        return f"({words[0]}) {kind} ({words[1]})", LEVELS["<"]
    if kind in LEVELS:
        return _joined(found[0], kind, found[1])
    raise UntranslatableError(f"{kind}() of the memory")


def _joined(left: tuple[str, int], operator: str, right: tuple[str, int]) -> tuple[str, int]:
    level = LEVELS[operator]
    one = left[0] if left[1] >= level else f"({left[0]})"
    other = right[0] if right[1] > level else f"({right[0]})"
    space = " " if level == LEVELS["+"] else ""
    return f"{one}{space}{operator}{space}{other}", level


def _digits(value: float) -> str:
    """A number from 0 up, without an exponent."""
    if not math.isfinite(value):
        raise UntranslatableError("it is not finite")
    if value == int(value):
        return str(int(value))
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(power)
    if shift < 0:
        return "0." + "0" * (-shift - 1) + whole + fraction
    return str(int(value))
