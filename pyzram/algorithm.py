# SPDX-License-Identifier: MIT
"""An algorithm with its parameters, in every form that people use."""

from __future__ import annotations

import os

from .errors import InvalidValueError
from .text import is_whole
from .value import Value, check_count, check_path, is_list, wrong_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

S32_MIN, S32_MAX = -(1 << 31), (1 << 31) - 1
PARAMETERS = ("level", "dict", "deflate.winbits")
# The lowest and highest level that the newest kernel takes; other algorithms have none. The codecs
# know these too, but a configuration is checked without them.
LEVELS = {"lz4": (1, S32_MAX), "lz4hc": (1, 16), "zstd": (-131072, 22), "deflate": (-1, 9)}


class Algorithm(Value):
    """An algorithm with its parameters: ``Algorithm("zstd", level=3)``.

    Wherever pyzram accepts one it also accepts text: ``"zstd"``, ``"zstd:3"`` or, as in
    configuration files, ``"zstd(level=3)"`` (:meth:`parse`). ``str()`` gives the last form.

    Raises:
        InvalidValueError: a name or parameter that no kernel could accept.
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
        level = _check_number("level", level)
        winbits = _check_number("deflate.winbits", winbits)
        path = None if dictionary is None else _listed_path(dictionary)
        self._set(name, level, path, winbits)

    @classmethod
    def parse(cls, text: str) -> Algorithm:
        """Parse ``NAME``, ``NAME:LEVEL`` or ``NAME(level=N,dict=PATH,deflate.winbits=N)``.

        Raises:
            InvalidValueError: it is none of these.
        """
        if not isinstance(text, str):
            raise wrong_type("algorithm", text, "not one algorithm, such as 'zstd:3'")
        what = f"algorithm {text!r}: "
        head, bracket, rest = text.partition("(")
        name, colon, level = head.partition(":")
        if bracket and not rest.endswith(")"):
            raise InvalidValueError(f"{what}the ( is never closed")
        if bracket and colon:
            raise InvalidValueError(f"{what}give the level either after : or in the brackets")
        if colon:
            return cls(name, level=_number(level, what))
        return cls(name, **parse_params(rest[:-1].split(","), what))

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
        """The short form, ``zstd:3``, if there is nothing but a level."""
        short = self.level is not None and self.dictionary is None and self.winbits is None
        return f"{self.name}:{self.level}" if short else str(self)

    def params(self) -> str:
        """Words for ``algorithm_params``; empty if everything is at its default."""
        return params_words(self.level, self.dictionary, self.winbits)


def as_algorithm(value: str | Algorithm) -> Algorithm:
    """Accept an algorithm in any form.

    Raises:
        InvalidValueError: as :meth:`Algorithm.parse`.
    """
    return value if isinstance(value, Algorithm) else Algorithm.parse(value)


def as_algorithms(
    value: str | Algorithm | Iterable[str | Algorithm], what: str = "algorithms"
) -> tuple[Algorithm, ...]:
    """Accept one algorithm or a list of them.

    Raises:
        InvalidValueError: as :meth:`Algorithm.parse`; ``what`` is the parameter's name.
    """
    if isinstance(value, (str, Algorithm)):
        value = (value,)
    if not is_list(value):
        raise wrong_type(what, value, "neither an algorithm, such as 'zstd:3', nor a list of them")
    found = []
    for one in value:
        if not isinstance(one, (str, Algorithm)):
            raise wrong_type(what, one, "in the list, not an algorithm, such as 'zstd:3'")
        found.append(as_algorithm(one))
    return tuple(found)


def first_offered(wanted: Iterable[Algorithm], offered: Collection[str]) -> Algorithm | None:
    """Return the first algorithm that a kernel offers by name; ``None`` if it offers none."""
    return next((one for one in wanted if one.name in offered), None)


def none_offered(names: Iterable[str], offered: Iterable[str]) -> str:
    """Say that this kernel has none of these algorithms, and which it has."""
    return f"this kernel has no algorithm {' or '.join(names)} (it has: {' '.join(offered)})"


def name_of(algorithm: str | Algorithm, attribute: str) -> str:
    """Return only the name, for an attribute that accepts no parameters.

    Raises:
        InvalidValueError: it has parameters, which would be lost.
    """
    wanted = as_algorithm(algorithm)
    if wanted.params():
        raise InvalidValueError(
            f"{attribute} {wanted}: it takes only a name (for parameters: set_algorithm_params, or "
            "all at once: configure)"
        )
    return wanted.name


def check_name(name: str) -> str:
    """Refuse what cannot be an algorithm's name.

    6.12 to 6.18 accept a name with two newlines, and have no selected algorithm afterwards.
    """
    if not isinstance(name, str):
        raise wrong_type("algorithm", name, "not the name of one")
    if not name.isascii() or not name or not all(char.isalnum() or char in "-_." for char in name):
        raise InvalidValueError(f"algorithm {name!r}: not a valid name")
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
    path = check_path("dictionary", dictionary)
    if not os.path.isabs(path):
        raise InvalidValueError(f"dictionary {path!r}: give an absolute path, the kernel opens it")
    # The kernel's parser of such lists knows only double quotes.
    if '"' in path or "\n" in path:
        raise InvalidValueError(f"dictionary {path!r}: quote or newline in it")
    return path


def _listed_path(dictionary: str | os.PathLike[str]) -> str:
    """A path that can also stand in a list of parameters."""
    path = _path(dictionary)
    if "," in path or path != path.strip():
        raise InvalidValueError(
            f"dictionary {path!r}: a comma, or a blank at its end, does not fit into "
            "NAME(dict=PATH)"
        )
    return path


def _check_number(what: str, value: int | None) -> int | None:
    if value is None:
        return None
    return check_count(what, value, S32_MIN, S32_MAX, "not a whole number of 32 bits")


def _number(text: str, what: str) -> int:
    word = text.strip()
    if not is_whole(word.removeprefix("-")):
        raise InvalidValueError(f"{what}{text!r} is not a whole number")
    return int(word)


def parse_params(words: Iterable[str], what: str = "") -> dict[str, Any]:
    """Parse ``level=3``, ``dict=/path`` and ``deflate.winbits=-12`` into an algorithm's keywords.

    Raises:
        InvalidValueError: another name, the same twice, or a wrong value; ``what`` is in front,
            unless the message itself tells which value it is about.
    """
    found: dict[str, str] = {}
    for word in filter(None, map(str.strip, words)):
        key, _, value = word.partition("=")
        if key in found:
            raise InvalidValueError(f"{what}{word!r}: {key} is given twice")
        if key not in PARAMETERS:
            raise InvalidValueError(
                f"{what}{word!r}: parameters are level=, dict= and deflate.winbits="
            )
        found[key] = value
    level, path, winbits = map(found.get, PARAMETERS)
    return {
        "level": None if level is None else _check_number("level", _number(level, what)),
        "dictionary": None if path is None else _listed_path(path),
        "winbits": (
            None if winbits is None else _check_number("deflate.winbits", _number(winbits, what))
        ),
    }
