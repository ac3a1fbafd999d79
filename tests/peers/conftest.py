# SPDX-License-Identifier: MIT
"""What the tests against other tools' own programs share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.archive import UnavailableError

from .compare import Count
from .generator import SUITES, Root

TOTAL = Count()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return _root(tmp_path_factory.mktemp("root"), SUITES[0])


@pytest.fixture(scope="session")
def old_root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """With the previous release, which knows less."""
    return _root(tmp_path_factory.mktemp("old"), SUITES[1])


def _root(folder: Path, suite: str) -> Root:
    # The program runs as nobody, who must be able to get there.
    for path in (folder, *folder.parents):
        if os.stat(path).st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o711)
    try:
        root = Root(folder, suite)
        answer = root.ask("[zram0]\nzram-size = 64\n")
    except UnavailableError as err:
        if os.environ.get("PYZRAM_REQUIRE_PEERS"):
            raise
        pytest.skip(f"zram-generator cannot be had: {err}")
    if answer.status or not answer.devices:
        pytest.skip(f"zram-generator does not run here: {answer.said[-200:]}")
    return root


@pytest.fixture(scope="session", autouse=True)
def total() -> Iterator[Count]:
    """Everything that was compared, printed at the end for ``make peers``."""
    yield TOTAL
    if TOTAL.files:
        print(f"\nOther tools and pyzram import: {TOTAL}")
