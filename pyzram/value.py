# SPDX-License-Identifier: MIT
"""Small immutable values: what dataclasses are for, without the time they take to load.

A device is set up, or a line of figures printed, in less time than :mod:`dataclasses` takes to
import.
"""

from __future__ import annotations

from .errors import InvalidTypeError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, ClassVar, NoReturn, Self, TypeVar

    T = TypeVar("T")
    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = object


class _Words:
    """The words of a class: its own, and those of its fields, once somebody asks for them."""

    __slots__ = ("own",)

    def __init__(self, own: str | None) -> None:
        self.own = own

    def __get__(self, _instance: object, kind: type) -> str | None:
        from .field_docs import with_fields

        return with_fields(kind, self.own)


def documented(kind: type[T]) -> type[T]:
    """Let ``help()`` show what stands below each field of a class."""
    kind.__doc__ = _Words(kind.__doc__)  # type: ignore[assignment]
    return kind


class Record:
    """What can be written as JSON and read back: dataclasses and :class:`Value` alike.

    ``_takes_back`` turns a field's JSON value into what the class wants. ``_choices`` has the words
    that a field may be, where its annotation is the name of such a set.
    """

    __slots__ = ()
    _takes_back: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    _choices: ClassVar[dict[str, tuple[str | None, ...]]] = {}

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(cls.__dataclass_fields__)  # type: ignore[attr-defined]

    @classmethod
    def _is_needed(cls, name: str) -> bool:
        """Whether no release could leave this field out."""
        from inspect import signature

        return signature(cls).parameters[name].default is signature(cls).empty

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON; :meth:`from_dict` takes them back."""
        return {name: json_value(getattr(self, name)) for name in self._names()}

    def replace(self, **changes: Any) -> Self:
        """Return one that differs in these fields.

        Raises:
            InvalidTypeError: there is no such field.
        """
        names = self._names()
        if unknown := [name for name in changes if name not in names]:
            raise InvalidTypeError(
                f"{type(self).__name__}: no field {', '.join(unknown)}: it has {', '.join(names)}"
            )
        return type(self)(**{name: getattr(self, name) for name in names} | changes)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Take back what :meth:`as_dict` gave, also after it was written as JSON and read again.

        Also from another release: what a later one has added is ignored.

        Raises:
            InvalidValueError: it is not what :meth:`as_dict` gives.
        """
        from .value_check import check_fields

        try:
            check_fields(cls, values)
            found = {name: values[name] for name in cls._names() if name in values}
            for name, restore in cls._takes_back.items():
                if found.get(name) is not None:
                    found[name] = restore(found[name])
            return cls(**found)
        except (TypeError, ValueError, AttributeError, KeyError) as err:
            raise InvalidValueError(f"{cls.__name__}: not what as_dict() gives ({err})") from err


def json_value(value: Any) -> Any:
    """Return a value in JSON's types: dictionaries with text as keys, lists, and scalars."""
    if isinstance(value, Record):
        return value.as_dict()
    if hasattr(value, "_asdict"):  # a tuple with names
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [json_value(item) for item in value]
    return value


def as_tuple(what: str, values: Iterable[T]) -> tuple[T, ...]:
    """Take a list of any kind.

    Raises:
        InvalidValueError: it is not a list, or it is text, which would be a list of its letters.
    """
    try:
        if not isinstance(values, (str, bytes)):
            return tuple(values)
    except TypeError:
        pass
    raise InvalidValueError(f"{what} {values!r}: not a list: for a single one write [{values!r}]")


def check_kind(kind: type, values: dict[str, object], *, none: bool = False) -> None:
    """Refuse fields that are not of a type; ``none`` allows ``None``.

    Raises:
        InvalidValueError: what, and its name.
    """
    for name, value in values.items():
        if type(value) is kind or (none and value is None):
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidValueError(f"{name} {value!r}: not {kind.__name__}")


class Value(Record):
    """``_fields`` are in the order of ``__init__``'s parameters; equal if all fields are.

    Synchronization: none needed, immutable.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    __slots__ = _fields

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        documented(cls)

    def _set(self, *values: object) -> None:
        for name, value in zip(self._fields, values, strict=True):
            object.__setattr__(self, name, value)

    def _keep(self, name: str, value: object) -> None:
        """Set what follows from the fields."""
        object.__setattr__(self, name, value)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return cls._fields

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
        return _made, (type(self), dict(zip(self._fields, self._values(), strict=True)))


def _made(kind: type[T], fields: dict[str, Any]) -> T:
    return kind(**fields)


class FrozenDict(dict["K", "V"]):
    """An immutable dictionary, so that it can be compared and hashed with the value that has it.

    Synchronization: none needed, immutable.
    """

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this is frozen: make a dict of it and change that")

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
