# SPDX-License-Identifier: MIT
"""Reading the machine once: devices, memory, pressure, and what pyzram tend says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ZramError
from ...kernel.figures import BY_NAME, SWAPS
from ...kernel.psi import Pressure, read_pressure
from ...kernel.sysfs import Sysfs
from ...tend.machine import read_memory
from ...tend_status import read_status
from ...text import quote
from ..device_history import DeviceHistory, Histories
from ..stats_columns import COLUMNS
from ..zram_stats import Collection

if TYPE_CHECKING:
    from typing import ClassVar

    from ...kernel.figure_reader import DeviceFigures

RESOURCES = ("memory", "io", "cpu")


class Device(DeviceHistory):
    """A device over time, with the history of its requests."""

    __slots__ = ("reads", "writes")

    counters: ClassVar[tuple[str, ...]] = (*DeviceHistory.counters, "bd_reads", "bd_writes")

    def __init__(self, identity: int = 0) -> None:
        super().__init__(identity)
        self.reads: list[float] = []
        self.writes: list[float] = []

    def step(self, figures: DeviceFigures, now: float) -> None:
        """Add new figures, and keep those that were not read again."""
        # Another size: it was reset since, and may be set up differently.
        if self.figures is not None and self.figures["disksize"] == figures["disksize"]:
            for key, value in self.figures.items():
                figures.setdefault(key, value)
        super().step(figures, now)
        self.keep(self.reads, self.rates.get("read_ios", 0))
        self.keep(self.writes, self.rates.get("write_ios", 0))

    @property
    def known(self) -> DeviceFigures:
        """The figures; there are some from the first look on."""
        assert self.figures is not None
        return self.figures

    @property
    def name(self) -> str:
        """``zramN``."""
        return str(self.known["name"])


# These change all the time. The others are settings, which are read less often, because on some
# kernels a read may hang and needs another process.
LIVE = tuple(
    column
    for column in COLUMNS
    if BY_NAME[column.name].source in ("mm_stat", "stat", "io_stat", "bd_stat", SWAPS)
)
SELDOM = 10  # looks


class Devices(Histories):
    """The devices of the view."""

    kind: ClassVar[type[DeviceHistory]] = Device

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, COLUMNS)
        self._looks = 0

    def step(self) -> None:
        """Read the live figures, and now and then the others."""
        self.wanted = LIVE if self._looks % SELDOM else COLUMNS
        self._looks += 1
        super().step()
        for device in self.devices.values():
            if device.figures is not None and "comp_algorithm" not in device.figures:
                # A new one: read everything, so that showing it reads nothing.
                for column in COLUMNS:
                    column.of(device.figures)


class Look(NamedTuple):
    """What was seen."""

    devices: tuple[Device, ...] = ()
    """By number."""
    total: int = 0
    """MemTotal in bytes; 0 if it is unknown."""
    available: int = 0
    """MemAvailable in bytes."""
    pressure: dict[str, Pressure | None] = {}  # noqa: RUF012 - never changed
    """Of memory, io and cpu; ``None`` where the kernel tells none. One that is missing is
    unknown."""
    tend: dict[str, Any] | str | None = None
    """What ``pyzram tend --status --json`` prints, or why it cannot be told; ``None`` where no
    daemon runs."""
    notes: tuple[str, ...] = ()
    """What could not be read."""


class Looker:
    """Looks at the machine.

    Synchronization: one thread at a time, which need not be the one that shows.
    """

    def __init__(self, operands: list[str], run: str) -> None:
        self.collection = Collection(operands)
        self.collection.tell = self._note
        self.watch = Devices(self.collection)
        self.sysfs: Sysfs = self.collection.reader.sysfs
        self.run = run
        self.notes: list[str] = []

    def look(self) -> Look:
        """Read everything once."""
        try:
            self.watch.step()
        except ZramError as err:
            self.collection.fail(str(err))  # the devices are those of the last look
        total, available = self._memory()
        devices = [device for device in self.watch.devices.values() if isinstance(device, Device)]
        return Look(
            tuple(devices),
            total,
            available,
            self._pressure(),
            self._tend(),
            tuple(self.notes[-2:]),
        )

    def _memory(self) -> tuple[int, int]:
        try:
            return read_memory(self.sysfs)
        except FileNotFoundError:
            return 0, 0
        except OSError as err:
            cause = err.strerror or str(err)
        except (KeyError, ValueError):
            cause = "not as the kernel documents it"
        self.collection.fail(f"memory: {cause}")
        return 0, 0

    def _pressure(self) -> dict[str, Pressure | None]:
        found: dict[str, Pressure | None] = {}
        for resource in RESOURCES:
            errors: list[str] = []
            pressure = read_pressure(self.sysfs, resource, errors)
            if not errors:
                found[resource] = pressure
            for error in errors:
                self.collection.fail(error)
        return found

    def _tend(self) -> dict[str, Any] | str | None:
        try:
            return read_status(self.run)
        except PermissionError:
            return "only root may see it"
        except OSError as err:
            return err.strerror or str(err)

    @property
    def over(self) -> bool:
        """Whether all requested devices are gone."""
        return bool(self.collection.operands) and not self.watch.devices

    def close(self) -> None:
        """End the child that reads, if there is one."""
        self.collection.reader.close()

    def _note(self, message: object) -> None:
        self.notes.append(quote(str(message)))
