# SPDX-License-Identifier: MIT
"""Files that we write where we were told to, in folders that may be somebody else's.

Root writes textfiles and recordings into folders of node_exporter's or a user's, who may put a
link in the place of the file, or of a folder on the way, at any moment.
"""

from __future__ import annotations

import errno
import os
import time
from stat import S_ISREG

from ..descriptor import Opened, write_all
from ..errors import InvalidValueError, ZramError, from_errno
from .safe_paths import LINKS_MAX, fd_path, open_above, ours_alone, resolve

TEXTFILE_MODE = 0o644
NAMED_MODE = 0o644
"""The umask can take from it, but an empty one does not let everybody write."""
RANDOM = 8
OLD_SECONDS = 3600
"""Writing takes no such time: what is older was left by one that was killed."""
WHY_NOT = {
    errno.ELOOP: "a symbolic link on the way is not root's alone, and could be exchanged",
    errno.EMLINK: "it has other names too, which its folder's owner may have given it",
}


def write_textfile(path: str, text: str) -> None:
    """Replace a file's text so that a reader sees either all of the old or all of the new one.

    Mode 0644, so that node_exporter may run as another user. Links that others can change are not
    followed.

    Raises:
        InvalidValueError: the path exists and is not a regular file, or leads to a file by a
            descriptor (/dev/stdout); it is left alone. Or it is ``-``.
        ZramOSError: ELOOP it is behind such a link; else what the system answered.
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
            # node_exporter reads only *.prom, so it ignores this one. Nobody else has its name: in
            # two containers two live processes may have the same number.
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
                    pass  # it has its name already
                raise


def _remove_old(folder: int, name: str) -> None:
    """Remove what killed writers of the same file have left."""
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
        pass  # a folder that may only be written to, or another was faster


def open_named(path: str, step: str, flags: int) -> Opened:
    """Open a file to write to, made with 0644 less the umask if it is not there; not truncated.

    Raises:
        InvalidValueError: the path exists and is not a regular file, or is ``-``.
        ZramOSError: as :func:`write_textfile`; EMLINK it has other names, in a folder that others
            can write to.
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
                # One look, for a name can be taken away and given again between two.
                now = os.lstat(name, dir_fd=folder)
                alone = now.st_nlink == 1 and os.path.samestat(now, status)
                if not alone and not ours_alone(os.fstat(folder), now):
                    raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
            except BaseException:
                file.close()  # the error may be kept for long
                raise
            return file


def _refuse_dash(path: str) -> None:
    """Refuse what stands for standard output elsewhere, in place of making a file of that name."""
    if path == "-":
        raise InvalidValueError("-: standard output is no file; ./- is one of that name")


def _refuse_open_file(path: str) -> None:
    """Refuse what leads through a descriptor: who has it open would keep the file replaced."""
    here = os.path.abspath(path)
    for _ in range(LINKS_MAX):
        folder = os.path.realpath(os.path.dirname(here))
        if folder.startswith("/proc/") and folder.endswith("/fd"):
            raise InvalidValueError(f"{path}: leads to a file that is open; give its own name")
        try:
            here = os.path.join(folder, os.readlink(os.path.join(folder, os.path.basename(here))))
        except OSError:
            return  # no link


def _require_regular(status: os.stat_result, path: str) -> None:
    if not S_ISREG(status.st_mode):
        raise InvalidValueError(f"{path}: not a regular file")


class _told:  # noqa: N801 # a context manager, read as a verb
    """Make an error one that names the file, and say why where the errno alone does not."""

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
