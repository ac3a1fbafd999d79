# SPDX-License-Identifier: MIT
"""Debian's packages of this tree, as a repository that apt can install from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet.programs import TREE


def repository(folder: Path) -> None:
    """Build the packages into a folder and index them there; skip if that is not possible."""
    for command in ("dpkg-checkbuilddeps", "dpkg-scanpackages"):
        if not shutil.which(command):
            pytest.skip(f"needs {command} (Debian: dpkg-dev)")
    control = TREE / "packaging/debian/control"
    if lacking := run("dpkg-checkbuilddeps", control, check=False):
        pytest.skip(lacking.strip())
    folder.mkdir(parents=True)
    run(sys.executable, TREE / "tools/dist.py", "--outdir", folder)
    (tarball,) = folder.glob("*.tar.gz")
    run("sh", TREE / "tools/deb", tarball)
    packages = run("sh", "-c", 'cd "$1" && dpkg-scanpackages --multiversion . 2>&-', "sh", folder)
    (folder / "Packages").write_text(packages)


def run(*words: str | Path, check: bool = True) -> str:
    """What a program prints."""
    done = subprocess.run(
        words,
        env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout
