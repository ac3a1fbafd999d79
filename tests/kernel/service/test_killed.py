# SPDX-License-Identifier: MIT
"""Start and reload that are ended in the middle, before and after every step: by SIGTERM they undo
what is half done; after SIGKILL the next start or reload finds what was begun. A signal that comes
when everything is done changes nothing any more, neither what runs nor what is said about it.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel.box import SMALL, Box, diskseq, swaps, swaps_left
from kernel.conftest import OwnDevice, write_once

from pyzram.kernel.sysfs import Sysfs
from pyzram.service.registry import Registry

pytestmark = pytest.mark.slow  # each test starts many processes

# A real process that ends itself at a given point of a real run.
ENDED = """
import os, sys
from pyzram import _native
from pyzram.service import executor, registry
from pyzram.cli import pyzram

number, where, point = sys.argv[1:4]

def end(*_):
    os.kill(os.getpid(), int(number))

if where == "in":
    homes = {"attr_read_into": _native, "unlink": os, "replace": os}
    setattr(homes.get(point, registry.Registry), point, end)
else:
    executor.watch = lambda moment, step: (moment, step.action) == (where, point) and end()
sys.exit(pyzram.main(sys.argv[4:]))
"""

# The steps as in the plan, in which each test looks them up.
START = ["add", "configure", "mkswap", "swapon", "ready"]
REPLACE = [*START, "swapoff", "remove"]
MOUNT = ["add", "configure", "mkfs", "mount", "permissions", "ready"]
LIVE = ["mem_limit", "mount_options", "permissions", "ready"]
# Within a step, where the record is written.
INSIDE = [("in", point) for point in ("attr_read_into", "save", "replace", "unlink")]


def around(steps: list[str]) -> list[tuple[str, str]]:
    return [(where, step) for step in steps for where in ("before", "after")]


def end(box: Box, number: int, where: str, point: str, command: str, *, last: str = "") -> str:
    """Run a command that gets the signal at that point; return what it printed."""
    words = (str(number), where, point, "-c", str(box.conf), command)
    done = box.run(sys.executable, "-Ic", ENDED, *words)
    status = -number if number == signal.SIGKILL else 128 + number
    assert done.returncode == (0 if (where, point) == ("after", last) else status)
    return done.stderr


def steps(box: Box, command: str) -> list[str]:
    plan = json.loads(box.fine(command, "--pretend", "--json"))
    return [step["action"] for step in plan["steps"]]


def all_gone(devices: dict[int, str], but: list[int]) -> bool:
    return all(number in but or diskseq(number) != known for number, known in devices.items())


def mounted(box: Box, text: str = "") -> Path:
    point = box.directory / "point"
    point.mkdir(exist_ok=True)
    box.write(f"ZRAM_SIZE_0=64M\nZRAM_MOUNT_0={point}\n{text}")
    return point


def options(point: Path) -> set[str]:
    (line,) = [x for x in Path("/proc/self/mounts").read_text().splitlines() if str(point) in x]
    return set(line.split()[3].split(","))


# ---- start -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "point"), [*around(START)[:-1], ("in", "save")])
def test_start_that_is_terminated_undoes_what_it_did(box: Box, where: str, point: str) -> None:
    assert steps(box, "start") == START
    before = set(swaps())
    line = end(box, signal.SIGTERM, where, point, "start")
    assert line.count("\n") == 1
    begun = (where, point) != ("before", "add")
    became = "what was half done has been undone" if begun else "nothing was changed"
    assert line.endswith(f": ended by a signal; {became}\n")
    assert box.numbers() == []
    assert not swaps_left(before)
    box.fine("start")
    assert len(box.numbers()) == 1
    box.fine("stop")


def test_a_signal_that_comes_when_all_is_done_changes_nothing(box: Box) -> None:
    assert end(box, signal.SIGTERM, "after", "ready", "start", last="ready") == ""
    assert box.pyzram("status").returncode == 0
    box.fine("stop")


def test_a_stop_that_is_terminated_says_what_is(box: Box) -> None:
    box.write("NUM_DEVICES=2\nSWAPON_OPTS='-p 1'\nZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    box.fine("start")
    first, second = box.numbers()
    said = end(box, signal.SIGTERM, "before", "swapoff", "stop")
    assert said.endswith(": ended by a signal; nothing was changed\n")
    assert {f"/dev/zram{first}", f"/dev/zram{second}"} <= set(swaps())
    said = end(box, signal.SIGTERM, "after", "remove", "stop")
    assert said.endswith(": ended by a signal; what was done before stays done\n")
    assert "undone" not in said
    assert box.numbers() == [first]
    assert f"/dev/zram{first}" in swaps()
    box.fine("stop")


ADD = """
import sys
from pyzram.config.device_config import DeviceConfig
from pyzram.service.registry import Registry
with Registry(sys.argv[1], directory=sys.argv[2]) as state:
    print(flush=True)
    state.add_device(0, DeviceConfig(0, 1 << 20))
    sys.stdin.read()
"""


def test_a_device_is_recorded_by_the_very_call_that_makes_it(box: Box) -> None:
    """SIGKILL at random moments around hot_add, which takes longer than everything around it."""
    before = {diskseq(number) for number in Sysfs().numbers()}
    taken_up, usual = 0, 1e-3
    for _ in range(60):
        words = [sys.executable, "-Ic", ADD, str(box.conf), str(box.run_dir)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.read(1)
            time.sleep(random.random() * 2 * usual)
            process.kill()
        late = len(box.numbers())
        # So about half of them come too late, however long it is until then on a busy machine.
        usual *= 0.5 if late else 2
        taken_up += late
        box.fine("stop")

    def left() -> list[int]:
        found = []
        for number in Sysfs().numbers():
            try:
                size = Path(f"/sys/block/zram{number}/disksize").read_text()
                if size == "0\n" and diskseq(number) not in before:
                    found.append(number)
            except FileNotFoundError:
                pass
        return found

    # Others on this machine make devices too, but do not leave them like this.
    deadline = time.monotonic() + 5
    while left() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left() == []
    assert taken_up, "none was killed late enough"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_undo_too(box: Box, number: int) -> None:
    end(box, number, "after", "swapon", "start")
    assert box.numbers() == []


@pytest.mark.parametrize(("where", "point"), [*around(START), *INSIDE])
def test_start_after_a_start_that_was_killed(box: Box, where: str, point: str) -> None:
    assert steps(box, "start") == START
    end(box, signal.SIGKILL, where, point, "start")
    left = box.known()
    if (where, point) in (("before", "add"), ("in", "attr_read_into")):
        assert not left
    else:
        assert len(left) == 1, "the device is known, wherever the process died"
    box.fine("start")
    (number,) = box.numbers()
    assert f"/dev/zram{number}" in swaps()
    assert all_gone(left, but=[number])
    assert steps(box, "reload") == []
    box.fine("stop")
    assert all_gone(left, but=[])


@pytest.mark.parametrize(("where", "point"), around(MOUNT))
def test_a_file_system_whose_start_was_killed(box: Box, where: str, point: str) -> None:
    at = mounted(box, "ZRAM_MODE_0=1777\n")
    assert steps(box, "start") == MOUNT
    end(box, signal.SIGKILL, where, point, "start")
    left = box.known()
    box.fine("start")
    (number,) = box.numbers()
    assert at.is_mount()
    assert at.stat().st_mode & 0o7777 == 0o1777
    assert all_gone(left, but=[number])
    assert steps(box, "reload") == []
    box.fine("stop")
    assert not at.is_mount()


@pytest.mark.parametrize(("where", "point"), around(MOUNT)[:-1])
def test_a_file_system_whose_start_was_terminated(box: Box, where: str, point: str) -> None:
    at = mounted(box, "ZRAM_MODE_0=1777\n")
    mode = at.stat().st_mode
    end(box, signal.SIGTERM, where, point, "start")
    assert box.numbers() == []
    assert not at.is_mount()
    assert at.stat().st_mode == mode


def test_stop_after_a_start_that_was_killed(box: Box) -> None:
    end(box, signal.SIGKILL, "before", "configure", "start")
    started = time.monotonic()
    box.fine("stop")
    assert time.monotonic() - started < 30, "the lock of a killed process is free"
    assert box.numbers() == []


# ---- reload to a new device --------------------------------------------------------------------


@pytest.mark.parametrize(("where", "point"), [*around(REPLACE), *INSIDE])
def test_start_and_reload_after_a_reload_that_was_killed(box: Box, where: str, point: str) -> None:
    box.fine("start")
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    assert steps(box, "reload") == REPLACE
    end(box, signal.SIGKILL, where, point, "reload")
    left = box.known()
    assert any(f"/dev/zram{number}" in swaps() for number in left), "never without swap"
    box.fine("start")
    assert len(box.numbers()) == 1
    box.fine("reload")
    (number,) = box.numbers()
    assert Path(f"/sys/block/zram{number}/disksize").read_text() == f"{96 << 20}\n"
    assert all_gone(left, but=[number])
    assert steps(box, "reload") == []


@pytest.mark.parametrize(("where", "point"), around(REPLACE))
def test_reload_that_is_terminated(box: Box, where: str, point: str) -> None:
    box.fine("start")
    before = box.known()
    (old,) = before
    box.write("ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    end(box, signal.SIGTERM, where, point, "reload", last="remove")
    after = box.known()
    done = REPLACE.index(point) + (where == "after")
    if done <= REPLACE.index("ready"):
        assert after == before, "the new device is gone, the old one as it was"
        assert steps(box, "reload") == REPLACE
    else:
        # The new device is complete; what is left of the old one goes next time.
        new = [number for number in after if number != old]
        assert [f"/dev/zram{number}" in swaps() for number in new] == [True]
    drained = old in after and f"/dev/zram{old}" not in swaps()
    assert box.pyzram("status").returncode == (1 if drained else 0)
    assert any(f"/dev/zram{number}" in swaps() for number in after), "never without swap"
    box.fine("reload")
    (number,) = box.numbers()
    assert all_gone({**before, **after}, but=[number])
    assert steps(box, "reload") == []


# ---- reload of what changes live ---------------------------------------------------------------


def live_change(box: Box) -> Path:
    """A file system, and a configuration that wants another limit, options and mode."""
    point = mounted(box, "ZRAM_MOUNT_OPTS_0=nosuid\n")
    box.fine("start")
    mounted(
        box,
        "ZRAM_MOUNT_OPTS_0=noexec\nZRAM_MEM_LIMIT_0=8M\nZRAM_MODE_0=1777\nZRAM_OWNER_0=7:8\n",
    )
    assert sorted(steps(box, "reload")) == sorted(LIVE)
    return point


def look(box: Box, point: Path) -> tuple[object, ...]:
    (number,) = box.numbers()
    limit = Path(f"/sys/block/zram{number}/mm_stat").read_text().split()[3]
    status = point.stat()
    return limit, options(point), status.st_mode & 0o7777, status.st_uid, status.st_gid


@pytest.mark.parametrize(("where", "point"), around(LIVE)[:-1])
def test_live_changes_that_are_terminated_are_put_back(box: Box, where: str, point: str) -> None:
    at = live_change(box)
    before = look(box, at)
    end(box, signal.SIGTERM, where, point, "reload")
    assert look(box, at) == before
    box.fine("reload")
    assert look(box, at) == (str(8 << 20), {"rw", "relatime", "noexec", "discard"}, 0o1777, 7, 8)
    assert steps(box, "reload") == []


@pytest.mark.parametrize(("where", "point"), around(LIVE))
def test_live_changes_after_a_reload_that_was_killed(box: Box, where: str, point: str) -> None:
    at = live_change(box)
    end(box, signal.SIGKILL, where, point, "reload")
    box.pyzram("start")
    box.fine("reload")
    assert look(box, at) == (str(8 << 20), {"rw", "relatime", "noexec", "discard"}, 0o1777, 7, 8)
    assert steps(box, "reload") == []


def test_a_live_change_that_fails_takes_back_those_before_it(box: Box) -> None:
    at = live_change(box)
    before = look(box, at)
    box.write(box.conf.read_text().replace("noexec", "nonsense"))
    assert ": change mount options: " in box.fails("reload")
    assert look(box, at) == before


# ---- the record --------------------------------------------------------------------------------


def test_a_file_that_changed_after_a_kill_still_shows_its_difference(box: Box) -> None:
    end(box, signal.SIGKILL, "before", "ready", "start")
    (number,) = box.numbers()
    box.write(SMALL + "ZRAM_LABEL_0=other\n")
    done = box.pyzram("start")
    assert done.returncode == 0
    assert f"zram{number}: label none -> other" in done.stderr
    assert box.numbers() == [number]
    box.fine("reload")
    assert box.fine("plan") == "nothing to do\n"
    assert box.numbers() != [number]


def test_a_record_of_an_earlier_boot_does_not_count(box: Box) -> None:
    box.fine("start")
    (number,) = box.numbers()
    (record,) = (box.run_dir / "services").iterdir()
    text = record.read_text()
    record.write_text("boot another\n" + text.split("\n", 1)[1])
    assert box.numbers() == []
    record.write_text(text)
    assert box.numbers() == [number]


def test_a_begun_device_of_which_somebody_made_something_else_is_left_alone(box: Box) -> None:
    end(box, signal.SIGKILL, "before", "configure", "start")
    (number,) = box.numbers()
    sysfs = Path(f"/sys/block/zram{number}")
    write_once(sysfs / "disksize", str(8 << 20))
    try:
        box.fine("start")
        assert (sysfs / "disksize").read_text() == f"{8 << 20}\n"
        assert [row["name"] for row in box.rows()] != [f"zram{number}"]
        box.fine("stop")
        assert (sysfs / "disksize").read_text() == f"{8 << 20}\n"
    finally:
        write_once(sysfs / "reset", "1")
        write_once(Path("/sys/class/zram-control/hot_remove"), str(number))


def test_a_begun_device_that_somebody_else_set_up_is_not_taken(
    box: Box, add_zram: Callable[[], OwnDevice]
) -> None:
    foreign = add_zram()
    write_once(foreign.sysfs / "disksize", str(64 << 20))
    box.fine("stop")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    adding = Path(Registry(str(box.conf), directory=str(box.run_dir)).adding)
    adding.parent.mkdir(mode=0o755, exist_ok=True)
    adding.write_text(f"{boot} 0 {foreign.number}\n")
    adding.chmod(0o600)
    assert box.numbers() == []
    box.fine("start")
    assert foreign.number not in box.numbers()
