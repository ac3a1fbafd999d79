# SPDX-License-Identifier: MIT
"""What tests of memory that only files have share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of its own on the tmpfs that every machine has."""
    path = Path(f"/dev/shm/pyzram-test-{os.getpid()}")
    path.mkdir()
    yield path
    shutil.rmtree(path)
