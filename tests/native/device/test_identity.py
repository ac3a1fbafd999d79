# SPDX-License-Identifier: MIT
"""What a handle does if another device has its number, if it is closed, or in a forked child."""

from __future__ import annotations

import inspect
import os
import shutil
from pathlib import Path

import pytest

import pyzram
from pyzram.device import block_state, file_system, open_node, swap

FILES = {
    "disksize": "16777216\n",
    "initstate": "1\n",
    "dev": "252:1\n",
    "comp_algorithm": "lzo [lz4] zstd\n",
    "recomp_algorithm": "#1: lzo [zstd]\n",
    "backing_dev": "/dev/null\n",
    "mm_stat": "1 1 1 0 1 0 0 0 0\n",
    "io_stat": "0 0 0 0\n",
    "bd_stat": "0 0 0\n",
    "stat": " ".join("0" * 17) + "\n",
    "debug_stat": "version: 1\n 0 0\n",
    **dict.fromkeys(
        (
            "writeback_limit",
            "writeback_limit_enable",
            "writeback_batch_size",
            "compressed_writeback",
            "max_comp_streams",
        ),
        "1\n",
    ),
}
WRITTEN = ("reset", "idle", "writeback", "recompress", "compact", "mem_limit", "algorithm_params")

# The arguments for each method; a new method belongs here, unless it takes none or sets a number.
ARGUMENTS: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "configure": ((), {"disksize": "1M"}),
    "find_recomp_priority": ((), {}),
    "has": (("disksize",), {}),
    "mark_idle": ((), {}),
    "mkfs": ((), {}),
    "mkswap": ((), {}),
    "mount": (("/",), {}),
    "read": (("disksize",), {}),
    "read_numbers": (("mm_stat",), {}),
    "remove": ((), {"release": True}),
    "set_algorithm_params": ((), {"level": 1}),
    "set_backing_dev": (("/dev/null",), {}),
    "set_comp_algorithm": (("lz4",), {}),
    "set_compressed_writeback": ((True,), {}),
    "set_disksize": (("1M",), {}),
    "set_recomp_algorithm": (("lz4",), {}),
    "set_writeback_limit_enable": ((True,), {}),
    "write": (("mem_limit", 1), {}),
    "writeback": (("idle",), {}),
}
# Methods that neither ask about a device nor act on it.
HARMLESS = {"add", "close"}
METHODS = sorted(
    name
    for name, _ in inspect.getmembers(pyzram.Zram, inspect.isroutine)
    if not name.startswith("_") and name not in HARMLESS
)
FUNCTIONS = {
    "features": pyzram.features,
    "recompress_pages": pyzram.recompress_pages,
    "slots": lambda device: list(pyzram.slots(device)),
    "slots_within": lambda device: list(block_state.slots_within(device, [(0, 1)])),
    "writeback_pages": lambda device: pyzram.writeback_pages(device, "idle"),
    "writeback_ranges": lambda device: pyzram.writeback_ranges(device, [(0, 1)]),
}


def fill(folder: Path, diskseq: int) -> None:
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in WRITTEN:
        (folder / name).write_text("")
    (folder / "diskseq").write_text(f"{diskseq}\n")


@pytest.fixture
def tree(tmp_path):
    """A tree where zram1 is swap, mounted and tracked: everything that is found by its name."""
    root = tmp_path / "tree"
    fill(root / "sys/block/zram1", 5)
    for folder in ("sys/class/zram-control", "proc/self/ns", "dev"):
        (root / folder).mkdir(parents=True)
    (root / "sys/class/zram-control/hot_remove").write_text("")
    (root / "dev/zram1").write_text("")
    (root / "proc/swaps").write_text(
        "Filename Type Size Used Priority\n/dev/zram1 partition 1000 5 3\n"
    )
    (root / "proc/self/mountinfo").write_text("30 20 252:1 / /theirs rw - ext4 /dev/zram1 rw\n")
    debug = root / "sys/kernel/debug"
    (debug / "zram/zram1").mkdir(parents=True)
    (debug / "zram/zram1/block_state").write_text("           0           1.000000 .....\n")
    (debug / "zsmalloc/zram1").mkdir(parents=True)
    (debug / "zsmalloc/zram1/classes").write_text(" class  size\n 0 32\n")
    return pyzram.Sysfs(str(root))


@pytest.fixture
def acts(monkeypatch):
    """The calls that reached the system; there must be none."""
    done: list[str] = []
    for module, name in (
        (file_system, "unmount"),
        (file_system, "run_mount"),
        (open_node, "run_program"),
    ):
        monkeypatch.setattr(module, name, lambda *_a, _name=name, **_k: done.append(_name))
    for name in ("swapon", "swapoff"):
        monkeypatch.setattr(swap._native, name, lambda *_a, _name=name: done.append(_name))
    return done


def method(name: str):
    args, kwargs = ARGUMENTS.get(name, ((1,) if name.startswith("set_") else (), {}))
    return lambda device: getattr(device, name)(*args, **kwargs)


CALLS = {**{name: method(name) for name in METHODS}, **FUNCTIONS}


def written(tree) -> dict[str, str]:
    folders = ("sys/block/zram1", "sys/class/zram-control")
    return {
        str(path): path.read_text()
        for folder in folders
        for path in Path(tree.path(folder)).iterdir()
    }


@pytest.mark.parametrize("name", CALLS)
def test_another_device_with_the_number_is_neither_asked_nor_touched(tree, acts, name):
    with pyzram.Zram(1, sysfs=tree) as device:
        shutil.rmtree(device.path)
        fill(Path(device.path), 99)
        before = written(tree)
        if name == "removed":
            assert device.removed() is True
            return
        with pytest.raises(pyzram.DeviceNotFoundError, match=r"^zram1: ") as caught:
            CALLS[name](device)
        assert caught.value.errno in pyzram.errors.NO_DEVICE
        assert not acts
        assert written(tree) == before


@pytest.mark.parametrize("name", CALLS)
def test_a_closed_handle_says_so_whatever_is_asked(tree, acts, name):
    device = pyzram.Zram(1, sysfs=tree)
    device.close()
    before = written(tree)
    with pytest.raises(pyzram.InvalidValueError, match="zram1: the handle is closed"):
        CALLS[name](device)
    assert not acts
    assert written(tree) == before


@pytest.mark.parametrize("name", CALLS)
def test_a_child_of_a_fork_is_refused_whatever_it_asks(tree, acts, name):
    with pyzram.Zram(1, sysfs=tree) as device:
        before = written(tree)
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(pyzram.InvalidValueError, match="before fork: open 'zram1'"):
                    CALLS[name](device)
                os._exit(1 if acts else 0)
            except BaseException:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert written(tree) == before


@pytest.mark.parametrize("wrong", ["number", "sysfs", "name", "node", "path", "closed"])
def test_what_a_handle_is_of_cannot_be_changed(tree, wrong):
    with pyzram.Zram(1, sysfs=tree) as device:
        before = getattr(device, wrong)
        with pytest.raises(AttributeError):
            setattr(device, wrong, before)
        assert getattr(device, wrong) is before or getattr(device, wrong) == before


@pytest.mark.parametrize("wrong", ["", ".", "..", "../zram0/disksize", "/proc/swaps", "a\0b", None])
def test_an_attribute_is_a_name_and_no_path(tree, wrong):
    fill(Path(tree.path("sys/block/zram0")), 4)
    with pyzram.Zram(1, sysfs=tree) as device:
        for call in (device.has, device.read, device.read_numbers):
            with pytest.raises(pyzram.InvalidValueError, match=r"zram1: attribute .*: not a name"):
                call(wrong)
        with pytest.raises(pyzram.InvalidValueError, match=r"zram1: attribute .*: not a name"):
            device.write(wrong, 5)
    assert Path(tree.path("sys/block/zram0/disksize")).read_text() == FILES["disksize"]
