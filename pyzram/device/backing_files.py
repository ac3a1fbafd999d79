# SPDX-License-Identifier: MIT
"""Files that pages are written back to: made with all their blocks, and later known as ours."""

from __future__ import annotations

import errno
import os

from ..descriptor import Opened
from ..errors import from_errno
from ..safe_paths import open_above

# Marks a file that we made, whose data is scratch even after a crash. Only root can set it.
MARK = "trusted.pyzram.backing"
READ_SIZE = 1 << 20


def make_file(path: str, size: int) -> None:
    """Make a file with all its blocks reserved; on failure, leave no file."""
    folder: Opened | None = None
    made = False
    try:
        folder, name = open_above(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with Opened(name, flags, dir_fd=folder.fd) as fd:
            made = True
            os.posix_fallocate(fd, 0, size)
            mark(fd)
    except BaseException as err:
        if made and folder:
            os.unlink(name, dir_fd=folder.fd)
        if not isinstance(err, OSError):
            raise
        step = f"make with {size} bytes" if made else "make"
        raise from_errno(err.errno or 0, f"backing device {path}: {step}", path) from err
    finally:
        if folder:
            folder.close()


def mark(fd: int) -> None:
    """Mark a file as ours, if its file system can hold the mark."""
    from contextlib import suppress  # not loaded by a start without a file

    # A file system without attributes: after a crash, reusing the file takes force.
    with suppress(OSError):
        os.setxattr(fd, MARK, b"1")


def is_marked(fd: int) -> bool:
    """Whether a file is marked as ours."""
    try:
        os.getxattr(fd, MARK)
    except OSError:
        return False
    return True


def has_data(path: str, fd: int) -> bool:
    """Whether a file has anything but zeros; holes are skipped."""
    at = 0
    try:
        while True:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as err:
                if err.errno == errno.ENXIO:
                    return False
                raise
            chunk = os.pread(fd, READ_SIZE, at)
            if not chunk:
                return False
            if chunk.count(0) != len(chunk):
                return True
            at += len(chunk)
    except OSError as err:
        raise from_errno(err.errno or 0, f"backing device {path}: read", path) from err
