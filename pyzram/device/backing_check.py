# SPDX-License-Identifier: MIT
"""What may become a backing device: nothing in use, and without force nothing that holds data.

A device or file in use is always refused; one that holds something (any signature that wipefs(8)
knows, or a file with data that is not ours) is refused without force.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISREG

from ..descriptor import fd_path
from ..errors import DeviceBusyError, InvalidValueError, OverwriteError, from_errno
from ..external import run_program
from ..kernel.sysfs import Sysfs
from ..safe_paths import UNSAFE_LINK, open_path
from ..text import quote
from .backing_files import has_data, is_marked
from .backing_holders import device_holders, file_holders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..descriptor import Opened


def check_backing(
    path: str | os.PathLike[str], *, force: bool = False, sysfs: Sysfs | None = None
) -> None:
    """Refuse a block device or file that may not be overwritten. Changes nothing.

    ``force`` overwrites what the path holds, but never what is in use.

    Raises:
        DeviceBusyError: it is mounted, swap, or claimed (EBUSY); the error says by whom.
        OverwriteError: it holds something (EEXIST); the error says what.
        ZramOSError: ENOENT and others when looking, ENOTBLK for neither device nor file, ELOOP for
        a symbolic link on the way that users other than root can change.
        InvalidValueError: the path is not absolute.
    """
    text = absolute(path)
    open_checked(text, force, sysfs or Sysfs()).close()


def open_checked(text: str, force: bool, tree: Sysfs) -> Opened:
    """Open a device or file for reading, if it may be overwritten."""
    try:
        found = open_path(text, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as err:
        remedy = UNSAFE_LINK if err.errno == errno.ELOOP else ""
        raise from_errno(err.errno or 0, f"backing device {text}", text, remedy=remedy) from err
    try:
        _check(text, found.fd, force, tree)
    except BaseException:
        found.close()  # the error may be kept for long
        raise
    return found


def _check(text: str, fd: int, force: bool, tree: Sysfs) -> None:
    status = os.fstat(fd)
    if S_ISBLK(status.st_mode):
        used = device_holders(tree, text, fd)
    elif S_ISREG(status.st_mode):
        used = file_holders(tree, status)
    else:
        raise from_errno(
            errno.ENOTBLK,
            f"backing device {text}",
            text,
            remedy="give a block device or a regular file",
        )
    if used:
        raise DeviceBusyError(
            errno.EBUSY, f"backing device {text}: in use ({', '.join(used)})", text
        )
    if force:
        return
    held = _signatures(text, fd)
    if not held and S_ISREG(status.st_mode) and not is_marked(fd) and has_data(text, fd):
        held = ["data"]
    if held:
        raise OverwriteError(
            errno.EEXIST,
            f"backing device {text}: holds {', '.join(held)} (force=True or --force overwrites it)",
            text,
        )


def _signatures(text: str, fd: int) -> list[str]:
    found = []
    step = f"backing device {text}: look for signatures"
    words = ["wipefs", "--noheadings", "--parsable", "--output", "TYPE,LABEL", fd_path(fd)]
    for line in run_program(step, *words, descriptors=[fd]).split("\n"):
        kind, _, label = line.strip(" ").partition(",")
        if kind and not kind.startswith("#"):
            phrase = f"{quote(kind)} '{quote(label)}'" if label else quote(kind)
            if phrase not in found:
                found.append(phrase)
    return found


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path as text; for the kernel, a relative path would start elsewhere."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        raise InvalidValueError(f"backing device {text!r}: give an absolute path")
    return text
