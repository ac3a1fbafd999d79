# SPDX-License-Identifier: MIT
"""Processes as people name them: children of this test, found in each way."""

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram.cli import pyzram as command
from pyzram.errors import ZramOSError
from pyzram.pages.process import selection
from pyzram.pages.process.process import Process

SLEEPER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"some worker", 0, 0, 0)
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
os.wait()
"""


@contextlib.contextmanager
def sleeper(name):
    """A process with this name, and a child with another; yields both numbers, ascending."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        yield sorted([process.pid, int(children.read_text())])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("name", ["zr-plain", "zr (odd) ) 1 S", "zr\x1cline"])
def test_a_name_finds_the_process_and_its_children(name):
    with sleeper(name) as pids:
        assert list(selection.by_name(name)) == pids
    assert selection.by_name(name) == {}


def test_a_program_whose_path_the_kernel_cannot_tell_is_not_called_so(monkeypatch):
    def readlink(path, dir_fd):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)

    monkeypatch.setattr(os, "readlink", readlink)
    with sleeper("x" * 15) as pids, Process(pids[0]) as process:
        assert not selection._is_called(process, "x" * 20)


def test_what_is_younger_than_its_child_is_not_its_parent():
    """It has the number of the earlier one, whose children must not be found with it."""
    rows = [selection.ProcessRow(7, 1, 50, True), selection.ProcessRow(8, 7, 60, False)]
    assert selection.with_children({row.pid: row for row in rows}) == {7: 50, 8: 60}
    rows[1] = rows[1]._replace(start_time=40)
    assert selection.with_children({row.pid: row for row in rows}) == {7: 50}


@pytest.mark.parametrize("kind", ["name", "user", "cgroup", "unit", "container"])
def test_an_empty_name_chooses_nothing(kind, capsys):
    assert command.main(["estimate", f"--{kind}", ""]) == 2
    assert capsys.readouterr().err == (
        f"pyzram estimate: {kind}: the name is empty (see pyzram estimate --help)\n"
    )


def test_a_user_is_found_by_name_and_number():
    import pwd

    with sleeper("zr-user") as pids:
        for user in (str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name):
            assert set(pids) <= set(selection.by_user(user))
        assert not set(pids) & set(selection.by_user("12345678"))
    with pytest.raises(ZramOSError, match="user nobody-at-all: look up"):
        selection.by_user("nobody-at-all")


@pytest.mark.parametrize(
    ("group", "choose", "words", "others"),
    [
        (
            "/system.slice/postgresql.service",
            "by_unit",
            ["postgresql", "postgresql.service"],
            ["ql"],
        ),
        ("/openrc.nginx", "by_unit", ["nginx"], ["openrc"]),
        ("/food.slice/food-hot.slice/a.service/b", "by_unit", ["a", "food.slice"], ["b"]),
        ("/user.slice/user-7.slice/user@7.service/app.slice/sshd.service", "by_unit", [], ["sshd"]),
        ("/theirs/app.slice/sshd.service", "by_unit", [], ["sshd"]),
        ("/a/b/c", "by_cgroup", ["/a/b/c", "a/b", "/a/"], ["/a/b/cc", "/a/b/c/d", "b"]),
        (
            f"/system.slice/docker-{'ab12' * 16}.scope",
            "by_container",
            ["ab12ab12ab12", "ab12" * 16],
            ["ab1", "12ab"],
        ),
        (f"/docker/{'cd34' * 16}", "by_container", ["cd34cd34cd34"], ["docker2"]),
        (f"/machine.slice/libpod-{'ef56' * 16}.scope/container", "by_container", ["ef56ef56"], []),
        ("/lxc.payload.web1/init.scope", "by_container", ["web1"], ["web"]),
        ("/machine.slice/machine-web2.scope", "by_container", ["web2"], ["web"]),
        (r"/machine.slice/machine-my\x2dbox.scope", "by_container", ["my-box"], ["my"]),
        (r"/machine.slice/machine-caf\xc3\xa9.scope", "by_container", ["café"], ["caf"]),
        ("/machine.slice/systemd-nspawn@web3.service/payload", "by_container", ["web3"], ["web"]),
        ("/system.slice/docker-registry.service", "by_unit", ["docker-registry"], []),
        ("/system.slice/docker-registry.service", "by_container", [], ["registry"]),
    ],
)
def test_cgroups_tell_units_and_containers(monkeypatch, group, choose, words, others):
    us, other = os.getpid(), os.getppid()
    monkeypatch.setattr(selection, "all_processes", lambda: [us, other])
    monkeypatch.setattr(os, "getpid", lambda: 0)

    def groups(process):
        return {group if process.pid == us else "/other", "/"}

    monkeypatch.setattr(selection, "cgroups", groups)
    found = getattr(selection, choose)
    assert [list(found(word)) for word in words] == [[us]] * len(words)
    assert [found(word) for word in others] == [{}] * len(others)


def test_the_command_names_what_was_chosen_not_every_number(capsys):
    with sleeper("zr-command"):
        words = ["estimate", "--name", "zr-command", "-a", "lz4", "--no-timing"]
        assert command.main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("zr-command: 2 processes: ")
    assert "RAM freed with lz4: " in said
    assert "some worker" in said
    assert command.main(["estimate", "--name", "zr-command"]) == 1
    assert "--name zr-command" in capsys.readouterr().err
