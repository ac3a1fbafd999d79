# SPDX-License-Identifier: MIT
"""The record of our devices when it, or the kernel, is not as it should be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from fake_roots import unreadable

from pyzram import _native
from pyzram.cli.pyzram import main
from pyzram.config.device_config import DeviceConfig
from pyzram.errors import AccessError, UnsupportedError, ZramError, ZramOSError
from pyzram.kernel.sysfs import Sysfs
from pyzram.service.registry import Registry


@pytest.fixture
def state(tmp_path: Path) -> Registry:
    """A machine on which the next device is zram7."""
    for directory in ("sys/class/zram-control", "sys/block/zram7", "run"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "sys/class/zram-control/hot_add").write_text("7\n")
    (tmp_path / "sys/block/zram7/diskseq").write_text("70\n")
    (tmp_path / "sys/block/zram7/disksize").write_text("0\n")
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("this-boot\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/zram7").touch()
    return Registry("/zram", directory=str(tmp_path / "run"), sysfs=Sysfs(str(tmp_path)))


def test_a_device_that_is_added_is_recorded(state: Registry) -> None:
    with state:
        assert state.add_device(0, DeviceConfig(0, 4096)).number == 7
    state.load()
    assert [registered.number for registered in state.devices] == [7]
    assert state.devices[0].settings == DeviceConfig(0, 4096), "known before it is configured"
    assert not os.path.exists(state.adding), "the number may be another's tomorrow"


def test_what_hot_add_says_is_not_hidden(state: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOMEM, "")

    monkeypatch.setattr("pyzram._native.attr_read_into", refuse)
    with state, pytest.raises(ZramOSError) as caught:
        state.add_device(0, DeviceConfig(0, 4096))
    assert caught.value.errno == errno.ENOMEM


@pytest.mark.parametrize(
    "line", ["device 0", "device 0 7 70", "device x 7 70 ready", "device 0 7 70 read", "junk", ""]
)
def test_a_damaged_record_is_refused_and_says_so(state: Registry, line: str) -> None:
    put(state.path, f"boot this-boot\n{line}\n")
    with pytest.raises(ZramError, match="it is damaged"):
        state.load()


def put(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file of ours as somebody else might."""
    Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    Path(path).write_text(text)
    Path(path).chmod(mode)


@pytest.mark.parametrize(
    "text", ["", "0", "this-boot 0 ", "this-boot x 7", "0 7 7", "this-boot 0 \u00b2", "\0\0"]
)
def test_an_addition_that_says_nothing_is_none(state: Registry, text: str) -> None:
    put(state.adding, text)
    state.load()
    assert state.devices == []


@pytest.mark.parametrize(
    ("text", "born", "ours"),
    [
        ("this-boot 0 7", 0, True),
        ("this-boot 0 7 70", 3600, True),
        ("another-boot 0 7", 0, False),
        ("another-boot 0 7 70", 0, False),
        ("this-boot 0 7 69", 0, False),
        ("this-boot 0 7", 3600, False),
        ("this-boot 0 7", -3600, False),
        ("this-boot 0 8", 0, False),
    ],
)
def test_a_device_that_was_being_added_is_known_by_more_than_its_number(
    state: Registry, tmp_path: Path, text: str, born: int, ours: bool
) -> None:
    put(state.adding, text)
    now = os.stat(state.adding).st_mtime
    os.utime(tmp_path / "dev/zram7", (now + born, now + born))
    state.load()
    assert [registered.number for registered in state.devices] == ([7] if ours else [])


@pytest.mark.parametrize(
    "names",
    [
        ("/etc/conf.d/zram", "/etc/conf.d/zram.new", "/etc/conf.d/zram.adding"),
        ("/services", "/lock", "/locks/service"),
        ("/a/b", "/a!b", "/a%21b", "/a%2521b"),
    ],
)
def test_no_configuration_shares_a_file_with_another(tmp_path: Path, names: tuple[str]) -> None:
    made = [Registry(name, directory=str(tmp_path)) for name in names]
    files = [path for registry in made for path in (registry.path, registry.adding)]
    files.append(f"{tmp_path}/locks/service")
    assert len(set(files)) == 2 * len(names) + 1
    sysfs = Sysfs(str(tmp_path / "none"))
    for registry in made:
        put(registry.path, "")
    for _ in made:
        others = Registry("/other", directory=str(tmp_path), sysfs=sysfs)
        assert others.read_elsewhere() == {}
    assert {entry.name for entry in (tmp_path / "services").iterdir()} == {
        os.path.basename(registry.path) for registry in made
    }


@pytest.mark.parametrize("mask", [0, 0o077])
def test_what_we_keep_is_ours_alone_whatever_the_umask(state: Registry, mask: int) -> None:
    before = os.umask(mask)
    try:
        with state:
            state.add_device(0, DeviceConfig(0, 4096, label="two\nlines %0a"))
    finally:
        os.umask(before)
    for path in Path(state.directory).rglob("*"):
        wanted = 0o755 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o7777 == wanted, path
    state.load()
    assert state.devices[0].settings == DeviceConfig(0, 4096, label="two\nlines %0a")


@pytest.mark.parametrize("what", ["mode", "link", "fifo", "folder", "folder's link", "begun"])
def test_a_record_that_others_could_have_written_is_not_believed(
    state: Registry, what: str
) -> None:
    with state:
        state.add_device(0, DeviceConfig(0, 4096))
    path = Path(state.path)
    if what == "mode":
        path.chmod(0o622)
    elif what == "folder":
        path.parent.chmod(0o777)
    elif what == "folder's link":
        moved = path.parent.rename(path.parent.with_suffix(".moved"))
        path.parent.symlink_to(moved)
    elif what == "begun":
        path = Path(state.adding)
        path.parent.chmod(0o777)
    else:
        path.rename(path.with_suffix(".moved"))
        if what == "link":
            path.symlink_to(path.with_suffix(".moved"))
        else:
            os.mkfifo(path)
    with pytest.raises(ZramError) as caught:
        state.load()
    assert str(path if what in ("mode", "link", "fifo") else path.parent) in str(caught.value)


def test_who_could_put_another_folder_in_the_place_of_the_records_is_told_of(
    state: Registry,
) -> None:
    """With the records gone, nothing would be ours, and stop would have nothing to do."""
    with state:
        state.add_device(0, DeviceConfig(0, 4096))
    Path(state.directory).chmod(0o1777)  # as /tmp, where nobody can
    with state:
        assert len(state.devices) == 1
    Path(state.directory).chmod(0o777)
    with pytest.raises(AccessError, match=f"{state.directory}: can be written by others"), state:
        pass


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOMEM, errno.EACCES])
@pytest.mark.parametrize("path", ["boot_id", "diskseq"])
def test_what_cannot_be_read_is_not_gone(
    state: Registry, monkeypatch: pytest.MonkeyPatch, code: int, path: str
) -> None:
    with state:
        state.add_device(0, DeviceConfig(0, 4096))
    unreadable(monkeypatch, code, path)
    with pytest.raises(ZramOSError) as caught:
        state.load()
    assert caught.value.errno == code
    monkeypatch.undo()
    state.load()
    assert [registered.number for registered in state.devices] == [7]


def test_a_kernel_that_does_not_number_its_devices_is_refused(state: Registry) -> None:
    """Before 5.15 there is no diskseq, and by number alone another's device could pass for ours."""
    with state:
        state.add_device(0, DeviceConfig(0, 4096))
    (Path(state.sysfs.block("zram7")) / "diskseq").unlink()
    with pytest.raises(UnsupportedError, match="this kernel has no diskseq") as caught:
        state.load()
    assert caught.value.errno == errno.ENOENT


def test_a_kernel_that_does_not_number_its_devices_is_not_asked_for_one(
    state: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could show afterwards that the new one is ours, so it would stay."""
    block = Path(state.sysfs.block("zram7"))
    (block / "diskseq").unlink()
    block.rename(block.with_name("sda"))
    asked = []
    ask = _native.attr_read_into
    monkeypatch.setattr(
        "pyzram._native.attr_read_into", lambda *given: asked.append(given) or ask(*given)
    )
    with state, pytest.raises(UnsupportedError, match="add a zram device: this kernel has no disk"):
        state.add_device(0, DeviceConfig(0, 4096))
    assert asked == []
    state.load()
    assert state.devices == []
    (block.with_name("sda") / "diskseq").write_text("3\n")
    block.mkdir()
    (block / "diskseq").write_text("70\n")
    with state:
        state.add_device(0, DeviceConfig(0, 4096))
    assert len(asked) == 1


@pytest.mark.parametrize("word", ["check", "plan", "status", "start", "stop"])
def test_a_path_that_no_record_can_be_named_after_is_refused_first(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ("d" * 120) / ("e" * 120)
    folder.mkdir(parents=True)
    conf = folder / "zram"
    conf.write_text("ZRAM_SIZE_0=16M\n")
    assert main(["--config", str(conf), word]) == 1
    said = capsys.readouterr().err
    assert "its record would need a longer name than 255 bytes; use a shorter path" in said
    assert said.count("\n") == 1
