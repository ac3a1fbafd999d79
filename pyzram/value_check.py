# SPDX-License-Identifier: MIT
"""Whether a dictionary is what ``as_dict()`` of a class gives, judged by the class's annotations.

Only ``from_dict()`` loads this, because reading annotations takes :mod:`ast` and :mod:`inspect`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from .hints import as_written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .value import JsonValue

_SCALARS: dict[str, type | tuple[type, ...]] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "None": type(None),
}


def check_fields(kind: type[JsonValue], values: Any) -> None:
    """Refuse what is not ``as_dict()`` of ``kind``.

    An earlier release has fewer fields, a later one has more. None has both fewer and more, so that
    means a misspelt name.

    Raises:
        TypeError: what is wrong, with the field's name.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{values!r} is not a dictionary")
    names = kind._names()
    missing = [name for name in names if name not in values]
    unknown = [repr(name) for name in values if name not in names]
    if missing and unknown:
        raise TypeError(f"no field {', '.join(unknown)}; missing: {', '.join(missing)}")
    if lacking := [name for name in missing if kind._is_needed(name)]:
        raise TypeError(f"missing: {', '.join(lacking)}")
    if not values:
        raise TypeError("it is empty")
    types = _types(kind)
    for name in names:
        if name not in values:
            continue
        value = values[name]
        if name in kind._words_of:
            if value not in kind._words_of[name]:
                raise TypeError(f"{name} {value!r}: not one of {kind._words_of[name]}")
        elif name in types and not _fits(value, types[name]):
            raise TypeError(f"{name} {value!r}: not {ast.unparse(types[name])}")


_known: dict[type, Mapping[str, ast.expr]] = {}


def _types(kind: type) -> Mapping[str, ast.expr]:
    """What each field may be."""
    if kind in _known:
        return _known[kind]
    found: dict[str, ast.expr] = {}
    for base in reversed(kind.__mro__):
        for name, text in as_written(base).items():
            if isinstance(text, str):  # it may not be in somebody else's subclass
                found[name] = ast.parse(text, mode="eval").body
    _known[kind] = found
    return found


def _fits(value: Any, kind: ast.expr) -> bool:
    """Whether a value in JSON's types is, or stands for, one of an annotation."""
    if isinstance(kind, ast.BinOp):  # A | B
        return _fits(value, kind.left) or _fits(value, kind.right)
    if isinstance(kind, ast.Subscript):
        return _fits_all(value, ast.unparse(kind.value), kind.slice)
    name = ast.unparse(kind)
    if name in ("Any", "object"):
        return True
    if name not in _SCALARS:
        return isinstance(value, dict)  # for a class, which checks it itself
    return isinstance(value, _SCALARS[name]) and (name == "bool" or not isinstance(value, bool))


def _fits_all(value: Any, name: str, inner: ast.expr) -> bool:
    first, *others = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name in ("tuple", "list"):  # list[A], tuple[A, ...]
        return isinstance(value, (list, tuple)) and all(_fits(item, first) for item in value)
    (second,) = others
    # The keys of a JSON object are text, even those that stand for numbers.
    return isinstance(value, dict) and all(
        isinstance(key, str) and _fits(item, second) for key, item in value.items()
    )
