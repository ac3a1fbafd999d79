# SPDX-License-Identifier: MIT
"""An error is not absence: what exists but cannot be read is reported, wherever it is needed.

Even root cannot read a folder in place of a file, a file in place of a link, or a link to itself.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pyzram.cli import zram_stats
from pyzram.cli.import_config import gather
from pyzram.config.config import Config
from pyzram.config.device_config import DeviceConfig
from pyzram.device.backing_attach import backing_file
from pyzram.device.features import features
from pyzram.device.loop import is_behind
from pyzram.doctor.snapshot import take_snapshot
from pyzram.errors import ZramOSError
from pyzram.kernel import holder_words, holders
from pyzram.kernel.figure_reader import DeviceFigures, FigureReader
from pyzram.kernel.sysfs import (
    Sysfs,
    is_there,
    pass_over,
    read_if_there,
    resume_device,
    zswap_enabled,
)
from pyzram.pages.process import mappings, selection
from pyzram.pages.shared_memory import tmpfs
from pyzram.pages.shared_memory.system_v import segments
from pyzram.service import obstacles
from pyzram.service.observe import container, observe
from pyzram.service.registry import Registry


def put(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with one device."""
    for name, text in {
        "sys/class/zram-control/hot_add": "",
        "sys/block/zram3/disksize": "4096\n",
        "sys/block/zram3/dev": "252:3\n",
        "sys/block/zram3/diskseq": "7\n",
        "sys/block/zram3/stat": " ".join("0" * 17) + "\n",
        "sys/block/zram3/mm_stat": "0 0 0 0 0 0 0 0 0\n",
        "sys/block/zram3/io_stat": "0 0 0 0\n",
        "sys/block/zram3/comp_algorithm": "[lz4]\n",
        "proc/meminfo": "MemTotal: 1 kB\nMemAvailable: 1 kB\n",
        "proc/self/mountinfo": "",
        "proc/self/ns/mnt": "",
        "proc/8/ns/mnt": "",
        "proc/8/comm": "other\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
    }.items():
        put(tmp_path, name, text)
    for pid, space in (("self", 1), ("8", 2)):
        (tmp_path / f"proc/{pid}/ns/mnt").unlink()
        (tmp_path / f"proc/{pid}/ns/mnt").symlink_to(f"mnt:[{space}]")
    return tmp_path


def spoil(root: Path, path: str, kind: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_file():
        place.unlink()
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.touch()
    else:
        place.symlink_to(place.name)


Look = Callable[[Path], object]
# The reader, the place, what is there instead, and the answer if it is missing.
LOOKS: dict[str, tuple[Look, str, str, object]] = {
    "text": (lambda root: read_if_there(f"{root}/x"), "x", "folder", None),
    "path": (lambda root: is_there(f"{root}/x"), "x", "loop", False),
    "driver": (lambda root: Sysfs(str(root / "no")).has_driver(), "no/sys/class", "loop", False),
    "hot_add": (
        lambda root: features(sysfs=Sysfs(str(root))).hot_add,
        "sys/class/zram-control/hot_add",
        "loop",
        True,
    ),
    "drop-ins to import": (lambda root: len(gather([f"{root}/a"])), "a.d", "loop", 1),
    "zswap": (
        lambda root: zswap_enabled(Sysfs(str(root))),
        "sys/module/zswap/parameters/enabled",
        "folder",
        False,
    ),
    "resume": (lambda root: resume_device(Sysfs(str(root))), "sys/power/resume", "folder", None),
    "swaps": (lambda root: holders.swap_areas(Sysfs(str(root))), "proc/swaps", "folder", {}),
    "holders": (
        lambda root: holders.lasting(Sysfs(str(root)), "zram3"),
        "sys/block/zram3/holders",
        "loop",
        [],
    ),
    "btrfs": (
        lambda root: holders.lasting(Sysfs(str(root)), "zram3"),
        "sys/fs/btrfs/1234/devices/zram3/dev",
        "folder",
        [],
    ),
    "mounts of others": (
        lambda root: holder_words.mounted_elsewhere(Sysfs(str(root)), "zram3"),
        "proc/8/mountinfo",
        "folder",
        [],
    ),
    "who has it open": (
        lambda root: holder_words.openers(Sysfs(str(root)), "zram3"),
        "proc/7/fd",
        "loop",
        [],
    ),
    "segments of System V": (lambda root: segments(f"{root}/shm"), "shm", "folder", []),
    "loop": (
        lambda root: backing_file("loop5", sysfs=Sysfs(str(root))),
        "sys/block/loop5/loop/backing_file",
        "folder",
        None,
    ),
    "page-cluster": (
        lambda root: take_snapshot(sysfs=Sysfs(str(root))).page_cluster,
        "proc/sys/vm/page-cluster",
        "folder",
        None,
    ),
    "tend": (
        lambda root: take_snapshot(sysfs=Sysfs(str(root))).tended,
        "run/pyzram/tend/status.json",
        "loop",
        None,
    ),
    "config": (
        lambda root: take_snapshot(sysfs=Sysfs(str(root))).config,
        "etc/conf.d/zram",
        "folder",
        None,
    ),
    "container": (
        lambda root: container(Sysfs(str(root))),
        "run/systemd/container",
        "loop",
        "",
    ),
    "others": (
        lambda root: Registry(
            "/etc/conf.d/zram", directory=f"{root}/run", sysfs=Sysfs(str(root))
        ).read_elsewhere(),
        "run/services",
        "loop",
        {},
    ),
}


def test_a_namespace_is_seen_through_the_processes_that_stay(root: Path) -> None:
    (root / "proc/self/ns/mnt").unlink()
    (root / "proc/self/ns/mnt").symlink_to("mnt:[1]")
    for pid in range(1000, 1050):  # in any order that the folder lists them
        put(root, f"proc/{pid}/comm", "a program\n")
        (root / f"proc/{pid}/ns").mkdir()
        (root / f"proc/{pid}/ns/mnt").symlink_to("mnt:[2]")
    put(root, "proc/1025/mountinfo", "9 1 252:3 / /there rw - ext4 /dev/zram3 rw\n")
    assert holder_words.mounted_elsewhere(Sysfs(str(root)), "zram3") == [
        "mounted on /there in the mount namespace of a program[1025]"
    ]


def test_who_holds_a_device_is_looked_for_no_longer_than_that(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can have so many descriptors that it would take minutes, with our locks held."""
    times = iter(range(10**9))
    monkeypatch.setattr(holder_words.time, "monotonic", lambda: next(times) / 100)
    folder = root / "proc/8/fd"
    folder.mkdir(parents=True, exist_ok=True)
    for fd in range(1000):
        (folder / str(fd)).symlink_to("/dev/null")
    said = holder_words.describe(Sysfs(str(root)), "zram3")
    assert said.endswith("not all processes could be looked at within 2 s")
    assert next(times) < 400


def test_a_process_that_exits_lends_its_number_and_no_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "proc/8/mountinfo", "9 1 252:3 / /there rw - ext4 /dev/zram3 rw\n")
    parse = holder_words.parse_mountinfo

    def then_ends(text: str) -> object:
        shutil.rmtree(root / "proc/8")
        put(root, "proc/8/comm", "later\n")
        return parse(text)

    monkeypatch.setattr(holder_words, "parse_mountinfo", then_ends)
    assert holder_words.mounted_elsewhere(Sysfs(str(root)), "zram3") == []
    assert not (root / "proc/8/mountinfo").exists()


def test_a_process_that_exits_or_is_not_ours_is_passed_over() -> None:
    for code in (errno.ENOENT, errno.ESRCH, errno.EINVAL, errno.EACCES, errno.EPERM):
        pass_over(OSError(code, ""))
    for code in (errno.EIO, errno.ENOMEM, errno.EMFILE, errno.EINTR):
        with pytest.raises(OSError) as caught:
            pass_over(OSError(code, ""))
        assert caught.value.errno == code


@pytest.mark.parametrize("call", ["table", "tmpfs_mounts", "see"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESRCH])
def test_a_process_that_cannot_be_read_is_not_one_that_has_gone(
    monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def fails(*_words: object, **_more: object) -> str:
        raise OSError(code, os.strerror(code))

    look: dict[str, tuple[object, str, Callable[[], object], object]] = {
        "table": (selection, "Process", lambda: selection.table(bool), {}),
        "tmpfs_mounts": (tmpfs, "read_text", tmpfs.tmpfs_mounts, []),
        "see": (mappings, "read_text", lambda: mappings.MemoryDevices().see("/proc/self"), False),
    }
    module, name, ask, nothing = look[call]
    monkeypatch.setattr(module, name, fails)
    if code == errno.ESRCH:
        assert ask() == nothing
    else:
        with pytest.raises(OSError) as caught:
            ask()
        assert caught.value.errno == code


@pytest.mark.parametrize("what", LOOKS)
def test_what_cannot_be_read_is_reported(root: Path, what: str) -> None:
    look, path, kind, absent = LOOKS[what]
    assert look(root) == absent
    spoil(root, path, kind)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError) as caught:
        look(root)
    assert caught.value.errno in (errno.EISDIR, errno.ELOOP)
    assert os.listdir("/proc/self/fd") == before


def test_what_cannot_be_told_of_a_busy_device_hides_no_refusal(root: Path) -> None:
    put(root, "proc/swaps", "Filename Type Size Used Priority\n/dev/zram3 partition 4 0 5\n")
    assert holder_words.describe(Sysfs(str(root)), "zram3") == "active swap"
    spoil(root, "proc/8/mountinfo", "folder")
    said = holder_words.describe(Sysfs(str(root)), "zram3")
    assert said.startswith("active swap, cannot tell who else uses it: ")
    assert "process 8" in said
    assert said.endswith("Is a directory")


def test_a_drop_in_that_leads_nowhere_is_no_absent_configuration(root: Path) -> None:
    put(root, "etc/conf.d/zram", "ZRAM_SIZE_0=64M\n")
    (root / "etc/conf.d/zram.d").mkdir()
    (root / "etc/conf.d/zram.d/10-more.conf").symlink_to("nowhere")
    snapshot = take_snapshot(sysfs=Sysfs(str(root)))
    assert snapshot.config is None
    assert "10-more.conf" in (snapshot.config_error or "")


def test_a_resume_device_that_cannot_be_read(root: Path) -> None:
    put(root, "sys/power/resume", "252:3\n")
    assert resume_device(Sysfs(str(root))) is None
    spoil(root, "sys/dev/block/252:3", "file")
    with pytest.raises(ZramOSError) as caught:
        resume_device(Sysfs(str(root)))
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("path", "key", "absent"),
    [("proc/swaps", "swap_size", None), ("proc/self/mountinfo", "mount_points", [])],
)
def test_a_figure_that_cannot_be_told_is_a_trouble(
    root: Path,
    path: str,
    key: str,
    absent: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (root / path).unlink()
    figures = DeviceFigures(FigureReader(Sysfs(str(root))), 3)
    assert (figures[key], figures.troubles) == (absent, [])
    spoil(root, path, "folder")
    figures = DeviceFigures(FigureReader(Sysfs(str(root))), 3)
    assert (figures[key], figures.troubles) == (absent, [f"{path}: Is a directory"])
    monkeypatch.setenv("PYZRAM_ROOT", str(root))
    assert zram_stats.main(["--json"]) == 1
    said = capsys.readouterr()
    assert f"zram3: {path}: Is a directory" in said.err
    assert "4096" in said.out, "all the same"


def test_what_only_warnings_are_made_of_hinders_no_start(root: Path) -> None:
    spoil(root, "sys/module/zswap/parameters/enabled", "folder")
    spoil(root, "sys/power/resume", "folder")
    registry = Registry("/etc/conf.d/zram", directory=f"{root}/run", sysfs=Sysfs(str(root)))
    seen = observe(registry, None)
    assert (seen.zswap, seen.resume) == (False, "")


def test_only_what_can_be_mounted_needs_the_table_of_mounts(root: Path) -> None:
    """Some machines have hundreds of mounts, and a first start of swap has no use for them."""
    registry = Registry("/etc/conf.d/zram", directory=f"{root}/run", sysfs=Sysfs(str(root)))
    swap, mounted = (
        Config("/etc/conf.d/zram", [DeviceConfig(0, disksize=1 << 20, mount_point=point)])
        for point in (None, "/there")
    )
    put(root, "proc/self/mountinfo", "9 1 252:3 / /there rw - tmpfs tmpfs rw\n")
    put(root, "sys/block/zram3/disksize", "0\n")
    assert observe(registry, mounted).mounted == {"/there"}
    spoil(root, "proc/self/mountinfo", "folder")
    assert observe(registry, swap).mounted == set()
    with pytest.raises(ZramOSError, match="mountinfo: read") as caught:
        observe(registry, mounted)
    assert caught.value.errno == errno.EISDIR
    put(root, "sys/block/zram3/disksize", "4096\n")
    with pytest.raises(ZramOSError, match="mountinfo: read"):
        observe(registry, swap)


def test_a_file_system_is_taken_to_be_had_where_that_cannot_be_told(root: Path) -> None:
    put(root, "proc/filesystems", "\text4\n")
    sysfs = Sysfs(str(root))
    assert not obstacles._kernel_has("xfs", sysfs)
    spoil(root, f"lib/modules/{os.uname().release}/modules.alias", "folder")
    assert obstacles._kernel_has("xfs", sysfs)


def test_a_loop_device_that_does_not_say_what_is_behind_it(tmp_path: Path) -> None:
    file, node = tmp_path / "file", tmp_path / "node"
    file.touch()
    status = file.stat()
    assert not is_behind(str(node), str(file), status), "no such device any more"
    node.touch()  # which takes no ioctl of loop devices
    assert is_behind(str(node), str(file), status), "by its path then"
    assert not is_behind(str(node), str(tmp_path / "moved"), status), "removed since"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ZramOSError, match="look at the file behind it") as caught:
        is_behind(str(node), str(loop), status)
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda tree: holders.mounts(tree, "zram3"), id="mounts"),
        pytest.param(lambda tree: take_snapshot(sysfs=tree), id="snapshot"),
    ],
)
def test_a_table_that_every_kernel_has_is_not_taken_for_empty(
    root: Path, ask: Callable[[Sysfs], object]
) -> None:
    (root / "proc/self/mountinfo").unlink()
    with pytest.raises(ZramOSError) as caught:
        ask(Sysfs(root))
    assert caught.value.errno == errno.ENOENT
    assert "proc/self/mountinfo: read: " in str(caught.value)
