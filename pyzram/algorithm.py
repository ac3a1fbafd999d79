# SPDX-License-Identifier: MIT
"""An algorithm with its parameters, in every form in which people write it."""

from __future__ import annotations

import os

from .errors import InvalidValueError
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

S32_MIN, S32_MAX = -(1 << 31), (1 << 31) - 1
DIGITS_MAX = 12


class Algorithm(Value):
    """An algorithm with its parameters: ``Algorithm("zstd", level=3)``.

    Wherever pyzram takes one it also takes text: ``"zstd"``, ``"zstd:3"`` or, as configuration
    files have it, ``"zstd(level=3)"`` (:meth:`parse`). ``str()`` gives the last form.

    Raises:
        InvalidValueError: a name or parameter that no kernel could take.
    """

    _fields = ("name", "level", "dictionary", "winbits")
    __slots__ = _fields

    name: str
    """The kernel's name, for example ``zstd``."""
    level: int | None
    """Compression level; for lz4 the acceleration. ``None`` is the kernel's default."""
    dictionary: str | None
    """Absolute path of a dictionary file that the kernel reads once."""
    winbits: int | None
    """``deflate.winbits`` (6.16)."""

    def __init__(
        self,
        name: str,
        *,
        level: int | None = None,
        dictionary: str | os.PathLike[str] | None = None,
        winbits: int | None = None,
    ) -> None:
        check_name(name)
        _check_number("level", level)
        _check_number("deflate.winbits", winbits)
        path = None if dictionary is None else _path(dictionary)
        if path is not None and ("," in path or path != path.strip()):
            raise InvalidValueError(
                f"dictionary {path!r}: a comma, or a blank at its end, has no place in "
                "NAME(dict=PATH)"
            )
        self._set(name, level, path, winbits)

    @classmethod
    def parse(cls, text: str) -> Algorithm:
        """Take ``NAME``, ``NAME:LEVEL`` or ``NAME(level=N,dict=PATH,deflate.winbits=N)``.

        Raises:
            InvalidValueError: it is none of these.
        """
        if not isinstance(text, str):
            raise InvalidValueError(f"algorithm {text!r}: not one algorithm, such as 'zstd:3'")
        name, bracket, rest = text.partition("(")
        if bracket:
            if not rest.endswith(")"):
                raise InvalidValueError(f"algorithm {text!r}: the ( is never closed")
            return cls(name, **_params(text, rest[:-1]))
        name, colon, level = name.partition(":")
        return cls(name, level=_number(text, "level", level) if colon else None)

    def __str__(self) -> str:
        words = [
            f"{key}={value}"
            for key, value in (
                ("level", self.level),
                ("dict", self.dictionary),
                ("deflate.winbits", self.winbits),
            )
            if value is not None
        ]
        return f"{self.name}({','.join(words)})" if words else self.name

    @property
    def label(self) -> str:
        """The short form, ``zstd:3``, where there is nothing but a level."""
        short = self.level is not None and self.dictionary is None and self.winbits is None
        return f"{self.name}:{self.level}" if short else str(self)

    def params(self) -> str:
        """Words for ``algorithm_params``; empty when everything is default."""
        return params_words(self.level, self.dictionary, self.winbits)


def as_algorithm(value: str | Algorithm) -> Algorithm:
    """Take an algorithm in any form.

    Raises:
        InvalidValueError: as :meth:`Algorithm.parse`.
    """
    return value if isinstance(value, Algorithm) else Algorithm.parse(value)


def as_algorithms(value: str | Algorithm | Iterable[str | Algorithm]) -> tuple[Algorithm, ...]:
    """Take one algorithm, or a list of them.

    Raises:
        InvalidValueError: as :meth:`Algorithm.parse`.
    """
    if isinstance(value, (str, Algorithm)):
        value = (value,)
    try:
        return tuple(map(as_algorithm, value))
    except TypeError as err:
        raise InvalidValueError(f"algorithms {value!r}: neither one nor a list") from err


def check_name(name: str) -> str:
    """Refuse what cannot be an algorithm's name.

    6.12 to 6.18 accept a name with two newlines, and have no selected algorithm from then on.
    """
    plain = isinstance(name, str) and name.isascii()
    if not plain or not name or not all(char.isalnum() or char in "-_." for char in name):
        raise InvalidValueError(f"algorithm {name!r}: not a name")
    return name


def params_words(
    level: int | None, dictionary: str | os.PathLike[str] | None, winbits: int | None
) -> str:
    """Words for ``algorithm_params``.

    Raises:
        InvalidValueError: not numbers of 32 bits, or a path that cannot be passed on.
    """
    words = []
    if level is not None:
        words.append(f"level={_check_number('level', level)}")
    if dictionary is not None:
        words.append(f'dict="{_path(dictionary)}"')
    if winbits is not None:
        words.append(f"deflate.winbits={_check_number('deflate.winbits', winbits)}")
    return " ".join(words)


def _path(dictionary: str | os.PathLike[str]) -> str:
    path = os.fspath(dictionary)
    if not isinstance(path, str) or not os.path.isabs(path):
        raise InvalidValueError(f"dictionary {path!r}: give an absolute path, the kernel opens it")
    # Double quotes are the only quoting the kernel's word list knows.
    if '"' in path or "\n" in path or "\0" in path:
        raise InvalidValueError(f"dictionary {path!r}: quote, newline or NUL in it")
    return path


def _check_number(what: str, value: int | None) -> int | None:
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not S32_MIN <= value <= S32_MAX
    ):
        raise InvalidValueError(f"{what} {value!r}: not a whole number of 32 bits")
    return value


def _number(text: str, what: str, digits: str) -> int:
    word = digits.strip()
    plain = word.removeprefix("-")
    if not plain.isascii() or not plain.isdigit() or len(plain) > DIGITS_MAX:
        raise InvalidValueError(f"algorithm {text!r}: {digits!r} is no {what}")
    return int(word)


def _params(text: str, rest: str) -> dict[str, Any]:
    level = dictionary = winbits = None
    seen: list[str] = []
    for word in filter(None, map(str.strip, rest.split(","))):
        key, _, value = word.partition("=")
        if key in seen:
            raise InvalidValueError(f"algorithm {text!r}: {key} is given twice")
        seen.append(key)
        if key == "level":
            level = _number(text, key, value)
        elif key == "deflate.winbits":
            winbits = _number(text, key, value)
        elif key == "dict":
            dictionary = value
        else:
            raise InvalidValueError(
                f"algorithm {text!r}: parameters are level=, dict= and deflate.winbits="
            )
    return {"level": level, "dictionary": dictionary, "winbits": winbits}
