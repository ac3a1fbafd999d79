# SPDX-License-Identifier: MIT
"""Folders that are made on the path to what is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyzram import own_files
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


def exchanged(tmp_path, monkeypatch):
    """A folder that nobody else may read, which takes the place of the one that is made."""
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (secret / "file").touch()

    def mkdir(path, *args, **kwargs):
        make(path, *args, **kwargs)
        (tmp_path / "tmp").rmdir()
        secret.rename(tmp_path / "tmp")

    make = os.mkdir
    monkeypatch.setattr(os, "mkdir", mkdir)
    return tmp_path / "tmp"


def test_a_folder_that_is_put_in_the_place_of_a_new_one_is_opened_to_nobody(tmp_path, monkeypatch):
    place = exchanged(tmp_path, monkeypatch)
    remove_made(opened(place))
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "file").exists()


def test_nor_is_one_in_the_place_of_our_own(tmp_path, monkeypatch):
    place = exchanged(tmp_path, monkeypatch)
    own_files.make_directory(str(place))
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_somebody_else_makes_meanwhile_is_taken_and_not_ours(tmp_path, monkeypatch):
    def late(*args, **kwargs):
        mkdir(*args, **kwargs)
        raise FileExistsError

    mkdir = os.mkdir
    monkeypatch.setattr(os, "mkdir", late)
    assert opened(tmp_path / "tmp") == []
    assert (tmp_path / "tmp").is_dir()
