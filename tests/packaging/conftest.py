# SPDX-License-Identifier: MIT
"""What distributions and pip make of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
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
    """The output of a command that must not fail."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}"
    return done.stdout


def how_many_passed(log: str) -> list[int]:
    """How many tests passed in each run that a build wrote about; pytest -rP shows the lines."""
    lines = re.findall(r"^=+ (?=\d+ passed).*", log, re.M)
    print(*lines, sep="\n")
    return [int(line.split()[1]) for line in lines]


@pytest.fixture(scope="session")
def tree() -> Path:
    """The source tree."""
    return TREE


@pytest.fixture(scope="session")
def version() -> str:
    """The version, from the only place that holds it."""
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
    """The release tarball, made from the files under version control as they are now."""
    out = tmp_path_factory.mktemp("sdist")
    succeed(sys.executable, TREE / "tools/dist.py", "--outdir", out)
    (tarball,) = out.iterdir()
    return tarball


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree in the release tarball, away from the checkout."""
    out = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as tar:
        tar.extractall(out, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
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


@pytest.fixture
def throwaway(tmp_path: Path) -> Callable[..., str]:
    """A function that runs a shell line as root in a copy of this machine, or of another root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = TREE / "tests/packaging/throwaway_root.sh"
    folder = tmp_path / "throwaway"
    folder.mkdir()
    probe = run("sh", script, folder, "true")
    if probe.returncode != 0:
        pytest.skip(f"no throwaway root here: {probe.stdout.strip()}")

    def shell(line: str, root: Path = Path("/"), shared: Path = Path("/mnt")) -> str:
        return succeed("sh", script, folder, line, root, shared)

    return shell


# No compiler, no headers. With it, packages install without a network.
BARE = "python3-venv,python3-cffi-backend,kmod,mount"


@pytest.fixture(scope="session")
def bare_root() -> Path:
    """A root of this Debian with apt and our packages' dependencies; made once, kept in .cache."""
    release = dict(
        line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines()
    )
    suite = release.get("VERSION_CODENAME", "")
    root = TREE / ".cache/roots" / suite
    if (root / "usr/bin/apt-get").exists():
        return root
    if release["ID"] != "debian" or not shutil.which("mmdebstrap") or os.geteuid() != 0:
        pytest.skip("needs Debian, root and mmdebstrap for a bare root")
    making = root.with_name(f"{suite}.tmp")
    making.parent.mkdir(parents=True, exist_ok=True)
    sources = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]
    archive = next((path for path in sources if path.exists()), "")
    done = run("mmdebstrap", "--variant=apt", f"--include={BARE}", suite, making, archive)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        pytest.skip(f"no bare root could be made: {done.stdout.strip().splitlines()[-1]}")
    return making.rename(root)
