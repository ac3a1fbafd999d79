# SPDX-License-Identifier: MIT
"""Our own files below /run/pyzram, which nobody else reads, writes or locks.

Each purpose has a folder. Folders are 0755 and files 0600, whatever the umask. A file that belongs
to somebody else, or that others could have written, is refused, because it decides what root takes
down.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISREG, S_ISVTX

from . import interruption
from .descriptor import Opened, write_all
from .errors import AccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_DIRECTORY = "/run/pyzram"
STATE_DIRECTORY = "/var/lib/pyzram"
"""For the ledger of ``pyzram tend``, which must outlast a reboot."""
READ_SIZE = 65536


def run_directory(root: str) -> str:
    """Where commands keep these files: below the root of /sys and /proc, or in PYZRAM_RUN."""
    return os.environ.get("PYZRAM_RUN") or root + DEFAULT_DIRECTORY


def state_directory(root: str) -> str:
    """Where ``pyzram tend`` keeps what outlasts a reboot: below that, or in PYZRAM_STATE."""
    return os.environ.get("PYZRAM_STATE") or root + STATE_DIRECTORY


def make_directory(path: str, *, again: bool = True) -> None:
    """Make a folder and the missing ones above it; refuse one that is not ours alone.

    Without ``again``, those above it exist, and any error of the kernel is final.

    Raises:
        AccessError: it is a link, belongs to somebody else, or is writable by others.
        OSError: the kernel's error.
    """
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        _refuse_foreign(os.lstat(path), path, S_ISDIR)
        return None
    except FileNotFoundError:
        # The kernel says so even if the one above exists, as in /proc, or has no name.
        above = os.path.dirname(path)
        if not again or above in ("", path):
            raise
        make_directory(above)
        return make_directory(path, again=False)
    # By descriptor, because in somebody else's folder the name may lead elsewhere by now.
    with Opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) as fd:
        _refuse_foreign(os.fstat(fd), path, S_ISDIR)
        if not os.listdir(fd):  # it is still the one just made
            os.fchmod(fd, 0o755)  # whatever the umask
    return None


def open_file(path: str, flags: int) -> Opened:
    """Open a file of ours, with mode 0600 if this creates it.

    Raises:
        AccessError: it is not a regular file, belongs to somebody else, or is writable by others.
        OSError: the kernel's error.
    """
    file = Opened(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(file.fd)
        _refuse_foreign(status, path, S_ISREG)
        if flags & os.O_CREAT and status.st_mode & 0o777 != 0o600:
            os.fchmod(file.fd, 0o600)
    except BaseException:
        file.close()  # somebody may keep the error for long
        raise
    return file


def read_file(path: str) -> str | None:
    """Read a file of ours; ``None`` if there is none.

    Raises:
        As :func:`open_file`.
    """
    try:
        file = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with file as fd:
        data = b""
        while chunk := os.read(fd, READ_SIZE):
            data += chunk
    return data.decode("utf-8", "surrogateescape")


def write_file(path: str, text: str) -> None:
    """Replace a file of ours atomically; unfinished ones stay in a separate folder.

    Raises:
        As :func:`open_file`.
    """
    folder, _, name = path.rpartition("/")
    make_directory(folder)
    make_directory(folder + ".new")
    temporary = f"{folder}.new/{name}"
    with open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
        write_all(fd, text.encode("utf-8", "surrogateescape"))
    os.replace(temporary, path)


def lock(path: str, seconds: float | None) -> Opened:
    """Take a lock and return an open file that holds it; it ends with the process.

    Raises:
        BlockingIOError: another process held it all the time.
        Ended: a signal came while waiting.
        As :func:`open_file`.
    """
    import time
    from fcntl import LOCK_EX, LOCK_NB, flock

    folder = os.path.dirname(path)
    refuse_exchangeable(os.path.dirname(folder) or ".")
    make_directory(folder)
    try:
        file = open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as err:
        if err.errno != errno.EROFS:
            raise
        file = open_file(path, os.O_RDONLY)  # so that what was started can still be stopped
    try:
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.005
        while True:
            try:
                flock(file.fd, LOCK_EX | LOCK_NB)
                return file
            except BlockingIOError:
                if deadline is not None and time.monotonic() > deadline:
                    raise
            interruption.pause(pause)
            pause = min(pause * 2, 0.2)
    except BaseException:
        file.close()
        raise


def refuse_foreign(path: str, kind: Callable[[int], bool] = S_ISDIR) -> None:
    """Refuse what a writer would refuse here, without making anything; a missing one is fine.

    Raises:
        As :func:`make_directory`, or for a file :func:`open_file`.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    _refuse_foreign(status, path, kind)


def refuse_exchangeable(path: str) -> None:
    """Refuse a folder in which others could exchange what is ours; nothing there is fine.

    They cannot where it is as /tmp is: the names in it are their owners'.

    Raises:
        As :func:`make_directory`.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not (status.st_mode & S_ISVTX and status.st_uid in (0, os.geteuid())):
        _refuse_foreign(status, path, S_ISDIR)


def _refuse_foreign(status: os.stat_result, path: str, kind: Callable[[int], bool]) -> None:
    if not kind(status.st_mode):
        why = "is not a folder" if kind is S_ISDIR else "is not a regular file"
    else:
        why = why_foreign(status)
    if why:
        raise AccessError(
            errno.EPERM, f"{path}: {why}, and what it says is not trusted (remove it)", path
        )


def why_foreign(status: os.stat_result) -> str:
    """Why somebody else could have written a file or folder; empty if only root or we could."""
    if status.st_uid not in (0, os.geteuid()):
        return f"belongs to user {status.st_uid}"
    if status.st_mode & 0o022:
        return f"can be written by others (mode {status.st_mode & 0o7777:o})"
    return ""
