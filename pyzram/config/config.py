# SPDX-License-Identifier: MIT
"""Everything a configuration asks for, as values; :mod:`pyzram.config.parser` makes them."""

from __future__ import annotations

from ..errors import InvalidValueError, reduced
from ..units import U64_MAX, shortest_size
from ..value import (
    FrozenDict,
    Value,
    as_texts,
    as_tuple,
    check_count,
    check_flag,
    check_path,
    documented,
)
from .device_config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Container, Iterable, Mapping
    from typing import Any, ClassVar


@documented
class ConfigError(InvalidValueError):
    """The files are invalid; :attr:`problems` has all reasons, one line each."""

    def __init__(self, problems: Iterable[str], warnings: Iterable[str] = ()) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        """Every reason, one line each, with its file and line."""
        self.warnings: tuple[str, ...] = tuple(warnings)
        """What is valid but looks wrong."""
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.problems, self.warnings)


class Config(Value):
    """Everything that the files ask for.

    Raises:
        InvalidValueError: a field has the wrong type.
    """

    _fields = (
        "path",
        "devices",
        "load_on_start",
        "unload_on_stop",
        "tend",
        "tend_budget",
        "tend_reclaim",
        "sources",
        "texts",
        "all_or_nothing",
        "warnings",
    )
    __slots__ = _fields
    _takes_back: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "devices": lambda found: tuple(map(DeviceConfig.from_dict, found)),
        "warnings": tuple,
        "tend_reclaim": tuple,
    }

    path: str
    """The first of the files."""
    devices: tuple[DeviceConfig, ...]
    """In order of their numbers, which may have gaps because devices can be left out."""
    load_on_start: bool
    """Whether start loads the driver (``LOAD_ON_START``)."""
    unload_on_stop: bool
    """Whether stop unloads it (``UNLOAD_ON_STOP``)."""
    tend: bool
    """Whether pyzram tend may do anything (``TEND``)."""
    tend_budget: int | None
    """Bytes that may be written to a medium in any 24 hours (``TEND_BUDGET``); ``None`` means the
    medium's default."""
    tend_reclaim: tuple[str, ...]
    """Control groups whose idle memory pyzram tend sends to swap, as paths below the root
    (``TEND_RECLAIM``)."""
    sources: Mapping[str, str]
    """From each variable to ``file:line`` of its value; a missing one has its default."""
    texts: Mapping[str, str]
    """From each variable to its value as in the file."""
    all_or_nothing: bool
    """Whether a start undoes all devices when one fails (``ALL_OR_NOTHING``)."""
    warnings: tuple[str, ...]
    """What looks wrong, one line each."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        devices: Iterable[DeviceConfig] = (),
        *,
        load_on_start: bool = True,
        unload_on_stop: bool = False,
        tend: bool = True,
        tend_budget: int | None = None,
        tend_reclaim: Iterable[str] = (),
        sources: Mapping[str, str] = FrozenDict(),
        texts: Mapping[str, str] = FrozenDict(),
        all_or_nothing: bool = False,
        warnings: Iterable[str] = (),
    ) -> None:
        check_flag("load_on_start", load_on_start)
        check_flag("unload_on_stop", unload_on_stop)
        check_flag("tend", tend)
        check_flag("all_or_nothing", all_or_nothing)
        if tend_budget is not None:
            tend_budget = check_count("tend_budget", tend_budget, 0, U64_MAX)
        self._set(
            check_path("path", path),
            as_tuple("devices", devices, DeviceConfig),
            load_on_start,
            unload_on_stop,
            tend,
            tend_budget,
            as_tuple("tend_reclaim", tend_reclaim, str),
            as_texts("sources", sources),
            as_texts("texts", texts),
            all_or_nothing,
            as_tuple("warnings", warnings, str),
        )

    def _told(self, indexes: Container[int] | None = None) -> list[str]:
        """Return a line for each value that was set: what, and in which line of which file.

        A size is written as it is printed elsewhere: ``1G``, even if the file has ``1024M``.

        ``indexes`` selects devices, ``None`` all of them; variables for all devices are always
        included.
        """
        from .variables import GLOBALS, PER_DEVICE

        lines = []
        for name, place in self.sources.items():
            stem, _, digits = name.rpartition("_")
            if indexes is None or not digits.isdigit() or int(digits) in indexes:
                text = self.texts.get(name, "")
                row = GLOBALS.get(name) or PER_DEVICE.get(stem)
                if row and row.is_size:
                    text = shortest_size(text)
                lines.append(f"{name}={text} ({place})")
        return lines

    def device(self, index: int) -> DeviceConfig:
        """Return the device with a number.

        Raises:
            KeyError: the files ask for none.
        """
        index = check_count("index", index)
        for device in self.devices:
            if device.index == index:
                return device
        raise KeyError(index)
