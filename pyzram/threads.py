# SPDX-License-Identifier: MIT
"""Starting threads, which the system may refuse: control groups limit them, and so does memory."""

from __future__ import annotations

import errno

from .errors import from_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def start(begin: Callable[[], object]) -> None:
    """Call what starts a thread.

    Raises:
        ZramOSError: there can be no more threads (EAGAIN); Python says only RuntimeError.
    """
    try:
        begin()
    except RuntimeError as err:
        raise from_errno(errno.EAGAIN, "start a thread") from err
