# SPDX-License-Identifier: MIT
"""One device that a configuration asks for."""

from __future__ import annotations

from ..algorithm import Algorithm, as_algorithms
from ..limits import DISCARD, SWAP_PRIORITY_MAX
from ..units import U64_MAX
from ..value import Value, as_tuple, check_count, check_kind, check_path, check_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import Any, ClassVar, Self, TypedDict, Unpack

    from ..limits import DiscardPolicy

    class DeviceChanges(TypedDict, total=False):
        """What :meth:`DeviceConfig.replace` accepts."""

        index: int
        disksize: int
        algorithms: str | Algorithm | Iterable[str | Algorithm]
        recompression: str | Algorithm | Iterable[str | Algorithm]
        mem_limit: int
        priority: int
        discard: DiscardPolicy
        label: str | None
        backing_dev: str | os.PathLike[str] | None
        writeback_limit: int | None
        mount_point: str | os.PathLike[str] | None
        fstype: str
        mkfs_options: Iterable[str]
        mount_options: str
        mode: int | None
        owner: str | None


DEFAULT_PRIORITY = 100
DEFAULT_FSTYPE = "ext4"
MODE_MAX = 0o7777
INDEX_MAX = (1 << 31) - 1
WORDS = ("none", *DISCARD)


def _algorithms(found: list[dict[str, Any]]) -> tuple[Algorithm, ...]:
    return tuple(map(Algorithm.from_dict, found))


class DeviceConfig(Value):
    """One device that the file asks for; to change something, :meth:`replace` makes another.

    Raises:
        InvalidValueError: a field has the wrong type or is out of bounds. Whether this machine has
            what is asked for is for the service to say.
    """

    _fields = (
        "index",
        "disksize",
        "algorithms",
        "recompression",
        "mem_limit",
        "priority",
        "discard",
        "label",
        "backing_dev",
        "writeback_limit",
        "mount_point",
        "fstype",
        "mkfs_options",
        "mount_options",
        "mode",
        "owner",
    )
    __slots__ = _fields
    _takes_back: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "algorithms": _algorithms,
        "recompression": _algorithms,
        "mkfs_options": tuple,
    }
    _words_of: ClassVar[dict[str, tuple[str | None, ...]]] = {"discard": WORDS}

    index: int
    """The N of its variables, such as ``ZRAM_SIZE_N``."""
    disksize: int
    """Bytes that it offers, in whole pages (``ZRAM_SIZE_N``)."""
    algorithms: tuple[Algorithm, ...]
    """The algorithms in order of preference (``ZRAM_ALGORITHM_N``, ``ZRAM_PARAMS_N``); empty leaves
    the choice to the kernel."""
    recompression: tuple[Algorithm, ...]
    """The secondary algorithms by priority, from 1 (``ZRAM_RECOMP_ALGORITHM_N``)."""
    mem_limit: int
    """The most bytes of memory, in whole pages (``ZRAM_MEM_LIMIT_N``); 0 means no limit."""
    priority: int
    """The swap area's priority, -1 to 32767; the highest is used first (``ZRAM_PRIORITY_N``)."""
    discard: DiscardPolicy
    """``none``, ``once``, ``pages`` or ``both``, as for swapon(8); for a file system ``none`` or
    ``both`` (``ZRAM_DISCARD_N``)."""
    label: str | None
    """The label of the swap or file system (``ZRAM_LABEL_N``); ``None`` means the device's name."""
    backing_dev: str | None
    """Path of the backing device or file (``ZRAM_BACKING_DEV_N``); ``None`` if there is none."""
    writeback_limit: int | None
    """In units of 4096 bytes (``ZRAM_WRITEBACK_LIMIT_N``); ``None`` means no limit."""
    mount_point: str | None
    """Its absolute path (``ZRAM_MOUNT_N``); ``None`` for a swap device."""
    fstype: str
    """The type of file system, if there is a mount point (``ZRAM_FSTYPE_N``)."""
    mkfs_options: tuple[str, ...]
    """Words for mkfs(8) (``ZRAM_MKFS_OPTS_N``)."""
    mount_options: str
    """Options as for mount(8) (``ZRAM_MOUNT_OPTS_N``)."""
    mode: int | None
    """Permission bits of the file system's root (``ZRAM_MODE_N``); ``None`` keeps them."""
    owner: str | None
    """``USER[:GROUP]`` of the file system's root (``ZRAM_OWNER_N``); ``None`` keeps them."""

    def __init__(
        self,
        index: int,
        disksize: int,
        *,
        algorithms: str | Algorithm | Iterable[str | Algorithm] = (),
        recompression: str | Algorithm | Iterable[str | Algorithm] = (),
        mem_limit: int = 0,
        priority: int = DEFAULT_PRIORITY,
        discard: DiscardPolicy = "none",
        label: str | None = None,
        backing_dev: str | os.PathLike[str] | None = None,
        writeback_limit: int | None = None,
        mount_point: str | os.PathLike[str] | None = None,
        fstype: str = DEFAULT_FSTYPE,
        mkfs_options: Iterable[str] = (),
        mount_options: str = "",
        mode: int | None = None,
        owner: str | None = None,
    ) -> None:
        index = check_count("index", index, 0, INDEX_MAX)
        disksize = check_count("disksize", disksize, 0, U64_MAX)
        mem_limit = check_count("mem_limit", mem_limit, 0, U64_MAX)
        priority = check_count("priority", priority, -1, SWAP_PRIORITY_MAX)
        if writeback_limit is not None:
            writeback_limit = check_count("writeback_limit", writeback_limit, 0, U64_MAX)
        if mode is not None:
            mode = check_count("mode", mode, 0, MODE_MAX, "not permission bits from 0 to 0o7777")
        check_word("discard", discard, WORDS)
        check_kind(str, {"fstype": fstype, "mount_options": mount_options})
        check_kind(str, {"label": label, "owner": owner}, none=True)
        if backing_dev is not None:
            backing_dev = check_path("backing_dev", backing_dev)
        if mount_point is not None:
            mount_point = check_path("mount_point", mount_point)
        self._set(
            index,
            disksize,
            as_algorithms(algorithms),
            as_algorithms(recompression, "recompression"),
            mem_limit,
            priority,
            discard,
            label,
            backing_dev,
            writeback_limit,
            mount_point,
            fstype,
            as_tuple("mkfs_options", mkfs_options, str),
            mount_options,
            mode,
            owner,
        )

    if TYPE_CHECKING:

        def replace(self, **changes: Unpack[DeviceChanges]) -> Self:  # type: ignore[override]
            """Return one that differs in these fields."""

    @property
    def is_swap(self) -> bool:
        """Whether it is swap rather than a file system."""
        return self.mount_point is None

    @property
    def what(self) -> str:
        """``swap``, or the mount point."""
        return self.mount_point or "swap"

    def without_backing(self) -> DeviceConfig:
        """Return the same device without its backing device."""
        return self.replace(backing_dev=None, writeback_limit=None)
