# SPDX-License-Identifier: MIT
"""Small values that nobody changes: what dataclasses are for, without the time they take to load.

Setting a device up, or printing a line of figures, is done before :mod:`dataclasses` is imported.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, Self, TypeVar

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = object


class Value:
    """``_fields`` are named in the order that ``__init__`` takes them; equal if all are.

    Synchronization: none needed, immutable.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    __slots__ = _fields

    def _set(self, *values: object) -> None:
        for name, value in zip(self._fields, values, strict=True):
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values()))

    def __repr__(self) -> str:
        words = zip(self._fields, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in words)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON; the class takes them back as arguments."""
        return dict(zip(self._fields, self._values(), strict=True))


class FrozenDict(dict["K", "V"]):
    """A dictionary that nobody changes, so that it can be compared and hashed with what holds it.

    Synchronization: none needed, immutable.
    """

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this is frozen: make a dict of it to change it")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[K, V]]]:
        return type(self), (dict(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self
