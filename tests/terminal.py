# SPDX-License-Identifier: MIT
"""What programs print on a terminal."""

from __future__ import annotations

import os


def printed_on(terminal: int) -> bytes:
    """Read until the other end is closed, then close this one."""
    said = b""
    try:
        while chunk := os.read(terminal, 65536):
            said += chunk
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(terminal)
    return said
