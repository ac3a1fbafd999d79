# SPDX-License-Identifier: MIT
"""What distributions and pip make of the tree."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run to the end; the output of both streams is in stdout."""
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **options,  # type: ignore[call-overload]
    )


def succeed(*command: object, **options: object) -> str:
    """What a command printed that must not fail."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def tree() -> Path:
    """The source tree."""
    return TREE


@pytest.fixture(scope="session")
def version() -> str:
    """The version, from the one place that holds it."""
    found = (TREE / "pyzram/_version.py").read_text().partition("__version__ = ")[2]
    return found.strip().strip('"')


@pytest.fixture(scope="session")
def sources() -> list[str]:
    """The files of the project, by their names below the tree."""
    if not (TREE / ".git").exists():
        pytest.skip("not a git checkout: no list of the project's files")
    return succeed("git", "-C", TREE, "ls-files", "-z").rstrip("\0").split("\0")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release tarball, made of the files under version control as they are now."""
    out = tmp_path_factory.mktemp("sdist")
    succeed(sys.executable, TREE / "tools/dist.py", "--outdir", out)
    (tarball,) = out.iterdir()
    return tarball


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree in the release tarball, away from the checkout."""
    out = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as tar:
        tar.extractall(out, filter="data")
    (inside,) = out.iterdir()
    return inside


@pytest.fixture(scope="session")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the release tarball."""
    out = tmp_path_factory.mktemp("wheel")
    succeed(*build_wheel(unpacked, out), cwd=out)
    (built,) = out.iterdir()
    return built


def build_wheel(source: Path, out: Path, python: object = sys.executable) -> list[object]:
    """The command that builds a wheel with what is installed here."""
    options = ["--wheel", "--no-isolation", "--skip-dependency-check", "--outdir"]
    return [python, "-m", "build", *options, out, source]
