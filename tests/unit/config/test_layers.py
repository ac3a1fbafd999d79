# SPDX-License-Identifier: MIT
"""Root does what the configuration says, so nobody else may have written it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram import AccessError, ZramError, descriptor
from pyzram.config import layers
from pyzram.config.layers import read_layers


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    file = tmp_path / "zram"
    file.write_text("ZRAM_SIZE_0=1G\n")
    file.chmod(0o644)
    folder = tmp_path / "zram.d"
    folder.mkdir(mode=0o755)
    (folder / "a.conf").write_text("ZRAM_SIZE_0=2G\n")
    (folder / "a.conf").chmod(0o644)
    return file


def names(conf: Path) -> list[str]:
    return [os.path.relpath(name, conf.parent) for name, _text in read_layers(str(conf))[0]]


def test_a_file_and_its_drop_ins_in_order_of_name(conf):
    drop_ins = conf.with_name("zram.d")
    (drop_ins / "10.conf").write_text("")
    for left_out in (".b.conf", "c", "d.conf~"):
        (drop_ins / left_out).write_text("ZRAM_SIZE_0=9G\n")
    (drop_ins / "z.conf").symlink_to("/dev/null")
    assert names(conf) == ["zram", "zram.d/10.conf", "zram.d/a.conf", "zram.d/z.conf"]


def test_a_named_file_that_is_not_there(tmp_path):
    with pytest.raises(ZramError, match=r"/zram: read the configuration: No such file") as raised:
        read_layers(str(tmp_path / "zram"))
    assert raised.value.errno == errno.ENOENT


def test_a_drop_in_that_leads_nowhere_is_an_error(conf):
    (conf.parent / "zram.d" / "b.conf").symlink_to("nowhere")
    with pytest.raises(ZramError, match=r"/b\.conf: read the configuration: No such file"):
        read_layers(str(conf))


@pytest.mark.parametrize("which", ["zram", "zram.d", "zram.d/a.conf"])
@pytest.mark.parametrize("change", ["owner", "others", "group"])
def test_what_another_user_could_have_written_is_refused(conf, nobody, which, change):
    path = conf.parent / which
    if change == "owner":
        os.chown(path, nobody, nobody)
    elif change == "others":
        path.chmod(path.stat().st_mode | 0o002)
    else:
        os.chown(path, 0, nobody)
        path.chmod(path.stat().st_mode | 0o020)
    why = "belongs to user 65534" if change == "owner" else r"can be written by others \(mode [67]"
    with pytest.raises(AccessError, match=f"^{path}: {why}.*chown root") as raised:
        read_layers(str(conf))
    assert raised.value.errno == errno.EPERM


def test_a_link_into_anothers_folder_is_judged_by_the_file(conf, nobody, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("ZRAM_SIZE_0=9G\n")
    os.chown(theirs, nobody, nobody)
    (tmp_path / "zram.d" / "b.conf").symlink_to(theirs)
    with pytest.raises(AccessError, match=r"b\.conf: belongs to user 65534"):
        read_layers(str(conf))


def test_absence_is_the_files_and_not_proc_s(conf, monkeypatch):
    """An existing file is opened through /proc, which a chroot may lack."""
    monkeypatch.setattr(layers, "DEFAULT_PATH", str(conf))
    monkeypatch.setattr(layers, "VENDOR_PATH", str(conf.with_name("vendor")))
    conf.with_name("vendor.d").mkdir()
    conf.with_name("vendor.d").joinpath("gone.conf").symlink_to("nowhere")
    assert names(conf) == ["zram", "zram.d/a.conf"]
    monkeypatch.setattr(descriptor, "fd_path", lambda fd: f"/nowhere/{fd}")
    for name in ("zram.d/a.conf", "zram"):
        with pytest.raises(ZramError, match=r"^/proc is not mounted.*mount -t proc proc /proc"):
            read_layers(str(conf))
        conf.with_name("zram").parent.joinpath(name).unlink()
    assert read_layers(str(conf)) == ([], True)


@pytest.mark.parametrize("step", ["listdir", "read_text"])
def test_a_folder_that_cannot_be_read_is_named(conf, nobody, monkeypatch, step):
    def fails(*_arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    os.chown(conf.with_name("zram.d"), nobody if step == "read_text" else 0, 0)
    monkeypatch.setattr(layers.os if step == "listdir" else layers, step, fails)
    with pytest.raises(ZramError, match=r"zram\.d: read the drop-ins: Input/output error"):
        read_layers(str(conf))


def test_without_root_files_are_read_whoever_owns_them(conf, monkeypatch):
    """They do nothing on the strength of it; a umask of 002 is common."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    conf.chmod(0o666)
    assert names(conf) == ["zram", "zram.d/a.conf"]


def test_in_a_user_name_space_the_hosts_files_count(conf, nobody):
    """There the host's users have no numbers, and root has no devices."""
    os.chown(conf, nobody, nobody)
    program = f"""
from pyzram.config import layers
from pyzram.config.layers import read_layers
assert len(read_layers({str(conf)!r})[0]) == 2
"""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-Ic", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip(f"no user name space: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_not_a_file_is_not_opened(conf, kind, tmp_path, monkeypatch):
    """Opening a device can already act: a watchdog starts, a tape is rewound."""
    drop_in = tmp_path / "zram.d" / "b.conf"
    if kind == "pipe":
        os.mkfifo(drop_in)
    elif kind == "socket":
        monkeypatch.chdir(drop_in.parent)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(drop_in.name)
    elif kind == "device":
        drop_in.symlink_to("/dev/full")
    else:
        drop_in.mkdir()
    really = os.open
    flags_of: list[int] = []

    def watched(path, flags, *rest, **keywords):
        if os.fspath(path).endswith("b.conf"):
            flags_of.append(flags)
        return really(path, flags, *rest, **keywords)

    monkeypatch.setattr(os, "open", watched)
    with pytest.raises(ZramError, match=r"/b\.conf: read the configuration") as raised:
        read_layers(str(conf))
    assert raised.value.errno == (errno.EISDIR if kind == "folder" else errno.EINVAL)
    assert flags_of and all(flags & os.O_PATH for flags in flags_of)
