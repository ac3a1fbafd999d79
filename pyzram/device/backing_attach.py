# SPDX-License-Identifier: MIT
"""Where written-back pages go: a partition, a logical volume or a file, safe to overwrite.

What was checked is what is attached: one descriptor goes from the check to the loop device.
"""

from __future__ import annotations

import os
from stat import S_ISBLK

from ..descriptor import Opened, fd_path
from ..errors import from_errno
from ..kernel import holders
from ..kernel.sysfs import Sysfs
from ..units import parse_size
from . import loop
from .backing_check import absolute, open_checked
from .backing_files import make_file, mark


class BackingStore:
    """A backing device that is ready: ``path`` is as named, ``device`` is for the kernel.

    ``loop`` says that it is our own loop device, ``direct`` that this bypasses the page cache. A
    loop device stays until :func:`release_backing` or the end of the process, and after that for
    as long as zram holds it.
    """

    __slots__ = ("_held", "device", "direct", "loop", "path")

    def __init__(
        self,
        path: str,
        device: str,
        *,
        loop: bool,
        direct: bool = True,
        held: Opened | None = None,
    ) -> None:
        self.path = path
        self.device = device
        self.loop = loop
        self.direct = direct
        self._held = held

    def close(self) -> None:
        """Release the loop device."""
        if self._held:
            self._held.close()

    def __repr__(self) -> str:
        return f"<BackingStore {self.path} on {self.device}>"


def attach_backing(
    path: str | os.PathLike[str],
    *,
    size: int | str | None = None,
    force: bool = False,
    sysfs: Sysfs | None = None,
) -> BackingStore:
    """Check the path and return a block device for it; a file gets a loop device.

    With ``size`` (bytes or a size), a file that does not exist is made, with its blocks reserved.
    Pass ``device`` to the kernel, then release it: a loop device stays for as long as zram holds
    it, and goes when the zram device is reset, whatever becomes of this process.

    Raises:
        As :func:`~pyzram.device.backing_check.check_backing`, and ZramOSError where no loop device
        is to be had.
    """
    text = absolute(path)
    if size is not None and not os.path.lexists(text):
        make_file(text, parse_size(size))
    with open_checked(text, force, sysfs or Sysfs()) as fd:
        if S_ISBLK(os.fstat(fd).st_mode):
            # This is where the links in the path led; all of them were root's.
            return BackingStore(text, os.readlink(fd_path(fd)), loop=False)
        try:
            with Opened(fd_path(fd), os.O_RDWR) as file:
                device, held, direct = loop.attach(file)
                mark(file)
        except OSError as err:
            raise from_errno(
                err.errno or 0, f"backing device {text}: attach a loop device", text
            ) from err
        return BackingStore(text, device, loop=True, direct=direct, held=held)


def release_backing(store: BackingStore) -> None:
    """Release it: its loop device goes as soon as zram no longer holds it."""
    store.close()


def backing_file(device: str, *, sysfs: Sysfs | None = None) -> str | None:
    """Return the file behind a loop device, or ``None`` for another kind of device.

    Raises:
        ZramOSError: that cannot be determined.
    """
    tree = sysfs or Sysfs()
    return loop.file_of(tree, holders.block_name(tree, device))
