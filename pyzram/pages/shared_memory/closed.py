# SPDX-License-Identifier: MIT
"""Why shared memory is skipped: it cannot be opened or looked at."""

from __future__ import annotations

import errno

CLOSED_SEGMENTS = "System V segments that cannot be opened"
CLOSED_OBJECTS = "objects of shared memory that are gone or cannot be opened"
CLOSED_FILES = "files and folders in memory that cannot be looked at"
TOO_MANY_FILES = "files in memory, small or deep, as there are too many"
CLOSED_BY = {
    errno.EBUSY: "files in memory with a lease, which opening them would break",
    errno.ENODATA: "files in memory of other users, of which what is in swap is hidden",
}
