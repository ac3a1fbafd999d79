# SPDX-License-Identifier: MIT
"""A pipe as a source: closed, in a child of a fork, and descriptors that cannot be read."""

from __future__ import annotations

import errno
import os

import pytest

import pyzram


@pytest.fixture
def pipe():
    """The read end of a pipe with three pages in it."""
    reader, writer = os.pipe()
    os.write(writer, b"abcdefgh" * 512 * 3)
    os.close(writer)
    yield reader
    os.close(reader)


def test_one_that_is_closed_is_not_read_and_its_descriptor_stays(pipe):
    with pyzram.open_stream(pipe) as stream:
        assert isinstance(stream, pyzram.Stream)
        assert stream.closed is False
        assert repr(stream) == "<Stream 'standard input', 0 pages read>"
    assert stream.closed is True
    assert repr(stream) == "<Stream 'standard input', closed>"
    with pytest.raises(pyzram.InvalidValueError, match="the stream is closed"):
        pyzram.estimate_pages(stream, "lz4", timing=False)
    with pyzram.open_stream(pipe) as again:
        assert pyzram.estimate_pages(again, "lz4", timing=False).pages == 3


def test_a_child_of_a_fork_does_not_take_what_its_parent_is_to_read(pipe):
    stream = pyzram.open_stream(pipe)
    pid = os.fork()
    if pid == 0:
        try:
            with pytest.raises(pyzram.InvalidValueError, match="stream is that of the process"):
                pyzram.estimate_pages(stream, "lz4", timing=False)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert pyzram.estimate_pages(stream, "lz4", timing=False).pages == 3


def test_a_descriptor_that_is_not_open_is_an_error_of_ours():
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    with pytest.raises(pyzram.ZramOSError, match="standard input: read") as caught:
        pyzram.open_stream(free)
    assert caught.value.errno == errno.EBADF


def test_one_that_is_closed_before_it_is_read_is_an_error_of_ours():
    reader, writer = os.pipe()
    stream = pyzram.open_stream(reader, "a pipe")
    os.close(reader)
    os.close(writer)
    with pytest.raises(pyzram.ZramOSError, match="a pipe: read") as caught:
        pyzram.estimate_pages(stream, "lz4", timing=False)
    assert caught.value.errno == errno.EBADF


def test_one_that_can_only_be_written_is_an_error_of_ours(tmp_path):
    reader, writer = os.pipe()
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"x" * 8192)
    try:
        for fd in (writer, file):
            with pytest.raises(pyzram.ZramOSError) as caught:
                pyzram.estimate_pages(pyzram.open_stream(fd), "lz4", timing=False)
            assert caught.value.errno == errno.EBADF
    finally:
        for fd in (reader, writer, file):
            os.close(fd)


def test_a_source_says_what_it_is_and_cannot_be_made_another(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(4096 * 2))
    with pyzram.open_files(path) as source:
        assert repr(source) == f"<Source {source.label!r}, 2 pages>"
        for name in ("closed", "page_size", "pages"):
            with pytest.raises(AttributeError):
                setattr(source, name, getattr(source, name))
    assert repr(source) == f"<Source {source.label!r}, closed>"


def test_a_service_says_of_which_file_it_is_and_keeps_to_it(tmp_path):
    service = pyzram.Service("/nowhere/zram", directory=str(tmp_path))
    assert repr(service) == "<Service /nowhere/zram>"
    for name in ("path", "sysfs"):
        with pytest.raises(AttributeError):
            setattr(service, name, getattr(service, name))
    with pytest.raises(AttributeError):
        pyzram.Plan().steps = []
