# SPDX-License-Identifier: MIT
"""Sizes as people write and read them.

The kernel's own parser takes ``1.5G`` for one byte and ``64Mjunk`` for 64 MiB, so pyzram
parses every size itself and gives the kernel plain bytes.
"""

from __future__ import annotations

from .errors import InvalidValueError
from .value import check_count

# Not from typing, because commands that must start fast import this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = "KMGTPE"
MIB, GIB = 1 << 20, 1 << 30
U64_MAX = (1 << 64) - 1
# More digits than any size needs, and fewer than the interpreter refuses to convert.
DIGITS_MAX = 1000


def _number(digits: str) -> tuple[int, int] | None:
    """Parse a plain decimal as (numerator, denominator), exactly."""
    whole, dot, fraction = digits.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        return None
    if dot and not (whole and fraction):
        return None
    if len(digits) > DIGITS_MAX:
        return None
    return int(whole + fraction), 10 ** len(fraction)


def parse_size(
    text: str | int, *, total: int | Callable[[], int] | None = None, bare_unit: int = 1
) -> int:
    """Turn a size such as ``1.5G``, ``512M``, ``64KiB``, ``10MB`` or ``50%`` into bytes.

    Suffixes K M G T P E (also ``KiB``, ``Ki``) are powers of 1024 and ``KB``, ``MB`` ... powers
    of 1000, as in util-linux; letters may be lower case. A bare number counts ``bare_unit`` bytes.
    A percentage is of ``total`` (bytes, or a function that gives them). Fractions of a byte are cut
    off.

    Raises:
        InvalidValueError: not a size, negative, a percentage without a total, or beyond 2^64-1.
    """
    if total is not None and not callable(total):
        check_count("total", total)
    check_count("bare_unit", bare_unit, 1)
    if not isinstance(text, str):
        size = check_count("size", text, wanted="neither a whole number from 0 up nor text")
        if size > U64_MAX:
            raise InvalidValueError(f"size {text}: not between 0 and 2^64-1 bytes")
        return size
    word = text.strip()
    if word.endswith("%"):
        number = _number(word[:-1].rstrip())
        if number is None:
            raise InvalidValueError(f"size {text!r}: not a percentage such as 50%")
        if total is None:
            raise InvalidValueError(f"size {text!r}: a percentage means nothing here, give bytes")
        unit, divisor = total() if callable(total) else total, 100
    else:
        refuse_scientific(word)
        digits = word.rstrip("KMGTPEkmgtpeBbi")
        number = _number(digits.rstrip())
        unit, divisor = _unit(word[len(digits) :].upper(), bare_unit), 1
        if number is None or unit == 0:
            raise InvalidValueError(
                f"size {text!r}: not a size such as 512M, 1.5G or 50% "
                "(K M G T P E mean powers of 1024)"
            )
    value = number[0] * unit // (number[1] * divisor)
    if value > U64_MAX:
        raise InvalidValueError(f"size {text!r}: beyond 2^64-1 bytes")
    return value


def refuse_scientific(text: str) -> None:
    """Refuse a number such as ``1e+09``, whose ``e`` would pass for the suffix of 1024^6.

    Raises:
        InvalidValueError: the text has one.
    """
    for at, char in enumerate(text):
        if char in "eE" and at and (text[at - 1].isdigit() or text[at - 1] == "."):
            rest = text[at + 1 :]
            digits = rest[1:] if rest[:1] in ("+", "-") else rest
            if digits[:1].isdigit():
                before = text[:at].rstrip("0123456789.")
                tail = digits.lstrip("0123456789")
                found = text[len(before) : len(text) - len(tail)]
                raise InvalidValueError(
                    f"size {text!r}: no scientific notation ({found}), use a suffix like 1G"
                )


def _unit(suffix: str, bare_unit: int) -> int:
    """Bytes of one unit; 0 for an unknown suffix."""
    if not suffix:
        return bare_unit
    if suffix == "B":
        return 1
    power = SUFFIXES.find(suffix[0]) + 1
    if power == 0:
        return 0
    if suffix[1:] in ("", "I", "IB"):
        return int(1024**power)
    return int(1000**power) if suffix[1:] == "B" else 0


def format_size(value: int) -> str:
    """Write bytes as zramctl does: one letter, and one decimal unless it is 0 (``1.5G``).

    The result is rounded half up at one decimal; 0 is ``0B``.

    Raises:
        InvalidValueError: it is not a whole number from 0 up.
    """
    value = check_count("value", value)
    if value < 1024:
        return f"{value}B"
    power = min((value.bit_length() - 1) // 10, len(SUFFIXES))
    tenths = (value * 10 + (1 << (10 * power - 1))) >> (10 * power)
    if tenths >= 10240 and power < len(SUFFIXES):
        power, tenths = power + 1, 10
    whole, tenth = divmod(tenths, 10)
    return (
        f"{whole}{SUFFIXES[power - 1]}" if tenth == 0 else f"{whole}.{tenth}{SUFFIXES[power - 1]}"
    )


def format_change(value: int) -> str:
    """As :func:`format_size`, for a difference, which may be negative."""
    return format_size(value) if value >= 0 else f"-{format_size(-value)}"


def format_fine_size(value: int) -> str:
    """As :func:`format_size`, but with two decimals below ten, for sizes to be compared."""
    power = min((value.bit_length() - 1) // 10, len(SUFFIXES))
    share = value / 1024 ** max(power, 0)
    if power < 1 or share >= 9.995:
        return format_size(value)
    return f"{share:.2f}{SUFFIXES[power - 1]}"


def shortest_size(text: str) -> str:
    """Write a size as it is printed elsewhere, ``1G`` for ``1024M``, if that is exact.

    Expressions, percentages and numbers without a suffix stay as they are.
    """
    word = text.strip()
    if not word or word[-1] not in SUFFIXES + SUFFIXES.lower() + "Bb":
        return text
    try:
        value = parse_size(word)
    except InvalidValueError:
        return text
    short = format_size(value)
    return short if parse_size(short) == value else text


def format_count(count: int, one: str, more: str = "") -> str:
    """A count with its noun, ``1 page`` or ``2 pages``; ``more`` is an irregular plural."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def format_seconds(seconds: float) -> str:
    """A time in readable form, such as ``30 s``, ``2.5 min`` or ``1 h``."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
