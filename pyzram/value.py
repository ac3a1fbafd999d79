# SPDX-License-Identifier: MIT
"""Small immutable values: what dataclasses are for, without the time that they take to load.

Setting up a device or printing a line of figures takes less time than importing
:mod:`dataclasses`.
"""

from __future__ import annotations

from .errors import InvalidTypeError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform

    T = TypeVar("T")
    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = object

    def dataclass_transform(**_how: bool) -> Callable[[T], T]:
        """Only type checkers heed it: fields cannot be set."""
        return lambda kind: kind


class _Words:
    """A class's docstring: its own, and those of its fields once somebody asks for them."""

    __slots__ = ("own",)

    def __init__(self, own: str | None) -> None:
        self.own = own

    def __get__(self, _instance: object, kind: type) -> str | None:
        from .field_docs import with_fields

        return with_fields(kind, self.own)


def documented(kind: type[T]) -> type[T]:
    """Make ``help()`` show the words below each field of a class."""
    kind.__doc__ = _Words(kind.__doc__)  # type: ignore[assignment]
    return kind


class JsonValue:
    """A value that can be written as JSON and read back: a dataclass or a :class:`Value`.

    ``_takes_back`` turns a field's JSON value into what the class wants. ``_words_of`` has the
    words that a field may be, if its annotation is the name of such a set.
    """

    __slots__ = ()
    _takes_back: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    _words_of: ClassVar[dict[str, tuple[str | None, ...]]] = {}

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(cls.__dataclass_fields__)  # type: ignore[attr-defined]

    @classmethod
    def _is_needed(cls, name: str) -> bool:
        """Whether every release has this field."""
        from inspect import signature

        return signature(cls).parameters[name].default is signature(cls).empty

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON; :meth:`from_dict` takes them back."""
        return {name: json_value(getattr(self, name)) for name in self._names()}

    def replace(self, **changes: Any) -> Self:
        """Return one that differs in these fields.

        What users write (algorithms, the configuration) is checked again; values that were read
        are taken as they are.

        Raises:
            InvalidTypeError: there is no such field.
        """
        names = self._names()
        if unknown := [name for name in changes if name not in names]:
            raise InvalidTypeError(
                f"{type(self).__name__}: no field {', '.join(unknown)}: it has {', '.join(names)}"
            )
        return type(self)(**{name: getattr(self, name) for name in names} | changes, **self._more())

    def _more(self) -> dict[str, Any]:
        """Return what the class takes besides its fields; copies get it too."""
        return {}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Take back what :meth:`as_dict` gave, even after it was written as JSON and read again.

        It may come from another release: what a later one has added is ignored.

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
    if isinstance(value, JsonValue):
        return value.as_dict()
    if hasattr(value, "_asdict"):  # a tuple with names
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [json_value(item) for item in value]
    return value


# ---- what a parameter takes ----------------------------------------------------------------------


def wrong_type(what: str, value: object, wanted: str) -> InvalidTypeError:
    """Make the error for a value of the wrong type."""
    return InvalidTypeError(f"{what} {value!r}: {wanted}")


def is_list(value: object) -> bool:
    """Whether it can be iterated over and is not text, which would be a list of its letters."""
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes))


def as_tuple(what: str, values: Iterable[T], kind: type | None = None) -> tuple[T, ...]:
    """Accept a list of any kind whose items are of ``kind``.

    Raises:
        InvalidTypeError: it is not a list, or it is text, which would be a list of its letters; or
            one of its items is something else.
    """
    if not is_list(values):
        raise wrong_type(what, values, f"not a list: for a single one write [{values!r}]")
    found = tuple(values)
    for item in found:
        if kind is not None and not isinstance(item, kind):
            raise wrong_type(what, item, f"in the list, not {kind.__name__}")
    return found


def as_texts(what: str, values: Mapping[str, str]) -> FrozenDict[str, str]:
    """Accept a dictionary of texts.

    Raises:
        InvalidTypeError: it is something else.
    """
    if not hasattr(values, "keys"):
        raise wrong_type(what, values, "not a dictionary")
    found = FrozenDict(values)
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise wrong_type(what, {name: value}, "in the dictionary, not text for text")
    return found


def check_kind(kind: type, values: dict[str, object], *, none: bool = False) -> None:
    """Refuse values that are not of a type; ``none`` allows ``None``.

    Raises:
        InvalidTypeError: one is not; the message has it and its name.
    """
    for name, value in values.items():
        if type(value) is kind or (none and value is None):
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise wrong_type(name, value, f"not {kind.__name__}")


def check_whole(what: str, value: Any) -> int | None:
    """Accept a whole number of any size, as :func:`check_count`, or ``None``.

    Raises:
        InvalidTypeError: it is something else.
    """
    if value is None:
        return None
    return check_count(what, value, float("-inf"), None, "not a whole number")


def check_count(
    what: str, value: Any, lowest: float = 0, highest: int | None = None, wanted: str = ""
) -> int:
    """Accept a whole number within bounds, as ``int``, even NumPy's, but no truth value.

    ``wanted`` says what is wrong, if the bounds alone do not.

    Raises:
        InvalidTypeError: it is not a whole number.
        InvalidValueError: it is outside the bounds.
    """
    if type(value) is int and value >= lowest and (highest is None or value <= highest):
        return int(value)
    bounds = f"from {lowest} up" if highest is None else f"from {lowest} to {highest}"
    wanted = wanted or f"not a whole number {bounds}"
    if type(value) is not int:
        index = getattr(type(value), "__index__", None)
        if index is None or isinstance(value, bool):
            raise wrong_type(what, value, wanted)
        try:
            value = index(value)
        except TypeError:  # NumPy's truth values
            raise wrong_type(what, value, wanted) from None
    if value < lowest or (highest is not None and value > highest):
        raise InvalidValueError(f"{what} {value!r}: {wanted}")
    return int(value)


def check_seconds(what: str, value: Any) -> float:
    """Accept a time in seconds from 0 up, as ``float``.

    Raises:
        InvalidTypeError: it is not a number.
        InvalidValueError: it is negative, or a NaN.
    """
    return check_real(what, value, 0.0, "not a number of seconds from 0 up")


def check_real(
    what: str, value: Any, lowest: float = float("-inf"), wanted: str = "not a number"
) -> float:
    """Accept a number of any kind, as ``float``, but no truth value.

    Raises:
        InvalidTypeError: it is not a number.
        InvalidValueError: it is below ``lowest``, or a NaN.
    """
    kind = type(value)
    if kind is not float:
        real = hasattr(kind, "__float__") or hasattr(kind, "__index__")
        if not real or isinstance(value, bool) or kind.__name__ in ("bool", "bool_", "ndarray"):
            raise wrong_type(what, value, wanted)
        value = float(value)
    if not value >= lowest:
        raise InvalidValueError(f"{what} {value!r}: {wanted}")
    return float(value)


def check_flag(what: str, value: Any) -> bool:
    """Refuse what is neither true nor false, such as ``"0"``, which would count as true.

    Raises:
        InvalidTypeError: it is something else.
    """
    if value is not True and value is not False:
        raise wrong_type(what, value, "neither True nor False")
    return bool(value)


def check_callable(what: str, value: Any, wanted: str = "not a function") -> None:
    """Refuse what cannot be called.

    Raises:
        InvalidTypeError: it is something else.
    """
    if not callable(value):
        raise wrong_type(what, value, wanted)


def check_path(what: str, value: Any) -> str:
    """Accept a path, as text.

    Raises:
        InvalidTypeError: it is something else, or bytes (``os.fsdecode`` turns them into text).
        InvalidValueError: it is empty, or has a NUL in it.
    """
    path = value if isinstance(value, str) else getattr(type(value), "__fspath__", _nothing)(value)
    if not isinstance(path, str):
        raise wrong_type(what, value, "not a path: neither text nor os.PathLike of text")
    if not path or "\0" in path:
        raise InvalidValueError(f"{what} {value!r}: not a path")
    return path


def _nothing(_value: object) -> None:
    pass


def check_word(what: str, value: Any, words: tuple[str, ...]) -> str:
    """Refuse what is none of these words.

    Raises:
        InvalidTypeError: it is not text.
        InvalidValueError: it is another word.
    """
    wanted = f"not one of {', '.join(words)}"
    if not isinstance(value, str):
        raise wrong_type(what, value, wanted)
    if value not in words:
        raise InvalidValueError(f"{what} {value!r}: {wanted}")
    return value


# ---- values --------------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True)
class Value(JsonValue):
    """``_fields`` are in the order of ``__init__``'s parameters. Equal if all fields are.

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
        fields = dict(zip(self._fields, self._values(), strict=True))
        return _made, (type(self), fields | self._more())


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
