# SPDX-License-Identifier: MIT
"""The service among neighbours that it does not control: whatever they mount, exchange, take, hold,
close or call themselves, neither their devices change nor what we say about ours.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel.box import SMALL, Box, Bystander, swaps
from kernel.conftest import OwnDevice, add_device, drop_device

import pyzram

pytestmark = pytest.mark.slow  # each test starts many processes

NOBODY = 65534
TWO = "NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n"


@pytest.fixture
def point(box: Box) -> Path:
    """A folder that the configuration mounts a file system on."""
    at = box.directory / "point"
    at.mkdir()
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={at}\nZRAM_MODE_0=1777\n")
    return at


@pytest.fixture
def bystander(add_zram: Callable[[], OwnDevice]) -> Bystander:
    """Somebody else's device, whose node is used for mischief."""
    return Bystander(add_zram())


@contextmanager
def tmpfs(at: Path) -> Iterator[Path]:
    """A file system of somebody else's, with data."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "foreign", at], check=True)
    (at / "data").write_text("not yours")
    try:
        yield at
    finally:
        while "foreign" in Path("/proc/self/mounts").read_text():
            subprocess.run(["umount", at], check=True)


# ---- what is mounted ---------------------------------------------------------------------------


def test_a_mount_over_ours_is_named_and_stays(box: Box, point: Path) -> None:
    box.fine("start")
    (number,) = box.numbers()
    with tmpfs(point):
        said = box.fails("stop")
        assert "foreign (tmpfs) is mounted over it: not ours to touch, unmount that first" in said
        assert (point / "data").read_text() == "not yours"
        assert box.numbers() == [number]
        box.write(box.conf.read_text().replace("1777", "755") + "ZRAM_OWNER_0=7:8\n")
        assert "is mounted over it" in box.fails("reload")
        status = point.stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o700, 0, 0)
    box.fine("reload")
    assert point.stat().st_uid == 7
    box.fine("stop")
    assert not point.is_mount()


def test_what_is_mounted_there_already_is_not_covered(box: Box, point: Path) -> None:
    with tmpfs(point):
        assert "mounted on" in box.fails("start")
        assert (point / "data").read_text() == "not yours"
    assert box.numbers() == []


MEANWHILE = """
import os, subprocess, sys
from pyzram.service import executor
from pyzram.cli import pyzram

moment, action, command = sys.argv[1:4]

def watch(when, step):
    if (when, step.action) == (moment, action):
        executor.watch = executor._nothing
        subprocess.run(command, shell=True, check=True)

executor.watch = watch
sys.exit(pyzram.main(sys.argv[4:]))
"""


def meanwhile(
    box: Box, moment: str, action: str, command: str, goal: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of pyzram, and somebody else's command between two of its steps."""
    words = (moment, action, command, "-c", str(box.conf), goal)
    return box.run(sys.executable, "-Ic", MEANWHILE, *words)


@pytest.mark.parametrize("action", ["mount", "permissions"])
def test_a_mount_that_comes_first_is_not_undone(box: Box, point: Path, action: str) -> None:
    try:
        command = f"mount -t tmpfs -o mode=700 foreign {point} && echo not yours > {point}/data"
        done = meanwhile(box, "before", action, command, "start")
        assert done.returncode == 1
        assert (point / "data").read_text() == "not yours\n"
        assert point.stat().st_mode & 0o7777 == 0o700
    finally:
        subprocess.run(["umount", point], check=True)
    box.fine("stop")
    assert not point.is_mount()
    assert box.numbers() == []


def test_a_name_that_others_can_lead_elsewhere_is_not_followed(box: Box, point: Path) -> None:
    theirs, victim = box.directory / "theirs", box.directory / "victim"
    for folder in (theirs, victim):
        (folder / "folder").mkdir(parents=True)
    os.chown(theirs, NOBODY, NOBODY)
    box.directory.chmod(0o755)
    at = theirs / "link" / "folder"
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={at}\nZRAM_MODE_0=1777\nZRAM_OWNER_0=7:8\n")
    (theirs / "link").symlink_to(victim)
    os.chown(theirs / "link", NOBODY, NOBODY, follow_symlinks=False)
    assert "a symbolic link on the way is not root's alone" in box.fails("start")
    assert (victim / "folder").stat().st_uid == 0
    assert not (victim / "folder").is_mount()
    # Root's own link in root's own folder counts as a folder.
    (box.directory / "mine").symlink_to(victim)
    box.write(box.conf.read_text().replace(str(at), f"{box.directory}/mine/folder"))
    box.fine("start")
    assert (victim / "folder").is_mount()
    box.fine("stop")
    assert not (victim / "folder").is_mount()


def test_links_that_are_exchanged_all_the_time(box: Box, point: Path) -> None:
    """A user swaps a folder for a link and back, as fast as possible."""
    theirs, victim = box.directory / "theirs", box.directory / "victim"
    (theirs / "real" / "folder").mkdir(parents=True)
    (victim / "folder").mkdir(parents=True)
    os.symlink(victim, theirs / "link")
    for path in (theirs, theirs / "real", theirs / "link"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.rename(theirs / "real", theirs / "at")
    exchange = subprocess.Popen(
        [
            sys.executable,
            "-Ic",
            "import ctypes, sys\nlibc = ctypes.CDLL(None)\n"
            "a, b = (x.encode() for x in sys.argv[1:])\n"
            "while True: libc.renameat2(-100, a, -100, b, 2)",
            str(theirs / "at"),
            str(theirs / "link"),
        ]
    )
    at = theirs / "at" / "folder"
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_MOUNT_0={at}\nZRAM_MODE_0=1777\nZRAM_OWNER_0=7:8\n")
    before = (victim / "folder").stat()
    outcomes = set()
    try:
        for _ in range(30):
            outcomes.add(box.pyzram("start").returncode)
            assert not (victim / "folder").is_mount()
            status = (victim / "folder").stat()
            assert (status.st_uid, status.st_mode) == (before.st_uid, before.st_mode)
            for _ in range(200):
                if box.pyzram("stop").returncode == 0:
                    break
    finally:
        exchange.kill()
        exchange.wait()
        box.pyzram("stop")
        for mounted in (theirs / "at" / "folder", theirs / "link" / "folder"):
            subprocess.run(["umount", mounted], check=False, stderr=subprocess.DEVNULL)
    assert outcomes <= {0, 1}
    assert box.pyzram("stop").returncode == 0
    assert box.numbers() == []


# ---- numbers -----------------------------------------------------------------------------------


def test_a_number_that_changes_hands_within_a_run(box: Box) -> None:
    box.write(TWO)
    box.fine("start")
    first, second = box.numbers()
    taken = (
        f"swapoff /dev/zram{first} && echo {first} > /sys/class/zram-control/hot_remove && "
        f"test $(cat /sys/class/zram-control/hot_add) = {first} && "
        f"echo 16M > /sys/block/zram{first}/disksize && mkswap /dev/zram{first} && "
        f"swapon -p 1 /dev/zram{first}"
    )
    # Removing a device while another has the lower number free: the kernel gives that out first.
    done = meanwhile(box, "after", "swapoff", taken, "stop")
    theirs = OwnDevice(first)
    try:
        assert done.returncode == 1
        why = "the device is gone, and its number belongs to another one"
        assert f"zram{first}: {why}" in done.stderr
        assert f"/dev/zram{first}" in swaps()
        assert theirs.read("disksize") == f"{16 << 20}\n"
        assert not Path(f"/sys/block/zram{second}").exists(), "the other one is taken down"
        assert box.fine("stop") == ""
        assert f"/dev/zram{first}" in swaps()
    finally:
        drop_device(theirs)


@pytest.mark.parametrize("action", ["configure", "mkswap", "swapon", "ready"])
def test_a_number_that_changes_hands_between_the_steps_of_a_start(box: Box, action: str) -> None:
    taken = (
        f"number=$(sed -n 's/^device 0 \\([0-9]*\\) .*/\\1/p' {box.run_dir}/services/*); "
        "node=/dev/zram$number; if grep -q ^$node /proc/swaps; then swapoff $node; fi && "
        "echo $number > /sys/class/zram-control/hot_remove && "
        "test $(cat /sys/class/zram-control/hot_add) = $number && "
        f"echo 16M > /sys/block/zram$number/disksize && echo $number > {box.directory}/theirs"
    )
    done = meanwhile(box, "before", action, taken, "start")
    theirs = OwnDevice(int((box.directory / "theirs").read_text()))
    try:
        if action == "ready":
            assert done.returncode == 0, "all that is left to do is to record what was made"
        else:
            assert done.returncode == 1
            assert f"zram{theirs.number}: " in done.stderr
            assert "the device is gone" in done.stderr
        assert theirs.read("disksize") == f"{16 << 20}\n"
        assert theirs.read("stat").split()[4] == "0", "nothing was written to it"
        assert theirs.node not in swaps()
        assert box.fine("stop") == ""
        assert theirs.exists()
    finally:
        drop_device(theirs)


@pytest.mark.parametrize("action", ["configure", "mkswap", "swapon", "ready"])
def test_a_device_that_goes_within_a_run_leaves_its_number_to_the_next(
    box: Box, action: str
) -> None:
    box.write(TWO)
    gone = (
        f"number=$(sed -n 's/^device 0 \\([0-9]*\\) .*/\\1/p' {box.run_dir}/services/*) && "
        f"swapoff /dev/zram$number 2>{box.directory}/refused; "
        "echo $number > /sys/class/zram-control/hot_remove && "
        f"echo $number > {box.directory}/number"
    )
    done = meanwhile(box, "before", action, gone, "start")
    number = int((box.directory / "number").read_text())
    if action == "ready":
        assert (done.returncode, done.stderr) == (0, ""), "all that was left was to record it"
    else:
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "device 0: " in line
        assert f"zram{number}: " in line
    (row,) = (row for row in box.rows() if row["name"])
    assert (row["index"], row["name"], row["state"]) == (1, f"zram{number}", "running")
    box.fine("stop")
    assert box.numbers() == []


def test_a_new_device_with_the_number_of_the_one_that_it_replaces_stays(box: Box) -> None:
    """It is none of the devices that the plan's numbers mean."""
    box.write(TWO)
    box.fine("start")
    first, second = box.numbers()
    box.write(TWO.replace("64M", "32M"))
    # The first one's successor fails, and the second one goes before its successor comes.
    gone = (
        f"for number in $(sed -n 's/^device [01] \\([0-9]*\\) .*/\\1/p' {box.run_dir}/services/*); "
        f"do if test $number != {first}; then swapoff /dev/zram$number 2>/dev/null; "
        "echo $number > /sys/class/zram-control/hot_remove; fi; done"
    )
    done = meanwhile(box, "before", "configure", gone, "reload")
    assert done.returncode == 1
    assert f"device 1: zram{second}: the device is gone" in done.stderr
    old, new = box.rows()
    assert (old["name"], old["state"]) == (f"zram{first}", "running")
    assert (new["name"], new["state"]) == (f"zram{second}", "running")
    assert new["disksize"] == 32 << 20
    box.fine("stop")
    assert box.numbers() == []


def test_a_begun_device_whose_number_is_another_s_after_a_kill(box: Box) -> None:
    code = """
import os
from pyzram.service import registry
registry.Registry.diskseq = lambda *_: os.kill(os.getpid(), 9)
from pyzram.cli import pyzram
import sys
sys.exit(pyzram.main(sys.argv[1:]))
"""
    done = box.run(sys.executable, "-Ic", code, "-c", str(box.conf), "start")
    assert done.returncode == -signal.SIGKILL
    (number,) = box.numbers()
    drop_device(OwnDevice(number))
    time.sleep(2.5)  # a person's removal, and another tool's start
    theirs = add_device()
    try:
        assert theirs.number == number
        assert box.numbers() == []
        box.fine("stop")
        assert theirs.exists()
    finally:
        drop_device(theirs)


# ---- names of nodes ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "by number", "elsewhere and removed", "replaced"])
def test_swap_whose_node_has_another_name_is_ours_still(
    box: Box, bystander: Bystander, how: str
) -> None:
    box.fine("start")
    (number,) = box.numbers()
    node = Path(f"/dev/zram{number}")
    rdev = node.stat().st_rdev
    other = Path("/dev/pyzram-test-node")
    if how in ("removed", "replaced"):
        node.unlink()
        if how == "replaced":
            os.mknod(node, 0o60600, os.stat(bystander.device.node).st_rdev)
    else:
        subprocess.run(["swapoff", node], check=True)
        by_number = Path(f"/dev/block/{os.major(rdev)}:{os.minor(rdev)}")
        if how == "by number" and by_number.exists():
            other = by_number
        else:
            os.mknod(other, 0o60600, rdev)
        subprocess.run(["swapon", "-p", "1", other], check=True)
        if how == "elsewhere and removed":
            other.unlink()
    try:
        assert box.pyzram("status").returncode == 0
        assert box.fine("start") == ""
        box.fine("stop")
        assert box.numbers() == []
        assert not any("zram" in path and str(number) in path for path in swaps())
        assert not any("pyzram-test" in path for path in swaps())
        assert bystander.look() == bystander.before
    finally:
        Path("/dev/pyzram-test-node").unlink(missing_ok=True)
        if how == "replaced":
            node.unlink()
        if Path(f"/sys/block/zram{number}").exists() and not node.exists():
            os.mknod(node, 0o60600, rdev)
            box.fine("stop")
            node.unlink()


def test_a_removed_node_that_had_the_name_of_ours_says_nothing_of_ours(
    box: Box, bystander: Bystander
) -> None:
    box.fine("start")
    (number,) = box.numbers()
    subprocess.run(["swapoff", f"/dev/zram{number}"], check=True)
    folder = Path("/dev/pyzram-test")
    folder.mkdir()
    theirs = folder / f"zram{number}"
    try:
        os.mknod(theirs, 0o60600, os.stat(bystander.device.node).st_rdev)
        subprocess.run(["swapon", "-p", "2", theirs], check=True)
        theirs.unlink()
        assert "incomplete" in box.pyzram("status").stdout
        # The area is the other device's, and listed there.
        command = [sys.executable, "-Im", "pyzram.cli.zram_stats", "--json", "--output-all"]
        found = json.loads(box.run(*command).stdout)["zram_stats"]
        priorities = {one["name"]: one["swap_priority"] for one in found}
        assert priorities[bystander.device.name] == 2
        assert priorities[f"zram{number}"] is None
        box.fine("start")
        box.fine("stop")
        assert box.numbers() == []
        assert str(theirs) in "".join(swaps())
    finally:
        subprocess.run(["swapoff", bystander.device.node], check=False)
        shutil.rmtree(folder)


def test_a_program_is_never_given_a_node_that_is_another_devices(
    box: Box, bystander: Bystander
) -> None:
    with pyzram.Zram.add() as device:
        device.configure(disksize="8M")
        node = Path(device.node)
        rdev = node.stat().st_rdev
        point = box.directory / "point"
        point.mkdir()
        node.unlink()
        os.mknod(node, 0o60600, os.stat(bystander.device.node).st_rdev)
        try:
            for what in (
                device.mkswap,
                lambda: device.mkfs("ext4"),
                lambda: device.mount(point),
            ):
                with pytest.raises(pyzram.NotZramError, match=r"is not its node.*mknod"):
                    what()
            assert bystander.look() == bystander.before
        finally:
            node.unlink()
            os.mknod(node, 0o60600, rdev)
    node.unlink()  # the kernel takes away only the node that it made itself


def test_a_swap_file_that_is_called_like_our_device_is_not_it(box: Box) -> None:
    point = box.directory / "point"
    point.mkdir()
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={point}\n")
    box.fine("start")
    (number,) = box.numbers()
    folder = box.directory / "fs" / "dev"
    folder.mkdir(parents=True)
    file = folder / f"zram{number}"
    file.write_bytes(bytes(1 << 20))
    file.chmod(0o600)
    subprocess.run(["mkswap", "-q", file], check=True, stdout=subprocess.DEVNULL)
    if subprocess.run(["swapon", file], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no swap file on this file system")
    try:
        assert box.pyzram("status").returncode == 0
        box.fine("stop")
        assert box.numbers() == []
        assert str(file) in swaps()
    finally:
        subprocess.run(["swapoff", file], check=True)


# ---- locks and names of ours -------------------------------------------------------------------

HOLD = """
import fcntl, os, sys, time
held = 0
for path in sys.argv[1:]:
    for flags in (os.O_RDONLY, os.O_RDWR):
        try:
            fcntl.flock(os.open(path, flags), fcntl.LOCK_EX)
            held += 1
            break
        except OSError:
            pass
print(held, flush=True)
time.sleep(60)
"""


def test_nobody_else_can_hold_our_locks(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    box.directory.chmod(0o755)
    files = [str(path) for path in [box.run_dir, *box.run_dir.rglob("*")] if path.is_file()]
    assert files
    words = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-Ic", HOLD]
    with subprocess.Popen([*words, *files], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "0\n", "none could even be opened"
            began = time.monotonic()
            box.fine("stop")
            assert time.monotonic() - began < 30
        finally:
            holder.kill()
    assert not Path(f"/sys/block/zram{number}").exists()


@pytest.mark.parametrize("name", ["zram.new", "zram.adding", "lock", "a!b", "zram.limit", "%21"])
def test_a_service_of_any_name_stops_what_it_started(box: Box, name: str) -> None:
    box.fine("start")
    other = Box(box.directory)
    other.conf = box.directory / name
    other.write(SMALL)
    other.fine("start")
    try:
        (theirs,), (ours,) = other.numbers(), box.numbers()
        other.fine("stop")
        assert f"/dev/zram{theirs}" not in swaps()
        assert f"/dev/zram{ours}" in swaps()
        box.fine("stop")
        assert box.numbers() == []
    finally:
        other.pyzram("stop")


# ---- output ------------------------------------------------------------------------------------


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("where", ["full", "closed pipe", "closed"])
@pytest.mark.parametrize("command", ["start", "stop", "reload", "restart"])
def test_what_cannot_be_told_is_done_all_the_same(
    box: Box, command: str, where: str, buffered: str
) -> None:
    box.write(TWO)
    if command != "start":
        box.fine("start")
    if command == "reload":
        box.write(TWO.replace("64M", "32M"))
    to = {"full": "> /dev/full 2> /dev/full", "closed": "<&- >&- 2>&-", "closed pipe": "| true"}
    line = f"sleep 0.1; {' '.join(box.command(command))} {to[where]}"
    words = ["bash", "-c", f"set -o pipefail; {{ {line}; }}" if "pipe" in where else line]
    env = {**box.env, "PYTHONUNBUFFERED": buffered}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    count = 0 if command == "stop" else 2
    assert len(box.numbers()) == count
    assert box.pyzram("status").returncode == (0 if count else 3)


@pytest.mark.parametrize("command", ["start", "stop"])
def test_hardly_any_environment_and_no_search_path(box: Box, command: str) -> None:
    if command == "stop":
        box.fine("start")
    run_dir = f"PYZRAM_RUN={box.run_dir}"
    done = box.run("env", "-i", run_dir, *box.command(command))
    assert done.returncode == 0, done.stderr
    assert len(box.numbers()) == (command == "start")


def test_whoever_starts_us_may_ignore_how_programs_end(box: Box) -> None:
    ignore = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    ignore += "os.execv(sys.argv[1], sys.argv[1:])"
    for command in ("start", "stop"):
        done = box.run(sys.executable, "-Ic", ignore, *box.command(command))
        assert done.returncode == 0, done.stderr
        assert len(box.numbers()) == (command == "start")


@pytest.mark.parametrize("limit", ["ulimit -v 200000", "ulimit -n 16"])
def test_little_memory_and_few_files(box: Box, limit: str) -> None:
    for command in ("start", "stop"):
        line = " ".join(box.command(command))
        done = box.run("sh", "-c", f"{limit}; exec {line}")
        assert done.returncode == 0, done.stderr


def test_escapes_in_names_do_not_reach_the_terminal(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    evil = "x\x1b]0;evil\x07\x9b"
    code = (
        "import sys, time\n"
        "open('/proc/self/comm', 'w').write('x\\x1b]0;evil\\x07')\n"
        f"f = open('/dev/zram{number}', 'rb')\nprint(flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-Ic", code], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            holder.stdout.readline()
            said = box.fails("stop")
        finally:
            holder.kill()
    assert f"[{holder.pid}]" in said
    assert not set(evil) & set(said) - set("x]0;evil")
    assert "x\\x1b]0;evil\\x07" in said


# ---- a full /run -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_stop_takes_all_down_though_nothing_can_be_noted(box: Box, how: str) -> None:
    box.run_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", box.run_dir], check=True)
    try:
        box.write(TWO)
        box.fine("start")
        both = box.numbers()
        box.let_run_take_nothing(how)
        done = box.pyzram("stop")
        assert not any(f"/dev/zram{number}" in swaps() for number in both), done.stderr
        assert not any(Path(f"/sys/block/zram{number}").exists() for number in both)
        assert done.returncode == 0, done.stderr
        assert "still recorded" in done.stderr
        assert box.numbers() == []
        assert box.pyzram("status").returncode == 3
    finally:
        subprocess.run(["mount", "-o", "remount,rw", box.run_dir], check=False)
        for number in box.numbers():
            drop_device(OwnDevice(number))
        subprocess.run(["umount", box.run_dir], check=True)


# ---- stop, while somebody stops us -------------------------------------------------------------


def test_stopped_and_continued_again_and_again(box: Box) -> None:
    """As with Ctrl-Z and fg, a suspend, or a debugger."""
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n")
    for _ in range(5):
        box.fine("start")
        process = subprocess.Popen(box.command("stop"), env=box.env, stderr=subprocess.PIPE)
        over = threading.Event()

        def bother(
            process: subprocess.Popen[bytes] = process, over: threading.Event = over
        ) -> None:
            while not over.is_set():
                for number in (signal.SIGSTOP, signal.SIGCONT):
                    process.send_signal(number)
                    time.sleep(0.002)

        thread = threading.Thread(target=bother)
        thread.start()
        try:
            _, said = process.communicate(timeout=120)
        finally:
            over.set()
            thread.join()
        assert process.returncode == 0, said
        assert box.numbers() == []


def test_a_second_signal_does_not_spoil_the_undoing(box: Box) -> None:
    code = """
import os, sys
from pyzram.service import executor
from pyzram.cli import pyzram

def watch(moment, step):
    if (moment, step.action) == ("after", "swapon"):
        os.kill(os.getpid(), 15)

executor.watch = watch
undo = executor.Executor.roll_back
def roll_back(self):
    for number in (15, 2, 1):
        os.kill(os.getpid(), number)
    for action in self.begun:
        def again(undo=action.undo):
            os.kill(os.getpid(), 15)
            undo()
            os.kill(os.getpid(), 2)
        action.undo = again
    return undo(self)
executor.Executor.roll_back = roll_back
sys.exit(pyzram.main(sys.argv[1:]))
"""
    done = box.run(sys.executable, "-Ic", code, "-c", str(box.conf), "start")
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr.endswith(": ended by a signal; what was half done has been undone\n")
    assert box.numbers() == []


def test_a_failed_start_that_is_terminated_while_it_undoes(box: Box) -> None:
    add = "printf '#!/bin/sh\\nkill -TERM $PPID; echo no luck; exit 1\\n'"
    path = box.directory / "bin"
    path.mkdir()
    subprocess.run(f"{add} > {path}/mkswap; chmod 755 {path}/mkswap", shell=True, check=True)
    done = box.pyzram("start", PATH=f"{path}:{os.environ['PATH']}")
    assert done.returncode in (1, 128 + signal.SIGTERM)
    assert done.stderr.strip(), "there is a word"
    assert box.numbers() == []
