# SPDX-License-Identifier: MIT
"""Folders of our own state, in places where they cannot be made."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from pyzram.own_files import make_directory


def test_those_above_are_made_too(tmp_path):
    make_directory(str(tmp_path / "a/b/c"))
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["/proc/pyzram", "/proc/pyzram/deep/down"])
def test_a_folder_that_nobody_can_make_is_an_error_and_no_endless_attempt(path):
    with pytest.raises(OSError) as raised:
        make_directory(path)
    assert raised.value.errno in (errno.ENOENT, errno.EACCES, errno.EPERM)


def test_nor_is_one_below_a_folder_that_was_removed(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    for path in ("a", "a/b"):
        with pytest.raises(FileNotFoundError):
            make_directory(path)
    os.chdir("/")


def test_one_that_goes_again_meanwhile_is_an_error(tmp_path, monkeypatch):
    """Somebody removes it each time it is made."""
    real = os.mkdir

    def mkdir(path, mode=0o777):
        if path.endswith("b"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(FileNotFoundError):
        make_directory(str(tmp_path / "a/b"))
