# SPDX-License-Identifier: MIT
"""How a running device differs from what is asked for, and what a change of it needs."""

from __future__ import annotations

from .. import value
from ..limits import BD_UNIT
from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..config.device_config import DeviceConfig
    from .observed import ObservedDevice

    Value = str | int | None

# What a change of a running device needs.
LIVE = "live"
NEW_DEVICE = "new device"
NEW_MOUNT = "new mount"
# What takes a mount option back. Remounting keeps all that it is not told to drop, and most
# options of file systems have nothing that drops them.
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
    # Nothing but the default, or for programs.
    **dict.fromkeys(
        ("async", "defaults", "dev", "diratime", "exec", "nodiscard", "rw", "suid"), ""
    ),
}
# What of a file system is mounted, which stays as long as it is mounted.
ROOTS = ("subvol", "subvolid")
# XFS takes any option of a remount, and heeds few but the kernel's own.
LIVE_ON_XFS = {"inode32", "inode64", *OPPOSITES} - {"discard", "nodiscard"}


class Difference(value.Value):
    """A difference between a running device and the file; sizes are whole numbers, in bytes."""

    _fields = ("index", "name", "field", "have", "want", "needs")
    __slots__ = _fields

    index: int
    """Which device of the file."""
    name: str
    """``zramN``."""
    field: str
    """What differs, as the file's variables name it."""
    have: str | int | None
    """What runs."""
    want: str | int | None
    """What the file says."""
    needs: str
    """``live``, ``new mount`` or ``new device``: what a change takes."""

    def __init__(
        self, index: int, name: str, field: str, have: Value, want: Value, needs: str
    ) -> None:
        self._set(index, name, field, have, want, needs)

    def __str__(self) -> str:
        have, want = _text(self.have), _text(self.want)
        if have == want:  # two sizes that differ have to look different
            have, want = str(self.have), str(self.want)
        return f"{self.name}: {self.field} {have} -> {want}"


def _text(value: Value) -> str:
    return format_size(value) if isinstance(value, int) else value or "none"


def settings_of(desired: DeviceConfig) -> dict[str, str]:
    """Return what is remembered of a desired device, because the kernel does not report it."""
    return {
        "disksize": str(desired.disksize),
        "algorithms": " ".join(map(str, desired.algorithms)),
        "recompression": " ".join(map(str, desired.recompression)),
        "backing_dev": desired.backing_dev or "",
        "label": desired.label or "",
        "discard": desired.discard,
        "writeback_limit": "" if desired.writeback_limit is None else str(desired.writeback_limit),
        "mount_point": desired.mount_point or "",
        "fstype": desired.fstype if desired.mount_point else "",
        "mkfs_options": " ".join(desired.mkfs_options) if desired.mount_point else "",
        "mount_options": desired.mount_options,
        "mode": "" if desired.mode is None else f"{desired.mode:o}",
        "owner": desired.owner or "",
        "priority": str(desired.priority) if desired.is_swap else "",
    }


def differences(desired: DeviceConfig, device: ObservedDevice) -> list[Difference]:
    """Compare a device in use with what the file says."""
    found = []

    def compare(field: str, have: Value, want: Value, needs: str) -> None:
        if have != want:
            found.append(Difference(desired.index, device.name, field, have, want, needs))

    want = settings_of(desired)
    have = device.settings
    compare("disksize", device.disksize, desired.disksize, NEW_DEVICE)
    # A fallback is no difference: the same list would choose the same again.
    if not _chooses_the_same(have.get("algorithms", ""), want["algorithms"], device.algorithm):
        compare("algorithms", have.get("algorithms", ""), want["algorithms"], NEW_DEVICE)
    compare("recompression", have.get("recompression", ""), want["recompression"], NEW_DEVICE)
    compare("backing_dev", have.get("backing_dev", ""), want["backing_dev"], NEW_DEVICE)
    compare("mount_point", have.get("mount_point", ""), want["mount_point"], NEW_DEVICE)
    compare("label", have.get("label", ""), want["label"], NEW_DEVICE)
    if desired.is_swap:
        compare("priority", have.get("priority", ""), want["priority"], NEW_DEVICE)
        compare("discard", have.get("discard", ""), want["discard"], NEW_DEVICE)
    else:
        compare("fstype", have.get("fstype", ""), want["fstype"], NEW_DEVICE)
        compare("mkfs_options", have.get("mkfs_options", ""), want["mkfs_options"], NEW_DEVICE)
        have_mount = mount_words(have.get("mount_options", ""), have.get("discard", ""))
        want_mount = mount_words(desired.mount_options, desired.discard)
        live = remount_words(have_mount, want_mount, want["fstype"]) is not None
        compare("mount_options", have_mount, want_mount, LIVE if live else NEW_MOUNT)
        compare("mode", have.get("mode", ""), want["mode"], LIVE)
        compare("owner", have.get("owner", ""), want["owner"], LIVE)
    if not device.busy:
        compare("mem_limit", device.mem_limit, desired.mem_limit, LIVE)
    limit = have.get("writeback_limit", "")
    compare("writeback_limit", _limit(limit), _limit(want["writeback_limit"]), LIVE)
    return found


def _limit(units: str) -> int | None:
    return int(units) * BD_UNIT if units else None


def _chooses_the_same(have: str, want: str, algorithm: str | None) -> bool:
    """Whether another list of algorithms, too, leads to the one that runs, as far as is known.

    What comes before it in the list that it was chosen from is not in this kernel.
    """
    missing = set()
    for word in have.split():
        name = word.partition("(")[0]
        if name == algorithm:
            others = (other for other in want.split() if other.partition("(")[0] not in missing)
            return next(others, "") == word
        missing.add(name)
    return False  # the kernel's own, or unknown


def mount_words(options: str, discard: str) -> str:
    """Return the options to mount with."""
    words = [options] if options else []
    if discard == "both":
        words.append("discard")
    return ",".join(words)


def remount_words(have: str, want: str, fstype: str = "ext4") -> list[str] | None:
    """Return the options to remount with; ``None`` where they would not do what they say."""
    for word in filter(None, {*have.split(",")} ^ {*want.split(",")}):
        if word.partition("=")[0] in ROOTS or (fstype == "xfs" and word not in LIVE_ON_XFS):
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
    # What is wanted comes last: the last one counts.
    return [*filter(None, dropped), *wanted]
