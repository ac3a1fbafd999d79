# SPDX-License-Identifier: MIT
"""Where programs are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyzram.external import find


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_sbin_is_searched_beside_bin_after_all_of_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's PATH for users, and for root after su, has no sbin."""
    below = program(tmp_path / "usr/sbin/mkswap")
    monkeypatch.setenv("PATH", f"{tmp_path}/usr/bin:{tmp_path}/bin")
    assert find("mkswap") == below
    wanted = program(tmp_path / "bin/mkswap")
    assert find("mkswap") == wanted


def test_nothing_is_searched_beside_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "sbin/mkswap")
    for path in (tmp_path / "programs", tmp_path / "cabin"):
        monkeypatch.setenv("PATH", str(path))
        assert find("mkswap") is None


def test_a_folder_and_a_file_that_does_not_run_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin/mkswap").mkdir(parents=True)
    found = program(tmp_path / "sbin/mkswap")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    assert find("mkswap") == found
    (tmp_path / "sbin/mkswap").chmod(0o644)
    assert find("mkswap") is None
