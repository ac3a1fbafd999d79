# SPDX-License-Identifier: MIT
"""Annotations as types, for :func:`typing.get_type_hints` and ``inspect.signature``.

Types that only annotations name are imported just for type checkers, so that commands start fast.
Public names get annotations that find those types once somebody looks into them, by importing what
the module has below ``if TYPE_CHECKING``. Until then each costs a dictionary.
"""

from __future__ import annotations

import sys
from _thread import RLock  # so that threading is not loaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from types import FunctionType, ModuleType
    from typing import Any

_resolving = RLock()


class Hints(dict[str, "Any"]):
    """The annotations of a class or function; they are text until somebody looks into them."""

    __slots__ = ("_module", "texts")

    def __init__(self, texts: dict[str, Any], module: str) -> None:
        super().__init__(texts)
        self.texts = texts
        """As they stand in the source."""
        self._module: str | None = module

    def _resolve(self) -> None:
        if self._module is None:
            return
        # Another thread that looks meanwhile waits, so that it never finds text.
        with _resolving:
            if self._module is not None:
                names = _names_of(sys.modules[self._module])
                for name, text in self.texts.items():
                    if isinstance(text, str):
                        self[name] = _type_of(text, names)
                self._module = None

    def copy(self) -> dict[str, Any]:
        """A plain dictionary of the types."""
        return dict(self.items())


def _resolved_first(name: str) -> Callable[..., Any]:
    def method(self: Hints, *args: Any) -> Any:
        self._resolve()
        return getattr(dict, name)(self, *args)

    return method


# Also __iter__, because dict() of a dictionary that has its own asks that.
for _name in ("__iter__", "__getitem__", "__eq__", "__repr__", "get", "items", "keys", "values"):
    setattr(Hints, _name, _resolved_first(_name))


def resolvable(value: Any) -> None:
    """Make the annotations of a function, or of a class and its methods, resolve to types."""
    if not isinstance(value, type):
        _give(value)
        return
    for base in value.__mro__:
        if base.__module__.partition(".")[0] != __package__:
            continue
        for member in vars(base).values():
            for name in ("fget", "__func__"):  # of properties and class methods
                member = getattr(member, name, member)
            if hasattr(member, "__code__"):
                _give(member)
        # Last, because from Python 3.14 on a dataclass's __init__ asks its class for its own.
        own = base.__annotations__
        if own and not isinstance(own, Hints):
            base.__annotations__ = Hints(own, base.__module__)


def _give(function: FunctionType) -> None:
    own = getattr(function, "__annotations__", None)
    if own and not isinstance(own, Hints) and function.__module__ in sys.modules:
        function.__annotations__ = Hints(own, function.__module__)


def as_written(value: type | Callable[..., object]) -> dict[str, Any]:
    """The own annotations of a class or function, as they stand in the source."""
    own: dict[str, Any] = getattr(value, "__annotations__", {})
    return own.texts if isinstance(own, Hints) else dict(own)


_known: dict[str, dict[str, Any]] = {}


def _names_of(module: ModuleType) -> dict[str, Any]:
    """What a module's annotations can name: its names, and what it imports for type checkers."""
    if module.__name__ in _known:
        return _known[module.__name__]
    import ast
    import inspect

    names = _known[module.__name__] = dict(vars(module))
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:  # no source
        return names
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom):
                    _import(module, line, names)
                else:
                    exec(compile(ast.Module([line], []), module.__file__ or "", "exec"), names)
    if "array" in names and not hasattr(names["array"], "__class_getitem__"):
        names["array"] = _Array
    return names


def _import(module: ModuleType, line: ast.ImportFrom, names: dict[str, Any]) -> None:
    """Import names, including those that the other module has only for type checkers."""
    from importlib import import_module

    home = "." * line.level + (line.module or "")
    try:
        other = import_module(home, module.__package__)
    except ImportError:  # typing_extensions, whose names Python itself has from 3.12 on
        names["Buffer"] = _buffer()
        return
    for alias in line.names:
        if hasattr(other, alias.name):
            found = getattr(other, alias.name)
        elif other.__name__.partition(".")[0] == __package__:
            found = _names_of(other).get(alias.name)
        else:
            found = import_module(f"{home}.{alias.name}", module.__package__)
        names[alias.asname or alias.name] = found


class _Array:
    """``array[int]``, which up to 3.11 the type itself cannot express."""

    def __class_getitem__(cls, _item: type) -> type:
        from array import array

        return array


def _buffer() -> Any:
    """What has bytes."""
    import collections.abc

    return getattr(collections.abc, "Buffer", bytes | bytearray | memoryview)


def _type_of(text: str, names: dict[str, Any]) -> Any:
    """The type, or the text if it cannot be resolved, as without all this."""
    try:
        return eval(text, names)
    except Exception:
        return text
