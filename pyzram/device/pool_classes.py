# SPDX-License-Identifier: MIT
"""The size classes of a device's pool, as debugfs shows them; the model of a pool is elsewhere.

:mod:`pyzram.pages.pool.zsmalloc` works them out for any kernel.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ..errors import DeviceNotFoundError, UnsupportedError, from_errno
from ..kernel.parse import parse_pool_classes
from ..kernel.sysfs import is_there, read_text
from ..value import FrozenDict, JsonValue, documented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .handle import Handle


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClass(JsonValue):
    """One size class of a device's pool (``zsmalloc/zramN/classes`` in debugfs)."""

    _takes_back = FrozenDict(fullness=FrozenDict)

    number: int
    """Its number, the column ``class``."""
    size: int
    """Bytes of an object, including its handle."""
    fullness: Mapping[str, int]
    """How many zspages are that full: ``10%`` to ``100%``; up to 6.2 ``almost_full`` and
    ``almost_empty``."""
    obj_allocated: int
    """Objects that its zspages have room for."""
    obj_used: int
    """Objects that they hold."""
    pages_used: int
    """Pages of memory in its zspages."""
    pages_per_zspage: int
    """Pages of one zspage."""
    freeable: int
    """Pages that compaction would free."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fullness", FrozenDict(self.fullness))


KNOWN = tuple(field.name for field in fields(PoolClass) if field.name != "fullness")
"""The columns that every kernel has, by the names of their fields."""


def _pool_class(row: dict[str, int], step: str, path: str) -> PoolClass:
    row = {"number" if name == "class" else name: figure for name, figure in row.items()}
    if lacking := [name for name in KNOWN if name not in row]:
        text = f"{step}: this kernel's table has no column {' '.join(lacking)}"
        raise UnsupportedError(errno.EOPNOTSUPP, text, path)
    fullness = {name: figure for name, figure in row.items() if name not in KNOWN}
    return PoolClass(fullness=fullness, **{name: row[name] for name in KNOWN})


def read_pool_classes(device: Handle) -> tuple[PoolClass, ...]:
    """Read the size classes of a pool (:meth:`pyzram.Zram.read_pool_classes`)."""
    pools = device.sysfs.path("sys/kernel/debug/zsmalloc")
    path = f"{pools}/{device.name}/classes"
    try:
        text = device._ask_by_name("read classes", lambda _sysfs, _name: read_text(path))
        step = f"{device.name}: read classes"
        return tuple(_pool_class(row, step, path) for row in parse_pool_classes(text))
    except (DeviceNotFoundError, UnsupportedError):
        raise
    except FileNotFoundError as err:
        if not device.read_disksize() and is_there(pools):
            return ()
        raise UnsupportedError(
            errno.ENOENT,
            f"{device.name}: read classes: this kernel has none (CONFIG_ZSMALLOC_STAT), "
            "or debugfs is not mounted (mount -t debugfs debugfs /sys/kernel/debug)",
            path,
        ) from err
    except OSError as err:
        raise from_errno(err.errno or 0, f"{device.name}: read classes", path) from err
