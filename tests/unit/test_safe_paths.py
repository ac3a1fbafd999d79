# SPDX-License-Identifier: MIT
"""Folders that are made on the path to what is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyzram.safe_paths import open_path, remove_made


def opened(path: Path) -> list:
    made: list = []
    open_path(str(path), os.O_PATH | os.O_DIRECTORY, made=made).close()
    return made


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_everybody_reaches_what_is_mounted_below_whatever_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        made = opened(tmp_path / "builds/tmp")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o7777 for name in ("builds", "builds/tmp")]
    assert modes == [0o755, 0o755]
    remove_made(made)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_somebody_else_makes_meanwhile_is_taken_and_not_ours(tmp_path, monkeypatch):
    def late(*args, **kwargs):
        mkdir(*args, **kwargs)
        raise FileExistsError

    mkdir = os.mkdir
    monkeypatch.setattr(os, "mkdir", late)
    assert opened(tmp_path / "tmp") == []
    assert (tmp_path / "tmp").is_dir()
