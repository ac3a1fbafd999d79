# SPDX-License-Identifier: MIT
"""One file of another tool, translated."""

from __future__ import annotations

from pyzram.config.imported import Imported
from pyzram.config.importer import import_files


def import_text(text: str, source: str, *, ram: int | None = None) -> Imported:
    """Translate a single file, given its text and the name that stands for it."""
    return import_files([(source, text)], ram=ram)
