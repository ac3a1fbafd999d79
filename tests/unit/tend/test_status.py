# SPDX-License-Identifier: MIT
"""The daemon's word for others: there while it lives, and never trusted to be right."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from pyzram.tend.status import NAME, read_status, write_status


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
    "text", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": 1e40}', '{"pid": 99999999999999999999}']
)
def test_what_is_no_status_is_none(tmp_path, text):
    put(tmp_path, text)
    assert read_status(str(tmp_path)) is None


def test_what_may_not_be_read_is_not_taken_for_no_daemon(tmp_path, monkeypatch):
    def refuse(_path: str) -> str:
        raise PermissionError

    monkeypatch.setattr("pyzram.kernel.state_files.read_file", refuse)
    with pytest.raises(PermissionError):
        read_status(str(tmp_path))


def test_a_folder_that_takes_no_file_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("")
    write_status(str(tmp_path / "file"), {})
    assert read_status(str(tmp_path / "file")) is None
