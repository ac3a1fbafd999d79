# SPDX-License-Identifier: MIT
"""Why shared memory is skipped: it cannot be opened or looked at."""

from __future__ import annotations

import errno

CLOSED_SEGMENTS = "System V segments that cannot be opened"
CLOSED_OBJECTS = "shared memory objects that are gone or cannot be opened"
CLOSED_FILES = "files and folders in memory that cannot be inspected"
TOO_MANY_FILES = "small or deeply nested files in memory (too many to inspect)"
CLOSED_BY = {
    errno.EBUSY: "files in memory with a lease that opening them would break",
    errno.ENODATA: "files in memory of other users (what is in swap is hidden)",
}
