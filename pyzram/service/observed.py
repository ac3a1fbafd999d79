# SPDX-License-Identifier: MIT
"""What the planner knows about a machine: plain values from :mod:`pyzram.service.observe`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.device_config import DeviceConfig
    from ..kernel.parse import SwapArea


class ObservedDevice:
    """A zram device as observed. Sizes are in bytes."""

    __slots__ = (
        "algorithm",
        "area",
        "backed",
        "busy",
        "disksize",
        "elsewhere",
        "index",
        "mem_limit",
        "mem_used",
        "mounts",
        "number",
        "others",
        "ready",
        "recompression",
        "settings",
    )

    def __init__(
        self,
        number: int,
        *,
        index: int | None = None,
        ready: bool = False,
        disksize: int = 0,
        algorithm: str | None = None,
        recompression: tuple[str, ...] = (),
        mem_limit: int = 0,
        mem_used: int = 0,
        backed: int = 0,
        area: SwapArea | None = None,
        mounts: tuple[str, ...] = (),
        others: tuple[str, ...] = (),
        settings: DeviceConfig | None = None,
        elsewhere: str = "",
        busy: bool = False,
    ) -> None:
        self.number = number
        self.index = index
        """Its number in the file; ``None`` for somebody else's device."""
        self.elsewhere = elsewhere
        """The other file of ours that it belongs to, if any."""
        self.busy = busy
        """Whether a writeback or recompression keeps readers of its figures waiting."""
        self.ready = ready
        """Whether it was set up completely."""
        self.disksize = disksize
        self.algorithm = algorithm
        self.recompression = recompression
        self.mem_limit = mem_limit
        self.mem_used = mem_used
        self.backed = backed
        """Bytes on the backing device, before compression."""
        self.area = area
        self.mounts = mounts
        """Where it is mounted; for our own device, where we mounted it."""
        self.others = others
        """Where others have mounted our own device: a bind, a subvolume, or a second mount."""
        self.settings = settings
        """The recorded settings, which the kernel does not report; ``None`` if unknown."""

    @property
    def name(self) -> str:
        """``zramN``."""
        return f"zram{self.number}"

    @property
    def what(self) -> str:
        """What it is used for, in words."""
        if self.area:
            return f"swap with priority {self.area.priority}"
        points = (*self.mounts, *self.others)
        return f"mounted on {' '.join(points)}" if points else "not in use"

    @property
    def running(self) -> bool:
        """Whether it is active swap, or mounted where we mounted it."""
        return self.area is not None or bool(self.mounts)

    @property
    def in_use(self) -> bool:
        """Whether it is active swap or mounted, no matter by whom."""
        return self.running or bool(self.others)


class ObservedSystem:
    """What the planner needs to know about a machine. Sizes are in bytes."""

    __slots__ = (
        "areas",
        "available",
        "container",
        "devices",
        "driver",
        "mounted",
        "resume",
        "writable",
        "zswap",
    )

    def __init__(
        self,
        *,
        driver: bool = True,
        writable: bool = True,
        container: str = "",
        available: int = 1 << 40,
        areas: Iterable[SwapArea] = (),
        devices: Iterable[ObservedDevice] = (),
        mounted: Iterable[str] = (),
        zswap: bool = False,
        resume: str = "",
    ) -> None:
        self.driver = driver
        """Whether zram is built in or loaded."""
        self.writable = writable
        """Whether sysfs is writable."""
        self.container = container
        """What kind of container this is; empty for none."""
        self.available = available
        """MemAvailable."""
        self.areas = tuple(areas)
        self.devices = tuple(devices)
        """All zram devices; our own are in the order in which they were made."""
        self.mounted = frozenset(mounted)
        """All mount points."""
        self.zswap = zswap
        self.resume = resume
        """The zram device that the kernel would resume from; empty for none."""

    def own(self, index: int) -> list[ObservedDevice]:
        """Return our devices for one entry of the file, the oldest first."""
        return [device for device in self.devices if device.index == index]
