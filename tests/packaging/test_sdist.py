# SPDX-License-Identifier: MIT
"""The release tarball: everything, nothing more, the same each time, and it installs."""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

from .conftest import succeed

# Where git and the tarball differ: a tarball cannot hold its own digest.
ONLY_IN_GIT = {".gitattributes", ".gitignore", "ebuilds/sys-block/pyzram/Manifest"}
MADE = {"PKG-INFO", "setup.cfg"}


def test_the_tarball_holds_the_projects_files_and_no_others(
    sdist: Path, sources: list[str], version: str
) -> None:
    top = f"pyzram-{version}/"
    assert sdist.name == f"pyzram-{version}.tar.gz"
    with tarfile.open(sdist) as tar:
        names = {m.name.removeprefix(top) for m in tar if m.isfile() or m.issym()}
    names = {n for n in names if not n.startswith("pyzram.egg-info/")}
    assert names == (set(sources) - ONLY_IN_GIT) | MADE


def test_the_same_tree_gives_the_same_bytes(tree: Path, sdist: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "Manifest"
    command = [sys.executable, tree / "tools/dist.py"]
    succeed(*command, "--outdir", tmp_path / "again", "--manifest", manifest)
    again = tmp_path / "again" / sdist.name
    assert again.read_bytes() == sdist.read_bytes()
    blake, sha = hashlib.blake2b(sdist.read_bytes()), hashlib.sha512(sdist.read_bytes())
    size = sdist.stat().st_size
    digests = f"BLAKE2B {blake.hexdigest()} SHA512 {sha.hexdigest()}"
    assert manifest.read_text() == f"DIST {sdist.name} {size} {digests}\n"


def test_so_does_the_tarball_once_unpacked(unpacked: Path, sdist: Path, tmp_path: Path) -> None:
    succeed(sys.executable, unpacked / "tools/dist.py", "--outdir", tmp_path)
    assert (tmp_path / sdist.name).read_bytes() == sdist.read_bytes()


def test_modes_and_owners_are_not_this_machines(sdist: Path) -> None:
    with tarfile.open(sdist) as tar:
        assert {(m.uid, m.gid, m.uname, m.gname) for m in tar} == {(0, 0, "", "")}
        assert {m.mode for m in tar} <= {0o644, 0o755}
        assert len({m.mtime for m in tar}) == 1
