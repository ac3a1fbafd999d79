# SPDX-License-Identifier: MIT
"""Proactive reclaim: what is asked of which group, and when nothing is asked."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_roots import unreadable
from hypothesis import given
from hypothesis import strategies as st

from pyzram import _native
from pyzram.cli import pyzram as command
from pyzram.cli.tend import daemon as tend_daemon
from pyzram.cli.tend.command import configured
from pyzram.cli.tend.reclaim import ReclaimPlan, reclaimed
from pyzram.config.config import ConfigError
from pyzram.config.parser import parse_config
from pyzram.kernel.sysfs import Sysfs
from pyzram.safe_paths import UNSAFE_LINK
from pyzram.tend import reclaim, waiting
from pyzram.tend.observation import Observation
from pyzram.tend.policy import Decision
from pyzram.tend.reclaim import EVERY, MOST, Group, Reclaimer, System, refusal, wanted
from pyzram.tend.state import CALM, HELD, State
from pyzram.tend.tender import Report
from pyzram.units import GIB, MIB, format_size

AT_WORK = System(4 * GIB, GIB, 2 * GIB, GIB, damon=False)
PSI = "some avg10={} avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0"

groups = st.builds(
    Group,
    name=st.just("user.slice"),
    current=st.integers(0, 1 << 50),
    protected=st.integers(0, 1 << 50) | st.just(float("inf")),
    some10=st.none() | st.floats(0, 100),
)


@given(groups)
def test_what_is_asked_for_is_bounded(group):
    size = wanted(group)
    assert 0 <= size <= min(MOST, group.current / 2000)
    assert size == 0 or group.current - size >= group.protected
    if group.some10 is None or group.some10 >= 0.1:
        assert size == 0


@given(groups, st.floats(0, 1), st.floats(0, 1))
def test_who_waits_longer_is_asked_for_less(group, one, other):
    less, more = sorted((one, other))
    assert wanted(group._replace(some10=more)) <= wanted(group._replace(some10=less))


def test_the_rule_at_single_points():
    group = Group("a", 2 * GIB, 0, 0.0)
    assert wanted(group) == 2 * GIB // 2000
    assert wanted(group._replace(some10=0.05)) == pytest.approx(GIB / 2000, abs=1)
    assert wanted(group._replace(current=1000 * GIB)) == MOST == 64 * MIB
    assert wanted(group._replace(protected=2 * GIB - 8192)) == 8192
    assert wanted(group._replace(current=4 * MIB)) == 0  # not a page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"damon": True}, "DAMON_RECLAIM is on"),
        ({"damon": None}, "it is unknown whether DAMON_RECLAIM is on"),
        ({"swap": 0}, "no swap on zram"),
        ({"swap_used": 1.6 * GIB}, "more than 75% of the swap on zram is used"),
        ({"available": 2.1 * GIB}, "more than 50% of memory is available"),
    ],
)
def test_when_nobody_is_asked(changes, reason):
    assert refusal(AT_WORK._replace(**changes)) == reason


def machine(root: Path) -> Sysfs:
    """Short of memory, with swap on zram, and one control group."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text("MemTotal: 4194304 kB\nMemAvailable: 1048576 kB\n")
    (root / "proc/swaps").write_text(
        "Filename Type Size Used Priority\n/dev/zram0 partition 2097152 1048576 100\n"
        "/dev/sda2 partition 9999999 9999999 -2\n"
    )
    group(root, "user.slice", 2 * GIB)
    return Sysfs(str(root))


def group(root: Path, name: str, current: int, **files: str) -> Path:
    folder = root / "sys/fs/cgroup" / name
    folder.mkdir(parents=True)
    contents = {"current": f"{current}\n", "low": "0\n", "min": "0\n", "reclaim": ""}
    contents |= {"pressure": PSI.format("0.00"), **files}
    for file, text in contents.items():
        (folder / f"memory.{file}").write_text(text)
    return folder


def test_named_groups_are_asked_and_no_others(tmp_path):
    sysfs = machine(tmp_path)
    kept = group(tmp_path, "system.slice/kept", GIB, low="max\n")
    busy = group(tmp_path, "busy", GIB, pressure=PSI.format("0.30"))
    other = group(tmp_path, "other", GIB)
    told: list[str] = []
    reclaimer = Reclaimer(sysfs, told.append)
    assert reclaimed(reclaimer) == {}
    reclaimer.names = ("user.slice", "system.slice/kept", "busy", "gone")
    reclaimer.step()
    size = str(2 * GIB // 2000)
    assert (tmp_path / "sys/fs/cgroup/user.slice/memory.reclaim").read_text() == size
    assert {(folder / "memory.reclaim").read_text() for folder in (kept, busy, other)} == {""}
    assert reclaimed(reclaimer)["reclaim"]["asked"]["user.slice"] == 2 * GIB // 2000
    assert told == []
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n")
    reclaimer.step()
    assert reclaimer.reason == "no swap on zram"
    assert reclaimer.asked == {"user.slice": 2 * GIB // 2000}


def test_what_cannot_be_asked_is_told_once(tmp_path, monkeypatch):
    sysfs = machine(tmp_path)
    (tmp_path / "sys/fs/cgroup/v1").mkdir()
    told: list[str] = []
    reclaimer = Reclaimer(sysfs, told.append)
    reclaimer.names = ("user.slice", "v1")

    numbers = [errno.EAGAIN, errno.EACCES, errno.EACCES, errno.ENOENT]

    def write(path, value, dir_fd):
        raise OSError(numbers.pop(0), "no", path)

    monkeypatch.setattr(_native, "attr_write_once", write)
    while numbers:
        reclaimer.step()
    assert told == [
        "control group v1: no memory.current: not of cgroup v2, or without memory controller",
        "control group user.slice: ask for memory: no",
        "control group user.slice: no memory.reclaim (Linux 5.19)",
    ]
    assert reclaimer.asked["user.slice"] == 2 * GIB // 2000  # EAGAIN: as much as there was


@pytest.mark.parametrize("stops", [True, False])
def test_a_signal_ends_what_was_asked_for_and_a_stop_all_the_rest(tmp_path, monkeypatch, stops):
    sysfs, told, asked = machine(tmp_path), [], []
    group(tmp_path, "other", GIB)
    reclaimer = Reclaimer(sysfs, told.append)
    reclaimer.names = ("user.slice", "other")

    def write(_path, _value, folder):
        asked.append(folder)
        reclaimer.stopping = lambda: stops
        raise InterruptedError(errno.EINTR, "Interrupted system call")

    monkeypatch.setattr(_native, "attr_write_once", write)
    reclaimer.step()
    assert (len(asked), told) == (1 if stops else 2, [])


@pytest.mark.parametrize("kind", ["low", "min", "current", "pressure"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_a_group_that_cannot_be_read_is_not_taken_for_another(tmp_path, monkeypatch, kind, code):
    """Not for a group without protection, nor for one of cgroup v1, nor without PSI."""
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("user.slice",)
    with monkeypatch.context() as patch:
        unreadable(patch, code, f"memory.{kind}")
        reclaimer.step()
        reclaimer.step()
    (line,) = told
    assert line.endswith(f"memory.{kind}: read: {os.strerror(code)}")
    assert reclaimer.asked == {} and list(reclaimer.left_out) == ["user.slice"]
    reclaimer.step()
    assert reclaimer.asked and reclaimer.left_out == {} and told == [line]


def test_a_group_that_is_gone_or_tells_no_pressure_is_no_error(tmp_path, monkeypatch):
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("gone", "user.slice")
    unreadable(monkeypatch, errno.EOPNOTSUPP, "memory.pressure")  # psi=0
    reclaimer.step()
    assert reclaimer.left_out == {"gone": "no such control group now"} and reclaimer.asked == {}
    assert told == [
        "control group user.slice: the kernel reports no pressure for it (boot with psi=1)"
    ]


def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_gone(tmp_path, monkeypatch):
    """With a file in its place, asking for anything below gives ENOTDIR; a loop gives ELOOP."""
    folder = tmp_path / "sys/fs/cgroup"
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    (folder / "loop").symlink_to("loop")
    (folder / "file").write_text("")
    reclaimer.names = ("loop", "file/below")
    reclaimer.step()
    assert reclaimer.left_out["file/below"] == "no such control group now"
    assert told == [f"control group loop: {folder}/loop: look: {UNSAFE_LINK}"]


def swapped(folder: Path, other: Path) -> None:
    """Another folder in its place, as the owner of the folder above can arrange."""
    folder.rename(folder.with_name("was"))
    other.rename(folder)


@pytest.mark.parametrize("when", ["judged", "wanted"])
def test_a_group_that_is_made_anew_meanwhile_is_not_asked(tmp_path, monkeypatch, when):
    """What the previous group held, and how long it waited, says nothing about this one."""
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("user.slice",)
    folder = tmp_path / "sys/fs/cgroup/user.slice"
    anew = group(tmp_path, "anew", GIB, min="max\n")
    names = {"judged": "parse_pressure", "wanted": "wanted"}
    real = getattr(reclaim, names[when])

    def then(found):
        swapped(folder, anew)
        return real(found)

    monkeypatch.setattr(reclaim, names[when], then)
    reclaimer.step()
    assert (folder / "memory.reclaim").read_text() == ""
    if when == "judged":
        assert reclaimer.left_out == {"user.slice": "no such control group now"}
    assert told == []


def test_a_link_of_somebody_elses_leads_to_no_group(tmp_path, nobody):
    """No cgroup has links; whatever is not a cgroup is not written to, wherever it leads."""
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    victim = group(tmp_path, "victim", GIB)
    theirs = group(tmp_path, "user.slice/theirs", GIB)
    (theirs / "link").symlink_to(victim)
    os.lchown(theirs / "link", nobody, nobody)
    os.chown(theirs, nobody, nobody)
    reclaimer.names = ("user.slice/theirs", "user.slice/theirs/link")
    reclaimer.step()
    assert (theirs / "memory.reclaim").read_text() == str(GIB // 2000)
    assert (victim / "memory.reclaim").read_text() == ""
    (line,) = told
    assert line.endswith(f"theirs/link: look: {UNSAFE_LINK}")


ROOT_WITHOUT_CAPABILITIES = """
import sys
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.reclaim import Reclaimer
reclaimer = Reclaimer(Sysfs(sys.argv[1]), print)
reclaimer.names = ("user.slice/made-by-user",)
reclaimer.step()
"""


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_a_group_whose_files_are_another_users_says_what_to_do(tmp_path, nobody):
    """The files of a user's group belong to the user, and systemd's daemon has no capabilities."""
    machine(tmp_path)
    made = group(tmp_path, "user.slice/made-by-user", GIB)
    (made / "memory.reclaim").chmod(0o200)
    os.chown(made / "memory.reclaim", nobody, nobody)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid != 0:
            pytest.skip("root without capabilities does not come here")
    words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    words += [sys.executable, "-Ic", ROOT_WITHOUT_CAPABILITIES, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "control group user.slice/made-by-user: ask for memory: Permission denied (its "
        f"memory.reclaim belongs to user {nobody}; name a control group above it that is root's)\n"
    )
    assert (made / "memory.reclaim").read_text() == ""


def test_whether_damon_reclaims_is_not_guessed(tmp_path, monkeypatch):
    told: list[str] = []
    reclaimer = Reclaimer(machine(tmp_path), told.append)
    reclaimer.names = ("user.slice",)
    enabled = tmp_path / "sys/module/damon_reclaim/parameters/enabled"
    enabled.parent.mkdir(parents=True)
    enabled.write_text("Y\n")
    with monkeypatch.context() as patch:
        unreadable(patch, errno.EACCES, "damon_reclaim/parameters/enabled")
        reclaimer.step()
        reclaimer.step()
    assert reclaimer.reason == "it is unknown whether DAMON_RECLAIM is on"
    assert len(told) == 1 and told[0].endswith(os.strerror(errno.EACCES))
    reclaimer.step()
    assert reclaimer.reason == "DAMON_RECLAIM is on" and reclaimer.asked == {}


def test_a_stop_is_heeded_between_groups(tmp_path):
    reclaimer = Reclaimer(machine(tmp_path), print)
    group(tmp_path, "system.slice", GIB)
    reclaimer.names = ("user.slice", "system.slice")
    reclaimer.stopping = lambda: bool(reclaimer.asked)
    reclaimer.step()
    assert list(reclaimer.asked) == ["user.slice"]


class Day:
    """A daemon's day: a clock that its waits advance, and what wakes it before they end."""

    steps_of_a_round = 0

    def __init__(self, root: Path, monkeypatch, modes: list[str], wakes: list[float]) -> None:
        self.now = 1000.0
        self.stop = self.reload = False
        self.steps: list[float] = []
        self.rounds: list[float] = []
        self.stopped: list[bool] = []
        self.wakes = wakes
        self.modes = modes
        self.clocks = SimpleNamespace(awake=lambda: self.now, wall=lambda: 1.7e9)
        self.ledger = SimpleNamespace(save=lambda: None)
        self.reclaimer = Reclaimer(machine(root), print)
        self.reclaimer.names = ("user.slice",)
        step, self.reclaimer.step = self.reclaimer.step, lambda: self._step(step)
        monkeypatch.setattr("pyzram.tend.waiting.Waiting", lambda _sysfs: self)
        monkeypatch.setattr(tend_daemon, "write_status", lambda _run, values: values)
        monkeypatch.setattr(tend_daemon, "report_dict", lambda _report: {})
        tend_daemon.stay(self, self.reclaimer, self.reclaimer.sysfs, "", True, lambda: None)

    def __enter__(self):
        return self

    def __exit__(self, *_exc: object) -> None:
        pass

    def _step(self, step) -> None:
        before = dict(self.reclaimer.asked)
        step()
        if self.reclaimer.asked != before:
            self.steps.append(self.now)

    def interrupted(self) -> bool:
        return self.stop

    def round(self, _trigger: str = "") -> Report:
        self.rounds.append(self.now)
        self.stopped += [self.stopping() for _step in range(self.steps_of_a_round)]
        mode = self.modes.pop(0) if len(self.modes) > 1 else self.modes[0]
        decision = Decision((), State(mode=mode, wake=60.0), ())
        return Report(Observation(self.now, 0, 0), decision, 0, 0)

    def wait(self, seconds: float) -> str:
        """Wait until pressure comes, or until the time is over."""
        assert seconds > 0, "it does not wait"
        early = self.wakes.pop(0) if self.wakes else seconds
        self.now += min(early, seconds)
        self.stop = self.now >= 1300.0
        return "some" if early < seconds else ""


@pytest.mark.parametrize("early", [[], [0.5] * 30, [0.5, 6.0, 2.0, 5.5] * 20])
def test_groups_are_asked_every_six_seconds_whatever_wakes_the_daemon(tmp_path, monkeypatch, early):
    day = Day(tmp_path, monkeypatch, [CALM], list(early))
    gaps = [after - before for before, after in itertools.pairwise(day.steps)]
    assert set(gaps) == {EVERY} and len(day.steps) == 50
    assert len(day.rounds) >= 5


def test_nobody_is_asked_and_the_daemon_sleeps_while_it_holds_still(tmp_path, monkeypatch):
    day = Day(tmp_path, monkeypatch, [CALM, HELD, HELD, CALM], [])
    assert day.rounds == [1000.0, 1060.0, 1120.0, 1180.0, 1240.0]
    assert not [at for at in day.steps if 1060.0 <= at < 1180.0]
    assert len(day.steps) == 10 + 20


def test_nobody_is_asked_after_a_sleep_that_no_look_has_seen_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(Day, "interrupted", lambda day: 1050.0 <= day.now < 1170.0)
    day = Day(tmp_path, monkeypatch, [CALM], [])
    assert len(day.steps) == 30 and not [at for at in day.steps if 1050.0 <= at < 1170.0]


def test_a_plan_says_what_would_be_asked_and_of_whom_not(tmp_path):
    reclaimer = Reclaimer(machine(tmp_path), print)
    group(tmp_path, "kept", GIB, low="max\n")
    reclaimer.names = ("gone", "user.slice", "kept")
    plan = ReclaimPlan(reclaimer, held=False)
    size = 2 * GIB // 2000
    assert plan.lines() == [
        "gone: no such control group now",
        f"user.slice: 2G, would ask for {format_size(size)}",
        "kept: 1G, would ask for 0B",
    ]
    assert json.loads(json.dumps(plan.as_dict(), allow_nan=False)) == {
        "reason": "",
        "groups": {
            "user.slice": {"current": 2 * GIB, "protected": 0, "some10": 0.0, "would_ask": size},
            "kept": {"current": GIB, "protected": None, "some10": 0.0, "would_ask": 0},
        },
        "left_out": {"gone": "no such control group now"},
    }
    held = ReclaimPlan(reclaimer, held=True)
    assert held.lines()[0] == "control groups are left alone: the daemon does nothing at the moment"
    assert set(held.sizes.values()) == {0} and held.as_dict()["reason"]


@pytest.mark.parametrize("battery", [10, 90])
def test_a_look_at_the_machine_has_its_groups(tmp_path, monkeypatch, capsys, battery):
    machine(tmp_path)
    (tmp_path / "proc/vmstat").write_text("pswpin 0\n")
    supply = tmp_path / "sys/class/power_supply/BAT0"
    supply.mkdir(parents=True)
    for name, word in (("type", "Battery"), ("status", "Discharging"), ("capacity", battery)):
        (supply / name).write_text(f"{word}\n")
    config = tmp_path / "zram"
    config.write_text('TEND_RECLAIM="user.slice gone"\n')
    for name in ("ROOT", "RUN", "STATE"):
        folder = tmp_path / {"ROOT": "", "RUN": "run/pyzram", "STATE": "var"}[name]
        monkeypatch.setenv(f"PYZRAM_{name}", str(folder))
    assert command.main(["tend", "--dry-run", "--json", "--config", str(config)]) == 0
    found = json.loads(capsys.readouterr().out)["reclaim"]
    assert found["left_out"] == {"gone": "no such control group now"}
    asked = found["groups"]["user.slice"]["would_ask"]
    assert command.main(["tend", "--dry-run", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "gone: no such control group now\n" in out
    if battery == 10:
        assert (
            asked == 0
            and "control groups are left alone: the daemon does nothing at the moment\n" in out
        )
    else:
        assert asked == 2 * GIB // 2000 and "left alone" not in out
    assert (tmp_path / "sys/fs/cgroup/user.slice/memory.reclaim").read_text() == ""


def test_the_configuration_names_groups(tmp_path):
    path = tmp_path / "zram"
    path.write_text('ZRAM_SIZE_0=64M\nTEND_RECLAIM="/user.slice system.slice user.slice"\n')
    assert configured(str(path))[2] == ("user.slice", "system.slice")
    path.write_text("TEND=no\nTEND_RECLAIM=user.slice\n")
    assert configured(str(path))[2] == ()
    assert parse_config("ZRAM_SIZE_0=64M\n", ram=GIB, cpus=1).tend_reclaim == ()
    for wrong in ("/", "../etc", "a//b", "./a"):
        with pytest.raises(ConfigError, match="TEND_RECLAIM"):
            parse_config(f"TEND_RECLAIM='{wrong}'\n", ram=GIB, cpus=1)


@pytest.fixture
def manager(tmp_path, monkeypatch) -> Iterator[socket.socket]:
    """The service manager's end, found through a descriptor: a path may be too long for it."""
    folder = os.open(tmp_path, os.O_PATH)
    address = f"/proc/self/fd/{folder}/notify"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(address)
        yield bound
    os.close(folder)


def test_the_watchdog_is_told_before_each_step_of_a_round(tmp_path, monkeypatch, manager):
    """A round of many steps may take minutes on a slow medium."""
    monkeypatch.setattr(Day, "steps_of_a_round", 7)
    manager.setblocking(False)
    told = []

    def told_now(_self: Day, _seconds: float) -> str:
        with contextlib.suppress(BlockingIOError):
            while True:
                told.append(manager.recv(100))
        _self.stop = True
        return ""

    monkeypatch.setattr(Day, "wait", told_now)
    day = Day(tmp_path, monkeypatch, [CALM], [])
    assert day.rounds == [1000.0] and day.stopped == [False] * 7
    assert told[0].startswith(b"READY=1")
    assert told[1:] == [b"WATCHDOG=1"] * 8


def test_a_manager_that_reads_nothing_holds_nothing_up(monkeypatch, manager):
    """A send that waits for ever would be restarted after SIGTERM."""
    monkeypatch.setattr(waiting, "NOTIFY_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", os.environ["NOTIFY_SOCKET"])
        teller = threading.Thread(target=waiting.notify, args=("WATCHDOG=1",), daemon=True)
        teller.start()
        teller.join(30)
        assert not teller.is_alive()
