# SPDX-License-Identifier: MIT
"""tox sets up its own environments: what make lint finds in .venv must be named there too."""

from __future__ import annotations

import sys
from pathlib import Path

from .conftest import TREE, succeed


def test_lint_has_all_that_it_needs(tmp_path: Path) -> None:
    succeed(sys.executable, "-m", "tox", "-e", "lint", "--workdir", tmp_path, cwd=TREE)
