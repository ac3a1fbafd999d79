# SPDX-License-Identifier: MIT
"""In a guest: ``pyzram tend`` at work. Each trial adds what it saw to FOLDER/report.json.

``tend_trial.py FOLDER KILLS TRIAL...``, as root. The daemon is the one that users start, in a
process forked from here (starting Python takes longer than a trial), with the policy's hours as
seconds. The kernel's own files show what it did, not what it says.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import random
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pyzram
from pyzram.cli.tend import command as tend
from pyzram.kernel.psi import read_pressure
from pyzram.kernel.sysfs import Sysfs
from pyzram.postprocess.bounded_steps import StepSizer
from pyzram.postprocess.turns import exclusive
from pyzram.tend import policy, tended, tender
from pyzram.tend.ages import Ages
from pyzram.tend.ledger import Ledger
from pyzram.tend.writing import Writing
from pyzram.tend_status import read_status

sys.path.insert(0, str(Path(__file__).parent))  # -I leaves it out

from tend_hurry import hurry, until

PAGE = mmap.PAGESIZE
M = 1 << 20
MADV_PAGEOUT = 21
FEWER = bytes(number % 32 for number in range(256))
FOLDER = Path(sys.argv[1])
DEBUG = Path("/sys/kernel/debug/zram")
COLD = 1024
"""Pages of the process that goes cold."""
FLOOR = 45.0
"""For how many seconds a page must be unused, in most of the trials."""
AT_ONCE = {
    "AFTER_START": 0.0,
    "LOOK": 1.0,
    "ROUNDS": dict.fromkeys(policy.ROUNDS, 1.0),
    "OLDEST": FLOOR,
    "FLOOR": FLOOR,
    "FLOOR_PRESSED": FLOOR,
    "HUGE_FLOOR": FLOOR,
    "HUGE_SHARE": 1.0,
    "HOUR": 3.0,
    "RECOMPRESS_EVERY": 3.0,
    "RECOMPRESS_SOON": 3.0,
    "RECOMPRESS_AGE_MOST": 3.0,
    "RECOMPRESS_SHARE": 9.0,
    "SAME_TIME": 0.5,
    "CALM_SHARE": 1,
    "LEAST": 1,
}
"""One rule at any pressure: write back after FLOOR, recompress after a quarter of it."""


class Daemon:
    """``pyzram tend WORD...``, with some of the policy's constants changed."""

    def __init__(self, *words: str, **constants: object) -> None:
        self.log = FOLDER / "daemon.log"
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(fd, 1)
                os.dup2(fd, 2)
                # The processor of an emulated guest is always busy, which is no reason here.
                hurry(
                    constants,
                    lambda sysfs, kind, errors: (
                        None if kind == "cpu" else read_pressure(sysfs, kind, errors)
                    ),
                )
                status = tend.main(list(words))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)

    @property
    def alive(self) -> bool:
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def end(self, number: int = signal.SIGTERM) -> int:
        os.kill(self.pid, number)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextlib.contextmanager
def daemon(*words: str, **constants: object) -> Iterator[Daemon]:
    """A daemon that must still be there at the end, and end when asked to."""
    running = Daemon(*words, **constants)
    try:
        yield running
        assert running.alive, "the daemon is gone"
    finally:
        status = running.end()
    assert status == 0, f"the daemon ended with {status}"


def quiet() -> None:
    """Wait until the last trial's pressure is over: each begins in calm, or as near as it gets.

    An emulated machine on a busy one may never be quiet; the policy has to cope with that.
    """
    sysfs = Sysfs()
    with contextlib.suppress(AssertionError):
        until(lambda: (p := read_pressure(sysfs, "memory")) is None or p.full10 < 1, 60, "quiet")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def disk(size: int) -> str:
    """The virtual disk of that size."""
    for folder in Path("/sys/block").glob("vd*"):
        if int((folder / "size").read_text()) * 512 == size:
            return f"/dev/{folder.name}"
    raise AssertionError(f"no disk of {size} bytes")


def noise(pages: int, seed: int) -> bytes:
    """Pages, no two alike: every second one compresses to half, and to less with zstd."""
    rng = random.Random(seed)
    return b"".join(
        rng.randbytes(PAGE) if number % 2 else rng.randbytes(PAGE // 2).translate(FEWER) * 2
        for number in range(pages)
    )


def put(device: pyzram.Zram, first: int, data: bytes) -> None:
    with mmap.mmap(-1, len(data)) as buffer:
        buffer.write(data)
        fd = os.open(device.node, os.O_RDWR | os.O_DIRECT)
        try:
            assert os.pwrite(fd, buffer, first * PAGE) == len(data)
        finally:
            os.close(fd)


def get(device: pyzram.Zram, first: int, pages: int) -> bytes:
    with mmap.mmap(-1, pages * PAGE) as buffer:
        fd = os.open(device.node, os.O_RDONLY | os.O_DIRECT)
        try:
            assert os.preadv(fd, [buffer], first * PAGE) == pages * PAGE
        finally:
            os.close(fd)
        return buffer[:]


def slots(device: pyzram.Zram) -> dict[int, tuple[float, str]]:
    """The time and letters of every stored page, by place."""
    found = {}
    text = b""
    # In large pieces, because a read without room for a line looks like the end of this file.
    fd = os.open(DEBUG / device.name / "block_state", os.O_RDONLY)
    try:
        while piece := os.read(fd, 1 << 18):
            text += piece
    finally:
        os.close(fd)
    for line in text.decode().split("\n"):
        words = line.split()
        if words:
            found[int(words[0])] = (float(words[1]), words[2])
    return found


def recompressed_pages(device: pyzram.Zram) -> int:
    return sum("r" in letters for _, letters in slots(device).values())


@contextlib.contextmanager
def backed(backing: str, size: int = 128 * M, recompression: bool = True) -> Iterator[pyzram.Zram]:
    with pyzram.Zram.add() as device:
        more = {}
        if recompression and device.has("recompress"):
            more["recompression"] = ["zstd"]
        device.configure(disksize=size, algorithm="lz4", backing_dev=backing, force=True, **more)
        yield device


def bd(device: pyzram.Zram) -> tuple[int, int, int]:
    """bd_count, bd_reads, bd_writes, in pages."""
    stat = device.read_bd_stat()
    return tuple(
        (value or 0) * 4096 // PAGE for value in (stat.bd_count, stat.bd_reads, stat.bd_writes)
    )


# ---- the trials ----------------------------------------------------------------------------------


def trial_cold(_kills: int) -> dict[str, object]:
    """A process goes cold, is recompressed, written back, and touched again."""
    Path("/proc/sys/vm/page-cluster").write_text("0")
    with backed(disk(64 * M)) as device:
        run("mkswap", device.node)
        run("swapon", "-p", "32000", device.node)
        content = noise(COLD, 1)
        before = hashlib.sha256(content).hexdigest()
        memory = mmap.mmap(-1, len(content), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory[:] = content
        del content
        memory.madvise(MADV_PAGEOUT)
        mm = device.read_mm_stat()
        kept = (mm.orig_data_size or 0) // PAGE - (mm.same_pages or 0)
        first = mm.compr_data_size or 0
        assert kept >= COLD, "the process was not paged out"
        with daemon(device.name, **AT_ONCE):
            recompressed = None
            if device.has("recompress"):
                # All pages that still take space with lz4; the area's older header may be gone.
                until(lambda: recompressed_pages(device) >= COLD // 2, 200, "recompressed")
                recompressed, count = device.read_mm_stat().compr_data_size, bd(device)[0]
                assert count <= 1, "written before it was recompressed"
            until(lambda: bd(device)[0] >= kept, 300, f"{kept} pages written, {bd(device)} are")
        count, reads, writes = bd(device)
        after = hashlib.sha256(memory[:]).hexdigest()
        came_back = bd(device)[1] - reads
        run("swapoff", device.node)
        again = hashlib.sha256(memory[:]).hexdigest()
        memory.close()
    return {
        "pages": COLD, "kept": kept, "count": count, "writes": writes, "reads": came_back,
        "first": first, "recompressed": recompressed,
        "equal": [before == after, before == again],
    }  # fmt: skip


def trial_ages(_kills: int) -> dict[str, object]:
    """No page used within the floor is written, whatever the kernel says about its age."""
    return written_by_age(recompression=True)


def trial_unseen(_kills: int) -> dict[str, object]:
    """The same without block_state for the daemon, as on kernels that only mark by age."""
    with no_block_state():
        return written_by_age(recompression=False)


def trial_marked(_kills: int) -> dict[str, object]:
    """And with recompression, when only the daemon's own marks say anything."""
    with no_block_state():
        return written_by_age(recompression=True)


@contextlib.contextmanager
def no_block_state() -> Iterator[None]:
    real = tended.path_of
    tended.path_of = lambda device: real(device) + ".none"
    try:
        yield
    finally:
        tended.path_of = real


def written_by_age(recompression: bool) -> dict[str, object]:
    pages = 128
    with backed(disk(64 * M), recompression=recompression) as device:
        used: dict[int, float] = {}
        content = noise(3 * pages, 2)

        def use(first: int, write: bool) -> None:
            began = time.monotonic()
            part = content[first * PAGE : (first + pages) * PAGE]
            if write:
                put(device, first, part)
            else:
                assert get(device, first, pages) == part
            used.update(dict.fromkeys(range(first, first + pages), began))

        early: list[tuple[int, float]] = []
        gone: dict[int, float] = {}
        forgotten: set[int] = set()

        def watch(seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                seen, now = slots(device), time.monotonic()
                for place, (accessed, letters) in seen.items():
                    if place >= 3 * pages:
                        continue
                    if "w" in letters and place not in gone:
                        gone[place] = age = now - used[place]
                        if age < FLOOR:
                            early.append((place, age))
                    elif "r" in letters and accessed == 0 and now - used[place] < FLOOR:
                        forgotten.add(place)
                time.sleep(0.3)

        use(0, write=True)
        with daemon(device.name, **AT_ONCE):
            watch(5)
            use(pages, write=True)
            watch(4)
            use(2 * pages, write=True)
            watch(6)
            # Recompressed by now if possible; used once more, it is young again.
            use(pages, write=False)
            watch(2 * FLOOR + 6)
            end = time.monotonic() + 200
            while len(gone) < 3 * pages and time.monotonic() < end:
                watch(2)
            late = [place for place in range(3 * pages) if place not in gone]
        whole = get(device, 0, 3 * pages) == content
    return {
        "pages": 3 * pages, "early": early, "gone": len(gone), "late": late[:9],
        "youngest": min(gone.values(), default=None), "forgotten": len(forgotten), "equal": whole,
    }  # fmt: skip


def control_group(name: str) -> Path:
    """A control group with that name and the memory controller."""
    cgroup = Path("/sys/fs/cgroup") / name
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+memory")
    cgroup.mkdir()
    return cgroup


def remove_group(cgroup: Path) -> None:
    until(lambda: not (cgroup / "cgroup.procs").read_text(), 10, f"{cgroup} is empty")
    cgroup.rmdir()


def trial_hog(_kills: int) -> dict[str, object]:
    """Memory gets short in a memory cgroup: from the trigger to the first byte on the medium."""
    backing = disk(64 * M)
    sectors = Path("/sys/block") / backing.rpartition("/")[2] / "stat"
    cgroup = control_group("hog")
    constants = {**AT_ONCE, "OLDEST": 1e9, "FLOOR": 8.0, "FLOOR_PRESSED": 8.0, "HUGE_FLOOR": 8.0}
    # Calm looks only rarely here, so whatever happens is due to the trigger.
    constants |= {"LOOK": 600.0, "ROUNDS": {**policy.ROUNDS, "pressed": 1.0, "choked": 1.0}}
    with backed(backing, recompression=False) as device:
        # Beyond the swap area, all of which the kernel may use.
        put(device, 16384, noise(1024, 3))
        run("mkswap", device.node, str(16384 * PAGE // 1024))
        run("swapon", "-p", "32000", device.node)
        trigger = os.open("/proc/pressure/memory", os.O_RDWR)
        os.write(trigger, b"some 100000 2000000\0")
        poll = select.poll()
        poll.register(trigger, select.POLLPRI)
        with stages() as at, daemon(device.name, **constants):
            time.sleep(12)
            quiet = bd(device)[2]
            idle = int(sectors.read_text().split()[6])
            (cgroup / "memory.max").write_text(str(24 * M))
            hog = os.fork()
            if hog == 0:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))
                memory = mmap.mmap(-1, 72 * M, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                place = 0
                while True:
                    memory[place : place + 8] = os.urandom(8)
                    place = (place + PAGE) % len(memory)
            try:
                assert poll.poll(60_000), "the hog raised no pressure"
                fired = time.monotonic()
                (FOLDER / "fired").touch()
                while int(sectors.read_text().split()[6]) == idle:
                    assert time.monotonic() - fired < 300, "nothing was written"
                    time.sleep(0.02)
                reaction = time.monotonic() - fired
                (FOLDER / "written").touch()
                within = {what: when - fired for what, when in at().items()}
            finally:
                os.kill(hog, signal.SIGKILL)
                os.waitpid(hog, 0)
        os.close(trigger)
        writes = bd(device)[2]
        whole = get(device, 16384, 1024) == noise(1024, 3)
        run("swapoff", device.node)
    remove_group(cgroup)
    return {
        "before": quiet, "reaction": reaction, "within": within, "writes": writes, "equal": whole,
    }  # fmt: skip


@contextlib.contextmanager
def stages() -> Iterator[Callable[[], dict[str, float]]]:
    """A daemon started in here says when it woke, decided, and asked for its first write."""
    path = FOLDER / "stages"
    steps = (
        (tender.Tender, "round"),
        (Writing, "write_back"),
        (Ages, "candidates"),
        (Ages, "still"),
        (Ledger, "reserve"),
        (tend.PostprocessWorker, "write_pages"),
    )
    real = [getattr(owner, name) for owner, name in steps]

    def telling(function: Callable[..., object], name: str) -> Callable[..., object]:
        def told(*words: object) -> object:
            with path.open("a") as file:
                file.write(f"{name} {time.monotonic()}\n")
            return function(*words)

        return told

    def at() -> dict[str, float]:
        found: dict[str, float] = {}
        for line in path.read_text().splitlines():
            name, when = line.split()
            if name == "round" and "write_pages" not in found:
                found = {}
            found.setdefault(name, float(when))
        return found

    for (owner, name), function in zip(steps, real, strict=True):
        setattr(owner, name, telling(function, name))
    try:
        yield at
    finally:
        for (owner, name), function in zip(steps, real, strict=True):
            setattr(owner, name, function)


class Sleeper:
    """A process in its own control group that holds memory and does not use it."""

    SIZE = 8 * M

    def __init__(self, cgroup: Path) -> None:
        self.cgroup = cgroup
        self._ask, ask = os.pipe()
        answer, self._answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))
            memory = mmap.mmap(-1, self.SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory[:] = os.urandom(self.SIZE)
            digest = hashlib.sha256(memory).digest()
            os.write(self._answer, b"!")
            os.read(self._ask, 1)
            os.write(self._answer, b"=" if hashlib.sha256(memory).digest() == digest else b"#")
            os._exit(0)
        self._ask, self._answer = ask, answer
        assert os.read(self._answer, 1) == b"!"

    def swapped(self) -> int:
        return int((self.cgroup / "memory.swap.current").read_text())

    def unchanged(self) -> bool:
        """Have it use its memory once more, and end."""
        os.write(self._ask, b"?")
        same = os.read(self._answer, 1) == b"="
        os.waitpid(self.pid, 0)
        return same


def trial_reclaim(_kills: int) -> dict[str, object]:
    """Idle memory of a named control group goes to swap, not of others, nor below memory.low."""
    groups = {name: control_group(name) for name in ("named", "kept", "other")}
    (groups["kept"] / "memory.low").write_text("max")
    config = FOLDER / "zram"
    config.write_text('ZRAM_SIZE_0=16M\nTEND_RECLAIM="/named kept gone"\n')
    hasty = {**AT_ONCE, "EVERY": 0.5, "SHARE": 0.05, "AVAILABLE": 2.0}
    with pyzram.Zram.add() as device:
        device.configure(disksize="128M", algorithm="lz4")
        run("mkswap", device.node)
        run("swapon", "-p", "32000", device.node)
        sleepers = {name: Sleeper(cgroup) for name, cgroup in groups.items()}
        with daemon("-c", str(config), **hasty):
            until(lambda: sleepers["named"].swapped() >= Sleeper.SIZE // 2, 200, "it is swapped")
        swapped = {name: sleeper.swapped() for name, sleeper in sleepers.items()}
        equal = [sleeper.unchanged() for sleeper in sleepers.values()]
        run("swapoff", device.node)
    for cgroup in groups.values():
        remove_group(cgroup)
    return {"swapped": swapped, "equal": equal}


def trial_calm(_kills: int) -> dict[str, object]:
    """Calm: nothing is done. The policy's times are a tenth, so a minute stands for ten."""
    return calm_for(60, 10)


def trial_ten_calm_minutes(_kills: int) -> dict[str, object]:
    """The same with the policy's own times."""
    return calm_for(600, 1)


def calm_for(seconds: int, hurry: int) -> dict[str, object]:
    """What a daemon does, and what it costs, while nothing needs to be done."""
    constants = {
        "AFTER_START": 0.0,
        "LOOK": policy.LOOK / hurry,
        "ROUNDS": {mode: each / hurry for mode, each in policy.ROUNDS.items()},
    }
    with backed(disk(64 * M)) as device:
        put(device, 0, noise(2048, 4))
        before = device.read_mm_stat()
        with daemon(device.name, **constants) as running:
            time.sleep(15)
            start = Path(f"/proc/{running.pid}/stat").read_text().split()
            time.sleep(seconds)
            end = Path(f"/proc/{running.pid}/stat").read_text().split()
        after = device.read_mm_stat()
        ticks = sum(map(int, end[13:15])) - sum(map(int, start[13:15]))
        return {
            "writes": bd(device)[2],
            "same": before.compr_data_size == after.compr_data_size,
            "processor": ticks / os.sysconf("SC_CLK_TCK") / seconds,
        }


def trial_turns(_kills: int) -> dict[str, object]:
    """While a recompression of a minute is under way: a run of a command, a reload and a stop."""
    pages = 12288
    constants = {**AT_ONCE, "RECOMPRESS_AGE_MOST": 1.0, "RECOMPRESS_SECONDS": 60.0}
    constants |= {"RECOMPRESS_SHARE": 99.0}
    config = FOLDER / "zram"
    found: dict[str, object] = {}

    def under_way(device: pyzram.Zram) -> int:
        until(lambda: recompressed_pages(device), 200, "recompression has begun")
        return recompressed_pages(device)

    for what in ("command", "reload", "stop"):
        config.write_text("")
        with pyzram.Zram.add() as device:
            if not device.has("recompress"):
                return {}
            device.configure(disksize=64 * M, algorithm="lz4", recompression=["zstd(level=19)"])
            for first in range(0, pages, 1024):
                put(device, first, noise(1024, first))
            running = Daemon("-c", str(config), device.name, **constants)
            try:
                under_way(device)
                began, wall = time.monotonic(), time.time()
                if what == "command":
                    with exclusive(device, StepSizer(120.0)):
                        waited = time.monotonic() - began
                        count = recompressed_pages(device)
                elif what == "reload":
                    config.write_text("TEND=no\n")
                    os.kill(running.pid, signal.SIGHUP)
                    # It is written after the round.
                    until(
                        lambda: (read_status("/run/pyzram") or {"time": 0.0})["time"] > wall,  # noqa: B023
                        120, "the round has ended",
                    )  # fmt: skip
                    waited = time.monotonic() - began
                    count = recompressed_pages(device)
                else:
                    assert running.end() == 0
                    waited = time.monotonic() - began
                    count = recompressed_pages(device)
            finally:
                if what != "stop":
                    running.end()
            found[what] = [waited, count, pages // 2]
    return found


def trial_kills(kills: int) -> dict[str, object]:
    """SIGKILL at random moments of writing: the budget holds, and limits are restored."""
    budget, pages = kills * M // 2, 1024
    constants = {
        **AT_ONCE, "OLDEST": 0.5, "FLOOR": 0.5, "FLOOR_PRESSED": 0.5, "HUGE_FLOOR": 0.5,
        "ROUNDS": dict.fromkeys(policy.ROUNDS, 0.0), "LOOK": 0.1, "PIECE_MOST": 64,
        "CHUNK_LEAST": M // 4,
    }  # fmt: skip
    rng = random.Random(5)
    own = 1 << 30 >> 12
    with backed(disk(64 * M), recompression=False) as device:
        device.set_writeback_limit(own)
        device.set_writeback_limit_enable(True)
        within = 0
        spent = False
        limits = Path("/run/pyzram/limits") / device.name
        for number in range(kills):
            put(device, 0, noise(64, number) * (pages // 64))
            time.sleep(0.5)
            running = Daemon(device.name, "--budget", str(budget), **constants)
            before, end = bd(device)[2], time.monotonic() + (3 if spent else 60)
            while bd(device)[2] == before and time.monotonic() < end:
                time.sleep(0.005)
            # Whatever is left of the budget then, it is less than a step.
            spent = spent or bd(device)[2] == before
            time.sleep(rng.uniform(0, 1.0))
            assert running.end(signal.SIGKILL) == -signal.SIGKILL, "the daemon had ended"
            within += limits.exists()
            assert bd(device)[2] * PAGE <= budget, "over the budget"
            assert before <= bd(device)[2]
        # Undisturbed at last, it stops by itself.
        running = Daemon(device.name, "--budget", str(budget), **constants)
        quiet = 0
        while quiet < 7:
            # Not while it writes: before 7.x a page that is replaced then counts in bd_stat and is
            # not charged to the limit.
            put(device, 0, noise(64, kills := kills + 1) * (pages // 64))
            start = last = bd(device)[2]
            time.sleep(2)
            while bd(device)[2] != last:
                last = bd(device)[2]
                time.sleep(2)
            quiet = quiet + 1 if last == start else 0
        assert running.end(signal.SIGKILL) == -signal.SIGKILL, "the daemon had ended"
        killed = bd(device)[2]
        # The next run restores the limit, whoever runs it.
        put(device, pages, noise(64, 7))
        put(device, 0, bytes(pages * PAGE))
        run(sys.executable, "-Im", "pyzram", "writeback", device.name, "--type", "huge")
        writes = bd(device)[2]
        left = device.read_writeback_limit()
        enabled = device.read_writeback_limit_enable()
    return {
        "kills": number + 1, "within": within, "killed": killed * PAGE,
        "writes": writes * PAGE, "budget": budget, "enabled": enabled,
        "limit": [own, left, own - writes * (PAGE // 4096)],
    }  # fmt: skip


def trial_changes(_kills: int) -> dict[str, object]:
    """reload, stop, start, reset and hot_remove under the daemon."""
    config = FOLDER / "zram"
    wanted = "ZRAM_SIZE_0={}\nZRAM_BACKING_DEV_0=" + disk(64 * M) + "\nZRAM_PRIORITY_0=100\n"

    def pyzram_does(*words: str) -> None:
        run(sys.executable, "-Im", "pyzram", *words, "-c", str(config))

    def seen() -> list[str]:
        status = read_status("/run/pyzram")
        return [device["name"] for device in status["seen"]["devices"]] if status else []

    steps = []
    config.write_text(wanted.format("32M"))
    with daemon("-c", str(config), **AT_ONCE) as running:
        for words, count in ((("start",), 1), (("reload",), 1), (("stop",), 0), (("start",), 1)):
            config.write_text(wanted.format("48M" if words == ("reload",) else "32M"))
            pyzram_does(*words)
            until(lambda count=count: len(seen()) == count, 120, f"{count} devices after {words}")
            steps.append([*words, running.alive])
        os.kill(running.pid, signal.SIGHUP)
        config.write_text("ZRAM_SIZ_0=1M\n")
        os.kill(running.pid, signal.SIGHUP)
        time.sleep(3)
        steps.append(["SIGHUP", running.alive])
        config.write_text(wanted.format("32M"))
        pyzram_does("stop")
        until(lambda: seen() == [], 120, "no device after stop")
    with pyzram.Zram.add() as device:
        device.configure(disksize="16M", backing_dev=disk(64 * M), force=True)
        put(device, 0, noise(256, 6))
        with daemon(device.name, **AT_ONCE) as running:
            until(lambda: seen() == [device.name], 120, "the device")
            device.reset()
            until(lambda: seen() == [], 120, "none after reset")
            device.configure(disksize="16M", backing_dev=disk(64 * M), force=True)
            until(lambda: seen() == [device.name], 120, "it after it was set up again")
            number = device.number
            device.remove()
            until(lambda: seen() == [], 120, "none after hot_remove")
            steps.append(["hot_remove", running.alive])
            with pyzram.Zram.add() as other:
                assert other.number == number
                other.configure(disksize="16M")
                until(lambda: seen() == [other.name], 120, "another one with its number")
            steps.append(["number again", running.alive])
    return {"steps": steps}


def trial_media(_kills: int) -> dict[str, object]:
    """Three devices: one has a full medium, one a failing medium, and one is fine."""
    run("modprobe", "-a", "dm-mod", "dm-flakey")
    loops = []
    for name, size in (("full", 2 * M), ("broken", 16 * M)):
        image = Path("/dev/shm") / name
        image.write_bytes(b"")
        os.truncate(image, size)
        loops.append(run("losetup", "-f", "--show", str(image)).strip())
    table = f"0 {16 * M // 512} flakey {loops[1]} 0 0 1 1 error_writes"
    run("dmsetup", "create", "--noudevsync", "broken", "--table", table)
    run("dmsetup", "mknodes", "broken")  # nobody else makes them here
    with contextlib.ExitStack() as stack:
        devices = [
            stack.enter_context(backed(backing, recompression=False))
            for backing in (loops[0], "/dev/mapper/broken", disk(64 * M))
        ]
        contents = [noise(1024, seed) for seed in (7, 8, 9)]
        for device, content in zip(devices, contents, strict=True):
            put(device, 0, content)
        # None of them may write back pages that could not be read again.
        with daemon(*(device.name for device in devices), **AT_ONCE) as running:
            until(lambda: bd(devices[2])[0] == 1024, 300, "the one that is well is written")
            until(lambda: bd(devices[0])[0] >= 500, 200, "the full one is full")
            time.sleep(5)
            alive = running.alive
        found = {
            "alive": alive,
            "count": [bd(device)[0] for device in devices],
            "equal": [
                get(device, 0, 1024) == content
                for device, content in zip(devices, contents, strict=True)
            ],
            "failures": (FOLDER / "daemon.log").read_text().count("Input/output error"),
        }
    run("dmsetup", "remove", "broken")
    for loop in loops:
        run("losetup", "-d", loop)
    return found


def main() -> int:
    kills, names = int(sys.argv[2]), sys.argv[3:]
    os.environ["PYZRAM_STATE"] = "/run/tend-trial"
    if not DEBUG.exists():
        run("mount", "-t", "debugfs", "none", "/sys/kernel/debug")
    report: dict[str, object] = {"release": os.uname().release}
    for name in names:
        quiet()
        began = time.monotonic()
        # What the one before has learnt is nothing to this one.
        left = ("/run/tend-trial", "/run/pyzram/tend", str(FOLDER / "daemon.log"))
        subprocess.run(["rm", "-rf", *left], check=True)
        try:
            found = globals()[f"trial_{name}"](kills)
        except BaseException:
            found = {"failed": traceback.format_exc()}
        log = FOLDER / "daemon.log"
        found["log"] = log.read_text() if log.exists() else ""
        found["seconds"] = round(time.monotonic() - began)
        report[name] = found
        (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
