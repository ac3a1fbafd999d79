# SPDX-License-Identifier: MIT
"""If Prometheus is not available, all of this is skipped with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet import debs, programs


@pytest.fixture(scope="session")
def promtool() -> Path:
    try:
        return programs.program("promtool")
    except programs.UnavailableError as err:
        pytest.skip(str(err))


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """Debian's packages of this tree, built once."""
    folder = tmp_path_factory.mktemp("debs") / "repo"
    debs.repository(folder)
    return folder
