# SPDX-License-Identifier: MIT
"""What tells a device from others that had or get its number."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import UnsupportedError

if TYPE_CHECKING:
    from .handle import Handle


def key_of(device: Handle) -> str:
    """A word that no other device gets while the kernel runs.

    Raises:
        DeviceNotFoundError: the device was removed.
        ZramOSError: the kernel does not say.
    """
    try:
        return str(device.read_diskseq())
    except UnsupportedError:
        # Before 5.15. sysfs numbers its directories, and goes on counting when one is removed.
        return f"ino-{os.fstat(device._dir()).st_ino}"
