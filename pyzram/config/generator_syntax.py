# SPDX-License-Identifier: MIT
"""What zram-generator's size expressions mean: its operators, functions and numbers."""

from __future__ import annotations

import math

from ..errors import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # "number", "ram" or an operator or function, and what it is applied to.
    Node = tuple[str, tuple["Node", ...], float]

SUFFIXES = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12}
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
# How many values each takes, and what it computes from plain numbers. Only functions that our
# language also has can be applied to the memory.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., float]]] = {
    "int": (1, 1, math.trunc),
    "ceil": (1, 1, math.ceil),
    "floor": (1, 1, math.floor),
    "abs": (1, 1, abs),
    "sign": (1, 1, lambda x: math.copysign(1, x)),
    "log": (1, 2, lambda a, b=None: math.log10(a) if b is None else math.log(b, a)),
    "round": (1, 2, lambda a, b=None: _round(a) if b is None else _round(b / a) * a),
    "min": (1, 99, lambda *values: min(values)),
    "max": (1, 99, lambda *values: max(values)),
    "e": (0, 0, lambda: math.e),
    "pi": (0, 0, lambda: math.pi),
    **{
        name: (1, 1, getattr(math, name))
        for word in ("sin", "cos", "tan")
        for name in (word, f"a{word}", f"{word}h", f"a{word}h")
    },
}


def parse(text: str) -> tuple[Node, list[str], bool]:
    """Read an expression: what it says, which names are unknown, and whether it prints.

    Raises:
        InvalidValueError: it is not an expression.
    """
    parser = _GeneratorExpressionParser(text)
    return parser.whole(), parser.unknown, parser.prints


class _GeneratorExpressionParser:
    """Recursive descent, with the generator's order of operators."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.unknown: list[str] = []
        self.prints = False

    def whole(self) -> Node:
        node = self.either()
        self.blanks()
        if self.at < len(self.text):
            raise self.wrong()
        return node

    def wrong(self) -> InvalidValueError:
        rest = self.text[self.at :]
        what = f"{rest!r} is not expected" if rest else "it ends too early"
        return InvalidValueError(f"{self.text!r} is not a size: {what}")

    def char(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        while self.char().isspace():
            self.at += 1

    def operator(self, *known: str) -> str:
        """Take one of some operators, or nothing; longer ones come first in ``known``."""
        self.blanks()
        for word in known:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return word
        return ""

    def chain(self, below: Callable[[], Node], *known: str) -> Node:
        left = below()
        while operator := self.operator(*known):
            left = (operator, (left, below()), 0.0)
        return left

    def either(self) -> Node:
        return self.chain(self.both, "||")

    def both(self) -> Node:
        return self.chain(self.comparison, "&&")

    def comparison(self) -> Node:
        return self.chain(self.sum, *COMPARISONS)

    def sum(self) -> Node:
        return self.chain(self.product, "+", "-")

    def product(self) -> Node:
        return self.chain(self.remainder, "*", "/")

    def remainder(self) -> Node:
        return self.chain(self.power, "%")

    def power(self) -> Node:
        base = self.value()
        if not self.operator("^"):
            return base
        return ("^", (base, self.power()), 0.0)

    def value(self) -> Node:
        self.depth += 1
        if self.depth > 60:
            raise InvalidValueError(f"{self.text!r} is nested too deeply")
        try:
            sign = self.operator("-", "+", "!")
            if sign:
                inner = self.value()
                return inner if sign == "+" else ("negative" if sign == "-" else "!", (inner,), 0.0)
            if opening := self.operator("(", "["):
                inner = self.either()
                if not self.operator(")" if opening == "(" else "]"):
                    raise self.wrong()
                return inner
            char = self.char()
            if char.isascii() and (char.isdigit() or char == "."):
                return self.number()
            if char.isascii() and (char.isalpha() or char == "_"):
                return self.named()
            raise self.wrong()
        finally:
            self.depth -= 1

    def number(self) -> Node:
        start = self.at
        self.digits(".")
        if self.char() in ("e", "E"):
            self.at += 1
            if self.char() in ("+", "-"):
                self.at += 1
            self.digits("")
            power = 0
        else:
            power = SUFFIXES.get(self.char(), 0)
        word = self.text[start : self.at]
        self.at += bool(power)
        try:
            return ("number", (), float(word) if "e" in word.lower() else float(f"{word}e{power}"))
        except ValueError:
            why = f"{self.text!r} is not a size: {word!r} is not a number"
            raise InvalidValueError(why) from None

    def digits(self, more: str) -> None:
        while (char := self.char()) and ((char.isascii() and char.isdigit()) or char in more):
            self.at += 1

    def named(self) -> Node:
        start = self.at
        while (char := self.char()) == "_" or (char.isascii() and char.isalnum()):
            self.at += 1
        name = self.text[start : self.at]
        opening = self.operator("(", "[")
        if name == "ram" and not opening:
            return ("ram", (), 0.0)
        known = bool(opening) and (name in FUNCTIONS or name == "print")
        if not known:
            self.unknown.append(name)
        if not opening:
            return ("number", (), 0.0)
        closing = ")" if opening == "(" else "]"
        values: list[Node] = []
        if not self.operator(closing):
            values.append(self.either())
            while self.operator(",", ";"):
                values.append(self.either())
            if not self.operator(closing):
                raise self.wrong()
        if name not in FUNCTIONS:
            self.prints = self.prints or known
            return ("number", (), 0.0)
        least, most, _ = FUNCTIONS[name]
        if not least <= len(values) <= most:
            raise InvalidValueError(
                f"{self.text!r} is not a size: {name} does not take {len(values)} values"
            )
        return (name, tuple(values), 0.0)


# ---- numbers alone -----------------------------------------------------------------------------


def fold(node: Node) -> Node:
    """Evaluate the parts that do not depend on the memory."""
    kind, parts, _ = node
    if kind in ("number", "ram"):
        return node
    parts = tuple(fold(part) for part in parts)
    if any(part[0] != "number" for part in parts):
        return (kind, parts, 0.0)
    try:
        value = float(_apply(kind, [part[2] for part in parts]))
    except ZeroDivisionError:
        value = math.copysign(math.inf, parts[0][2]) if parts[0][2] else math.nan
    except OverflowError:
        value = math.inf
    except ValueError:
        value = -math.inf if kind == "log" and parts[-1][2] == 0 else math.nan
    return ("number", (), value)


def _apply(kind: str, values: list[float]) -> float:
    if kind in FUNCTIONS:
        return FUNCTIONS[kind][2](*values)
    first, second = values[0], values[-1]
    if kind == "^":
        return math.pow(first, second)
    values_of: dict[str, Callable[[], float]] = {
        "negative": lambda: -first,
        "!": lambda: not first,
        "+": lambda: first + second,
        "-": lambda: first - second,
        "*": lambda: first * second,
        "/": lambda: first / second,
        "%": lambda: math.fmod(first, second),
        "==": lambda: first == second,
        "!=": lambda: first != second,
        "<=": lambda: first <= second,
        ">=": lambda: first >= second,
        "<": lambda: first < second,
        ">": lambda: first > second,
        "&&": lambda: first and second,
        "||": lambda: first or second,
    }
    return values_of[kind]()


def _round(value: float) -> float:
    """Round to the nearest whole number, halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)
