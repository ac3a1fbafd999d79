# SPDX-License-Identifier: MIT
"""A path is not an identity: what was opened once stays the same, whatever becomes of its name.

Root works here among users who own folders in the paths that it works on, and who can replace a
folder with a symbolic link between any two system calls.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX

from .descriptor import Opened, fd_path, reopen

TYPE_CHECKING = False
if TYPE_CHECKING:
    MadeFolder = tuple[str, int, int]  # path, st_dev, st_ino

LINKS_MAX = 40  # as many as the kernel follows
UNSAFE_LINK = "a symbolic link on the way is not root's alone, and could be exchanged"


def open_path(path: str, flags: int = os.O_PATH, *, made: list[MadeFolder] | None = None) -> Opened:
    """Open an absolute path; follow only symbolic links that nobody but root can change.

    Every folder in the path is opened from the one before it. A link is followed if it and its
    folder belong to root (or to the user who runs this), and others may not replace it. If ``made``
    is a list, missing folders are created and added to it.

    Raises:
        OSError: ELOOP for a link that others can change, or the kernel's error.
    """
    names = [name for name in reversed(path.split("/")) if name not in ("", ".")]
    links = 0
    folder = Opened("/", os.O_PATH | os.O_DIRECTORY)
    try:
        while names:
            name = names.pop()
            found = _open_in(folder.fd, name, made)
            status = os.fstat(found.fd)
            if not S_ISLNK(status.st_mode):
                folder.close()
                folder = found
                continue
            with found:
                links += 1
                if links > LINKS_MAX or not ours_alone(os.fstat(folder.fd), status):
                    raise OSError(errno.ELOOP, UNSAFE_LINK, path)
                target = os.readlink("", dir_fd=found.fd)
            names += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            if target.startswith("/"):
                folder.close()
                folder = Opened("/", os.O_PATH | os.O_DIRECTORY)
        # Reopened through its descriptor, so it is the same file, with other flags.
        return reopen(Opened, folder.fd, flags)
    finally:
        folder.close()


def _open_in(folder: int, name: str, made: list[MadeFolder] | None) -> Opened:
    flags = os.O_PATH | os.O_NOFOLLOW
    try:
        return Opened(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if made is None:
            raise
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return Opened(name, flags, dir_fd=folder)  # another process has made it meanwhile
    found = Opened(name, flags, dir_fd=folder)
    path = fd_path(found.fd)
    status = os.fstat(found.fd)
    made.append((os.readlink(path), status.st_dev, status.st_ino))
    if status.st_mode & 0o777 != 0o755 and S_ISDIR(status.st_mode):
        with reopen(Opened, found.fd, os.O_RDONLY | os.O_DIRECTORY) as fd:
            # Whatever the umask. But whoever owns the folder above may have put another of root's
            # in its place, and its contents must not become readable.
            if status.st_uid == os.geteuid() and not os.listdir(fd):
                os.fchmod(fd, 0o755)
    return found


def open_above(path: str) -> tuple[Opened, str]:
    """Open the folder that a path is in, as :func:`open_path`, and return the name in it."""
    above, _, name = path.rpartition("/")
    return open_path(above or "/", os.O_PATH | os.O_DIRECTORY), name


def remove_made(made: list[MadeFolder]) -> None:
    """Remove the folders that :func:`open_path` has made, the newest first, if they are empty.

    Raises:
        OSError: one cannot be removed, for a reason other than that somebody has put something in
        it.
    """
    for path, device, inode in reversed(made):
        try:
            parent, name = open_above(path)
        except FileNotFoundError:
            continue
        with parent:
            try:
                status = os.stat(name, dir_fd=parent.fd, follow_symlinks=False)
                if (status.st_dev, status.st_ino) == (device, inode):
                    os.rmdir(name, dir_fd=parent.fd)
            except OSError as err:
                if err.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
                    raise


def ours_alone(folder: os.stat_result, link: os.stat_result) -> bool:
    """Whether nobody but root, or we, can change where a name in a folder leads."""
    trusted = (0, os.geteuid())
    if folder.st_uid not in trusted or link.st_uid not in trusted:
        return False
    return not folder.st_mode & 0o022 or bool(folder.st_mode & S_ISVTX)


def resolve(path: str) -> str:
    """Return an absolute path without the symbolic links that :func:`open_path` follows.

    Other links stay in it, and parts that cannot be examined stay as they are.
    """
    names = [name for name in reversed(os.path.abspath(path).split("/")) if name]
    done, links = "", 0
    while names:
        name = names.pop()
        if name == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{name}"
        try:
            status = os.lstat(here)
            follow = S_ISLNK(status.st_mode) and ours_alone(os.stat(done or "/"), status)
            target = os.readlink(here) if follow and links < LINKS_MAX else ""
        except OSError:
            target = ""
        if not target:
            done = here
            continue
        links += 1
        names += [part for part in reversed(target.split("/")) if part not in ("", ".")]
        if target.startswith("/"):
            done = ""
    return done or "/"


def open_still(path: str, flags: int) -> int:
    """Open a regular file or a block device, but nothing else, since opening can already act.

    Opening starts a watchdog, rewinds a tape, and may wait for a modem. This is an opener for
    open(). A dictionary, which the kernel opens again, is judged by ``kernel.dictionary_file``.

    Raises:
        OSError: EINVAL if it is something else; EISDIR if it is a folder.
    """
    with Opened(path, os.O_PATH) as held:
        mode = os.fstat(held).st_mode
        if S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not (S_ISREG(mode) or S_ISBLK(mode)):
            raise OSError(errno.EINVAL, "neither a file nor a block device", path)
        return reopen(os.open, held, flags | os.O_NONBLOCK | os.O_CLOEXEC)
