# SPDX-License-Identifier: MIT
"""Make the release tarball: the same tree gives the same bytes, so its digest can be recorded.

`make dist` runs this, and also writes the digest into the overlay's Manifest.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "ebuilds/sys-block/pyzram/Manifest"
MADE = ("PKG-INFO", "setup.cfg", "*.egg-info")  # by setuptools, for the tarball
NOT_SOURCE = (".git", ".venv", ".cache", "build", "dist", *MADE, "__pycache__", ".*_cache")


def git(*args: str) -> str:
    """What git says about this tree."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=True
    ).stdout


def copy_sources(to: Path) -> None:
    """The files under version control; in an unpacked tarball, all files."""
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        return
    for name in git("ls-files", "-z").rstrip("\0").split("\0"):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to / name, follow_symlinks=False)


def source_date() -> int:
    """The time of the last change, in seconds since 1970; writing the Manifest is no change."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    if (ROOT / ".git").exists():
        return int(git("log", "-1", "--format=%at", "--", ".", f":!{MANIFEST}"))
    return int((ROOT / "PKG-INFO").stat().st_mtime)


def repack(made: Path, to: Path, date: int) -> None:
    """Write the tarball again without times, owners and modes of this machine."""
    with (
        tarfile.open(made) as old,
        to.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=date, fileobj=raw) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda m: m.name):
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.linkname, clean.size = member.type, member.linkname, member.size
            clean.mtime = date
            clean.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(clean, old.extractfile(member) if member.isfile() else None)


def manifest_line(tarball: Path) -> str:
    """The DIST line as pkgdev and ebuild write it."""
    data = tarball.read_bytes()
    return (
        f"DIST {tarball.name} {len(data)} BLAKE2B {hashlib.blake2b(data).hexdigest()} "
        f"SHA512 {hashlib.sha512(data).hexdigest()}\n"
    )


def main() -> None:
    """Build the tarball and, if asked, write the Manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outdir", type=Path, default=ROOT / "dist")
    parser.add_argument("--manifest", type=Path, help="write the tarball's DIST line to this file")
    args = parser.parse_args()
    args.outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        copy_sources(Path(name, "tree"))
        made = Path(name, "made")
        subprocess.run(
            [sys.executable, "-m", "build", "-s", "-n", "-o", made, Path(name, "tree")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (tarball,) = made.iterdir()
        repack(tarball, args.outdir / tarball.name, source_date())
    if args.manifest:
        args.manifest.write_text(manifest_line(args.outdir / tarball.name))
    print(args.outdir / tarball.name)


if __name__ == "__main__":
    main()
