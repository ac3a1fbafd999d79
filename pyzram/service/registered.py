# SPDX-License-Identifier: MIT
"""One device of ours, and the lines that the record has of it.

This is the only place where settings are text: what is written here is read here, and everybody
else has a :class:`DeviceConfig`.
"""

from __future__ import annotations

from ..algorithm import Algorithm
from ..config.device_config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


class RegisteredDevice:
    """One device of ours."""

    __slots__ = ("diskseq", "index", "number", "ready", "settings")

    def __init__(self, index: int, number: int, diskseq: str, ready: bool = False) -> None:
        self.index: int = index
        self.number: int = number
        self.diskseq: str = diskseq
        self.ready: bool = ready
        self.settings: DeviceConfig | None = None
        """What was asked for, as far as the kernel does not report it (no ``mem_limit``)."""


def _algorithms(text: str) -> tuple[Algorithm, ...]:
    return tuple(map(Algorithm.parse, text.split()))


def _pack(words: tuple[str, ...]) -> str:
    """Write words of mkfs, which may be quoted in the file: with blanks in them, or empty."""
    return " ".join(word.replace("%", "%25").replace(" ", "%20") or "%00" for word in words)


def _unpack(text: str) -> tuple[str, ...]:
    return tuple(
        word.replace("%00", "").replace("%20", " ").replace("%25", "%") for word in text.split(" ")
    )


# Field to what takes its text back.
TAKES_BACK: dict[str, Callable[[str], Any]] = {
    "disksize": int,
    "algorithms": _algorithms,
    "recompression": _algorithms,
    "backing_dev": str,
    "label": str,
    "discard": str,
    "writeback_limit": int,
    "mount_point": str,
    "fstype": str,
    "mkfs_options": _unpack,
    "mount_options": str,
    "mode": lambda text: int(text, 8),
    "owner": str,
    "priority": int,
}
OF_FILE_SYSTEMS = ("fstype", "mkfs_options")
OF_SWAP = ("priority",)


def field_text(name: str, value: object) -> str:
    """Return a field's value as text; empty for none."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:o}" if name == "mode" else str(value)


def settings_text(settings: DeviceConfig) -> dict[str, str]:
    """Return the text of each field; empty for what is not set, or is not this device's."""
    foreign = OF_FILE_SYSTEMS if settings.is_swap else OF_SWAP
    return {
        name: "" if name in foreign else field_text(name, getattr(settings, name))
        for name in TAKES_BACK
    }


def _written(settings: DeviceConfig) -> Iterator[str]:
    for name, text in settings_text(settings).items():
        if name == "mkfs_options" and not settings.is_swap:
            text = _pack(settings.mkfs_options)
        if text:
            yield f" {name} {_escape(text)}"


def lines_of(records: Iterable[RegisteredDevice]) -> Iterator[str]:
    """Yield what is written of devices, line by line."""
    for record in records:
        ready = "ready" if record.ready else "begun"
        yield f"device {record.index} {record.number} {record.diskseq} {ready}"
        if record.settings is not None:
            yield from _written(record.settings)


def devices_of(lines: list[str]) -> list[RegisteredDevice]:
    """Take back what :func:`lines_of` gave.

    A field that this version does not know is passed over.

    Raises:
        ValueError: it is something else.
    """
    found: list[tuple[RegisteredDevice, dict[str, Any]]] = []
    for line in lines:
        if line.startswith(" ") and found:
            name, _, text = line[1:].partition(" ")
            if name in TAKES_BACK:
                found[-1][1][name] = TAKES_BACK[name](_unescape(text))
            continue
        word, index, number, diskseq, ready = line.split(" ")
        if word != "device" or ready not in ("ready", "begun"):
            raise ValueError(line)
        record = RegisteredDevice(int(index), int(number), diskseq, ready == "ready")
        found.append((record, {}))
    for record, settings in found:
        if settings:
            record.settings = DeviceConfig(record.index, **{"disksize": 0, **settings})
    return [record for record, _ in found]


def _escape(text: str) -> str:
    """Keep a value on one line."""
    return text.replace("%", "%25").replace("\n", "%0a")


def _unescape(text: str) -> str:
    return text.replace("%0a", "\n").replace("%25", "%")
