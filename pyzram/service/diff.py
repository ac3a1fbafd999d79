# SPDX-License-Identifier: MIT
"""How a running device differs from the configuration, and what changing it takes."""

from __future__ import annotations

from .. import value
from ..config.device_config import DeviceConfig
from ..config.values import DISCARD_AT_MOUNT
from ..config.variables import FIELDS, FILE_SYSTEM, LIVE, NEW_DEVICE, NEW_MOUNT, SWAP
from ..limits import BD_UNIT
from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from ..algorithm import Algorithm
    from ..config.variables import Needs
    from .observed import ObservedDevice

    Setting = str | int | None

# Fields that are compared in their own way.
UNLIKE_OTHERS = (
    *("disksize", "algorithms", "mem_limit", "writeback_limit"),
    *("discard", "mount_options"),  # for a file system, both are options to mount with
)
# From each option to the one that undoes it. A remount keeps every option that is not undone, and
# most options of file systems have no opposite.
OPPOSITES = {
    "atime": "relatime",
    "discard": "nodiscard",
    "lazytime": "nolazytime",
    "noatime": "atime,relatime",  # the default is relatime, but that alone leaves noatime
    "nodev": "dev",
    "nodiratime": "diratime",
    "noexec": "exec",
    "nosuid": "suid",
    "nosymfollow": "symfollow",
    "relatime": "relatime",
    "ro": "rw",
    "strictatime": "relatime",
    "sync": "async",
    # These are defaults, or meant for programs.
    **dict.fromkeys(
        ("async", "defaults", "dev", "diratime", "exec", "nodiscard", "rw", "suid"), ""
    ),
}
# Which part of a file system is mounted, which is fixed while it is mounted.
ROOTS = ("subvol", "subvolid")
# XFS accepts any option on a remount, but heeds hardly any except the kernel's own.
LIVE_ON_XFS = {"inode32", "inode64", *OPPOSITES}


class Difference(value.Value):
    """A difference between a running device and the file; sizes are whole numbers, in bytes."""

    _fields = ("index", "name", "field", "have", "want", "needs")
    __slots__ = _fields
    _words_of: ClassVar[dict[str, tuple[str | None, ...]]] = {
        "needs": (LIVE, NEW_MOUNT, NEW_DEVICE)
    }

    index: int
    """The number of the device in the file."""
    name: str
    """``zramN``."""
    field: str
    """The field of :class:`~pyzram.DeviceConfig` that differs."""
    have: str | int | None
    """The running device's value; a size is in bytes."""
    want: str | int | None
    """The file's value; a size is in bytes."""
    needs: Needs
    """What the change takes: ``live``, ``new mount`` or ``new device``."""

    def __init__(
        self, index: int, name: str, field: str, have: Setting, want: Setting, needs: Needs
    ) -> None:
        self._set(index, name, field, have, want, needs)

    def _needs(self) -> str:
        """What the change takes, for people."""
        return "live" if self.needs == LIVE else f"needs a {self.needs}"

    def __str__(self) -> str:
        have, want = _text(self.have), _text(self.want)
        if have == want:  # sizes that differ must look different
            have, want = str(self.have), str(self.want)
        return f"{self.name}: {self.field} {have} -> {want}"


def _text(value: Setting) -> str:
    return format_size(value) if isinstance(value, int) else value or "none"


def differences(desired: DeviceConfig, device: ObservedDevice) -> list[Difference]:
    """Compare a device in use with what the file says."""
    found = []

    def shown(field: str, value: Any) -> Setting:
        row = FIELDS[field]
        return value if row.is_size else row.show(value)

    def compare(field: str, needs: Needs, have: object, want: object) -> None:
        if have != want:
            old, new = shown(field, have), shown(field, want)
            found.append(Difference(desired.index, device.name, field, old, new, needs))

    def compare_settings(needs: Needs) -> None:
        for field, row in FIELDS.items():
            if row.needs == needs and row.of != others and field not in UNLIKE_OTHERS:
                compare(field, needs, getattr(have, field), getattr(desired, field))

    have = device.settings or DeviceConfig(desired.index, 0)
    others = FILE_SYSTEM if desired.is_swap else SWAP
    compare("disksize", NEW_DEVICE, device.disksize, desired.disksize)
    # A fallback is not a difference, because the same list would choose the same again.
    if not _chooses_the_same(have.algorithms, desired.algorithms, device.algorithm):
        compare("algorithms", NEW_DEVICE, have.algorithms, desired.algorithms)
    compare_settings(NEW_DEVICE)
    if desired.is_swap:
        compare("discard", NEW_DEVICE, have.discard, desired.discard)
    else:
        have_mount = mount_words(have.mount_options, have.discard)
        want_mount = mount_words(desired.mount_options, desired.discard)
        live = remount_words(have_mount, want_mount, desired.fstype) is not None
        compare("mount_options", LIVE if live else NEW_MOUNT, have_mount, want_mount)
    compare_settings(NEW_MOUNT)
    compare_settings(LIVE)
    if not device.busy:
        compare("mem_limit", LIVE, device.mem_limit, desired.mem_limit)
    compare(
        "writeback_limit", LIVE, _bytes_of(have.writeback_limit), _bytes_of(desired.writeback_limit)
    )
    return found


def _bytes_of(units: int | None) -> int | None:
    return None if units is None else units * BD_UNIT


def _chooses_the_same(
    have: tuple[Algorithm, ...], want: tuple[Algorithm, ...], algorithm: str | None
) -> bool:
    """Whether another list of algorithms would choose the running one too, as far as is known.

    This kernel lacks the algorithms before it in the list from which it was chosen.
    """
    missing = set()
    for choice in have:
        if choice.name == algorithm:
            others = (other for other in want if other.name not in missing)
            return next(others, None) == choice
        missing.add(choice.name)
    return False  # the kernel's own, or unknown


def mount_words(options: str, discard: str) -> str:
    """Return the options to mount with."""
    words = [options] if options else []
    if discard == "both":
        words.append("discard")
    return ",".join(words)


def remount_words(have: str, want: str, fstype: str = "ext4") -> list[str] | None:
    """Return the options to remount with; ``None`` if a remount cannot apply them."""
    for word in filter(None, {*have.split(",")} ^ {*want.split(",")}):
        key = word.partition("=")[0]
        if (
            key in ROOTS
            or (key in ("discard", "nodiscard") and fstype in DISCARD_AT_MOUNT)
            or (fstype == "xfs" and word not in LIVE_ON_XFS)
        ):
            return None
    wanted = want.split(",") if want else []
    keys = [word.partition("=")[0] for word in wanted]
    dropped = []
    for word in have.split(",") if have else []:
        key, value, _ = word.partition("=")
        if word in wanted or (value and key in keys):
            continue
        if word not in OPPOSITES:
            return None
        dropped.append(OPPOSITES[word])
    # The wanted options come last, because the last one counts.
    return [*filter(None, dropped), *wanted]
