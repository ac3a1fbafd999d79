# SPDX-License-Identifier: MIT
"""Sizes as in the configuration: ``512M``, ``50%``, ``min(ram/2, 4G)``.

This is a small evaluator for numbers with suffixes, ``ram`` and ``cpus``, ``+ - * / ^``,
comparisons (1 or 0), parentheses and functions. It calculates exactly, in whole numbers, except for
``log`` and roots; nothing is ever executed.
"""

from __future__ import annotations

from ..errors import InvalidValueError
from ..units import U64_MAX, parse_size, refuse_scientific

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Ratio = tuple[int, int]  # numerator, denominator > 0

BARE_UNIT = 1024
MAX_LENGTH = 400  # limits the nesting too
POWER_BITS = 4096  # of an exact power; larger ones are floating point numbers
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")


def evaluate_size(text: str, *, ram: int, cpus: int) -> int:
    """Turn a size of the configuration into bytes; fractions of a byte are cut off.

    A bare number is in KiB, as in the historic files. Within an expression a number without a
    suffix is just a number, and ``%`` is of ``ram`` (bytes).

    Raises:
        InvalidValueError: not a size; the message says where it stopped making sense.
    """
    word = text.strip()
    if len(word) > MAX_LENGTH:
        raise InvalidValueError(f"longer than {MAX_LENGTH} characters")
    if word.replace(".", "", 1).isdigit():
        return parse_size(word, bare_unit=BARE_UNIT)
    refuse_scientific(word)
    try:
        numerator, denominator = _ExpressionParser(word, {"ram": ram, "cpus": cpus}).whole()
    except (OverflowError, RecursionError) as err:
        raise InvalidValueError(f"{text!r} is out of range") from err
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
        value = self.comparison()
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
            f"{self.text!r} is not a size: {what} (a size is like 512M, 50% or min(ram/2, 4G))"
        )

    def comparison(self) -> Ratio:
        left = self.sum()
        while self.peek() in COMPARISONS:
            operator = self.take()
            right = self.sum()
            difference = left[0] * right[1] - right[0] * left[1]
            true = {
                "<": difference < 0,
                "<=": difference <= 0,
                "==": difference == 0,
                "!=": difference != 0,
                ">=": difference >= 0,
                ">": difference > 0,
            }[operator]
            left = int(true), 1
        return left

    def sum(self) -> Ratio:
        left = self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            right = self.product()
            left = left[0] * right[1] + sign * right[0] * left[1], left[1] * right[1]
        return left

    def product(self) -> Ratio:
        left = self.negative()
        while self.peek() in ("*", "/"):
            operator = self.take()
            right = self.negative()
            left = _times(left, right) if operator == "*" else _over(left, right, self.text)
        return left

    def negative(self) -> Ratio:
        if self.peek() != "-":
            return self.power()
        self.take()
        top, bottom = self.negative()
        return -top, bottom

    def power(self) -> Ratio:
        base = self.value()
        if self.peek() != "^":
            return base
        self.take()
        return _power(base, self.negative(), self.text)

    def value(self) -> Ratio:
        word = self.peek()
        if word == "(":
            values = self.list()
            if len(values) > 1:
                raise InvalidValueError(f"{self.text!r} is not a size: a comma outside a function")
            return values[0]
        if word in FUNCTIONS:
            self.take()
            if self.peek() != "(":
                raise self.wrong()
            values = self.list()
            least, most, function = FUNCTIONS[word]
            if not least <= len(values) <= most:
                raise InvalidValueError(f"{self.text!r}: {word} does not take {len(values)} values")
            try:
                return function(values)
            except ArithmeticError as err:
                raise InvalidValueError(f"{self.text!r}: {word}: {err}") from err
        if word in self.names:
            self.take()
            return self.names[word], 1
        if word.isascii() and (word[:1].isdigit() or word[:1] == "."):
            return self.number(self.take())
        raise self.wrong()

    def list(self) -> list[Ratio]:
        """Take ``( value, ... )``."""
        self.take()
        values = [self.comparison()]
        while self.peek() == ",":
            self.take()
            values.append(self.comparison())
        if self.peek() != ")":
            raise self.wrong()
        self.take()
        return values

    def number(self, word: str) -> Ratio:
        digits = word.rstrip("KMGTPEkmgtpeBbi%")
        whole, dot, fraction = digits.partition(".")
        if not (whole + fraction).isdigit() or (dot and not (whole and fraction)):
            remedy = f" (write 0{word})" if not whole and fraction.isdigit() else ""
            raise InvalidValueError(f"{self.text!r}: {word!r} is not a number{remedy}")
        suffix = word[len(digits) :]
        if suffix == "%":
            unit, divisor = self.names["ram"], 100
        else:
            # Only units.py has the suffixes.
            unit, divisor = parse_size(f"1{suffix}"), 1
        return int(whole + fraction) * unit, 10 ** len(fraction) * divisor


# ---- arithmetic --------------------------------------------------------------------------------


def _times(left: Ratio, right: Ratio) -> Ratio:
    return left[0] * right[0], left[1] * right[1]


def _over(left: Ratio, right: Ratio, text: str) -> Ratio:
    top, bottom = right
    if top == 0:
        raise InvalidValueError(f"{text!r} divides by zero")
    return _times(left, (bottom, top) if top > 0 else (-bottom, -top))


def _power(base: Ratio, exponent: Ratio, text: str) -> Ratio:
    top, bottom = exponent
    times = top // bottom
    bits = max(abs(base[0]), base[1]).bit_length()
    if times * bottom != top or abs(times) * bits > POWER_BITS:
        value = _float(base) ** _float(exponent) if base[0] or top >= 0 else float("inf")
        if isinstance(value, complex) or value in (float("inf"), float("-inf")):
            raise InvalidValueError(f"{text!r}: the power is not a number")
        return value.as_integer_ratio()
    result = base[0] ** abs(times), base[1] ** abs(times)
    return result if times >= 0 else _over((1, 1), result, text)


def _float(value: Ratio) -> float:
    return value[0] / value[1]


def _rounded(value: Ratio) -> int:
    """Round to the nearest whole number, halves away from zero."""
    size = (2 * abs(value[0]) + value[1]) // (2 * value[1])
    return size if value[0] >= 0 else -size


def _cut(value: Ratio) -> int:
    size = abs(value[0]) // value[1]
    return size if value[0] >= 0 else -size


def _least(values: list[Ratio], sign: int = 1) -> Ratio:
    chosen = values[0]
    for value in values[1:]:
        if sign * value[0] * chosen[1] < sign * chosen[0] * value[1]:
            chosen = value
    return chosen


def _logarithm(values: list[Ratio]) -> Ratio:
    """``log(x)`` to base 10, or ``log(base, x)``."""
    from math import log, log10

    value = _float(values[-1])
    try:
        result = log10(value) if len(values) == 1 else log(value, _float(values[0]))
    except ValueError as err:
        raise ArithmeticError("only numbers above 0 have a logarithm") from err
    return result.as_integer_ratio()


def _remainder(values: list[Ratio]) -> Ratio:
    """The remainder of a division, with the sign of the dividend."""
    left, right = values
    if right[0] == 0:
        raise ArithmeticError("divides by zero")
    whole = _cut(_over(left, right, ""))
    return left[0] * right[1] - whole * right[0] * left[1], left[1] * right[1]


MANY = 100
FUNCTIONS: dict[str, tuple[int, int, Callable[[list[Ratio]], Ratio]]] = {
    "min": (1, MANY, _least),
    "max": (1, MANY, lambda values: _least(values, -1)),
    "abs": (1, 1, lambda values: (abs(values[0][0]), values[0][1])),
    "int": (1, 1, lambda values: (_cut(values[0]), 1)),
    "floor": (1, 1, lambda values: (values[0][0] // values[0][1], 1)),
    "ceil": (1, 1, lambda values: (-(-values[0][0] // values[0][1]), 1)),
    "mib": (1, 1, lambda values: (values[0][0] // values[0][1] >> 20 << 20, 1)),
    "round": (1, 1, lambda values: (_rounded(values[0]), 1)),
    "mod": (2, 2, _remainder),
    "log": (1, 2, _logarithm),
    "if": (3, 3, lambda values: values[1] if values[0][0] else values[2]),
}


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
        if char == "=" and words and words[-1] in ("<", ">", "=", "!"):
            words[-1] += char
        elif not char.isspace():
            words.append(char)
    return words
