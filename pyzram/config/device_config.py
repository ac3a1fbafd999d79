# SPDX-License-Identifier: MIT
"""One device that a configuration asks for."""

from __future__ import annotations

DEFAULT_PRIORITY = 100
DEFAULT_FSTYPE = "ext4"


class Choice:
    """An algorithm with its parameters, as the file names it: ``zstd(level=3)``."""

    __slots__ = ("dictionary", "level", "name", "winbits")

    def __init__(
        self,
        name: str,
        level: int | None = None,
        dictionary: str | None = None,
        winbits: int | None = None,
    ) -> None:
        self.name = name
        self.level = level
        self.dictionary = dictionary
        self.winbits = winbits

    def __str__(self) -> str:
        words = [
            f"{key}={value}"
            for key, value in (
                ("level", self.level),
                ("dict", self.dictionary),
                ("deflate.winbits", self.winbits),
            )
            if value is not None
        ]
        return f"{self.name}({','.join(words)})" if words else self.name


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
        self.index = index
        self.disksize = disksize
        self.algorithms: tuple[Choice, ...] = ()
        """In order of preference; empty leaves it to the kernel."""
        self.recompression: tuple[Choice, ...] = ()
        self.mem_limit = 0
        """Bytes of memory; 0 is no limit."""
        self.priority = DEFAULT_PRIORITY
        self.discard = "none"
        self.label: str | None = None
        """``None`` is the device's own name."""
        self.backing_dev: str | None = None
        self.writeback_limit: int | None = None
        """In units of 4096 bytes."""
        self.mount_point: str | None = None
        """``None`` for a swap device."""
        self.fstype = DEFAULT_FSTYPE
        self.mkfs_options: tuple[str, ...] = ()
        self.mount_options = ""
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
