# SPDX-License-Identifier: MIT
"""One device that cannot be set up does not affect the others, and check and plan say so before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel.box import SMALL, Box, programs, swaps
from kernel.conftest import OwnDevice

GOOD = "NUM_DEVICES=3\nZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\nZRAM_SIZE_2=64M\nZRAM_PRIORITY_2=1\n"


def path_without(box: Box, *names: str) -> str:
    """A PATH with all programs but these."""
    folder = box.directory / "programs"
    folder.mkdir()
    for place in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in os.listdir(place):
            if program not in names and not (folder / program).exists():
                (folder / program).symlink_to(f"{place}/{program}")
    return str(folder)


def no_mkfs(box: Box) -> tuple[str, str, dict[str, str]]:
    (box.directory / "at").mkdir()
    text = f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.directory}/at\n"
    return (
        text,
        "mkfs.ext4 is missing (install e2fsprogs)",
        {"PATH": path_without(box, "mkfs.ext4")},
    )


def no_file_system(box: Box) -> tuple[str, str, dict[str, str]]:
    (box.directory / "at").mkdir()
    text = f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.directory}/at\nZRAM_FSTYPE_1=nosuch\n"
    return text, "mkfs.nosuch is missing (install its programs)", {}


def no_folder(box: Box) -> tuple[str, str, dict[str, str]]:
    (box.directory / "file").touch()
    text = f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.directory}/file/none\n"
    return text, "file/none: Not a directory", {}


def no_algorithm(_box: Box) -> tuple[str, str, dict[str, str]]:
    text = "ZRAM_SIZE_1=64M\nZRAM_ALGORITHM_1=nosuch\n"
    return text, "this kernel has no algorithm nosuch (it has: ", {}


def no_backing(box: Box) -> tuple[str, str, dict[str, str]]:
    text = f"ZRAM_SIZE_1=64M\nZRAM_BACKING_DEV_1={box.directory}/none\n"
    return text, "No such file or directory", {}


def data_on_backing(box: Box) -> tuple[str, str, dict[str, str]]:
    image = box.directory / "image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext2", "-q", str(image)], check=True)
    return f"ZRAM_SIZE_1=64M\nZRAM_BACKING_DEV_1={image}\n", "holds ext2", {}


def no_dictionary(box: Box) -> tuple[str, str, dict[str, str]]:
    text = f"ZRAM_SIZE_1=64M\nZRAM_ALGORITHM_1='zstd(dict={box.directory}/none)'\n"
    return text, f"dictionary {box.directory}/none: No such file or directory", {}


@pytest.mark.parametrize(
    "bad",
    [
        no_mkfs,
        no_folder,
        no_algorithm,
        no_backing,
        pytest.param(no_file_system, marks=pytest.mark.slow),
        pytest.param(data_on_backing, marks=pytest.mark.slow),
        pytest.param(no_dictionary, marks=pytest.mark.slow),
    ],
)
def test_check_plan_and_start_agree(
    box: Box, zram_device, bad: Callable[[Box], tuple[str, str, dict[str, str]]]
) -> None:
    if bad is no_dictionary and "zstd" not in zram_device.read("comp_algorithm"):
        pytest.skip("this kernel has no zstd")
    text, why, env = bad(box)
    box.write(GOOD + text)

    checked = box.pyzram("check", **env)
    assert checked.returncode == 1
    assert why in checked.stderr
    last = checked.stderr.splitlines()[-1]
    assert last.startswith(f"pyzram: {box.conf}:"), "the line that asks for it"
    assert box.pyzram("check", "--quiet", **env).returncode == 0, "the file itself is right"
    found = json.loads(box.pyzram("check", "--json", **env).stdout)
    assert {(x["index"], x["fatal"]) for x in found["obstacles"]} == {(1, True)}
    assert any(why in x["why"] for x in found["obstacles"])

    planned = box.pyzram("start", "--pretend", **env)
    assert planned.returncode == 1
    assert why in planned.stderr
    assert any(
        why in x["why"] for x in json.loads(box.pyzram("plan", "--json", **env).stdout)["obstacles"]
    )
    assert box.numbers() == []
    assert not box.run_dir.exists(), "looking changes nothing"

    done = box.pyzram("start", **env)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pyzram start: device 1: ")
    assert sorted(str(row["index"]) for row in box.rows() if row["state"] == "running") == [
        "0",
        "2",
    ]
    assert len(box.numbers()) == 2
    assert box.pyzram("status").returncode == 1

    # Once more: the result is the same, and what runs is left alone.
    before = box.known()
    assert box.pyzram("start", **env).returncode == 1
    assert box.known() == before
    box.write(GOOD + "ZRAM_SIZE_1=64M\nZRAM_PRIORITY_1=1\n")
    box.fine("start")
    assert len(box.numbers()) == 3
    assert {k: v for k, v in box.known().items() if k in before} == before
    box.fine("stop")
    assert box.numbers() == []


def test_all_or_nothing(box: Box) -> None:
    box.write(GOOD + f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.conf}\nALL_OR_NOTHING=yes\n")
    before = set(swaps())
    assert "device 1: " in box.fails("start")
    assert box.numbers() == []
    assert set(swaps()) == before
    # Not what ran before.
    box.write(SMALL)
    box.fine("start")
    known = box.known()
    box.write(SMALL + f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.conf}\nALL_OR_NOTHING=yes\n")
    assert "device 1: " in box.fails("start")
    assert box.known() == known


def test_all_fail_and_each_is_reported(box: Box) -> None:
    box.write(
        f"ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0=nosuch\nZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.conf}\n"
    )
    done = box.pyzram("start")
    assert done.returncode == 1
    lines = [x for x in done.stderr.splitlines() if x.startswith("pyzram start: ")]
    assert [line.split(": ")[1] for line in lines] == ["device 0", "device 1"]
    assert box.numbers() == []


def test_what_is_in_the_way_of_one_is_not_in_the_way_of_the_others(box: Box) -> None:
    at = box.directory / "at"
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "foreign", at], check=True)
    try:
        box.write(GOOD + f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={at}\n")
        pretended = box.pyzram("start", "--pretend")
        assert pretended.returncode == 1
        assert f"left out: device 1: something else is already mounted on {at}" in pretended.stdout
        line = box.fails("start")
        assert line.startswith(f"pyzram start: device 1: something else is already mounted on {at}")
        assert len(box.numbers()) == 2
        box.write(box.conf.read_text() + "ALL_OR_NOTHING=yes\n")
        box.fine("stop")
        assert "something else is already mounted" in box.fails("start")
        assert box.numbers() == []
    finally:
        subprocess.run(["umount", at], check=True)


def test_a_reload_that_fails_for_one_device_goes_on_with_the_others(box: Box) -> None:
    mkswap = shutil.which("mkswap", path="/usr/sbin:/sbin:/usr/bin:/bin")
    box.write(GOOD + "ZRAM_SIZE_1=64M\nZRAM_PRIORITY_1=1\n")
    box.fine("start")
    before = {row["index"]: row["name"] for row in box.rows()}
    # The second of three mkswaps fails.
    calls = box.directory / "calls"
    script = (
        f'echo >> {calls}; test $(wc -l < {calls}) != 2 && exec {mkswap} "$@"\n'
        "echo no luck >&2; exit 1"
    )
    path = programs(box, mkswap=script)
    box.write(box.conf.read_text().replace("=64M", "=72M"))
    done = box.pyzram("reload", PATH=f"{path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("pyzram reload: device 1: ")
    assert "no luck" in done.stderr
    now = {row["index"]: (row["name"], row["disksize"]) for row in box.rows()}
    assert now[0][1] == now[2][1] == 72 << 20
    assert now[1] == (before[1], 64 << 20), "as it was"
    assert len(box.numbers()) == 3
    box.fine("reload")
    assert {row["disksize"] for row in box.rows()} == {72 << 20}
    box.fine("stop")


def test_what_the_kernel_was_built_without_is_left_out(
    box: Box, add_zram: Callable[[], OwnDevice]
) -> None:
    """Recompression and writeback make a device better; it is worth having without them."""
    sysfs = add_zram().sysfs
    image = box.directory / "image"
    image.write_bytes(bytes(8 << 20))
    lacks = {
        "recomp_algorithm": (
            "ZRAM_RECOMP_ALGORITHM_0=zstd\n",
            "this kernel has no recompression (CONFIG_ZRAM_MULTI_COMP): set up without it",
        ),
        "backing_dev": (
            f"ZRAM_BACKING_DEV_0={image}\nZRAM_WRITEBACK_LIMIT_0=4M\n",
            "this kernel has no writeback (CONFIG_ZRAM_WRITEBACK): set up without it",
        ),
    }
    tried = 0
    for attribute, (text, why) in lacks.items():
        if (sysfs / attribute).exists():
            continue
        tried += 1
        box.write(SMALL + text)
        checked = box.pyzram("check")
        assert checked.returncode == 0
        assert why in checked.stderr
        done = box.pyzram("start")
        assert done.returncode == 0, done.stderr
        assert why in done.stderr
        assert [row["state"] for row in box.rows()] == ["running"]
        assert box.fine("reload") == ""
        box.fine("stop")
    if not tried:
        pytest.skip("this kernel was built with both")


def test_a_recompression_algorithm_that_the_kernel_lacks(box: Box, zram_device) -> None:
    if not (zram_device.sysfs / "recomp_algorithm").exists():
        pytest.skip("this kernel has no recompression (CONFIG_ZRAM_MULTI_COMP)")
    box.write(SMALL + "ZRAM_RECOMP_ALGORITHM_0='nosuch zstd'\n")
    done = box.pyzram("start")
    assert done.returncode == 0, done.stderr
    assert "this kernel has no algorithm nosuch: set up without it" in done.stderr
    (number,) = box.numbers()
    text = Path(f"/sys/block/zram{number}/recomp_algorithm").read_text()
    assert "#1" in text
    assert "[zstd]" in text
    box.fine("stop")


def test_the_kernels_own_algorithm_in_place_of_one_that_it_lacks(box: Box, zram_device) -> None:
    lacks = next(
        (x for x in ("zstd", "lz4hc", "842") if x not in zram_device.read("comp_algorithm")),
        "nosuch",
    )
    box.write(SMALL + f"ZRAM_ALGORITHM_0='{lacks} kernel'\n")
    why = f"this kernel has no {lacks}: its own default is used"
    for command in (("check",), ("start", "--pretend"), ("start",)):
        done = box.pyzram(*command)
        assert done.returncode == 0, done.stderr
        assert why in done.stderr
    assert box.fine("reload") == ""
    box.fine("stop")
    assert box.numbers() == []


# ---- what mkfs takes ---------------------------------------------------------------------------


@pytest.mark.parametrize("fstype", ["xfs", "btrfs", "f2fs"])
def test_the_least_that_mkfs_takes(box: Box, tmp_path: Path, fstype: str) -> None:
    from pyzram.config.values import DEFAULT_MKFS_OPTIONS, MIN_SIZES

    program = shutil.which(f"mkfs.{fstype}", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        pytest.skip(f"mkfs.{fstype} is not installed")
    at = box.directory / "at"
    at.mkdir()
    image = tmp_path / "image"
    for size, takes in ((MIN_SIZES[fstype], True), (MIN_SIZES[fstype] - (1 << 20), False)):
        with image.open("wb") as file:
            file.truncate(size)
        options = DEFAULT_MKFS_OPTIONS.get(fstype, ())
        done = subprocess.run([program, *options, image], capture_output=True, check=False)
        # f2fs-tools 1.15 take no less, 1.16 take 44M.
        assert (done.returncode == 0) is takes or (fstype, takes) == ("f2fs", False), done.stderr
        image.unlink()
        box.write(f"ZRAM_SIZE_0={size >> 20}M\nZRAM_MOUNT_0={at}\nZRAM_FSTYPE_0={fstype}\n")
        assert ("take no less than" in box.pyzram("check").stderr) is not takes
