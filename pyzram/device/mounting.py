# SPDX-License-Identifier: MIT
"""Devices, folders to mount on and mounts, all held by descriptor.

A user who owns a folder in the path can replace it with a link at any moment, and anybody with
the right to mount can cover what we have mounted.
"""

from __future__ import annotations

import errno
import os

from .. import _native
from ..descriptor import Opened, fd_path
from ..errors import DeviceBusyError, from_errno
from ..external import ProgramError, run_program
from ..kernel import holders
from ..kernel.mount_id import mount_id
from ..kernel.parse import parse_mountinfo
from ..safe_paths import UNSAFE_LINK, open_above, open_path
from ..text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from ..kernel.parse import Mount
    from ..kernel.sysfs import Sysfs
    from ..safe_paths import MadeFolder

REMEDIES = {
    errno.ENOENT: "make the directory first",
    errno.ELOOP: UNSAFE_LINK,
}


class Folder:
    """The folder that a device is to be mounted on, open (O_PATH) within the context.

    If ``made`` is a list, missing folders are created and added to it.

    Raises:
        ZramOSError: it does not exist, is not a folder, or is reached through a link that others
        can change.
    """

    def __init__(self, name: str, point: str, *, made: list[MadeFolder] | None = None) -> None:
        self.point = point
        try:
            self._opened = open_path(point, os.O_PATH | os.O_DIRECTORY, made=made)
        except OSError as err:
            code = err.errno or 0
            raise from_errno(
                code, f"{name}: mount on {quote(point)}", point, remedy=REMEDIES.get(code, "")
            ) from err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._opened.close()

    @property
    def fd(self) -> int:
        """The folder's descriptor."""
        return self._opened.fd

    @property
    def path(self) -> str:
        """A path to this very folder, for this process and programs that inherit ``fd``.

        It ends in the folder itself: mount(8) of util-linux 2.39 and newer calls move_mount(2),
        which does not follow a link at the end.
        """
        return f"{fd_path(self.fd)}/."


class Mounted(Folder):
    """The root of a device's mount, on top of everything else there; ``fd`` is open (O_PATH).

    Raises:
        DeviceBusyError: something else is mounted there, perhaps over ours (EBUSY).
        ZramOSError: as :class:`Folder`.
    """

    def __init__(self, sysfs: Sysfs, name: str, point: str) -> None:
        super().__init__(name, point)
        try:
            self.mount = _ours(sysfs, name, point, self.fd)
        except BaseException:
            self._opened.close()  # somebody may keep the error for long
            raise


def run_mount(step: str, words: list[str], node: str, folder: Folder) -> None:
    """Run mount(8) on an open folder, which is the one checked, whatever becomes of its path.

    Raises:
        ProgramError: it failed; its own words are kept.
    """
    command = ["mount", "-c", *words, node, folder.path]
    try:
        run_program(step, *command, descriptors=[folder.fd])
    except ProgramError as err:
        words_of_it = str(err).replace(folder.path, quote(folder.point))
        raise ProgramError(words_of_it, err.status) from err


def unmount(sysfs: Sysfs, name: str, point: str) -> None:
    """Unmount what a device has mounted on ``point``, as mountinfo spells it.

    Raises:
        DeviceBusyError: it is in use, or something else is mounted over it (EBUSY).
        ZramOSError: as :class:`Folder`, or the kernel's error.
    """
    step = f"{name}: unmount {quote(point)}"
    ours = None
    try:
        # Through the folder above, because a descriptor of the mount itself would keep it busy.
        parent, leaf = open_above(point)
    except OSError as err:
        raise from_errno(err.errno or 0, step, point) from err
    try:
        here = f"{fd_path(parent.fd)}/{leaf}"
        with Opened(leaf, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent.fd) as top:
            ours = _ours(sysfs, name, point, top)
        _native.umount(here)
    except DeviceBusyError:
        raise
    except OSError as err:
        remedy = ""
        if err.errno == errno.EBUSY and ours is not None:
            from ..kernel.mount_holders import mount_holders

            remedy = mount_holders(sysfs, ours) or "files on it are open"
        raise from_errno(err.errno or 0, step, point, remedy=remedy) from err
    finally:
        parent.close()


def _is_on(sysfs: Sysfs, name: str, mount: Mount, fd: int) -> bool:
    """Whether an open file is on a device that mountinfo may name only by its path."""
    if mount.fstype != "btrfs":
        return True
    from ..kernel import btrfs

    with Opened(fd_path(fd), os.O_RDONLY | os.O_NONBLOCK) as file:
        uuid = _native.btrfs_uuid(file)
    return holders.dev_of(sysfs, name) in btrfs.filesystems(sysfs).get(uuid, ())


def _ours(sysfs: Sysfs, name: str, point: str, fd: int) -> Mount:
    number = mount_id(fd)
    mounts = {mount.id: mount for mount in parse_mountinfo(sysfs.read("proc/self/mountinfo"))}
    ours = {mount.id for mount in holders.mounts(sysfs, name)}
    if number in ours and _is_on(sysfs, name, mounts[number], fd):
        return mounts[number]
    other = mounts.get(number)
    what = f"{quote(other.source)} ({quote(other.fstype)})" if other else "something else"
    over = any(mount.point == point for mount in mounts.values() if mount.id in ours)
    where = f"{what} is mounted over it" if over else f"it is not mounted there, {what} is"
    raise DeviceBusyError(
        errno.EBUSY,
        f"{name}: {quote(point)}: {where}: not ours to touch"
        + (", unmount that first" if over else ""),
        point,
    )
