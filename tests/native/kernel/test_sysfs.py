# SPDX-License-Identifier: MIT
"""The C library's attribute functions, on ordinary files and pipes."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time

import pytest

from pyzram import _native
from pyzram._device import ffi, lib


def code_of(call, *args, **kwargs) -> int:
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return caught.value.errno


def test_an_attribute_is_read_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("lzo-rle [lzo] \n")
    assert _native.attr_read(str(path)) == "lzo-rle [lzo] \n"


def test_what_does_not_fit_is_an_overflow(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 4096)
    assert len(_native.attr_read(str(path))) == 4096
    path.write_bytes(b"x" * 4097)
    assert code_of(_native.attr_read, str(path)) == errno.EOVERFLOW


def test_names_are_relative_to_the_directory_descriptor(tmp_path):
    (tmp_path / "size").write_text("7\n")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert _native.attr_read("size", fd) == "7\n"
        assert code_of(_native.attr_read, "none", fd) == errno.ENOENT
    finally:
        os.close(fd)


def writes_so_far() -> int:
    try:
        with open("/proc/thread-self/io") as io:
            return int(io.read().split("syscw: ")[1].split()[0])
    except OSError as err:
        pytest.skip(f"this kernel does not count system calls: {err}")


def test_a_value_is_one_write(tmp_path):
    path = tmp_path / "attribute"
    path.touch()
    before = writes_so_far()
    _native.attr_write(str(path), "algo=zstd level=9 " * 200)
    assert writes_so_far() - before == 1
    assert path.read_text() == "algo=zstd level=9 " * 200


def test_a_write_of_nothing_is_refused(tmp_path):
    assert code_of(_native.attr_write, str(tmp_path / "a"), "") == errno.EINVAL
    assert not (tmp_path / "a").exists()


def test_more_than_a_page_is_refused_before_any_of_it_is_written(tmp_path):
    path = tmp_path / "a"
    path.write_text("")
    assert code_of(_native.attr_write, str(path), "x" * 4097) == errno.E2BIG
    assert path.read_text() == ""
    _native.attr_write(str(path), "x" * 4096)
    assert len(path.read_text()) == 4096


def test_only_ebusy_is_tried_again(tmp_path):
    start = time.monotonic()
    assert code_of(_native.attr_write, str(tmp_path / "none"), "1", retry_ms=5000) == errno.ENOENT
    assert time.monotonic() - start < 4


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("\n", []),
        ("       1        2 0 4\n", [1, 2, 0, 4]),
        ("18446744073709551615", [(1 << 64) - 1]),
        ("\t7\n8\n", [7, 8]),
    ],
)
def test_numbers(tmp_path, text, numbers):
    path = tmp_path / "stat"
    path.write_text(text)
    assert _native.NumberFile(str(path)).read() == numbers


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("18446744073709551616", errno.ERANGE),
        ("99999999999999999999999", errno.ERANGE),
        ("-1", errno.EINVAL),
        ("1x", errno.EINVAL),
        ("1\0", errno.EINVAL),
        ("none", errno.EINVAL),
    ],
)
def test_what_is_not_a_number(tmp_path, text, code):
    path = tmp_path / "stat"
    path.write_text(text)
    assert code_of(_native.NumberFile(str(path)).read) == code


def test_more_numbers_than_asked_for_are_passed_over(tmp_path):
    path = tmp_path / "stat"
    path.write_text(" ".join(map(str, range(100))))
    ret = ffi.new("uint64_t[]", 3)
    assert lib.pyzram_attr_read_numbers(-100, str(path).encode(), ret, 3) == 3
    assert list(ret) == [0, 1, 2]
    assert lib.pyzram_attr_read_numbers(-100, b"/nonexistent", ret, 3) == -errno.ENOENT


def test_an_attribute_is_read_straight_into_an_open_file(tmp_path):
    attribute = tmp_path / "hot_add"
    attribute.write_text("12\n")
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"boot 0 ".ljust(16))
        file.flush()
        assert _native.attr_read_into(str(attribute), file.fileno(), 7, 16) == 3
        file.seek(0)
        assert file.read() == b"boot 0 12\n      "


def test_an_attribute_that_cannot_be_read_leaves_the_file_as_it_is(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"0123456789abcdef")
        file.flush()

        def code(path, offset=0, size=16):
            return code_of(_native.attr_read_into, str(path), file.fileno(), offset, size)

        assert code(tmp_path / "none") == errno.ENOENT
        assert code(empty) == errno.EIO
        # What lies beyond the end of the file would be lost.
        assert code(tmp_path / "file", size=17) == errno.EINVAL
        assert code(tmp_path / "file", offset=16) == errno.EINVAL
        file.seek(0)
        assert file.read() == b"0123456789abcdef"


def test_a_number_file_reads_anew_each_time(tmp_path):
    path = tmp_path / "stat"
    path.write_text("1\n")
    file = _native.NumberFile(str(path))
    assert file.read() == [1]
    path.write_text("2\n")
    assert file.read() == [2]
    file.close()
    file.close()


def test_what_is_not_a_block_device(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert code_of(_native.blkdev_open, str(path)) == errno.ENOTBLK


def test_swap_calls_keep_their_errno(tmp_path):
    missing = str(tmp_path / "none")
    assert code_of(_native.swapon, missing) in (errno.ENOENT, errno.EPERM)
    assert code_of(_native.swapoff, missing) in (errno.ENOENT, errno.EPERM)
    assert lib.pyzram_swapon(missing.encode(), 40000, 0) == -errno.EINVAL
    assert lib.pyzram_swapon(missing.encode(), -2, 0) == -errno.EINVAL


def test_the_interpreter_runs_on_while_a_write_waits(tmp_path):
    # A full FIFO makes the write wait; other threads must not wait.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                os.write(write, b"x" * 65536)
            except BlockingIOError:
                break
        thread = threading.Thread(target=_native.attr_write, args=(str(fifo), "y"))
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        while thread.is_alive():
            try:
                os.read(read, 65536)
            except BlockingIOError:
                thread.join(0.01)
        thread.join()
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("again", [True, False])
def test_a_command_that_a_signal_ended_is_begun_again_only_where_that_is_wanted(tmp_path, again):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    ended = []

    def drain(*_given):
        ended.append(os.read(read, 65536))

    before = signal.signal(signal.SIGALRM, drain)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write, b"x" * 65536)
        # Repeated, because the first may come before the write waits.
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
        if again:
            _native.attr_write(str(fifo), "y")
        else:
            with pytest.raises(InterruptedError):
                _native.attr_write_once(str(fifo), "y")
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert ended
        left = b""
        with contextlib.suppress(BlockingIOError):
            while text := os.read(read, 65536):
                left += text
        assert left.endswith(b"y") == again
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(read)
        os.close(write)
