# SPDX-License-Identifier: MIT
"""Reads that the kernel holds up, done by a child that is left behind, and by a thread."""

from __future__ import annotations

import errno
import os

import pytest

from pyzram.kernel.blocked_reads import ForkedReader, read_in_thread


def test_a_file_is_read_whole_and_errors_keep_their_errno(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 10000)
    reader = ForkedReader()
    try:
        assert reader.read(f"{tmp_path}/a", 5) == b"x" * 10000
        with pytest.raises(FileNotFoundError) as caught:
            reader.read(f"{tmp_path}/b", 5)
        assert caught.value.errno == errno.ENOENT
        assert reader.read(f"{tmp_path}/a", 5) == b"x" * 10000
    finally:
        reader.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(reader.pid, os.WNOHANG)


def test_what_comes_next_is_read_meanwhile_and_what_is_not_wanted_dropped(tmp_path):
    paths = [f"{tmp_path}/{name}" for name in "abcd"]
    for path in paths:
        with open(path, "w") as file:
            file.write(path * 500)
    reader = ForkedReader()
    try:
        assert reader.read(paths[0], 5, paths[1:]) == paths[0].encode() * 500
        assert reader.asked == paths[1:]
        assert reader.read(paths[2], 5) == paths[2].encode() * 500
        assert reader.asked == paths[3:]
        # No longer under way: another answer must not be taken for this one's.
        assert reader.read(paths[1], 5) == paths[1].encode() * 500
        assert reader.asked == []
        reader.read(paths[0], 5, paths[1:])
        reader.drop(5)
        os.truncate(paths[1], 0)
        assert reader.read(paths[1], 5) == b""
    finally:
        reader.close()


def test_more_than_a_pipe_takes_is_not_asked_for_at_once(tmp_path):
    paths = [f"{tmp_path}/{number}" for number in range(1000)]
    for path in paths:
        with open(path, "w") as file:
            file.write(path)
    reader = ForkedReader()
    try:
        for at, path in enumerate(paths):
            assert reader.read(path, 5, paths[at + 1 :]) == path.encode()
            assert sum(len(asked) + 1 for asked in reader.asked) <= 4096
    finally:
        reader.close()


def test_closing_does_not_wait_for_a_child_that_still_reads(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "held")
    reader = ForkedReader()

    def ctrl_c(_seconds: float) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(ForkedReader, "_receive", staticmethod(ctrl_c))
    with pytest.raises(KeyboardInterrupt):
        reader.read(f"{tmp_path}/held", 60)
    reader.close()  # would wait for ever: nobody writes to the pipe
    assert os.waitpid(reader.pid, 0)[1] == 9


def test_a_child_that_was_killed_is_no_answer_and_no_broken_pipe(tmp_path):
    reader = ForkedReader()
    os.kill(reader.pid, 9)
    os.waitid(os.P_PID, reader.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TimeoutError, match="ended"):
        reader.read(f"{tmp_path}/a", 5)
    assert reader.ended()


def test_a_thread_reads_in_time_or_is_left_behind(tmp_path):
    (tmp_path / "a").write_text("x")
    assert read_in_thread((tmp_path / "a").read_text, 60) == "x"
    with pytest.raises(FileNotFoundError):
        read_in_thread((tmp_path / "b").read_text, 60)
    os.mkfifo(tmp_path / "held")
    with pytest.raises(TimeoutError) as caught:
        read_in_thread((tmp_path / "held").read_text, 0.05)
    assert caught.value.errno == errno.ETIMEDOUT
    os.close(os.open(tmp_path / "held", os.O_RDWR | os.O_NONBLOCK))  # lets the thread go
