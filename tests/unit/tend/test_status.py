# SPDX-License-Identifier: MIT
"""The daemon's status for others: there while it lives, and never blindly trusted."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest

from pyzram.cli import pyzram
from pyzram.errors import ZramOSError
from pyzram.tend_status import NAME, read_status, write_status


def put(run, text):
    (run / NAME).parent.mkdir()
    (run / NAME).write_text(text)
    (run / NAME).chmod(0o600)


def test_a_round_can_be_read_while_its_daemon_lives(tmp_path):
    run = tmp_path / "run/pyzram"
    write_status(str(run), {"mode": "calm", "reasons": []})
    found = read_status(str(run))
    assert found is not None
    assert (found["pid"], found["mode"], found["reasons"]) == (os.getpid(), "calm", [])
    assert abs(found["time"] - (run / NAME).stat().st_mtime) < 60
    assert (run / NAME).stat().st_mode & 0o777 == 0o600


def test_a_daemon_that_is_gone_says_nothing(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    put(tmp_path, json.dumps({"pid": gone.pid, "mode": "calm"}))
    assert read_status(str(tmp_path)) is None


@pytest.mark.parametrize("change", [{"pid": 1}, {"start_time": 1}, {"start_time": None}])
def test_another_process_with_its_number_is_no_daemon(tmp_path, change):
    write_status(str(tmp_path), {"mode": "tight"})
    told = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps({**told, **change}))
    assert read_status(str(tmp_path)) is None


def test_a_status_that_says_not_when_its_process_began_is_of_none(tmp_path):
    put(tmp_path, json.dumps({"pid": 1, "mode": "calm"}))
    assert read_status(str(tmp_path)) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": Infinity}', "[" * 100_000],
    ids=lambda text: text[:20],
)
def test_a_damaged_status_is_not_taken_for_no_daemon(tmp_path, text):
    put(tmp_path, text)
    with pytest.raises(ZramOSError) as caught:
        read_status(str(tmp_path))
    assert caught.value.errno == errno.EBADMSG
    assert str(tmp_path / NAME) in str(caught.value)


@pytest.mark.parametrize("pid", ["1e40", "99999999999999999999", "-1"])
def test_a_number_that_no_process_has_is_of_none(tmp_path, pid):
    put(tmp_path, f'{{"pid": {pid}}}')
    assert read_status(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "status.json: read the daemon's status"),
        (None, "not one of this version"),
    ],
)
def test_the_command_tells_a_damaged_status_in_one_line(tmp_path, monkeypatch, capsys, text, says):
    monkeypatch.setenv("PYZRAM_RUN", str(tmp_path))
    if text is None:
        write_status(str(tmp_path), {"mode": "calm", "pressure": "much"})
    else:
        put(tmp_path, text)
    assert pyzram.main(["tend", "--status"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert says in told.err


def test_what_may_not_be_read_is_not_taken_for_no_daemon(tmp_path, monkeypatch):
    def refuse(_path: str) -> str:
        raise PermissionError

    monkeypatch.setattr("pyzram.own_files.read_file", refuse)
    with pytest.raises(PermissionError):
        read_status(str(tmp_path))


def test_a_folder_that_takes_no_file_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("")
    write_status(str(tmp_path / "file"), {})
    assert read_status(str(tmp_path / "file")) is None
