# SPDX-License-Identifier: MIT
"""No method leaves a descriptor behind, wherever in it a signal handler raises.

Until the process ends, such a descriptor would keep a device from being removed, a file system from
being unmounted, or a lock from being taken.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from pathlib import Path

import pytest
from native.device.test_identity import CALLS, acts, tree  # noqa: F401 - fixtures
from torn import Below, at_each_instruction

import pyzram
from pyzram import own_files
from pyzram.descriptor import Opened
from pyzram.named_files import write_textfile
from pyzram.safe_paths import open_path

PACKAGE = Below(os.path.dirname(pyzram.__file__))
# Reading a kernel's text holds nothing up, and most of what a command does is such reading.
KERNELS_TEXTS = ("/proc/", "/sys/")
LONG = ("stats", "writeback_pages", "writeback_ranges", "recompress_pages")
EVERY = 1 if os.environ.get("PYZRAM_TORN") else 11


class Torn(BaseException):
    """What a program's own handler raises."""


def handler(_number: int, _frame: object) -> None:
    raise Torn


def happens() -> None:
    signal.raise_signal(signal.SIGUSR1)


@pytest.fixture(autouse=True)
def own_handler():
    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


def descriptors() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the folder
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
    return {text for text in found if "/proc/" not in text}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_method_that_is_interrupted_leaves_nothing_open(tree, acts, name):  # noqa: F811
    before = descriptors()
    texts = tuple(f"{tree.root}{folder}" for folder in KERNELS_TEXTS)

    def call() -> None:
        with pyzram.Zram(1, sysfs=tree) as device:
            CALLS[name](device)

    def work() -> None:
        with contextlib.suppress(Torn, Exception):  # whatever it gives without a kernel behind it
            call()
        if descriptors() - before:
            gc.collect()  # an error that was torn while it was handled holds itself
        for text in descriptors() - before:
            fd, path = text.split(" ", 1)
            assert path.startswith(texts) and os.path.isfile(path), text
            assert not path.endswith("block_state"), text
            with contextlib.suppress(OSError):  # collected since
                os.close(int(fd))

    every = EVERY * (13 if EVERY > 1 and name in LONG else 1)
    assert at_each_instruction(work, PACKAGE, happens, every=every) > 10


def held(path: Path) -> None:
    with Opened(str(path), os.O_RDONLY) as fd:
        os.read(fd, 1)


def locked(path: Path) -> None:
    own_files.lock(f"{path}.lock", 0.0).close()


def walked(path: Path) -> None:
    open_path(str(path.parent / "link"), os.O_RDONLY).close()


def written(path: Path) -> None:
    for left in path.parent.glob(".*.new"):  # by those that were torn: each is examined
        left.unlink()
    write_textfile(f"{path}.prom", "text")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", [held, locked, walked, written])
def test_what_is_opened_is_owned_at_every_instruction(tmp_path: Path, what) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    (tmp_path / "link").symlink_to(path)
    before = descriptors()

    def work() -> None:
        with contextlib.suppress(Torn):
            what(path)
        assert descriptors() == before

    assert at_each_instruction(work, PACKAGE, happens) > 20


def test_it_would_be_seen(tmp_path: Path) -> None:
    """As it used to be: the number is lost between the call and the assignment."""

    def plain() -> None:
        fd = os.open(tmp_path, os.O_RDONLY)
        os.close(fd)

    before = descriptors()
    lost = set()

    def work() -> None:
        with contextlib.suppress(Torn):
            plain()
        for text in descriptors() - before:
            lost.add(text)
            os.close(int(text.split()[0]))

    at_each_instruction(work, {plain.__code__}, happens)
    assert lost


def test_a_child_of_a_fork_closes_nothing_of_its_parent_s(tmp_path: Path) -> None:
    file = Opened(str(tmp_path), os.O_RDONLY)
    number = file.fd
    pid = os.fork()
    if pid == 0:
        os.close(number)
        other = os.open("/dev/null", os.O_RDONLY)
        del file
        os._exit(
            0 if other == number and os.readlink(f"/proc/self/fd/{other}") == "/dev/null" else 1
        )
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    file.close()
    file.close()
    assert file.fd == -1
