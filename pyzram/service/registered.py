# SPDX-License-Identifier: MIT
"""One of our devices, and its lines in the record.

Only here are settings text: what is written here is read here, and everywhere else there is a
:class:`DeviceConfig`. A field's row in :mod:`pyzram.config.variables` says how the field becomes
text and a value again.
"""

from __future__ import annotations

from ..config.device_config import DeviceConfig
from ..config.variables import FIELDS, FILE_SYSTEM, SWAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..config.variables import Variable


class RegisteredDevice:
    """One of our devices."""

    __slots__ = ("diskseq", "index", "number", "ready", "settings")

    def __init__(self, index: int, number: int, diskseq: str, ready: bool = False) -> None:
        self.index: int = index
        self.number: int = number
        self.diskseq: str = diskseq
        self.ready: bool = ready
        self.settings: DeviceConfig | None = None
        """The configuration, except for what the kernel reports (``mem_limit``)."""


# What is recorded: everything except what the kernel reports.
RECORDED = {field: row for field, row in FIELDS.items() if row.restore}


def settings_text(settings: DeviceConfig) -> dict[str, str]:
    """Return the text of each field; empty if it is not set or does not apply to this device."""
    return {
        field: "" if _foreign(row, settings) else row.show(getattr(settings, field))
        for field, row in RECORDED.items()
    }


def _foreign(row: Variable, settings: DeviceConfig) -> bool:
    return row.of == (FILE_SYSTEM if settings.is_swap else SWAP)


def _written(settings: DeviceConfig) -> Iterator[str]:
    for field, row in RECORDED.items():
        text = "" if _foreign(row, settings) else row.record(getattr(settings, field))
        if text:
            yield f" {field} {_escape(text)}"


def lines_of(devices: Iterable[RegisteredDevice]) -> Iterator[str]:
    """Yield the lines of the record for these devices."""
    for registered in devices:
        ready = "ready" if registered.ready else "begun"
        yield f"device {registered.index} {registered.number} {registered.diskseq} {ready}"
        if registered.settings is not None:
            yield from _written(registered.settings)


def devices_of(lines: list[str]) -> list[RegisteredDevice]:
    """Read back what :func:`lines_of` gave.

    Unknown fields are skipped.

    Raises:
        ValueError: the lines are not of this form.
    """
    found: list[tuple[RegisteredDevice, dict[str, Any]]] = []
    for line in lines:
        if line.startswith(" ") and found:
            field, _, text = line[1:].partition(" ")
            row = RECORDED.get(field)
            if row and row.restore:
                found[-1][1][field] = row.restore(_unescape(text))
            continue
        word, index, number, diskseq, ready = line.split(" ")
        if word != "device" or ready not in ("ready", "begun"):
            raise ValueError(line)
        registered = RegisteredDevice(int(index), int(number), diskseq, ready == "ready")
        found.append((registered, {}))
    for registered, settings in found:
        if settings:
            registered.settings = DeviceConfig(registered.index, **{"disksize": 0, **settings})
    return [registered for registered, _ in found]


def _escape(text: str) -> str:
    """Keep a value on one line."""
    return text.replace("%", "%25").replace("\n", "%0a")


def _unescape(text: str) -> str:
    return text.replace("%0a", "\n").replace("%25", "%")
