# SPDX-License-Identifier: MIT
"""What the daemon leaves for others to see: the file that ``pyzram tend --status`` shows."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from ..kernel import state_files

NAME = "tend/status.json"


def write_status(run: str, values: dict[str, Any]) -> None:
    """Leave the last round for people; a folder that takes no file is no reason to stop."""
    text = json.dumps({"pid": os.getpid(), **values})
    with suppress(OSError):
        state_files.write_file(os.path.join(run, NAME), text)


def read_status(run: str) -> dict[str, Any] | None:
    """The last round of a daemon that runs; ``None`` if none does.

    Raises:
        PermissionError: only root may read it.
    """
    try:
        found = json.loads(state_files.read_file(os.path.join(run, NAME)) or "{}")
        pid = found["pid"]
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # it is there, and another user's
    except (OSError, TypeError, OverflowError):
        return None
    return found if isinstance(found, dict) else None
