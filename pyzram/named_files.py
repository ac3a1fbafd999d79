# SPDX-License-Identifier: MIT
"""Files that we write where we were told to, in folders that may be somebody else's.

Root writes textfiles and recordings into folders of node_exporter or a user, who can at any moment
replace the file, or a folder in its path, with a link.
"""

from __future__ import annotations

import errno
import os
import time
from stat import S_ISREG

from .descriptor import Opened, fd_path, write_all
from .errors import InvalidValueError, ZramError, from_errno
from .safe_paths import LINKS_MAX, UNSAFE_LINK, open_above, ours_alone, resolve

TEXTFILE_MODE = 0o644
NAMED_MODE = 0o644
"""The umask can take permissions away from this, but even an empty one lets nobody else write."""
RANDOM = 8
OLD_SECONDS = 3600
"""Writing never takes this long, so a killed writer has left whatever is older."""
WHY_NOT = {
    errno.ELOOP: UNSAFE_LINK,
    errno.EMLINK: "it has other names too, which its folder's owner may have given it",
}


def write_textfile(path: str, text: str) -> None:
    """Replace a file's text so that a reader sees either all of the old or all of the new one.

    The mode is 0644, so that node_exporter may run as another user. Links that others can change
    are not followed.

    Raises:
        InvalidValueError: the path exists and is not a regular file, or leads to a file through a
            descriptor (/dev/stdout), and is left alone; or it is ``-``.
        ZramOSError: ELOOP if it is behind such a link; otherwise the system's error.
    """
    _refuse_dash(path)
    _refuse_open_file(path)
    with _told(path, "write metrics"):
        above, name = open_above(resolve(path))
        with above as folder:
            try:  # noqa: SIM105 # contextlib takes longer to load than a file to write
                _require_regular(os.lstat(name, dir_fd=folder), path)
            except FileNotFoundError:
                pass
            _remove_old(folder, name)
            # node_exporter reads only *.prom, so it ignores this one. Nobody else can use its name,
            # although two live processes in two containers may have the same number.
            new = f".{name}.{os.urandom(RANDOM).hex()}.new"
            file = Opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=folder)
            try:
                with file as fd:
                    write_all(fd, text.encode())
                    os.fchmod(fd, TEXTFILE_MODE)
                os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                try:  # noqa: SIM105
                    os.unlink(new, dir_fd=folder)
                except FileNotFoundError:
                    pass  # it already has its final name
                raise


def _remove_old(folder: int, name: str) -> None:
    """Remove what killed writers of the same file have left behind."""
    before = time.time() - OLD_SECONDS
    head, tail = f".{name}.", ".new"
    length = len(head) + 2 * RANDOM + len(tail)
    try:
        for one in os.listdir(fd_path(folder)):
            if len(one) == length and one.startswith(head) and one.endswith(tail):
                status = os.lstat(one, dir_fd=folder)
                ours = S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
                if ours and status.st_mtime < before:
                    os.unlink(one, dir_fd=folder)
    except OSError:
        pass  # the folder is not readable, or another process was faster


def open_named(path: str, step: str, flags: int) -> Opened:
    """Open a file for writing without truncating it; if missing, make it with 0644 less the umask.

    Raises:
        InvalidValueError: the path exists and is not a regular file, or is ``-``.
        ZramOSError: as :func:`write_textfile`; EMLINK if it has other names, in a folder that
            others can write to.
    """
    _refuse_dash(path)
    with _told(path, step):
        above, name = open_above(resolve(path))
        with above as folder:
            flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            file = Opened(name, flags, NAMED_MODE, dir_fd=folder)
            try:
                status = os.fstat(file.fd)
                _require_regular(status, path)
                # Check once, because a name can be removed and given again between two checks.
                now = os.lstat(name, dir_fd=folder)
                alone = now.st_nlink == 1 and os.path.samestat(now, status)
                if not alone and not ours_alone(os.fstat(folder), now):
                    raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
            except BaseException:
                file.close()  # somebody may keep the error for long
                raise
            return file


def _refuse_dash(path: str) -> None:
    """Refuse ``-``, which elsewhere means standard output, instead of making such a file."""
    if path == "-":
        raise InvalidValueError("-: standard output is not a file (./- is a file of that name)")


def _refuse_open_file(path: str) -> None:
    """Refuse a path through a descriptor: its holder would keep the file that we replace."""
    here = os.path.abspath(path)
    for _ in range(LINKS_MAX):
        folder = os.path.realpath(os.path.dirname(here))
        if folder.startswith("/proc/") and folder.endswith("/fd"):
            raise InvalidValueError(f"{path}: leads to an open file: give the file's own name")
        try:
            here = os.path.join(folder, os.readlink(os.path.join(folder, os.path.basename(here))))
        except OSError:
            return  # it is not a link


def _require_regular(status: os.stat_result, path: str) -> None:
    if not S_ISREG(status.st_mode):
        raise InvalidValueError(f"{path}: not a regular file")


class _told:  # noqa: N801 # a context manager, read as a verb
    """Turn an error into one that names the file, and says why if the errno alone does not."""

    __slots__ = ("path", "step")

    def __init__(self, path: str, step: str) -> None:
        self.path = path
        self.step = step

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, err: BaseException | None, _where: object) -> None:
        if isinstance(err, ZramError) or not isinstance(err, OSError):
            return
        code = err.errno or 0
        remedy = WHY_NOT.get(code, "")
        folder = os.path.dirname(resolve(self.path))
        if code == errno.ENOENT and not os.path.lexists(folder):
            remedy = f"there is no {folder}"
            if self.step == "write metrics":
                remedy += "; node_exporter's is its --collector.textfile.directory"
        raise from_errno(code, f"{self.path}: {self.step}", self.path, remedy=remedy) from err
