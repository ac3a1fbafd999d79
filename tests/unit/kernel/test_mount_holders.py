# SPDX-License-Identifier: MIT
"""Who keeps a mount busy, even if a process cannot be inspected."""

from __future__ import annotations

import os
import shutil

import pytest

from pyzram.kernel import mount_holders
from pyzram.kernel.parse import parse_mountinfo
from pyzram.kernel.sysfs import Sysfs

(MOUNT,) = parse_mountinfo("43 27 253:1 / /point rw,relatime - ext4 /dev/zram1 rw\n")
MAPPED = "7f0000000000-7f0000001000 r--p 00000000 fd:01 12   /point/lib.so\n"


def process(root, pid, comm, maps="", fd=""):
    folder = root / "proc" / str(pid)
    (folder / "fdinfo").mkdir(parents=True)
    (folder / "comm").write_text(f"{comm}\n")
    if fd:
        (folder / "fdinfo/3").write_text(f"pos:\t0\nflags:\t0100000\n{fd}")
    if maps is None:
        os.mkfifo(folder / "maps")
    else:
        (folder / "maps").write_text(maps)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "sys/block").mkdir(parents=True)
    process(tmp_path, 9, "shell", fd="mnt_id:\t43\n")
    process(tmp_path, 10, "other", fd="mnt_id:\t44\n")
    process(tmp_path, 100, "mapper", maps=MAPPED)
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/self/mountinfo").write_text("")
    return tmp_path


def users(root):
    return mount_holders.mount_holders(Sysfs(str(root)), MOUNT)


def test_users_are_named(root):
    assert users(root) == "in use by shell[9], in use by mapper[100]"


def test_those_that_cannot_be_looked_at_are_named_and_share_one_wait(root, monkeypatch):
    monkeypatch.setattr(mount_holders, "COMMAND_SECONDS", 0.2)
    process(root, 200, "stalled", maps=None)
    process(root, 300, "later", maps=MAPPED)
    process(root, 400, "user", fd="mnt_id:\t43\n")
    waits, real = [], mount_holders.read_in_thread
    monkeypatch.setattr(
        mount_holders, "read_in_thread", lambda *given: waits.append(given) or real(*given)
    )
    try:
        assert users(root) == (
            "in use by shell[9], in use by user[400], in use by mapper[100], "
            "process stalled[200] (cannot be looked at, nor 1 process after it)"
        )
        assert len(waits) == 1
        shutil.rmtree(root / "proc/300")
        assert users(root).endswith(", process stalled[200] (cannot be looked at)")
    finally:
        # Lets the threads go.
        os.close(os.open(root / "proc/200/maps", os.O_RDWR | os.O_NONBLOCK))


@pytest.mark.parametrize(
    ("pid", "file", "left"), [(9, "fdinfo/3", "mapper[100]"), (100, "maps", "shell[9]")]
)
def test_a_process_that_ends_lends_its_number_and_no_name(root, monkeypatch, pid, file, left):
    folder, opens = root / "proc" / str(pid), os.open
    shutil.rmtree(root / "proc/10")  # the first that has such a file is the one that ends

    def last_look(path, *given, **more):
        fd = opens(path, *given, **more)
        if str(path).endswith(file) and (folder / file).exists():
            shutil.rmtree(folder)
            process(root, pid, "later")
        return fd

    monkeypatch.setattr(os, "open", last_look)
    assert users(root) == f"in use by {left}"
    assert (folder / "comm").read_text() == "later\n"


def test_nobody_else_is_named_where_all_processes_are_known_to_use_it(root, monkeypatch):
    def no_thread(*_given):
        raise BlockingIOError

    monkeypatch.setattr(mount_holders, "read_in_thread", no_thread)
    assert users(root).endswith(", process 10 (cannot be looked at, nor 1 process after it)")
    for other in (10, 100):
        shutil.rmtree(root / "proc" / str(other))
    assert users(root) == "in use by shell[9]"
