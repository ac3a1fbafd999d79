# SPDX-License-Identifier: MIT
"""Where memory lies in an ELF core dump."""

from __future__ import annotations

import errno
import os
import struct

# A process has at most 65530 mappings by default; a file with more than this is not a dump.
SEGMENTS_MAX = 1 << 20


def core_segments(fd: int) -> list[tuple[int, int]] | None:
    """Where memory lies in an ELF core dump: (offset, length) in bytes; ``None`` for other files.

    See elf(5). Both word sizes and both byte orders are understood.
    """
    head = os.pread(fd, 64, 0)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order, wide = "<>"[head[5] - 1], head[4] == 2
    if struct.unpack_from(order + "H", head, 16)[0] != 4:  # ET_CORE
        return None
    try:
        table, sections = struct.unpack_from(
            order + ("QQ" if wide else "II"), head, 32 if wide else 28
        )
        entry_size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
        if count == 0xFFFF:  # the number does not fit: the first section header has it
            at = sections + (44 if wide else 28)
            count = struct.unpack(order + "I", os.pread(fd, 4, at))[0]
        if entry_size != (56 if wide else 32) or count > SEGMENTS_MAX:
            return None
        data = b""
        while len(data) < entry_size * count:
            chunk = os.pread(fd, entry_size * count - len(data), table + len(data))
            if not chunk:
                break
            data += chunk
        found = []
        for at in range(0, len(data) - entry_size + 1, entry_size):
            if wide:
                kind, _, offset, _, _, length = struct.unpack_from(order + "IIQQQQ", data, at)
            else:
                kind, offset, _, _, length = struct.unpack_from(order + "IIIII", data, at)
            if kind == 1 and length:  # PT_LOAD
                found.append((offset, length))
    except (struct.error, OverflowError):
        return None
    except OSError as err:
        if err.errno != errno.EINVAL:  # EINVAL means an offset beyond any file
            raise
        return None
    return found
