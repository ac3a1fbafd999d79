# SPDX-License-Identifier: MIT
"""One device that a configuration asks for."""

from __future__ import annotations

from ..algorithm import Algorithm

Choice = Algorithm  # what the parser calls one entry of a list
DEFAULT_PRIORITY = 100
DEFAULT_FSTYPE = "ext4"


class DeviceConfig:
    """One device that the file asks for. Sizes in bytes, rounded up to pages.

    Synchronization: none needed, nobody changes one after it was read.
    """

    __slots__ = (
        "algorithms",
        "backing_dev",
        "discard",
        "disksize",
        "fstype",
        "index",
        "label",
        "mem_limit",
        "mkfs_options",
        "mode",
        "mount_options",
        "mount_point",
        "owner",
        "priority",
        "recompression",
        "writeback_limit",
    )

    def __init__(self, index: int, disksize: int) -> None:
        self.index: int = index
        self.disksize: int = disksize
        self.algorithms: tuple[Algorithm, ...] = ()
        """In order of preference; empty leaves it to the kernel."""
        self.recompression: tuple[Algorithm, ...] = ()
        self.mem_limit: int = 0
        """Bytes of memory; 0 is no limit."""
        self.priority: int = DEFAULT_PRIORITY
        self.discard: str = "none"
        self.label: str | None = None
        """``None`` is the device's own name."""
        self.backing_dev: str | None = None
        self.writeback_limit: int | None = None
        """In units of 4096 bytes."""
        self.mount_point: str | None = None
        """``None`` for a swap device."""
        self.fstype: str = DEFAULT_FSTYPE
        self.mkfs_options: tuple[str, ...] = ()
        self.mount_options: str = ""
        self.mode: int | None = None
        self.owner: str | None = None

    @property
    def is_swap(self) -> bool:
        """Whether it is swap, and not a file system."""
        return self.mount_point is None

    @property
    def what(self) -> str:
        """``swap``, or the mount point."""
        return self.mount_point or "swap"

    def without_backing(self) -> DeviceConfig:
        """Return the same device without what it writes back to."""
        from copy import copy

        other = copy(self)
        other.backing_dev = other.writeback_limit = None
        return other
