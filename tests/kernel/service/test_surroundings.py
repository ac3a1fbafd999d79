# SPDX-License-Identifier: MIT
"""The service in surroundings beyond its control: umasks, environments, limits, clocks, disks."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel.box import SMALL, Box, checked, diskseq, forked
from kernel.conftest import OwnDevice, drop_device
from kernel.memory_cgroup import WHY_NOT, MemoryCgroup

import pyzram

pytestmark = pytest.mark.slow  # each test starts many processes

COMMANDS = ("start", "reload", "stop")
MERELY_OPEN = re.compile(r"Device or resource busy \((open in .*|something has it open)\)\n$")


def under(
    box: Box, command: str, prepare: Callable[[], object]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        box.command(command),
        env=box.env,
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def runs(box: Box) -> bool:
    return box.pyzram("status").returncode == 0


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_any_umask(box: Box, mask: int) -> None:
    point = box.directory / "point"
    point.mkdir()
    box.write(f"{SMALL}ZRAM_SIZE_1=16M\nZRAM_MOUNT_1={point}\n")
    for command in COMMANDS:
        done = under(box, command, lambda: os.umask(mask))
        assert done.returncode == 0, done.stderr
        for path in [box.run_dir, *box.run_dir.rglob("*")]:
            status = path.lstat()
            assert status.st_mode & 0o777 == (0o755 if path.is_dir() else 0o600), path
        if command != "stop":
            assert point.stat().st_mode & 0o777 == 0o755, "as mkfs makes it"
            assert runs(box)


def test_the_extension_with_the_codecs_cannot_be_loaded(box: Box) -> None:
    folder = box.directory / "python"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pyzram.__file__).parent, folder / "pyzram", ignore=ignored)
    (extension,) = folder.glob("pyzram/_pages.*.so")
    extension.write_bytes(b"")
    box.write(SMALL)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from pyzram.cli.pyzram import main; "
    for command in ("check", "plan", "start", "status", "info", "reload", "stop"):
        done = box.run(sys.executable, "-Ic", f"{code}sys.exit(main())", *box.command(command)[3:])
        assert done.returncode == 0, done.stderr
        assert runs(box) == (command in ("start", "status", "info", "reload"))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_open_descriptors_at_all(box: Box, command: str) -> None:
    if command != "start":
        box.fine("start")
    done = under(box, command, lambda: os.closerange(0, 64))
    assert done.returncode == 0
    assert (len(box.numbers()) == 1) == (command != "stop")


@pytest.mark.parametrize("command", COMMANDS)
def test_however_little_address_space(box: Box, command: str) -> None:
    """``ulimit -v``, from less than Python needs to enough: the status is true all the way."""
    fine = 0
    for size in (*range(8, 48, 4), 64, 128):
        box.fine("stop" if command == "start" else "start")
        limit = size << 20

        def confine(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

        before = box.known()
        done = under(box, command, confine)
        judge(box, command, done, before)
        fine += done.returncode == 0
        box.fine("stop")
        assert box.numbers() == []
    assert fine, "with enough of it, it works"


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize("command", COMMANDS)
def test_however_little_memory(box: Box, command: str) -> None:
    """In a memory cgroup; the next command repairs what the kernel kills."""
    fine = killed = 0
    for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64):
        box.fine("stop" if command == "start" else "start")
        group = MemoryCgroup(f"little-{size}")
        try:
            group.limit(size << 20)
            before = box.known()
            done = under(box, command, group.enter)
            # The kernel may also have killed a program that was run.
            if done.returncode == -9:
                killed += 1
            else:
                judge(box, command, done, before)
                fine += done.returncode == 0
        finally:
            group.end()
        box.fine("stop")
        assert box.numbers() == []
    print(f"{command}: {fine} went well, {killed} were killed")
    assert fine


def judge(
    box: Box,
    command: str,
    done: subprocess.CompletedProcess[str],
    before: dict[int, str],
) -> None:
    """The status describes the devices, and every failure has a message."""
    numbers = box.numbers()
    if done.returncode == 0:
        assert bool(numbers) == (command != "stop"), done.stderr
        assert command == "stop" or runs(box)
        return
    assert done.stderr.strip(), "a word"
    if command == "start":
        assert numbers == [] or "undoing" in done.stderr, done.stderr
    if command == "reload":
        assert all(diskseq(number) == known for number, known in before.items())


@pytest.mark.parametrize("jump", [10_000_000, -50])
def test_clocks_that_jump_between_commands(box: Box, jump: int) -> None:
    """Through a time namespace: as after a suspend, or in a container that was moved."""
    words = ["unshare", "--time", "--monotonic", str(jump), "--boottime", str(jump)]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs time namespaces")
    assert box.run(*words, *box.command("start")).returncode == 0
    (number,) = box.numbers()
    assert box.fine("start") == ""
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    done = box.run(*words, *box.command("reload"))
    assert done.returncode == 0, done.stderr
    assert box.numbers() != [number]
    assert box.run(*words, *box.command("status")).returncode == 0
    box.fine("stop")
    assert box.numbers() == []


def clocks_jump(by: float) -> None:
    """From now on, each reading of this process's clocks is ``by`` seconds later than the last."""
    passed = 0.0

    def jumping(clock: Callable[[], float]) -> Callable[[], float]:
        def look() -> float:
            nonlocal passed
            passed += by
            return clock() + passed

        return look

    time.monotonic = jumping(time.monotonic)
    time.time = jumping(time.time)


@pytest.mark.parametrize("by", [10_000_000, -10_000_000, 31])
def test_clocks_that_jump_within_a_command(box: Box, by: float) -> None:
    """As after a suspend between two instructions, or if somebody sets the time."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["-c", str(box.conf), *words]
        for _ in range(50):
            done = checked(forked(command, box.env, lambda: clocks_jump(by)))
            # With such a clock no wait lasts, not even for another program that merely looks.
            if not done.returncode or not MERELY_OPEN.search(done.stderr):
                break
        return done

    assert run("start").returncode == 0
    assert run("status").returncode == 0
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    done = run("reload")
    assert done.returncode == 0, done.stderr
    assert [row["disksize"] for row in box.rows()] == [96 << 20]
    done = run("stop")
    assert done.returncode == 0, done.stderr
    assert box.numbers() == []


@pytest.mark.parametrize("how", ["full", "read-only"])
@pytest.mark.parametrize("command", ["start", "reload", "status"])
def test_a_run_directory_that_takes_nothing(box: Box, how: str, command: str) -> None:
    box.run_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", box.run_dir], check=True)
    try:
        if command != "start":
            box.fine("start")
            box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
        before = box.known()
        box.let_run_take_nothing(how)
        done = box.pyzram(command)
        if command == "status":
            assert done.returncode in (0, 1), done.stderr
            return
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert str(box.run_dir) in line
        assert ("No space left" if how == "full" else "Read-only") in line
        assert box.known() == before
    finally:
        subprocess.run(["mount", "-o", "remount,rw", box.run_dir], check=False)
        for path in box.run_dir.glob("fill*"):
            path.unlink()
        box.pyzram("stop")
        for number in box.numbers():
            drop_device(OwnDevice(number))
        subprocess.run(["umount", box.run_dir], check=True)


def test_what_root_s_environment_says_of_python_is_not_honoured(box: Box, tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("pyzram")
    if not script.exists():
        pytest.skip("needs the installed command")
    theirs = tmp_path / "theirs"
    for name in ("pyzram", "json", "cffi"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "__init__.py").write_text("raise SystemExit('code of somebody else')\n")
    for command in COMMANDS:
        done = box.run(str(script), "-c", str(box.conf), command, PYTHONPATH=str(theirs))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["fifo", "endless", "folder"])
@pytest.mark.parametrize("command", ["check", "start", "import"])
def test_what_is_not_a_configuration_is_refused_at_once(box: Box, what: str, command: str) -> None:
    path = box.directory / "conf"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    if command == "import":
        if what == "folder":
            pytest.skip("a folder is taken for one of drop-ins")
        done = box.run(sys.executable, "-Im", "pyzram.cli.pyzram", "import", str(path))
    else:
        box.conf = path
        done = box.pyzram(command)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(path) in line


@pytest.mark.parametrize("goal", ["plan", "start"])
def test_what_is_no_dictionary_is_refused_at_once(box: Box, goal: str) -> None:
    """The kernel would wait for somebody to write to the pipe."""
    if not Path("/sys/block/zram0/algorithm_params").exists():
        pytest.skip("needs a kernel that takes algorithm_params, and a device to tell by")
    os.mkfifo(box.directory / "pipe")
    box.write(f"{SMALL}ZRAM_ALGORITHM_0='lz4(dict={box.directory}/pipe)'\n")
    done = box.run("timeout", "20", *box.command(goal))
    assert done.returncode == 1
    assert f"dictionary {box.directory}/pipe: Invalid argument (give a reg" in done.stderr
    assert box.numbers() == []


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 5000])
@pytest.mark.parametrize("name", ["OWNER", "SIZE", "MEM_LIMIT", "MODE", "PRIORITY"])
def test_numbers_without_end_are_told_by_check(box: Box, name: str, digits: str) -> None:
    point = box.directory / "point"
    mount = "" if name == "PRIORITY" else f"ZRAM_MOUNT_0={point}\n"
    box.write(f"ZRAM_SIZE_0=16M\n{mount}ZRAM_{name}_0={digits}\n")
    for command in ("check", "start"):
        done = box.pyzram(command)
        assert done.returncode == 1
        assert f"ZRAM_{name}_0" in done.stderr
        assert len(done.stderr) < 2000
    assert box.numbers() == []


@pytest.mark.parametrize("part", ["", "-t proc -o subset=pid"])
def test_without_proc_nothing_is_done_and_no_figure_made_up(box: Box, part: str) -> None:
    box.fine("start")
    (number,) = box.numbers()
    script = f'mount {part or "-t tmpfs"} none /proc || exit 77; exec "$@"'
    without = ["unshare", "--mount", "sh", "-c", script, "sh"]
    said = "/proc is not mounted, or only its processes are (mount -t proc proc /proc)\n"
    for command in COMMANDS:
        done = box.run(*without, *box.command(command))
        assert (done.returncode, done.stderr) == (1, f"pyzram {command}: {said}")
    stats = [sys.executable, "-Im", "pyzram.cli.zram_stats", f"zram{number}"]
    done = box.run(*without, *stats)
    assert (done.returncode, done.stderr) == (1, f"zram_stats: zram{number}: {said}")
    assert "disksize:" in done.stdout and "swap" not in done.stdout
    assert box.numbers() == [number]
    assert runs(box)
    assert "swap_priority:" in box.run(*stats).stdout
    box.fine("stop")
