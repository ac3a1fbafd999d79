# SPDX-License-Identifier: MIT
"""The dictionary of an algorithm, a file that is named and that the kernel reads once.

The kernel opens whatever has the name. If that is a pipe, it waits for a writer, with the device
locked, and if it is a device, opening it may already do something. Sources of pages are opened by
``safe_paths.open_still``, which takes block devices, of any size, as well.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISREG

from ..descriptor import Opened, fd_path
from ..errors import from_errno

SIZE_MOST = (1 << 31) - 1
"""In bytes: the most that the kernel reads of any file that it is told to."""


def open_dictionary(path: str, what: str) -> Opened:
    """Open a dictionary for reading; ``what`` is what it is for, in an error.

    Raises:
        ZramOSError: it cannot be read, is not a regular file, or is larger than any kernel takes.
    """
    step = f"{what}dictionary {path}"
    try:
        with Opened(path, os.O_PATH) as held:
            status = os.fstat(held)
            code, remedy = 0, "give a regular file"
            if not S_ISREG(status.st_mode):
                code = errno.EISDIR if S_ISDIR(status.st_mode) else errno.EINVAL
            elif status.st_size > SIZE_MOST:
                code, remedy = errno.EFBIG, "give a file smaller than 2 GiB"
            if not code:
                # Without waiting for its owner to give up a lease; there is none while it is open.
                return Opened(fd_path(held), os.O_RDONLY | os.O_NONBLOCK)
    except OSError as err:
        raise from_errno(err.errno or 0, step, path) from err
    raise from_errno(code, step, path, remedy=remedy)
