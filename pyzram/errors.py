# SPDX-License-Identifier: MIT
"""What can go wrong, as exceptions that keep the kernel's errno and the path.

Every class is a :class:`ZramError` and also the builtin that you would expect, so both
``except pyzram.ZramError`` and ``except FileNotFoundError`` do what they say.
"""

from __future__ import annotations

import errno
import os

from .text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ZramError(Exception):
    """Base of all errors of pyzram."""

    def _append(self, text: str) -> None:
        """Add what went wrong afterwards to the message, such as a failed undo."""
        object.__setattr__(self, "args", (f"{self}; {text}", *self.args[1:]))


def reduced(error: ZramError, *given: object) -> tuple[Any, ...]:
    """Return what ``__reduce__`` should for an error made from ``given``, with later additions."""
    return type(error), given, {**error.__dict__, "args": error.args}


class ZramOSError(ZramError, OSError):
    """The kernel refused; ``errno``, ``strerror`` and ``filename`` say what and where.

    ``str()`` and ``message`` are one line that names the device or file, the step, the cause and
    the remedy, if there is one; unprintable characters in it are escaped.
    """

    def __init__(self, code: int, message: str, filename: str | None = None) -> None:
        message = quote(message)  # it may hold names that others have chosen
        OSError.__init__(self, code, message, filename)
        self.message: str = message
        """What ``str()`` gives."""

    def __str__(self) -> str:
        return self.message

    def _append(self, text: str) -> None:
        """Add what went wrong afterwards to the message."""
        self.message += f"; {quote(text)}"


class NotFoundError(ZramOSError, FileNotFoundError):
    """A file or folder does not exist (ENOENT); for devices see :class:`DeviceNotFoundError`."""


class ProcessNotFoundError(ZramOSError, ProcessLookupError):
    """There is no such process, or it has no memory of its own (ESRCH)."""


class DeviceNotFoundError(NotFoundError):
    """There is no such zram device, or it has gone (ENOENT, ENODEV)."""


class NotZramError(ZramOSError):
    """The device exists but is not a zram device (ENOTBLK, ENOTTY or EINVAL)."""


class DeviceBusyError(ZramOSError):
    """The device is in use, or already initialised (EBUSY); the message says by whom."""


class OverwriteError(ZramOSError, FileExistsError):
    """Something is there that would be overwritten (EEXIST); the message says what."""


class AccessError(ZramOSError, PermissionError):
    """The caller may not do this (EACCES, EPERM)."""


class UnsupportedError(ZramOSError, NotImplementedError):
    """This kernel lacks the feature (the attribute is absent, or EOPNOTSUPP)."""


class BlockedError(ZramOSError, TimeoutError):
    """The kernel did not answer in time (ETIMEDOUT): 7.x blocks reads while writeback runs."""


class InvalidValueError(ZramError, ValueError):
    """An invalid value; refused before the kernel saw it."""


class InvalidTypeError(InvalidValueError, TypeError):
    """A value of the wrong type; the message names the parameter and what is wanted."""


_CLASSES: dict[int, type[ZramOSError]] = {
    errno.ENOENT: NotFoundError,
    errno.EBUSY: DeviceBusyError,
    errno.EEXIST: OverwriteError,
    errno.EACCES: AccessError,
    errno.EPERM: AccessError,
    errno.EROFS: AccessError,
    errno.ESRCH: ProcessNotFoundError,
    errno.EOPNOTSUPP: UnsupportedError,
    errno.ETIMEDOUT: BlockedError,
    errno.ENOTBLK: NotZramError,
}


NO_DEVICE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
"""What the kernel says of a device that is not there."""


def from_errno(
    code: int, what: str, path: str | None = None, *, remedy: str = "", of_device: bool = False
) -> ZramOSError:
    """Make the exception for an errno.

    ``what`` names device and step ("zram1: set disksize"); the cause is added from the errno.
    With ``of_device``, a missing file means a missing zram device.
    """
    text = f"{what}: {os.strerror(code)}"
    if remedy:
        text += f" ({remedy})"
    if of_device and code in NO_DEVICE:
        return DeviceNotFoundError(code, text, path)
    return _CLASSES.get(code, ZramOSError)(code, text, path)
