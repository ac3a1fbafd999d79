# SPDX-License-Identifier: MIT
# ruff: noqa: D102 - Action documents do and undo for all
"""The steps of a plan that concern file systems."""

from __future__ import annotations

import os
from errno import EBUSY, EOPNOTSUPP

from ..config.values import owner_ids
from ..device.file_system import LABEL_OPTION
from ..device.mounting import Folder, Mounted, run_mount, unmount
from ..device.open_node import OpenNode, own_node
from ..errors import UnsupportedError, from_errno
from ..kernel import holders
from ..kernel.mount_id import is_mount_root
from ..safe_paths import remove_made
from ..text import quote
from .diff import mount_words, remount_words
from .steps import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.parse import Mount
    from ..safe_paths import MadeFolder
    from .executor import Executor
    from .plan import Step


class MountAction(Action):
    """A step on a device that is mounted, or is about to be."""

    def opened(self) -> OpenNode:
        """Return the device with its node open, so that it keeps its number."""
        return OpenNode(self.device())

    def mounts(self) -> list[Mount]:
        """Return where the device is mounted."""
        return holders.mounts(self.executor.sysfs, self.name)


class Mkfs(Action):
    """Make a file system, which disappears with the device."""

    def do(self) -> None:
        desired = self.desired
        device = self.device()
        label = desired.label or device.name
        device.mkfs(
            desired.fstype,
            label=label if desired.fstype in LABEL_OPTION else None,
            options=desired.mkfs_options,
        )


class MountDevice(MountAction):
    """Mount a device on a folder, which is created if it is missing."""

    before: frozenset[int] | None = None

    def __init__(self, executor: Executor, step: Step) -> None:
        super().__init__(executor, step)
        self.made: list[MadeFolder] = []

    def do(self) -> None:
        desired, name = self.desired, self.name
        point = desired.mount_point or ""
        options = mount_words(desired.mount_options, desired.discard)
        words = ["-t", desired.fstype, *(["-o", options] if options else [])]
        with self.opened() as device, Folder(name, point, made=self.made) as folder:
            if is_mount_root(folder.fd):
                raise from_errno(
                    EBUSY,
                    f"{name}: mount on {quote(point)}",
                    point,
                    remedy="something else is mounted there: unmount that first",
                )
            self.before = frozenset(mount.id for mount in self.mounts())
            # By descriptor, so it is the folder that was checked, whatever becomes of the path.
            run_mount(f"{name}: mount", words, own_node(device, "mount"), folder)
        registered = self.executor.registered(self.step)
        registered.settings = (registered.settings or desired).replace(
            mount_options=desired.mount_options, discard=desired.discard
        )

    @property
    def undoing(self) -> str:
        return f"unmount {quote(self.desired.mount_point or '')}"

    def undo(self) -> None:
        # Only the mount that this step made, no other mount of the device or the place.
        before = self.before
        if before is not None and any(mount.id not in before for mount in self.mounts()):
            with self.opened():
                for mount in reversed(self.mounts()):
                    if mount.id not in before:
                        unmount(self.executor.sysfs, self.name, mount.point)
        remove_made(self.made)


class Umount(MountAction):
    """Unmount a device from one place."""

    can_undo = False

    def do(self) -> None:
        with self.opened():
            unmount(self.executor.sysfs, self.name, self.step._args["point"])


# Options that mountinfo shows as they were given.
TOLD_BACK = ("discard", "nodev", "noexec", "nosuid", "noatime", "nodiratime", "ro", "sync")


class MountOptions(MountAction):
    """Change mount options of a mounted file system."""

    def do(self) -> None:
        self.remount(self.step._args["have"], self.step._args["want"])

    undoing = "put mount options back"

    def undo(self) -> None:
        self.remount(self.step._args["want"], self.step._args["have"])

    def remount(self, have: str, want: str) -> None:
        """Change from one list of options to another."""
        point = self.desired.mount_point or ""
        with self.opened() as device, Mounted(self.executor.sysfs, self.name, point) as root:
            # Given device and folder, mount(8) looks up no options, so name those that must stay.
            words = remount_words(have, want, self.desired.fstype) or []
            options = ",".join(["remount", root.mount.options, *words])
            step = f"{self.name}: change mount options"
            run_mount(step, ["-o", options], own_node(device, "change mount options"), root)
            now = next(mount for mount in self.mounts() if mount.id == root.mount.id)
        # Some file systems accept any option and ignore it; jfs tells discard with a value.
        told = f"{now.options},{now.super_options}".split(",")
        done = {word.partition("=")[0] for word in told}
        if missed := [word for word in want.split(",") if word in TOLD_BACK and word not in done]:
            raise UnsupportedError(
                EOPNOTSUPP,
                f"{step}: {self.desired.fstype} accepted {','.join(missed)} without effect: "
                "unmount it, then start",
                point,
            )


class Permissions(MountAction):
    """Set the mode and owner of the mounted root."""

    before: os.stat_result | None = None

    def do(self) -> None:
        desired = self.desired
        # A setting that the file no longer has goes back to mkfs's default.
        had = self.executor.registered(self.step).settings or desired
        owner = desired.owner or ("0:0" if had.owner else "")
        mode = 0o755 if desired.mode is None and had.mode is not None else desired.mode
        uid, gid = owner_ids(owner) if owner else (-1, -1)
        with self.opened(), self.mounted() as root:
            self.before = os.stat(root.path)
            _give(root.path, uid, gid, mode)

    def mounted(self) -> Mounted:
        """Open the root of our mount; it is an error if something else is mounted there."""
        return Mounted(self.executor.sysfs, self.name, self.desired.mount_point or "")

    @property
    def undoing(self) -> str:
        return f"put mode and owner of {quote(self.desired.mount_point or '')} back"

    def undo(self) -> None:
        if self.before is not None:
            with self.opened(), self.mounted() as root:
                before = self.before
                _give(root.path, before.st_uid, before.st_gid, before.st_mode & 0o7777)


def _give(path: str, uid: int, gid: int, mode: int | None) -> None:
    """Give an open folder an owner and a mode; -1 and ``None`` leave them unchanged."""
    if uid >= 0 or gid >= 0:
        os.chown(path, uid, gid)
    if mode is not None:
        os.chmod(path, mode)  # after chown, which clears setuid and setgid


MOUNT_STEPS: dict[str, type[Action]] = {
    "mkfs": Mkfs,
    "mount": MountDevice,
    "umount": Umount,
    "mount_options": MountOptions,
    "permissions": Permissions,
}
