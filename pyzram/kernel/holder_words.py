# SPDX-License-Identifier: MIT
"""What holds a device, in words, for a refusal where the kernel says only EBUSY."""

from __future__ import annotations

import os
import time
from functools import partial

from ..errors import DeviceNotFoundError, from_errno
from ..text import quote
from .holders import DELETED, dev_of, lasting, mounts_by_device
from .parse import parse_mountinfo
from .process_folder import FOLDER, ProcessFolder
from .sysfs import Sysfs, pass_over

LOOK_SECONDS = 2.0
"""For all processes: anybody can have millions of descriptors, and our locks are held meanwhile."""


class Patience:
    """How long a look at processes may last; ``over`` once it was cut short."""

    def __init__(self, seconds: float = LOOK_SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self.over = False

    def ends(self) -> bool:
        """Whether to look no further."""
        self.over = self.over or time.monotonic() >= self._until
        return self.over


def openers(sysfs: Sysfs, name: str, patience: Patience | None = None) -> list[str]:
    """Return ``comm[pid]`` of processes that have the node open, as far as the caller may see."""
    found: list[str] = []
    patience = patience or Patience()
    for pid in filter(str.isdigit, os.listdir(sysfs.path("proc"))):
        try:
            with ProcessFolder(sysfs, pid) as process, process.open("fd", FOLDER) as fds:
                for fd in os.listdir(fds):
                    if patience.ends():
                        return found
                    if _leads_to(fds, fd, name):
                        found.append(process.name())
                        break
        except OSError as err:
            pass_over(err)
    return found


def _leads_to(fds: int, fd: str, name: str) -> bool:
    try:
        # Not by stat, which may wait for a server that does not answer.
        target = os.readlink(fd, dir_fd=fds).removesuffix(DELETED)
    except OSError:
        return False  # closed since it was listed, like the descriptor of the listing itself
    folder, _, last = target.rpartition("/")
    return last == name and not folder.endswith("/virtual/block")  # that is sysfs: a handle of ours


def mounted_elsewhere(sysfs: Sysfs, name: str, patience: Patience | None = None) -> list[str]:
    """Return mounts in other mount namespaces, as far as the caller may see them.

    Raises:
        OSError: a process exists and may be inspected, but inspecting it failed.
    """
    found: list[str] = []
    patience = patience or Patience()
    try:
        number = dev_of(sysfs, name)
        seen = {os.readlink(sysfs.path("proc/self/ns/mnt"))}
    except (DeviceNotFoundError, FileNotFoundError):
        return found  # no device, or a kernel without such namespaces
    for pid in filter(str.isdigit, os.listdir(sysfs.path("proc"))):
        if patience.ends():
            break
        try:
            with ProcessFolder(sysfs, pid) as process:
                namespace = process.link("ns/mnt")
                if namespace in seen:
                    continue
                table = parse_mountinfo(process.read("mountinfo"))
                there = mounts_by_device(sysfs, table).get(number, [])
                who = process.name()
            seen.add(namespace)  # not before: if this one is about to exit, another shows it
        except OSError as err:
            try:
                pass_over(err)
            except OSError:
                what = f"{name}: look whether process {pid} has it mounted"
                raise from_errno(err.errno or 0, what, sysfs.path("proc", pid)) from err
            continue
        found += [
            f"mounted on {quote(mount.point)} in the mount namespace of {who}" for mount in there
        ]
    return found


def describe(sysfs: Sysfs, name: str) -> str:
    """Return one phrase that names every holder found, or the empty string.

    The phrase explains a refusal by the kernel; if the search itself fails, or there is too much to
    search, it says so.
    """
    phrases: list[str] = []
    patience = Patience()
    looks = (lasting, partial(mounted_elsewhere, patience=patience), partial(_open_in, patience))
    for look in looks:
        try:
            phrases += look(sysfs, name)
        except OSError as err:
            phrases.append(f"cannot tell who else uses it: {err.strerror or err}")
    if patience.over:
        phrases.append(f"not all processes could be looked at within {LOOK_SECONDS:g} s")
    return ", ".join(phrases)


def _open_in(patience: Patience, sysfs: Sysfs, name: str) -> list[str]:
    return [f"open in {process}" for process in openers(sysfs, name, patience)]
