# SPDX-License-Identifier: MIT
"""Folders of tmpfs that somebody moves while they are searched for files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pyzram.errors import ZramOSError
from pyzram.pages.process.mappings import device_text
from pyzram.pages.shared_memory import descent, tmpfs


class _Sorted:
    """The entries of a folder, with the way at the end: it is entered first."""

    def __init__(self, entries) -> None:
        self._entries = entries

    def __enter__(self):
        return iter(sorted(self._entries, key=lambda entry: (entry.name == "way", entry.name)))

    def __exit__(self, *_error) -> None:
        self._entries.close()


@pytest.fixture
def top(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is searched as if it were all of a mount; others are beside it."""
    path = folder / "top"
    path.mkdir()
    mount = tmpfs.TmpfsMount(str(path), device_text(path.stat().st_dev), False)
    monkeypatch.setattr(tmpfs, "tmpfs_mounts", lambda *_at: [mount])
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda fd: _Sorted(scandir(fd)))
    return path


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"memory")


def tree(top: Path, depth: int) -> None:
    """A file at each depth, and two on either side of the way there."""
    for _ in range(depth):
        for name in ("before/file", "file", "z/file"):
            put(top / name)
        top /= "way"
    put(top / "end")


def search(top: Path, at: str, then: Callable[[], object]) -> tuple[list[str], int]:
    """The files found and the folders hidden, if something happens when one of them is met."""
    files, found = tmpfs.TmpfsFiles([]), []
    before = os.listdir("/proc/self/fd")
    for folder, name, _ in files:
        found.append(os.path.relpath(f"{folder}/{name}", top))
        if found[-1] == at:
            then()
    assert os.listdir("/proc/self/fd") == before
    return found, files.hidden


def all_below(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_folder_that_is_moved_hides_nothing_beside_it(depth, top, folder) -> None:
    """The one from which the search comes back, at the top or below; it has been searched."""
    tree(top, 3)
    everything = all_below(top)
    moved = top.joinpath(*["way"] * depth)
    found, hidden = search(top, "way/way/way/end", lambda: moved.rename(folder / "moved"))
    assert (set(found), len(found), hidden) == (everything, len(everything), 1)


@pytest.mark.parametrize("replaced", [False, True])
def test_only_what_is_left_in_moved_folders_is_hidden(replaced, top, folder) -> None:
    """The folder below is moved, too, so that no way leads back; or another takes its name."""
    tree(top, 3)
    everything = all_below(top)
    left = {"way/way/before/file", "way/way/z/file"}

    def move() -> None:
        (top / "way/way/way").rename(folder / "lower")
        (top / "way/way").rename(folder / "upper")
        if replaced:
            put(top / "way/way/new")

    found, hidden = search(top, "way/way/way/end", move)
    assert (set(found), len(found)) == (everything - left, len(everything - left))
    assert hidden == len(left)


@pytest.mark.parametrize("again", [0, 1])
def test_the_search_for_the_way_has_an_end(again: int, top, folder, monkeypatch) -> None:
    """Whoever moves folders all the time: what is in the mount's own folder is still found."""
    monkeypatch.setattr(descent, "AGAIN", again)
    tree(top, 3)
    everything = all_below(top)
    moved = top / "way/way/way"
    found, hidden = search(top, "way/way/way/end", lambda: moved.rename(folder / "moved"))
    left = {f"{way}/{name}/file" for way in ("way", "way/way")[again:] for name in ("before", "z")}
    assert (set(found), len(found)) == (everything - left, len(everything - left))
    assert hidden == len(left)


def test_a_way_back_that_is_closed_hides_nothing_beside_it(top, monkeypatch) -> None:
    """Whose owner makes a folder unsearchable meanwhile; as root, that changes nothing."""
    tree(top, 3)
    everything = all_below(top)
    fails = _up_fails(monkeypatch, errno.EACCES)
    found, hidden = search(top, "way/way/way/end", lambda: fails.append(1))
    assert (set(found), len(found), hidden) == (everything, len(everything), 1)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOMEM])
def test_what_is_wrong_here_is_no_folder_that_was_moved(code: int, top, monkeypatch) -> None:
    tree(top, 3)
    fails = _up_fails(monkeypatch, code)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ZramOSError, match="tmpfs: look for files") as raised:
        search(top, "way/way/way/end", lambda: fails.append(1))
    assert raised.value.errno == code
    assert os.listdir("/proc/self/fd") == before


def test_what_is_wrong_here_on_the_way_down_ends_the_search(top, folder, monkeypatch) -> None:
    tree(top, 3)
    real = os.open

    def move() -> None:
        (top / "way/way/way").rename(folder / "moved")
        monkeypatch.setattr(os, "open", opened)

    def opened(path, *flags, dir_fd=None):
        if path == "way":
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
        return real(path, *flags, dir_fd=dir_fd)

    before = os.listdir("/proc/self/fd")
    with pytest.raises(ZramOSError, match="tmpfs: look for files") as raised:
        search(top, "way/way/way/end", move)
    assert raised.value.errno == errno.ENFILE
    assert os.listdir("/proc/self/fd") == before


def _up_fails(monkeypatch: pytest.MonkeyPatch, code: int) -> list[int]:
    """Steps upwards fail: as many as there are in what is returned."""
    fails: list[int] = []
    real = os.open

    def opened(path, *flags, dir_fd=None):
        if path == ".." and fails:
            fails.pop()
            raise OSError(code, os.strerror(code))
        return real(path, *flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    return fails


def test_who_stops_early_keeps_nothing_open(top: Path, folder: Path) -> None:
    tree(top, 3)
    before = os.listdir("/proc/self/fd")
    for depth in range(1, 4):
        found = iter(tmpfs.TmpfsFiles([]))
        for folder, _, _ in found:
            if folder == str(top.joinpath(*["way"] * depth)):
                break
        found.close()
        assert os.listdir("/proc/self/fd") == before


def test_what_is_mounted_below_is_not_entered() -> None:
    """It is searched by itself, if at all; its inodes may have the numbers of those above."""
    way = descent.Descent("", os.open("/", descent.FOLDER))
    try:
        with pytest.raises(FileNotFoundError):
            way.down("proc")
        assert way.names == [""]
    finally:
        way.close()


def test_the_length_of_the_path_is_known_at_each_step(top: Path, folder: Path) -> None:
    tree(top, 3)
    way = descent.Descent(str(top), os.open(top, descent.FOLDER))
    lengths = []

    def note() -> None:
        lengths.append(way.length - len("/".join(way.names)))

    try:
        for name in ("way", "way", "way"):
            way.down(name)
            note()
        assert way.up()
        note()
        (top / "way").rename(folder / "upper")
        (folder / "upper/way").rename(folder / "lower")
        assert not way.up()
        note()
        assert (lengths, way.names) == ([1] * 5, [str(top)])
    finally:
        way.close()
