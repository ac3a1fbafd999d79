# SPDX-License-Identifier: MIT
"""A build that lacks something stops with one message, never with a wheel without extension."""

from __future__ import annotations

import os
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from .conftest import build_wheel, run, succeed


@pytest.fixture
def fail_to_build(unpacked: Path, tmp_path: Path):
    """A function that builds with a changed environment and returns the one message."""

    def build(python: object = sys.executable, **changes: str) -> str:
        out = tmp_path / "out"
        done = run(*build_wheel(unpacked, out, python), cwd=tmp_path, env={**os.environ, **changes})
        assert done.returncode != 0, done.stdout
        assert not list(out.glob("*.whl"))
        lines = [x for x in done.stdout.splitlines() if x.startswith("pyzram: cannot build")]
        assert len(lines) == 1, done.stdout
        return lines[0]

    return build


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("liblz4", ["app-arch/lz4", "liblz4-dev", "lz4-devel", "lz4-dev"]),
        ("libzstd", ["app-arch/zstd", "libzstd-dev", "libzstd-devel", "zstd-dev"]),
        ("zlib", ["virtual/zlib", "zlib1g-dev", "zlib-devel", "zlib-dev"]),
    ],
)
def test_a_missing_library_is_named_with_its_packages(
    fail_to_build, tmp_path: Path, library: str, packages: list[str]
) -> None:
    fake = tmp_path / "pkg-config"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *{library}*) exit 1;; esac\nexec pkg-config "$@"\n')
    fake.chmod(0o755)
    message = fail_to_build(PKG_CONFIG=str(fake))
    assert f"the C library {library} is missing" in message
    for distribution, package in zip(
        ["Gentoo", "Debian", "Fedora", "Alpine"], packages, strict=True
    ):
        assert f"{distribution}: {package}" in message


def test_a_missing_pkg_config_is_named_with_its_packages(fail_to_build) -> None:
    message = fail_to_build(PKG_CONFIG="no-such-pkg-config")
    assert "no-such-pkg-config is missing" in message
    assert "Gentoo: virtual/pkgconfig" in message


def test_a_missing_cffi_is_named_with_its_packages(fail_to_build, tmp_path: Path) -> None:
    # Without cffi's entry point setuptools ignores cffi_modules, so it must really be absent.
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    site = succeed(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "cffi" not in entry.name:
            Path(site, entry.name).symlink_to(entry)
    message = fail_to_build(python=python)
    assert "cffi is missing" in message
    assert "Gentoo: dev-python/cffi, Debian: python3-cffi" in message
