# SPDX-License-Identifier: MIT
"""Same-page merging (KSM), switched on for as long as a program's pages take to be merged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.memory_cgroup import MemoryCgroup

KSM = Path("/sys/kernel/mm/ksm")


@contextlib.contextmanager
def merged(cgroup: MemoryCgroup, size: int) -> Iterator[None]:
    """Wait until that many bytes of a cgroup are merged; they stay so, whatever the settings."""
    if not (KSM / "run").exists():
        pytest.skip("needs KSM")
    unmerged = cgroup.usage
    settings = {
        name: (KSM / name).read_text() for name in ("pages_to_scan", "sleep_millisecs", "run")
    }
    try:
        (KSM / "pages_to_scan").write_text("20000")
        (KSM / "sleep_millisecs").write_text("1")
        (KSM / "run").write_text("1")
        deadline = time.monotonic() + 20
        while unmerged - cgroup.usage < size:
            assert time.monotonic() < deadline, "the kernel does not merge"
            time.sleep(0.05)
        (KSM / "run").write_text("0")  # what is merged stays so
        yield
    finally:
        for name, value in settings.items():
            (KSM / name).write_text(value)
