# SPDX-License-Identifier: MIT
"""The variables of the configuration, one row each.

A row is all that reading, recording and comparing need to know about a variable: its name, the
field that it sets, what its text becomes, and what a change takes. Defaults are those of the fields
(:class:`~pyzram.config.device_config.DeviceConfig` and :class:`~pyzram.config.config.Config`).
"""

from __future__ import annotations

from ..algorithm import Algorithm
from .values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeAlias

    Restore = Callable[[str], Any]
    Needs: TypeAlias = Literal["live", "new mount", "new device"]

# What a change of a running device takes.
LIVE: Needs = "live"
NEW_DEVICE: Needs = "new device"
NEW_MOUNT: Needs = "new mount"
# Which devices can have it.
ANY, SWAP, FILE_SYSTEM = "any", "swap", "file system"


def text_of(value: object) -> str:
    """Return a field's value as text; empty for none."""
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class Variable:
    """One variable; ``take`` turns its text into its value.

    ``field`` is what it sets; empty if the parser does something else with it. ``restore`` reads
    back what ``record`` writes for a value; without it the value is not recorded, because the
    kernel reports it. ``show`` writes a value for people; ``is_size`` means with a unit.
    """

    __slots__ = ("field", "is_size", "name", "needs", "of", "record", "restore", "show", "take")

    def __init__(
        self,
        name: str,
        field: str,
        take: Callable[[Values, str], Any],
        *,
        restore: Restore | None = None,
        show: Callable[[Any], str] = text_of,
        record: Callable[[Any], str] | None = None,
        needs: Needs = NEW_DEVICE,
        of: str = ANY,
        is_size: bool = False,
    ) -> None:
        self.name = name
        self.field = field
        self.take = take
        self.restore = restore
        self.show = show
        self.record = record or show
        self.needs = needs
        self.of = of
        self.is_size = is_size


def _algorithms(text: str) -> tuple[Algorithm, ...]:
    return tuple(map(Algorithm.parse, text.split()))


def _pack(words: tuple[str, ...]) -> str:
    """Write words for mkfs, which may be quoted in the file: they may have blanks or be empty."""
    return " ".join(word.replace("%", "%25").replace(" ", "%20") or "%00" for word in words)


def _unpack(text: str) -> tuple[str, ...]:
    return tuple(
        word.replace("%00", "").replace("%20", " ").replace("%25", "%") for word in text.split(" ")
    )


def _octal(mode: int | None) -> str:
    return "" if mode is None else f"{mode:o}"


def _from_octal(text: str) -> int:
    return int(text, 8)


GLOBALS = {
    row.name: row
    for row in (
        Variable("ALL_OR_NOTHING", "all_or_nothing", Values.yes_no),
        Variable("LOAD_ON_START", "load_on_start", Values.yes_no),
        Variable("TEND", "tend", Values.yes_no),
        Variable("TEND_BUDGET", "tend_budget", Values.plain_size, is_size=True),
        Variable("TEND_RECLAIM", "tend_reclaim", Values.control_groups),
        Variable("UNLOAD_ON_STOP", "unload_on_stop", Values.yes_no),
        Variable("NUM_DEVICES", "", Values.devices_count),
        Variable("SWAPON_OPTS", "", Values.swapon_options),
    )
}
PER_DEVICE = {
    row.name: row
    for row in (
        Variable("ZRAM_SIZE", "disksize", Values.disksize, restore=int, is_size=True),
        Variable("ZRAM_HOST_MEMORY_LIMIT", "", Values.memory, is_size=True),
        Variable("ZRAM_ALGORITHM", "algorithms", Values.algorithms, restore=_algorithms),
        Variable("ZRAM_PARAMS", "", Values.params),
        Variable("ZRAM_RECOMP_ALGORITHM", "recompression", Values.secondaries, restore=_algorithms),
        Variable("ZRAM_MEM_LIMIT", "mem_limit", Values.mem_limit, needs=LIVE, is_size=True),
        Variable("ZRAM_PRIORITY", "priority", Values.priority, restore=int, of=SWAP),
        Variable("ZRAM_DISCARD", "discard", Values.discard, restore=str),
        Variable("ZRAM_LABEL", "label", Values.label, restore=str),
        Variable("ZRAM_BACKING_DEV", "backing_dev", Values.path, restore=str),
        Variable(
            "ZRAM_WRITEBACK_LIMIT",
            "writeback_limit",
            Values.writeback_limit,
            restore=int,
            needs=LIVE,
            is_size=True,
        ),
        Variable("ZRAM_MOUNT", "mount_point", Values.path, restore=str),
        Variable("ZRAM_FSTYPE", "fstype", Values.word, restore=str, of=FILE_SYSTEM),
        Variable(
            "ZRAM_MKFS_OPTS",
            "mkfs_options",
            Values.words,
            restore=_unpack,
            record=_pack,
            of=FILE_SYSTEM,
        ),
        Variable(
            "ZRAM_MOUNT_OPTS",
            "mount_options",
            Values.mount_options,
            restore=str,
            needs=NEW_MOUNT,
            of=FILE_SYSTEM,
        ),
        Variable(
            "ZRAM_MODE",
            "mode",
            Values.mode,
            restore=_from_octal,
            show=_octal,
            needs=LIVE,
            of=FILE_SYSTEM,
        ),
        Variable("ZRAM_OWNER", "owner", Values.owner, restore=str, needs=LIVE, of=FILE_SYSTEM),
    )
}
FIELDS = {row.field: row for row in PER_DEVICE.values() if row.field}
