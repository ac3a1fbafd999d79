# SPDX-License-Identifier: MIT
"""The service on real devices, and its bad days: after each, a true exit status, one
understandable message, every other device as it was, and nothing half-made left.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyzram.state import State

from .conftest import OwnDevice, drop_device, write_once

pytestmark = pytest.mark.slow  # each test starts many processes

SMALL = "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n"
MADV_PAGEOUT = 21


class Box:
    """A configuration with a record of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.conf = directory / "zram"
        self.run_dir = directory / "run"
        self.env = {**os.environ, "PYZRAM_RUN": str(self.run_dir)}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-Im", "pyzram.cli.pyzram", "-c", str(self.conf), *words]

    def pyzram(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def fine(self, *words: str, **env: str) -> str:
        done = self.pyzram(*words, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *words: str, **env: str) -> str:
        """Run what must fail, with a message and without a traceback."""
        done = self.pyzram(*words, **env)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("pyzram")
        assert "Traceback" not in done.stderr
        return done.stderr

    def write(self, text: str) -> None:
        self.conf.write_text(text)

    def numbers(self) -> list[int]:
        """Numbers of the devices that are recorded and there."""
        state = State(str(self.conf), directory=str(self.run_dir))
        state.load()
        return [record.number for record in state.records]

    def rows(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.pyzram("status", "--json").stdout)
        return rows


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    made.write(SMALL)
    yield made
    for number in reversed(made.numbers()):
        drop_device(OwnDevice(number))


def swaps() -> dict[str, list[str]]:
    """Path to the words of its line in /proc/swaps."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    return {line.split()[0]: line.split() for line in lines}


def diskseq(number: int) -> str:
    try:
        return Path(f"/sys/block/zram{number}/diskseq").read_text().strip()
    except FileNotFoundError:
        return ""


# ---- good days ---------------------------------------------------------------------------------


def test_start_status_and_stop_of_a_swap_device(box: Box) -> None:
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=7\nZRAM_MEM_LIMIT_0=32M\nZRAM_ALGORITHM_0=lzo\n")
    assert box.pyzram("status").returncode == 3
    box.fine("start")
    (number,) = box.numbers()
    assert swaps()[f"/dev/zram{number}"][4] == "7"
    sysfs = Path(f"/sys/block/zram{number}")
    assert (sysfs / "disksize").read_text() == f"{64 << 20}\n"
    assert "[lzo]" in (sysfs / "comp_algorithm").read_text()
    assert (sysfs / "mm_stat").read_text().split()[3] == str(32 << 20)
    label = subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "LABEL", f"/dev/zram{number}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert label.stdout.strip() == f"zram{number}"
    (row,) = box.rows()
    assert (row["state"], row["priority"], row["algorithm"]) == ("running", 7, "lzo")
    assert box.pyzram("status").returncode == 0
    box.fine("stop")
    assert not sysfs.exists()
    assert box.pyzram("status").returncode == 3


def test_start_again_changes_nothing(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    assert box.fine("start") == ""
    assert box.numbers() == before


def test_stop_of_nothing_is_fine(box: Box) -> None:
    assert box.fine("stop") == ""


def test_a_file_system_with_mode_options_and_label(box: Box) -> None:
    point = box.directory / "build"
    point.mkdir()
    box.write(
        f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={point}\nZRAM_MOUNT_OPTS_0=noatime,nodev\n"
        "ZRAM_MODE_0=1777\nZRAM_OWNER_0=0:0\nZRAM_LABEL_0='of ours'\n"
    )
    box.fine("start")
    assert point.is_mount()
    assert point.stat().st_mode & 0o7777 == 0o1777
    (line,) = [x for x in Path("/proc/self/mounts").read_text().splitlines() if str(point) in x]
    assert {"noatime", "nodev", "discard"} <= set(line.split()[3].split(","))
    box.write(box.conf.read_text().replace("noatime", "noexec").replace("1777", "700"))
    (point / "kept").write_text("yes")
    box.fine("reload")
    assert point.stat().st_mode & 0o7777 == 0o700
    (line,) = [x for x in Path("/proc/self/mounts").read_text().splitlines() if str(point) in x]
    assert "noexec" in line.split()[3].split(",")
    assert (point / "kept").read_text() == "yes"
    with (point / "kept").open():
        assert "target is busy" in box.fails("stop")
    assert (point / "kept").read_text() == "yes"
    box.fine("stop")
    assert not point.is_mount()


def test_reload_moves_swapped_pages_to_the_new_device_without_losing_one(box: Box) -> None:
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=32000\nZRAM_ALGORITHM_0=lzo\n")
    box.fine("start")
    (old,) = box.numbers()
    memory = mmap.mmap(-1, 16 << 20)
    for page in range(0, len(memory), 4096):
        memory[page : page + 8] = page.to_bytes(8, "little")
    memory.madvise(MADV_PAGEOUT)
    assert int(swaps()[f"/dev/zram{old}"][3]) > 8192
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=32000\nZRAM_ALGORITHM_0=lz4\n")
    box.fine("reload")
    (new,) = box.numbers()
    assert new != old
    assert f"/dev/zram{old}" not in swaps()
    assert int(swaps()[f"/dev/zram{new}"][4]) > 32000
    assert all(
        memory[page : page + 8] == page.to_bytes(8, "little")
        for page in range(0, len(memory), 4096)
    )
    assert box.fine("reload") == ""


def test_reload_changes_the_memory_limit_live(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write(SMALL + "ZRAM_MEM_LIMIT_0=8M\n")
    assert "mem_limit 0B -> 8M (live)" in box.fine("plan")
    box.fine("reload")
    assert box.numbers() == before
    assert Path(f"/sys/block/zram{before[0]}/mm_stat").read_text().split()[3] == str(8 << 20)
    assert box.fine("plan") == "nothing to do\n"


def test_a_broken_file_does_not_keep_a_service_from_stopping_but_from_restarting(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write("ZRAM_SIZE_0=lots\n")
    assert "zram:1: ZRAM_SIZE_0" in box.fails("restart")
    assert box.numbers() == before
    assert box.pyzram("stop").returncode == 0
    assert box.numbers() == []


def test_pretend_changes_nothing(box: Box) -> None:
    assert "swap on with priority 1" in box.fine("start", "--pretend")
    assert box.numbers() == []
    assert json.loads(box.fine("plan", "--json"))["steps"][0]["action"] == "add"


# ---- wrong files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ZRAM_SIZE_0=0", "too small"),
        ("ZRAM_SIZE_0=16EiB", "2^64-1"),
        ("ZRAM_SIZE_0=2E", "table alone"),
        ("ZRAM_SIZ_0=64M", "did you mean ZRAM_SIZE_0"),
        ("ZRAM_SIZE_0=`id`", "backticks"),
    ],
)
def test_a_wrong_file_changes_nothing(box: Box, text: str, words: str) -> None:
    box.write(f"{text}\nZRAM_SIZE_1=64M\n")
    assert words in box.fails("start")
    assert words in box.fails("check")
    assert not box.run_dir.exists()


def test_quotes_blanks_and_fractions_mean_what_they_say(box: Box) -> None:
    box.write("ZRAM_SIZE_0=\"min( 0.0625G, ram / 2 )\" # a comment\nSWAPON_OPTS='-p  3'\n")
    box.fine("start")
    (number,) = box.numbers()
    assert Path(f"/sys/block/zram{number}/disksize").read_text() == f"{64 << 20}\n"
    assert swaps()[f"/dev/zram{number}"][4] == "3"


# ---- steps that fail ---------------------------------------------------------------------------


def programs(box: Box, **scripts: str) -> str:
    """A PATH that has these scripts and nothing else."""
    directory = box.directory / "bin"
    directory.mkdir()
    for name, text in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def test_mkswap_missing(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box))
    assert "device 0: make a swap signature: " in stderr
    assert "mkswap is missing" in stderr
    assert box.numbers() == []


def test_mkswap_failing(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box, mkswap="echo no such luck >&2; exit 1"))
    assert "no such luck" in stderr
    assert box.numbers() == []


def test_swapon_refused(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box, mkswap="exit 0"))
    assert "device 0: swap on with priority 1: " in stderr
    assert "Invalid argument" in stderr
    assert box.numbers() == []


def test_mkfs_missing_and_mount_point_missing(box: Box) -> None:
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={box.directory}/none\nZRAM_FSTYPE_0=nosuchfs\n")
    assert "mkfs.nosuchfs is missing" in box.fails("start")
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={box.directory}/none\n")
    assert f"mount on {box.directory}/none: No such file" in box.fails("start")
    assert box.numbers() == []


def test_an_algorithm_that_is_gone(box: Box) -> None:
    box.write(SMALL + "ZRAM_ALGORITHM_0='nosuch other'\n")
    stderr = box.fails("start")
    assert "none of the algorithms nosuch other (it has: " in stderr
    box.write(SMALL + "ZRAM_ALGORITHM_0='nosuch lzo'\n")
    box.fine("start")


def test_the_third_of_four_devices_failing(box: Box) -> None:
    box.write(
        "NUM_DEVICES=4\nSWAPON_OPTS='-p 1'\nZRAM_ALGORITHM_2=nosuch\n"
        + "".join(f"ZRAM_SIZE_{index}=64M\n" for index in range(4))
    )
    before = set(swaps())
    assert "device 2: " in box.fails("start")
    assert box.numbers() == []
    assert not set(swaps()) - before


def test_a_fourth_device_failing_leaves_those_that_ran_before(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write(SMALL + "ZRAM_SIZE_1=64M\nZRAM_ALGORITHM_1=nosuch\n")
    assert "device 1: " in box.fails("start")
    assert box.numbers() == before
    assert f"/dev/zram{before[0]}" in swaps()


def test_a_backing_device_that_holds_something_is_refused(box: Box) -> None:
    image = box.directory / "image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext2", "-q", str(image)], check=True)
    box.write(SMALL + f"ZRAM_BACKING_DEV_0={image}\n")
    assert "holds ext2" in box.fails("start")
    assert box.numbers() == []


# ---- others ------------------------------------------------------------------------------------


def test_somebody_elses_device_is_left_alone(box: Box, add_zram: Callable[[], OwnDevice]) -> None:
    foreign = add_zram()
    foreign.write("disksize", str(64 << 20))
    idle = add_zram()
    for command in ("start", "reload", "restart", "stop"):
        box.fine(command)
        assert foreign.read("disksize") == f"{64 << 20}\n"
        assert idle.read("initstate") == "0\n"


def test_a_number_that_somebody_else_has_taken(box: Box, add_zram: Callable[[], OwnDevice]) -> None:
    box.fine("start")
    (ours,) = box.numbers()
    # Somebody takes our device away and gets its number.
    subprocess.run(["swapoff", f"/dev/zram{ours}"], check=True)
    drop_device(OwnDevice(ours))
    theirs = add_zram()
    theirs.write("disksize", str(64 << 20))
    box.fine("start")
    assert theirs.number not in box.numbers()
    box.fine("stop")
    assert theirs.read("disksize") == f"{64 << 20}\n"


def test_a_probe_that_holds_the_node_is_waited_for(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    fd = os.open(f"/dev/zram{number}", os.O_RDONLY)
    threading.Timer(0.5, os.close, [fd]).start()
    box.fine("stop")
    assert not Path(f"/sys/block/zram{number}").exists()


def test_somebody_who_does_not_let_go_is_named(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    with open(f"/dev/zram{number}", "rb"):
        stderr = box.fails("stop")
    assert f"zram{number}: remove" in stderr
    assert f"[{os.getpid()}]" in stderr
    assert box.numbers() == [number]
    box.fine("stop")
    assert box.numbers() == []


def test_starting_twice_at_once_makes_each_device_once(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    both = [subprocess.Popen(box.command("start"), env=box.env) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(box.numbers()) == 2


def root_with(box: Box, **files: str) -> str:
    """A root directory that is the machine's but for some files (``proc__meminfo``)."""
    root = box.directory / "root"
    names = {name.replace("__", "/"): text for name, text in files.items()}
    for directory in ("sys", "proc", "dev"):
        if any(name.startswith(directory) for name in names):
            (root / directory).mkdir(parents=True)
            for entry in Path("/", directory).iterdir():
                if f"{directory}/{entry.name}" not in names:
                    (root / directory / entry.name).symlink_to(entry)
        else:
            root.mkdir(exist_ok=True)
            (root / directory).symlink_to(f"/{directory}")
    for name, text in names.items():
        (root / name).write_text(text)
    return str(root)


def test_stop_is_refused_when_memory_can_not_take_the_pages_back(box: Box) -> None:
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=32000\n")
    box.fine("start")
    (number,) = box.numbers()
    memory = mmap.mmap(-1, 8 << 20)
    for page in range(0, len(memory), 4096):
        memory[page] = 1
    memory.madvise(MADV_PAGEOUT)
    poor = root_with(box, proc__meminfo="MemTotal: 65536 kB\nMemAvailable: 64 kB\n")
    # Other swap would count; whatever else this machine has is left out.
    lines = Path("/proc/swaps").read_text().splitlines()
    ours = [line for line in lines if line.split()[0] in ("Filename", f"/dev/zram{number}")]
    swaps_file = Path(poor, "proc/swaps")
    swaps_file.unlink()
    swaps_file.write_text("\n".join(ours) + "\n")
    stderr = box.fails("stop", PYZRAM_ROOT=poor)
    assert "can not take them back" in stderr
    assert f"/dev/zram{number}" in swaps()
    assert all(memory[page] == 1 for page in range(0, len(memory), 4096))
    box.write("ZRAM_SIZE_0=128M\nZRAM_PRIORITY_0=32000\n")
    assert "of memory on the way" in box.fails("reload", PYZRAM_ROOT=poor)
    assert box.numbers() == [number]


def test_a_swapoff_that_the_kernel_refuses_leaves_everything_as_it_was(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    box.fine("start")
    before = box.numbers()
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", *box.command("stop")],
        env=box.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"device 1: swap off zram{before[1]}" in done.stderr
    assert "Operation not permitted" in done.stderr
    assert box.numbers() == before
    assert {f"/dev/zram{number}" for number in before} <= set(swaps())
    assert box.pyzram("status").returncode == 0
    box.fine("stop")
    assert box.numbers() == []


# ---- no zram here ------------------------------------------------------------------------------


def without_zram(box: Box) -> str:
    """A root whose kernel has no zram."""
    root = box.directory / "bare"
    (root / "sys/block").mkdir(parents=True)
    (root / "sys/class").mkdir()
    for directory in ("proc", "dev"):
        (root / directory).symlink_to(f"/{directory}")
    return str(root)


def test_no_zram_in_this_kernel(box: Box) -> None:
    path = programs(box, modprobe="echo modprobe: FATAL: Module zram not found. >&2; exit 1")
    stderr = box.fails("start", PYZRAM_ROOT=without_zram(box), PATH=path)
    assert "no zram in this kernel, neither built in nor as a module" in stderr
    assert "Module zram not found" in stderr
    assert len(stderr.splitlines()) == 1


def test_no_modprobe_either(box: Box) -> None:
    stderr = box.fails("start", PYZRAM_ROOT=without_zram(box), PATH=programs(box))
    assert "modprobe is missing" in stderr


def test_the_module_is_loaded_without_devices_and_only_if_wanted(box: Box) -> None:
    root = without_zram(box)
    calls = box.directory / "calls"
    script = f'echo "$@" >> {calls}; mkdir -p {root}/sys/class/zram-control'
    # Loaded, but hot_add is not there: the next step fails, and the module is unloaded again.
    path = programs(box, modprobe=script) + ":/bin:/usr/bin"
    assert "add a zram device" in box.fails("start", PYZRAM_ROOT=root, PATH=path)
    assert calls.read_text() == "zram num_devices=0\n"
    Path(root, "sys/class/zram-control").rmdir()
    box.write("LOAD_ON_START=no\n")
    assert "LOAD_ON_START=no" in box.fails("start", PYZRAM_ROOT=root, PATH=path)
    assert calls.read_text() == "zram num_devices=0\n"


def test_a_container_without_zram_is_told_apart(box: Box) -> None:
    root = without_zram(box)
    Path(root, ".dockerenv").touch()
    stderr = box.fails("start", PYZRAM_ROOT=root, PATH=programs(box))
    assert "this is a container (docker): zram belongs to the host" in stderr


def test_a_read_only_sys(box: Box) -> None:
    words = " ".join(box.command("start"))
    read_only = "mount --bind /sys /sys && mount -o remount,bind,ro /sys"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{read_only} && {words}"],
        env=box.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "read-only" in done.stderr or "this is a container" in done.stderr
    assert box.numbers() == []


def test_without_privilege_nothing_is_started(box: Box) -> None:
    # The test's own directory is closed to others, so the file is one that all may read.
    command = ["/dev/null" if word == str(box.conf) else word for word in box.command("start")]
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", *command],
        env=box.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (126, 127):
        pytest.skip("this interpreter is not for all users")
    assert done.returncode == 1, done.stderr
    assert "root only" in done.stderr
    assert box.numbers() == []


# ---- killed ------------------------------------------------------------------------------------

# A real process that kills itself at a given point of a real start.
KILLED = """
import os, signal, sys
from pyzram import service, state
from pyzram.cli import pyzram

where, point = sys.argv[1:3]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "before":
    setattr(service._Run, "do_" + point, die)
elif where == "after":
    done = getattr(service._Run, "do_" + point)
    setattr(service._Run, "do_" + point, lambda self, step: die(done(self, step)))
else:
    setattr(state.os if point in ("unlink", "replace", "sendfile") else state.State, point, die)
sys.exit(pyzram.main(sys.argv[3:]))
"""


def kill(box: Box, where: str, point: str, command: str) -> None:
    words = [sys.executable, "-Ic", KILLED, where, point, "-c", str(box.conf), command]
    done = subprocess.run(words, env=box.env, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


TERMINATED = KILLED.replace("SIGKILL", "SIGTERM")
TERM_POINTS = [
    ("in", "save"),
    *[(where, step) for step in ("configure", "mkswap", "swapon") for where in ("before", "after")],
    ("after", "add"),
]


@pytest.mark.parametrize(("where", "point"), TERM_POINTS)
def test_start_that_is_terminated_undoes_what_it_did(box: Box, where: str, point: str) -> None:
    words = [sys.executable, "-Ic", TERMINATED, where, point, "-c", str(box.conf), "start"]
    done = subprocess.run(words, env=box.env, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert box.numbers() == []
    box.fine("start")
    assert len(box.numbers()) == 1
    box.fine("stop")


def known(box: Box) -> dict[int, str]:
    """Number and diskseq of each device that the record of a killed run leads to."""
    return {number: diskseq(number) for number in box.numbers()}


START_POINTS = [
    ("before", "add"),
    ("in", "sendfile"),
    ("in", "save"),
    ("in", "replace"),
    ("in", "unlink"),
    *[(where, step) for step in ("configure", "mkswap", "swapon") for where in ("before", "after")],
    ("before", "ready"),
    ("after", "ready"),
]


@pytest.mark.parametrize(("where", "point"), START_POINTS)
def test_start_after_a_start_that_was_killed(box: Box, where: str, point: str) -> None:
    before = {path.name for path in Path("/sys/block").glob("zram*")}
    kill(box, where, point, "start")
    left = known(box)
    if (where, point) not in (("before", "add"), ("in", "sendfile")):
        assert len(left) == 1, "the device is known, wherever the process died"
    else:
        assert not left
    box.fine("start")
    (number,) = box.numbers()
    assert f"/dev/zram{number}" in swaps()
    for old, sequence in left.items():
        assert old == number or diskseq(old) != sequence, "what was left is gone"
    box.fine("stop")
    after = {path.name for path in Path("/sys/block").glob("zram*")}
    if os.environ.get("PYZRAM_SHARED_MACHINE") != "1":
        assert after == before


RELOAD_POINTS = [
    ("in", "unlink"),
    ("before", "configure"),
    ("before", "swapon"),
    ("after", "swapon"),
    ("after", "ready"),
    ("before", "swapoff"),
    ("after", "swapoff"),
    ("before", "remove"),
    ("after", "remove"),
]


@pytest.mark.parametrize(("where", "point"), RELOAD_POINTS)
def test_start_and_reload_after_a_reload_that_was_killed(box: Box, where: str, point: str) -> None:
    box.fine("start")
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    kill(box, where, point, "reload")
    left = known(box)
    assert any(f"/dev/zram{number}" in swaps() for number in left), "never without swap"
    assert box.pyzram("start").returncode == 0
    assert len(box.numbers()) == 1
    box.fine("reload")
    (number,) = box.numbers()
    assert Path(f"/sys/block/zram{number}/disksize").read_text() == f"{96 << 20}\n"
    for gone, sequence in left.items():
        assert gone == number or diskseq(gone) != sequence


def test_a_file_that_changed_after_a_kill_still_shows_its_difference(box: Box) -> None:
    kill(box, "before", "ready", "start")
    (number,) = box.numbers()
    box.write(SMALL + "ZRAM_LABEL_0=other\n")
    done = box.pyzram("start")
    assert done.returncode == 0
    assert f"zram{number}: label none -> other" in done.stderr
    assert box.numbers() == [number]
    box.fine("reload")
    assert box.fine("plan") == "nothing to do\n"
    assert box.numbers() != [number]


def test_a_lock_that_was_held_by_a_killed_process_is_free(box: Box) -> None:
    kill(box, "before", "configure", "start")
    started = time.monotonic()
    box.fine("stop")
    assert time.monotonic() - started < 30
    assert box.numbers() == []


def test_a_record_of_an_earlier_boot_does_not_count(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    (record,) = [path for path in box.run_dir.iterdir() if path.name.endswith("zram")]
    text = record.read_text()
    record.write_text("boot another\n" + text.split("\n", 1)[1])
    assert box.numbers() == []
    record.write_text(text)
    assert box.numbers() == [number]


def test_a_begun_device_that_somebody_else_set_up_is_not_taken(
    box: Box, add_zram: Callable[[], OwnDevice]
) -> None:
    foreign = add_zram()
    write_once(foreign.sysfs / "disksize", str(64 << 20))
    box.fine("stop")
    name = str(box.conf).strip("/").replace("/", "!")
    (box.run_dir / f"{name}.adding").write_text(f"0 {foreign.number}\n")
    assert box.numbers() == []
    box.fine("start")
    assert foreign.number not in box.numbers()
