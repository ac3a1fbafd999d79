# SPDX-License-Identifier: MIT
"""Files, core dumps, block devices and streams as a source."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from ...errors import InvalidValueError, ZramOSError, from_errno
from ...limits import PAGE_SIZE
from ...safe_paths import open_still
from ...value import check_count, check_kind, check_path, wrong_type
from ..codec.parameters import check_page_size
from .core_dump import core_segments
from .segments import FileSegment
from .sources import Source, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

REMEDIES = {
    errno.EISDIR: (errno.EISDIR, "name the files that are in it"),
    errno.EINVAL: (errno.ESPIPE, "pass a stream on standard input"),
}


def open_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    page_size: int | None = None,
) -> Source:
    """Open a file, a core dump or a block device, or several of them as one source.

    Of an ELF core dump only the memory segments count; of other files, everything does.

    Raises:
        InvalidValueError: no kernel has pages of ``page_size``.
        NotFoundError: one does not exist (ENOENT).
        AccessError: one may not be read.
        ZramOSError: EISDIR for a folder, ESPIPE for a pipe, or opening or reading failed.
    """
    return open_paths("paths", paths, page_size)


def open_paths(
    what: str,
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    page_size: int | None = None,
) -> Source:
    """As :func:`open_files`; ``what`` is the name of the caller's parameter."""
    size = PAGE_SIZE if page_size is None else check_page_size(page_size)
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    if not hasattr(paths, "__iter__"):
        raise wrong_type(what, paths, "neither a path nor a list of paths")
    names = [check_path(what, path) for path in paths]
    if not names:
        raise InvalidValueError(f"{what}: the list is empty")
    source = Source(" ".join(names), size)
    try:
        for path in names:
            _add_file(source, path)
    except OSError as err:
        source.close()
        if isinstance(err, ZramOSError):
            raise
        raise from_errno(err.errno or errno.EIO, f"{path}: read", path) from err
    return source


def _add_file(source: Source, path: str) -> None:
    try:
        fd = source._keep_open(open_still(path, os.O_RDONLY))
    except OSError as err:
        if err.errno not in REMEDIES:
            raise
        code, remedy = REMEDIES[err.errno]
        raise from_errno(code, f"{path}: read", path, remedy=remedy) from err
    _add_ranges(source, fd, core_segments(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else None)


def _add_ranges(source: Source, fd: int, ranges: list[tuple[int, int]] | None) -> None:
    """Add ranges (offset, length) of a file, as far as it reaches; by default, all of it."""
    size = os.lseek(fd, 0, os.SEEK_END)
    for offset, length in ranges if ranges is not None else [(0, size)]:
        length = min(length, size - offset)
        if length > 0:
            source._segments.append(FileSegment(fd, offset, length, source.page_size, source.label))


def open_stream(
    fd: int, label: str = "standard input", *, page_size: int | None = None
) -> Stream | Source:
    """Open a descriptor; if it is a regular file, that is sampled in place.

    Raises:
        InvalidValueError: no kernel has pages of ``page_size``.
        ZramOSError: it is not open, or not for reading (EBADF).
    """
    size = PAGE_SIZE if page_size is None else check_page_size(page_size)
    fd = check_count("fd", fd)
    check_kind(str, {"label": label})
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Stream(fd, label, size)
        source = Source(label, size)
        _add_ranges(source, fd, core_segments(fd))
        return source
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{label}: read") from err
