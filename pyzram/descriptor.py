# SPDX-License-Identifier: MIT
"""A descriptor that is owned from the moment it is open, and closed once.

Python runs signal handlers between any two instructions. A handler that raises between an open()
and the assignment of its result loses the number, and so does one between forgetting and closing
it. Then, until the process ends, a device cannot be removed, a file system cannot be unmounted, or
a lock cannot be taken. So the number goes into a list and out of it within single calls, which run
in C.
"""

from __future__ import annotations

import errno
import os

from .errors import ZramOSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

NO_PROC = "/proc is not mounted, or only its processes are (mount -t proc proc /proc)"


def lacks_proc() -> bool:
    """Whether there is no /proc, as in some chroots, or nothing but processes (``subset=pid``)."""
    return not (os.path.exists("/proc/self/fd") and os.path.exists("/proc/meminfo"))


def no_proc() -> ZramOSError:
    """Return the error that /proc is missing; not ENOENT: what was looked for may exist."""
    return ZramOSError(errno.ENOSYS, NO_PROC, "/proc")


def write_all(fd: int, data: bytes) -> None:
    """Write all data, in as many calls as that takes.

    Raises:
        OSError: the error of write(2).
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def fd_path(fd: int) -> str:
    """Return a path to an open file, for the kernel and for programs that inherit it."""
    return f"/proc/self/fd/{fd}"


def reopen(opens: Callable[[str, int], T], fd: int, flags: int) -> T:
    """Open a held file anew through its descriptor: the same file, with other flags.

    Raises:
        ZramOSError: /proc, which that takes, is missing (ENOSYS).
        OSError: the error of open(2).
    """
    try:
        return opens(fd_path(fd), flags)
    except FileNotFoundError:
        raise no_proc() from None


class Opened:
    """An open file, as a context that closes it; dropping it closes it too.

    It is not closed in a child of a fork, where another file may have its number by then.

    Raises:
        OSError: the error of open(2).
    """

    __slots__ = ("_held", "_process")

    def __init__(
        self, path: str, flags: int, mode: int = 0o600, *, dir_fd: int | None = None
    ) -> None:
        self._process = os.getpid()
        self._held = [-1]
        opens: Callable[..., int] = os.open
        if dir_fd is not None:
            # functools itself takes as long to load as a command's own modules.
            from _functools import partial  # type: ignore[import-not-found]

            opens = partial(os.open, dir_fd=dir_fd)
        # Opened and held in one call, so that no Python instruction runs in between.
        self._held.extend(map(opens, (path,), (flags | os.O_CLOEXEC,), (mode,)))

    @property
    def fd(self) -> int:
        """The descriptor's number; -1 once it is closed."""
        return self._held[-1] if self._held else -1

    def __enter__(self) -> int:
        return self._held[-1]

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it if it is open."""
        if self._held:
            # Taken out of the list and closed in one call, down to the -1 at its bottom: each
            # close() gives None, so any() goes through all.
            any(map(os.close, iter(self._held.pop, -1)))

    def abandon(self) -> None:
        """Forget it without closing: its number may belong to another file."""
        self._held.clear()

    def __del__(self) -> None:
        if getattr(self, "_held", None) and self._process == os.getpid():
            self.close()
