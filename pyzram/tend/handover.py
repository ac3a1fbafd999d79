# SPDX-License-Identifier: MIT
"""What one process of ``pyzram tend`` leaves to the next, whether a daemon or cron runs them.

Without it, each start would mistake pages that come back for a shortage of memory, trust a medium
that has just failed, never find earlier marks old enough, and take all recompressed pages for
young. It is valid until the machine is restarted: after a reboot all pages are new.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .. import own_files
from ..errors import from_errno
from .state import Counts, DeviceState, State, Unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from .ages import Ages

NAME = "tend/handover.json"
AGES = "ages"
"""The folder beside it, with a file for each device (:class:`pyzram.tend.ages.Ages`)."""
NUMBERS = (int, float)
MOST = 1 << 80
"""More than any time or counter: arithmetic with numbers from a damaged file must not overflow."""
NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file, or one of another version of pyzram, raises."""

Row = TypeVar("Row", State, Counts, DeviceState, Unfinished)


class Handover(NamedTuple):
    """What one process leaves to the next."""

    state: State = State()
    counts: Counts = Counts()
    devices: Mapping[str, Unfinished] = {}
    """By their keys."""


def load(path: str, boot: str, now: float) -> Handover | None:
    """What the last process left; ``None`` if it left nothing that can be used.

    ``boot`` identifies this start of the machine, ``now`` is the seconds awake.
    """
    with suppress(*NOT_OURS):
        found = json.loads(own_files.read_file(path) or "{}")
        if found["boot"] != boot:
            return None
        state = found["state"]
        state["devices"] = tuple(_row(DeviceState, one) for one in state["devices"])
        handover = Handover(
            _row(State, state),
            _row(Counts, found["counts"]),
            {key: _row(Unfinished, one) for key, one in found["devices"].items()},
        )
        # Not from another time namespace, whose clocks differ.
        if max(handover.state.now, handover.counts.at) <= now:
            return handover
    return None


def save(path: str, boot: str, handover: Handover) -> None:
    """Leave this to the next process; a failure to write it is no reason to stop."""
    state = handover.state
    values = {
        "boot": boot,
        "state": {**_values(state), "devices": [_values(one) for one in state.devices]},
        "counts": _values(handover.counts),
        "devices": {key: _values(one) for key, one in handover.devices.items()},
    }
    with suppress(OSError):
        own_files.write_file(path, json.dumps(values, allow_nan=False))


def load_ages(path: str, key: str, ages: Ages) -> None:
    """Take over the ages of a device's pages; without those, recompressed ones count as young."""
    with suppress(*NOT_OURS, zlib.error):
        ages.unpack(own_files.read_file(_place(path, key)) or "")


def drop_ages(path: str, key: str) -> None:
    """Remove the ages of a device before it is recompressed.

    A page may have been stored since they were noted: a process that is killed before it notes
    them again must not leave an old age for that page.

    Raises:
        ZramOSError: they cannot be removed.
    """
    place = _place(path, key)
    try:
        os.unlink(place)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as err:
        raise from_errno(err.errno or 0, f"{place}: remove what was known of ages", place) from err


def save_ages(path: str, known: Mapping[str, Ages], others: Collection[str]) -> None:
    """Write the ages that have changed, by key, keep those of others, and drop the rest."""
    changed = {key: ages for key, ages in known.items() if ages.changed}
    with suppress(OSError):
        for key, ages in changed.items():
            own_files.write_file(_place(path, key), ages.packed())
            ages.changed = False
        for key in os.listdir(_place(path)) if changed else ():
            if key not in known and key not in others:
                os.unlink(_place(path, key))


def _place(path: str, key: str = "") -> str:
    return os.path.join(os.path.dirname(path), AGES, key)


def _values(row: State | Counts | DeviceState | Unfinished) -> dict[str, Any]:
    """The values as JSON can hold them: ``null`` for a time that never was."""
    return {
        name: None if isinstance(value, float) and math.isinf(value) else value
        for name, value in row._asdict().items()
    }


def _row(kind: type[Row], values: dict[str, Any]) -> Row:
    """The row that such values stand for; a time that never was gets its default.

    Raises:
        KeyError, TypeError, AttributeError: they are damaged, or of another version of pyzram.
    """
    usual = {"key": "", **kind._field_defaults}
    known = {name: value for name, value in values.items() if value is not None}
    for name, value in known.items():
        like = usual[name]
        number = like is None or isinstance(like, NUMBERS)
        fits = _is_number(value) if number else isinstance(value, type(like))
        if fits and isinstance(value, dict):
            fits = all(map(_is_number, value.values()))
        if not fits:
            raise TypeError(f"{name}: {value!r}")
    return kind(**known)


def _is_number(value: object) -> bool:
    """Whether it is a number, and none that JSON knows besides: ``NaN``, infinity, a huge one."""
    return isinstance(value, NUMBERS) and abs(value) < MOST
