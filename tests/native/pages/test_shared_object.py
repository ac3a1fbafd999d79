# SPDX-License-Identifier: MIT
"""An object of shared memory is looked at before it is opened: what lies there may be another's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pyzram.pages.mappings import device_text
from pyzram.pages.shared_object import FileAt, SharedObject


def of(path: Path, place: Path) -> SharedObject:
    """The object at one path, said to be at another."""
    status = path.stat()
    shared = SharedObject((device_text(status.st_dev), status.st_ino), "object")
    shared.places.append(FileAt(str(place)))
    return shared


def test_what_took_the_place_of_a_file_is_not_opened(tmp_path: Path, monkeypatch) -> None:
    """A user leads the way to the file elsewhere; opening /dev/watchdog would start it."""
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder/file")
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: opened.append(a) or real(*a, **k))
    (tmp_path / "way").symlink_to("/dev")
    for place in (tmp_path / "folder/file", tmp_path / "way/null", tmp_path / "way/full"):
        with pytest.raises(OSError) as caught:
            of(tmp_path / "file", place).open()
        assert caught.value.errno == errno.ENOENT
    assert len(opened) == 3 and all(words[1] & os.O_PATH for words in opened)


def test_the_object_itself_is_opened_to_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    fd = of(path, path).open()
    try:
        assert os.read(fd, 10) == b"data"
    finally:
        os.close(fd)
    before = len(os.listdir("/proc/self/fd"))
    os.close(of(path, path).open())
    assert len(os.listdir("/proc/self/fd")) == before
