# SPDX-License-Identifier: MIT
"""Files that are written where we were told to, in folders that somebody else owns."""

from __future__ import annotations

import errno
import json
import os
import resource
from pathlib import Path

import pytest

from pyzram import named_files
from pyzram.errors import AccessError, InvalidValueError, ZramOSError
from pyzram.named_files import write_textfile
from pyzram.safe_paths import open_still
from pyzram.tend import recording


def append(path: str, text: str) -> None:
    recording.append(path, {"text": text})


WRITERS = [write_textfile, append]


@pytest.fixture
def theirs(tmp_path: Path, nobody: int) -> Path:
    """A folder that somebody else owns, next to files that are not theirs."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, nobody, nobody)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/secret").write_text("as it was")
    return folder


def link(target: Path, at: Path) -> None:
    """A link that the owner of its folder has made."""
    at.symlink_to(target)
    owner = at.parent.stat()
    os.chown(at, owner.st_uid, owner.st_gid, follow_symlinks=False)


@pytest.mark.parametrize("write", WRITERS)
def test_a_link_of_somebody_elses_is_not_followed(theirs: Path, write) -> None:
    victim = theirs.parent / "victim"
    link(victim / "secret", theirs / "file.prom")
    link(victim / "new", theirs / "fresh.prom")
    link(victim, theirs / "folder")
    for name in ("file.prom", "fresh.prom", "folder/secret", "folder/new"):
        with pytest.raises((ZramOSError, InvalidValueError)) as caught:
            write(str(theirs / name), "written")
        text = str(caught.value)
        assert text.startswith(f"{theirs / name}: ")
        if write is append or "folder" in name:
            assert isinstance(caught.value, ZramOSError) and caught.value.errno == errno.ELOOP
            assert "not root's alone, and could be exchanged" in text
    assert os.listdir(victim) == ["secret"]
    assert (victim / "secret").read_text() == "as it was"
    assert sorted(os.listdir(theirs)) == ["file.prom", "folder", "fresh.prom"]


@pytest.mark.parametrize("write", WRITERS)
def test_a_link_of_root_s_is(theirs: Path, write) -> None:
    (theirs.parent / "mine.prom").symlink_to(theirs / "file.prom")
    write(str(theirs.parent / "mine.prom"), "written")
    assert "written" in (theirs / "file.prom").read_text()
    assert (theirs.parent / "mine.prom").is_symlink()


def test_nothing_is_added_to_a_file_that_has_another_name(theirs: Path) -> None:
    secret = theirs.parent / "victim/secret"
    os.link(secret, theirs / "trace")
    with pytest.raises(ZramOSError, match="it has other names too") as caught:
        append(str(theirs / "trace"), "more")
    assert caught.value.errno == errno.EMLINK
    assert secret.read_text() == "as it was"
    # In a folder that only root writes to, root has given it these names.
    secret.write_text('{"v":1,"pages":[]}\n')
    os.link(secret, theirs.parent / "trace")
    append(str(theirs.parent / "trace"), "more")
    assert "more" in secret.read_text()


@pytest.mark.parametrize(
    "text",
    [b"notes\n", b"notes", b"\x7fELF\x02\x01\0\n\0", b'{"v": 1}\n', b'[1, "pages"]\n', b"3\n"],
)
def test_nothing_is_added_to_what_is_not_a_recording(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)
    for lines in ([], [{"v": 1, "pages": []}]):
        with pytest.raises(InvalidValueError, match="no recording: its last line is something"):
            recording.append(str(tmp_path / "file"), *lines)
    assert (tmp_path / "file").read_bytes() == text


ROW = {"v": 1, "pages": [], "long": "x" * (recording.LONGEST // 2)}


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize(
    "torn",
    [b'{"', b'{"v":1,"devices":{}', b'{"v":1,"pag', b'{"v":1,"pag\n{"v":1,"pages', b'{"v":1,\n'],
)
def test_a_line_that_a_power_cut_tore_spoils_no_other(
    tmp_path: Path, rows: int, torn: bytes
) -> None:
    file = tmp_path / "file"
    recording.append(str(file))
    assert file.read_bytes() == b""
    recording.append(str(file), *[ROW] * rows)
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    for _ in range(2):
        recording.append(str(file), ROW)
    added = f"{json.dumps(ROW, separators=(',', ':'))}\n".encode()
    assert file.read_bytes() == whole + torn.removesuffix(b"\n") + b"\n" + 2 * added


@pytest.mark.parametrize("rows", [0, 1])
def test_a_line_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, rows: int) -> None:
    """As on a full disk, the kernel accepts the beginning and only then refuses."""
    file = tmp_path / "file"
    recording.append(str(file), *[ROW] * rows)
    whole = file.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + recording.LONGEST // 4, before[1]))
    try:
        with pytest.raises(ZramOSError, match="add a line") as caught:
            recording.append(str(file), ROW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert file.read_bytes() == whole
    recording.append(str(file), ROW)
    assert file.read_bytes().startswith(whole)


def test_a_textfile_takes_the_place_of_a_hard_link(theirs: Path) -> None:
    secret = theirs.parent / "victim/secret"
    os.link(secret, theirs / "file.prom")
    write_textfile(str(theirs / "file.prom"), "written")
    assert (theirs / "file.prom").read_text() == "written"
    assert secret.read_text() == "as it was"


@pytest.mark.parametrize("write", WRITERS)
def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path, write) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        for name in ("pipe", "folder"):
            with pytest.raises((InvalidValueError, ZramOSError)):
                write(str(tmp_path / name), "written")
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_what_killed_writers_have_left_goes_once_it_is_old(tmp_path: Path) -> None:
    left = [f".file.prom.{n:016x}.new" for n in range(3)]
    others = [".file.prom.mine.new", ".other.prom.0000000000000000.new", ".file.prom.new"]
    for name in [*left, *others]:
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / left[2])  # of one that may be writing now
    write_textfile(str(tmp_path / "file.prom"), "whole")
    assert sorted(os.listdir(tmp_path)) == sorted(["file.prom", left[2], *others])
    assert (tmp_path / "file.prom").read_text() == "whole"


def test_two_writers_of_the_same_number_do_not_mix(tmp_path: Path, monkeypatch) -> None:
    """As in two containers, one begins and ends while the other writes."""
    path = str(tmp_path / "file.prom")
    real, seen = os.rename, []

    def rename(*names: str, **folders: int) -> None:
        if not seen:
            seen.append(names)
            write_textfile(path, "the second's, whole")
            assert (tmp_path / "file.prom").read_text() == "the second's, whole"
        real(*names, **folders)

    monkeypatch.setattr(os, "rename", rename)
    write_textfile(path, "the first's")
    assert os.listdir(tmp_path) == ["file.prom"]
    assert (tmp_path / "file.prom").read_text() == "the first's"


def test_a_textfile_whose_rename_fails_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    old = tmp_path / "zram.prom"
    old.write_text("old\n")

    def refuse(*_: object, **_names: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(AccessError) as caught:
        write_textfile(str(old), "new\n")
    assert caught.value.errno == errno.EPERM
    assert (os.listdir(tmp_path), old.read_text()) == (["zram.prom"], "old\n")


def test_a_plot_is_no_way_either(tmp_path: Path) -> None:
    """Whatever opens a file for writing uses open_named, pages/plot/plot.py too."""
    plot = pytest.importorskip("pyzram.pages.plot.plot")
    assert plot.open_named is named_files.open_named


def test_a_device_is_not_opened_where_a_file_is_meant(tmp_path: Path, monkeypatch) -> None:
    """Opening /dev/watchdog would already start it."""
    flags = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: flags.append(a[1]) or real(*a, **k))
    (tmp_path / "zram.conf").symlink_to("/dev/full")
    os.mkfifo(tmp_path / "pipe")
    for name, code in (("zram.conf", errno.EINVAL), ("pipe", errno.EINVAL), (".", errno.EISDIR)):
        with pytest.raises(OSError) as caught:
            open_still(str(tmp_path / name), os.O_RDONLY)
        assert caught.value.errno == code
    assert all(one & os.O_PATH for one in flags)
    (tmp_path / "file").write_text("text")
    fd = open_still(str(tmp_path / "file"), os.O_RDONLY)
    assert os.read(fd, 10) == b"text"
    os.close(fd)


@pytest.mark.parametrize("form", ["/proc/self/fd/{}", "/dev/fd/{}", "link"])
def test_a_textfile_by_a_descriptor_is_refused(tmp_path, form):
    path = tmp_path / "output"
    with path.open("w") as file:
        name = form.format(file.fileno())
        if form == "link":
            name = str(tmp_path / "link")
            os.symlink(f"/proc/self/fd/{file.fileno()}", name)
        with pytest.raises(InvalidValueError, match="an open file"):
            write_textfile(name, "x 1\n")
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())


def test_without_a_umask_nobody_else_may_write(tmp_path):
    before = os.umask(0)
    try:
        named_files.open_named(str(tmp_path / "record"), "add a line", os.O_WRONLY).close()
    finally:
        os.umask(before)
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o644
