# SPDX-License-Identifier: MIT
"""The service's bad days on real devices: after each, a true exit status, one understandable
message, every other device as it was (the fixture of ``box`` looks), and nothing half-made left.

| bad day | tests |
|---|---|
| module missing, modprobe failing | no_zram_in_this_kernel, *modprobe*; vm: test_a_module_* |
| no memory for the table | *_for_the_table, a_table_that_*; vm: test_no_memory |
| algorithm gone after an upgrade | an_algorithm_that_is_gone |
| device number taken by somebody else | a_number_that_somebody_else_has_taken |
| udev's probe holding the node | a_probe_that_holds_the_node_*, somebody_who_does_not_let_go |
| mkswap missing, swapon refused | mkswap_missing, mkswap_failing, swapon_refused |
| the third of four failing | the_third_of_four_devices_failing |
| SIGKILL, SIGTERM | test_killed |
| swapoff that cannot finish | stop_is_refused_when_*, a_swapoff_that_*; vm: test_no_memory |
| typos, quotes, sizes in conf.d | test_service, unit/config/test_parser |
| container, read-only /sys | a_container_without_zram, a_read_only_sys |
| start twice at once | starting_twice_at_once |
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel.box import MADV_PAGEOUT, SMALL, Box, programs, swaps, swaps_left
from kernel.conftest import OwnDevice, drop_device

pytestmark = pytest.mark.slow  # each test starts many processes

# The real command in a real process, apart from what is patched before.
PATCHED = """
import errno, os, signal, sys
from pyzram import _native
from pyzram.service import service
from pyzram.cli import pyzram
{patch}
sys.exit(pyzram.main(sys.argv[1:]))
"""


def patched(box: Box, patch: str, command: str) -> subprocess.CompletedProcess[str]:
    code = PATCHED.format(patch=patch)
    return box.run(sys.executable, "-Ic", code, "-c", str(box.conf), command)


# ---- steps that fail ---------------------------------------------------------------------------


def test_mkswap_missing(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box))
    assert stderr.startswith("pyzram start: device 0: zram")
    assert ": make a swap signature: mkswap is missing (install util-linux)" in stderr
    assert box.numbers() == []


def test_mkswap_failing(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box, mkswap="echo no such luck >&2; exit 1"))
    assert "no such luck" in stderr
    assert box.numbers() == []


def test_swapon_refused(box: Box) -> None:
    stderr = box.fails("start", PATH=programs(box, mkswap="exit 0"))
    assert stderr.startswith("pyzram start: device 0: zram")
    assert ": swap on: Invalid argument (is there a swap signature?" in stderr
    assert box.numbers() == []


def test_mkfs_missing_and_no_folder_for_a_mount_point(box: Box) -> None:
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={box.directory}/none\nZRAM_FSTYPE_0=nosuchfs\n")
    started = box.pyzram("start")
    assert started.returncode == 1
    doubt, why = started.stderr.split("\n")[:-1]
    assert "nosuchfs is not tested with pyzram" in doubt
    assert "mkfs.nosuchfs is missing" in why
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={box.conf}/none\n")
    assert f"mount on {box.conf}/none: Not a directory" in box.fails("start")
    assert box.numbers() == []
    assert not (box.directory / "none").exists()


def test_folders_made_for_a_mount_go_with_it_when_the_start_fails(box: Box) -> None:
    """Devices that have become somebody else's stay."""
    where, real = box.directory / "a/b/c", "exec /bin/mount"
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={where}\n")
    path = programs(box, mount="echo no luck >&2; exit 1")
    assert "no luck" in box.fails("start", PATH=f"{path}:{os.environ['PATH']}")
    assert not (box.directory / "a").exists()
    script = f"mkdir {box.directory}/a/theirs; echo no luck >&2; exit 1"
    (Path(path) / "mount").write_text(f"#!/bin/sh\n{script}\n")
    assert "no luck" in box.fails("start", PATH=f"{path}:{os.environ['PATH']}")
    assert [found.name for found in (box.directory / "a").iterdir()] == ["theirs"]
    (Path(path) / "mount").write_text(f'#!/bin/sh\n{real} "$@"\n')
    box.fine("start", PATH=f"{path}:{os.environ['PATH']}")
    assert where.is_mount()
    assert (where.parent.stat().st_mode & 0o7777, where.parent.stat().st_uid) == (0o755, 0)
    box.fine("stop")
    assert where.is_dir() and not where.is_mount()


def test_how_to_use_a_program_is_not_why_it_failed(box: Box) -> None:
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={box.directory}\nZRAM_MKFS_OPTS_0=--nonsense\n")
    assert box.fails("start").endswith(": make a file system: mkfs.ext4: invalid option -- '-'")
    path = programs(box, mkswap="echo setting up; echo no luck >&2; exit 1")
    box.write(SMALL)
    assert box.fails("start", PATH=path).endswith(": make a swap signature: no luck")


def test_a_dictionary_that_is_not_there(box: Box) -> None:
    box.write(SMALL + "ZRAM_ALGORITHM_0='lz4(dict=/nosuch)'\n")
    assert box.fails("start").endswith(": dictionary /nosuch: No such file or directory")
    assert box.numbers() == []


def test_an_algorithm_that_is_gone(box: Box) -> None:
    box.write(SMALL + "ZRAM_ALGORITHM_0='nosuch other'\n")
    done = box.pyzram("start")
    assert done.returncode == 1
    *warnings, line = done.stderr.splitlines()
    assert len(warnings) == 2
    assert "no algorithm nosuch or other (it has: " in line
    assert box.numbers() == []
    box.write(SMALL + "ZRAM_ALGORITHM_0='842 lzo'\n")
    box.fine("start")


FAILS_THIRD = 'echo >> {0}.calls; test $(wc -l < {0}.calls) != 3 && exec {0} "$@"; {1}'


@pytest.mark.parametrize("step", ["configure", "mkswap", "swapon"])
def test_the_third_of_four_devices_failing(box: Box, step: str) -> None:
    mkswap = subprocess.run(
        ["sh", "-c", "command -v mkswap"], check=True, capture_output=True, text=True
    ).stdout.strip()
    real = box.directory / "real"
    real.symlink_to(mkswap)
    ends = {"mkswap": "echo no luck >&2; exit 1", "swapon": "exit 0"}.get(step, "")
    path = programs(box, mkswap=FAILS_THIRD.format(real, ends) if ends else f'exec {real} "$@"')
    box.write(
        "NUM_DEVICES=4\nSWAPON_OPTS='-p 1'\n"
        + ("ZRAM_ALGORITHM_2=nosuch\n" if step == "configure" else "")
        + "".join(f"ZRAM_SIZE_{index}=64M\n" for index in range(4))
    )
    before = set(swaps())
    done = box.pyzram("start", PATH=f"{path}:{os.environ['PATH']}")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("pyzram start: device 2: ")
    assert len(box.numbers()) == 3
    assert all(row["state"] == "running" for row in box.rows() if row["index"] != 2)
    box.fine("stop")
    assert not swaps_left(before)


RUNS_OUT = """
from pyzram.service import steps
def fails(self):
    if self.step.index not in met:
        met.append(self.step.index)
        return bytes(1 << 60)
    do(self)
met = {met}
do = steps.{step}.{method}
steps.{step}.{method} = fails
"""


def test_memory_that_runs_out_in_a_step_is_no_signal(box: Box) -> None:
    done = patched(box, RUNS_OUT.format(step="Swapon", method="do", met=[]), "start")
    assert done.returncode == 1
    assert done.stderr.endswith(": swap on with priority 1: out of memory\n")
    assert box.numbers() == []


def test_memory_that_runs_out_while_undoing_leaves_one_step_undone_at_most(box: Box) -> None:
    patch = RUNS_OUT.format(step="Swapon", method="undo", met=[])
    patch += "steps.Swapon.do = lambda self: bytes(1 << 60)\n"
    done = patched(box, patch, "start")
    assert done.returncode == 1
    assert ": out of memory; undoing failed too: swap off zram" in done.stderr
    assert box.numbers() == []


def test_memory_that_runs_out_for_one_device_does_not_keep_the_other(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    box.fine("start")
    done = patched(box, RUNS_OUT.format(step="Swapoff", method="do", met=[1]), "stop")
    assert done.returncode == 1
    assert ": device 0: swap off zram" in done.stderr
    assert done.stderr.endswith("): out of memory\n")
    assert len(box.numbers()) == 1
    box.fine("stop")
    assert box.numbers() == []


def test_a_fourth_device_failing_leaves_those_that_ran_before(box: Box) -> None:
    box.fine("start")
    before = box.numbers()
    box.write(SMALL + f"ZRAM_SIZE_1=64M\nZRAM_MOUNT_1={box.conf}\n")
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


def test_a_mount_in_another_namespace_is_named(box: Box) -> None:
    point = box.directory / "point"
    point.mkdir()
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={point}\n")
    box.fine("start")
    (number,) = box.numbers()
    command = ["unshare", "-m", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"ready\n"
        try:
            stderr = box.fails("stop")
        finally:
            other.kill()
    assert f"zram{number}: remove: Device or resource busy (mounted on {point} in the" in stderr
    assert f"mount namespace of sleep[{other.pid}])" in stderr
    box.fine("stop")
    assert box.numbers() == []


def test_an_old_device_that_somebody_holds_does_not_spoil_the_new_one(box: Box) -> None:
    box.fine("start")
    (old,) = box.numbers()
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    with open(f"/dev/zram{old}", "rb"):
        stderr = box.fails("reload")
    assert stderr.startswith(f"pyzram reload: device 0: zram{old}: remove: Device or resource busy")
    assert f"[{os.getpid()}]" in stderr
    assert ";" not in stderr, "there is nothing to undo"
    (new,) = [number for number in box.numbers() if number != old]
    assert f"/dev/zram{new}" in swaps()
    assert box.pyzram("status").returncode == 1
    box.fine("reload")
    assert box.numbers() == [new]


def test_starting_twice_at_once_makes_each_device_once(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    both = [subprocess.Popen(box.command("start"), env=box.env) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(box.numbers()) == 2


def root_with(box: Box, **files: str) -> str:
    """A root directory like the machine's, except for some files (``proc__meminfo``)."""
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


def test_stop_is_refused_when_memory_cannot_take_the_pages_back(box: Box) -> None:
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
    assert "cannot take it back" in stderr
    assert f"/dev/zram{number}" in swaps()
    assert all(memory[page] == 1 for page in range(0, len(memory), 4096))
    box.write("ZRAM_SIZE_0=128M\nZRAM_PRIORITY_0=32000\n")
    assert "of memory on the way" in box.fails("reload", PYZRAM_ROOT=poor)
    assert box.numbers() == [number]


def test_a_swapoff_that_the_kernel_refuses_leaves_everything_as_it_was(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    box.fine("start")
    before = box.numbers()
    done = box.run("setpriv", "--bounding-set=-sys_admin", *box.command("stop"))
    assert done.returncode == 1
    assert done.stderr == (
        f"pyzram stop: device 1: zram{before[1]}: swap off: Operation not permitted\n"
        f"pyzram stop: device 0: zram{before[0]}: swap off: Operation not permitted\n"
    ), "one that cannot be taken down is no reason to leave the others"
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


def test_modprobe_that_fails(box: Box) -> None:
    words = "modprobe: ERROR: could not insert 'zram': Key was rejected by service"
    path = programs(box, modprobe=f'echo "{words}" >&2; exit 1')
    stderr = box.fails("start", PYZRAM_ROOT=without_zram(box), PATH=path)
    assert stderr == f"pyzram start: load the zram module: {words}"


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
    done = box.run("unshare", "-m", "sh", "-c", f"{read_only} && {words}")
    assert done.returncode == 1, done.stderr
    assert "read-only" in done.stderr or "this is a container" in done.stderr
    assert box.numbers() == []


def test_without_privilege_nothing_is_started(box: Box) -> None:
    # The test's own directory is closed to others, so the file is one that all may read.
    command = ["/dev/null" if word == str(box.conf) else word for word in box.command("start")]
    done = box.run("setpriv", "--reuid=65534", "--clear-groups", *command)
    if done.returncode in (126, 127) or "No module named 'pyzram'" in done.stderr:
        pytest.skip("this interpreter, or its packages, are not for all users")
    assert done.returncode == 1, done.stderr
    assert "root only" in done.stderr
    assert box.numbers() == []


# ---- no memory ---------------------------------------------------------------------------------


def test_a_table_that_memory_has_no_room_for(box: Box) -> None:
    poor = root_with(box, proc__meminfo="MemTotal: 65536 kB\nMemAvailable: 64 kB\n")
    stderr = box.fails("start", PYZRAM_ROOT=poor)
    assert (
        "device 0: the table of 64M takes 256K of memory at once, but only 64K is avail" in stderr
    )
    assert box.numbers() == []


NO_MEMORY = """
write = _native.attr_write
def attr_write(path, text, dir_fd=-1, retry_ms=0):
    if path == "disksize":
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    return write(path, text, dir_fd, retry_ms)
_native.attr_write = attr_write
"""


def test_the_kernel_has_no_memory_for_the_table(box: Box) -> None:
    done = patched(box, NO_MEMORY, "start")
    assert done.returncode == 1
    assert done.stderr.startswith("pyzram start: device 0: zram")
    assert f": set disksize to {64 << 20}: Cannot allocate memory\n" in done.stderr
    assert box.numbers() == []
    box.fine("start")


@pytest.mark.parametrize("free", [0, 4096])
def test_a_full_run_directory(box: Box, free: int) -> None:
    box.run_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", box.run_dir], check=True)
    try:
        (box.run_dir / "fill").write_bytes(bytes(16384 - free))
        before = {path.name for path in Path("/sys/block").glob("zram*")}
        line = box.fails("start")
        assert ": write the record: No space left on device" in line
        if os.environ.get("PYZRAM_SHARED_MACHINE") != "1":
            assert {path.name for path in Path("/sys/block").glob("zram*")} == before
        (box.run_dir / "fill").unlink()
        assert box.numbers() == []
        box.fine("start")
        box.fine("stop")
    finally:
        subprocess.run(["umount", box.run_dir], check=True)


# ---- somebody holds the node -------------------------------------------------------------------

HOLDS = "exec 9< $3; sleep {} 2> /dev/null > /dev/null & echo no luck; exit 1"


def test_a_probe_that_holds_the_node_is_waited_for_when_undoing(box: Box) -> None:
    path = programs(box, mkswap=HOLDS.format(1))
    stderr = box.fails("start", PATH=f"{path}:{os.environ['PATH']}")
    assert stderr.endswith(": make a swap signature: no luck")
    assert box.numbers() == []


def test_the_first_error_is_told_first_when_undoing_fails_too(box: Box) -> None:
    path = programs(box, mkswap=HOLDS.format(8))
    stderr = box.fails("start", PATH=f"{path}:{os.environ['PATH']}")
    first, second = stderr.split("; ")
    (number,) = box.numbers()
    assert first.endswith(f"zram{number}: make a swap signature: no luck")
    assert second.startswith(f"undoing failed too: zram{number}: remove: ")
    assert "open in sleep[" in second
    assert box.pyzram("status").returncode == 3
    box.fine("start")
    assert len(box.numbers()) == 1


NO_MORE_MODULES = """
from pyzram.service import executor

class Gone:
    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def watch(moment, step):
    if moment == "after" and step.action in ("swapon", "mount"):
        sys.meta_path.insert(0, Gone)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

executor.watch = watch
"""


@pytest.mark.parametrize("mounted", [False, True])
def test_what_undoes_needs_nothing_that_is_not_loaded(box: Box, mounted: bool) -> None:
    """An upgrade of the package may replace its files meanwhile."""
    mount = f"ZRAM_MOUNT_0={box.conf.parent}/mnt\n"
    box.write(f"ZRAM_SIZE_0=64M\n{mount}" if mounted else SMALL)
    done = patched(box, NO_MORE_MODULES, "start")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith(": Input/output error")
    assert box.numbers() == []


RESET_FAILS = NO_MEMORY.replace(
    "    return",
    """    if path == "reset" and configured:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    configured.append(path)
    return""",
).replace("write =", "configured = []\nwrite =", 1)


def test_a_reset_that_fails_does_not_hide_why(box: Box) -> None:
    done = patched(box, RESET_FAILS, "start")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    first, second = line.split("; ")
    assert first.endswith("Cannot allocate memory")
    assert second.startswith("undoing it failed too: zram")
    assert ": reset: Device or resource busy" in second
    assert box.numbers() == []


# ---- swapoff -----------------------------------------------------------------------------------

# A signal while pages return: some kernels give up then, others finish first.
INTERRUPTED = """
swapoff = _native.swapoff
def interrupted(node):
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    swapoff(node)
_native.swapoff = interrupted
"""
# A process whose pages are swapped out, and that looks at them when it is told to end.
HOLDER = """
import mmap, sys
memory = mmap.mmap(-1, 24 << 20)
for page in range(0, len(memory), 4096):
    memory[page : page + 8] = page.to_bytes(8, "little")
memory.madvise(21)
print("ready", flush=True)
sys.stdin.read()
for page in range(0, len(memory), 4096):
    assert memory[page : page + 8] == page.to_bytes(8, "little")
"""


def test_a_swapoff_that_is_interrupted_loses_nothing(box: Box) -> None:
    box.write("ZRAM_SIZE_0=512M\nZRAM_PRIORITY_0=32000\n")
    box.fine("start")
    (number,) = box.numbers()
    holders = [
        subprocess.Popen(
            [sys.executable, "-Ic", HOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for holder in holders:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
    done = patched(box, INTERRUPTED, "stop")
    still_on = f"/dev/zram{number}" in swaps()
    for holder in holders:
        holder.communicate()
    assert [holder.returncode for holder in holders] == [0] * 4, "no page is lost"
    assert done.returncode == 128 + signal.SIGTERM
    (line,) = done.stderr.splitlines()
    if still_on:
        assert f"device 0: swap off zram{number} (" in line
        assert line.endswith("ended by a signal; nothing was changed")
    else:
        assert f"device 0: reset and remove zram{number}: ended by a signal" in line
        assert line.endswith("what was done before stays done")
    assert box.numbers() == [number]
    assert box.pyzram("status").returncode == (0 if still_on else 3)
    box.fine("start")
    (number,) = box.numbers()
    assert f"/dev/zram{number}" in swaps()
    box.fine("stop")
    assert box.numbers() == []


# ---- others ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["another size", "a file system"])
def test_a_device_of_ours_that_somebody_made_something_else_of(box: Box, how: str) -> None:
    box.fine("start")
    (number,) = box.numbers()
    theirs = OwnDevice(number)
    subprocess.run(["swapoff", theirs.node], check=True)
    point = box.directory / "theirs"
    point.mkdir()
    if how == "another size":
        theirs.write("reset", "1")
        theirs.write("disksize", str(16 << 20))
    else:
        subprocess.run(["mkfs.ext4", "-q", "-F", theirs.node], check=True)
        subprocess.run(["mount", theirs.node, point], check=True)
    try:
        assert box.pyzram("status").returncode == 3
        box.fine("stop")
        assert theirs.exists()
        box.fine("start")
        box.fine("reload")
        box.fine("stop")
        assert theirs.exists()
        assert theirs.read("disksize") != "0\n"
        assert point.is_mount() == (how == "a file system")
    finally:
        drop_device(theirs)


def test_somebody_elses_device_is_named_and_ours_in_another_file_is_not(
    box: Box, add_zram: Callable[[], OwnDevice]
) -> None:
    foreign = add_zram()
    foreign.write("disksize", str(16 << 20))
    other = Box(box.directory)
    other.conf = box.directory / "zram.other"
    other.write(SMALL)
    other.fine("start")
    try:
        (ours,) = other.numbers()
        done = subprocess.run(box.command("start"), env=box.env, capture_output=True, text=True)
        assert done.returncode == 0
        assert (
            f"pyzram: warning: {foreign.name} (16M, not in use) was not made by pyzram and is left "
            "alone\n"
        ) in done.stderr
        assert f"zram{ours}" not in done.stderr
        box.fine("stop")
        assert other.numbers() == [ours]
        assert f"/dev/zram{ours}" in swaps()
    finally:
        other.fine("stop")


def test_start_and_stop_at_once_leave_all_or_nothing(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    words = ("start", "stop", "start", "reload")
    all_at_once = [subprocess.Popen(box.command(word, "-q"), env=box.env) for word in words]
    assert [process.wait(60) for process in all_at_once] == [0, 0, 0, 0]
    assert box.pyzram("status").returncode in (0, 3)
    assert len(box.numbers()) in (0, 2)
    assert all(f"/dev/zram{number}" in swaps() for number in box.numbers())
