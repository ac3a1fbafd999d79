# SPDX-License-Identifier: MIT
"""Sizes as the configuration gives them: ``512M``, ``50%``, ``min(ram/2, 4G)``.

A small evaluator of its own: numbers with suffixes, ``ram`` and ``cpus``, ``+ - * /``,
parentheses, ``min`` and ``max``. Exact, in whole numbers; nothing is ever executed.
"""

from __future__ import annotations

from ..errors import InvalidValueError
from ..units import U64_MAX, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Ratio = tuple[int, int]  # numerator, denominator > 0

BARE_UNIT = 1024
MAX_LENGTH = 200  # bounds the nesting too


def evaluate_size(text: str, *, ram: int, cpus: int) -> int:
    """Turn a size of the configuration into bytes; fractions of a byte are cut off.

    A bare number is KiB, as in the historic files. Within an expression a number without a
    suffix is just a number, and ``%`` is of ``ram`` (bytes).

    Raises:
        InvalidValueError: not a size; the message says where it stopped making sense.
    """
    word = text.strip()
    if len(word) > MAX_LENGTH:
        raise InvalidValueError(f"longer than {MAX_LENGTH} characters")
    if word.replace(".", "", 1).isdigit():
        return parse_size(word, bare_unit=BARE_UNIT)
    numerator, denominator = _ExpressionParser(word, {"ram": ram, "cpus": cpus}).whole()
    value = numerator // denominator
    if not 0 <= value <= U64_MAX:
        raise InvalidValueError(f"{text!r} is {value} bytes: not between 0 and 2^64-1")
    return value


class _ExpressionParser:
    """Recursive descent over one expression."""

    def __init__(self, text: str, names: Mapping[str, int]) -> None:
        self.text = text
        self.names = names
        self.words = _words(text)
        self.next = 0

    def whole(self) -> Ratio:
        value = self.sum()
        if self.next < len(self.words):
            raise self.wrong()
        return value

    def peek(self) -> str:
        return self.words[self.next] if self.next < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.next += 1
        return word

    def wrong(self) -> InvalidValueError:
        what = f"{self.peek()!r} is not expected here" if self.peek() else "it ends too early"
        return InvalidValueError(
            f"{self.text!r} is no size: {what} (a size is like 512M, 50% or min(ram/2, 4G))"
        )

    def sum(self) -> Ratio:
        left = self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            right = self.product()
            left = left[0] * right[1] + sign * right[0] * left[1], left[1] * right[1]
        return left

    def product(self) -> Ratio:
        left = self.value()
        while self.peek() in ("*", "/"):
            operator = self.take()
            top, bottom = self.value()
            if operator == "/":
                if top == 0:
                    raise InvalidValueError(f"{self.text!r} divides by zero")
                top, bottom = (bottom, top) if top > 0 else (-bottom, -top)
            left = left[0] * top, left[1] * bottom
        return left

    def value(self) -> Ratio:
        word = self.peek()
        if word == "(":
            values = self.list()
            if len(values) > 1:
                raise InvalidValueError(f"{self.text!r} is no size: a comma outside min and max")
            return values[0]
        if word in ("min", "max"):
            self.take()
            if self.peek() != "(":
                raise self.wrong()
            values = self.list()
            chosen = values[0]
            for value in values[1:]:
                smaller = value[0] * chosen[1] < chosen[0] * value[1]
                if smaller == (word == "min"):
                    chosen = value
            return chosen
        if word in self.names:
            self.take()
            return self.names[word], 1
        if word.isascii() and (word[:1].isdigit() or word[:1] == "."):
            return self.number(self.take())
        raise self.wrong()

    def list(self) -> list[Ratio]:
        """Take ``( value, ... )``."""
        self.take()
        values = [self.sum()]
        while self.peek() == ",":
            self.take()
            values.append(self.sum())
        if self.peek() != ")":
            raise self.wrong()
        self.take()
        return values

    def number(self, word: str) -> Ratio:
        digits = word.rstrip("KMGTPEkmgtpeBbi%")
        whole, dot, fraction = digits.partition(".")
        if not (whole + fraction).isdigit() or (dot and not (whole and fraction)):
            remedy = f" (write 0{word})" if not whole and fraction.isdigit() else ""
            raise InvalidValueError(f"{self.text!r}: {word!r} is no number{remedy}")
        suffix = word[len(digits) :]
        if suffix == "%":
            unit, divisor = self.names["ram"], 100
        else:
            # The table of suffixes has one home.
            unit, divisor = parse_size(f"1{suffix}"), 1
        return int(whole + fraction) * unit, 10 ** len(fraction) * divisor


def _words(text: str) -> list[str]:
    words: list[str] = []
    word = ""
    for char in text + " ":
        if char.isascii() and (char.isalnum() or char in ".%_"):
            word += char
            continue
        if word:
            words.append(word)
            word = ""
        if not char.isspace():
            words.append(char)
    return words
