# SPDX-License-Identifier: MIT
"""What a fault is injected into: a command with its surroundings, and what must hold afterwards."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernel.box import Box, Bystander, diskseq, forked, said_twice, swaps
from kernel.conftest import OwnDevice, add_device, drop_device

import pyzram
from pyzram.kernel import holders
from pyzram.limits import BD_UNIT
from pyzram.tend.ledger import FILE as LEDGER
from pyzram.tend.ledger import Ledger
from pyzram.tend.machine import Clocks, read_clock

Done = subprocess.CompletedProcess[str]
TERMINATED = 128 + 15


class Bed:
    """What all beds have: a folder, a configuration, and somebody else's device."""

    begins = ""
    """Until a call has this in its text, a command is only the interpreter starting."""
    may_die = False
    """Whether it only reads, so that a signal may end it anywhere."""
    statuses: tuple[int, ...] = (0, 1)
    answers: tuple[int, ...] = (0,)
    """Those of these that say nothing on standard error."""
    around: tuple[str, ...] = ()
    """The command by which strace is run."""

    def __init__(self, directory: Path, command: str) -> None:
        self.directory = directory
        self.command = command
        self.box = Box(directory)
        self.bystander = Bystander(add_device())

    def words(self) -> list[str]:
        """The command in a separate process."""
        return [sys.executable, "-Im", "pyzram.cli.pyzram", *self.arguments()]

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def run(self, *arguments: str) -> Done:
        """A command without a fault; forked, since starting Python would take most of the time."""
        return forked(list(arguments), self.box.env)

    def strace(self, *options: str) -> Done:
        return subprocess.run(
            [*self.around, "strace", "-f", "-qq", *options, *self.words()],
            env=self.box.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def prepare(self) -> None:
        """Make it as it must be before the command."""

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        """Say what is wrong after the command."""
        if fault == "SIGKILL" or (self.may_die and done.returncode == -15):
            return
        if done.returncode not in (*self.statuses, TERMINATED):
            yield f"status {done.returncode}: {done.stderr[-300:]}"
        silent = not done.stderr.strip() and call not in ("write", "dup2")
        for line in said_twice(done.stderr):
            yield f"it repeats itself: {line}"
        if silent and done.returncode not in self.answers:
            yield "it failed without a word"

    def heal(self) -> Iterator[str]:
        """Let the next command put it right; say what is wrong then."""
        yield from ()

    def close(self) -> None:
        drop_device(self.bystander.device)


class ServiceBed(Bed):
    """A configuration with a swap device and a file system."""

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        self.begins = str(self.box.conf)
        self.point = directory / "point"
        self.point.mkdir(exist_ok=True)
        self.first = self.text("16M")
        self.second = self.text("24M")
        self.running = False
        self.box.write(self.first)

    def text(self, size: str) -> str:
        return (
            f"NUM_DEVICES=2\nZRAM_SIZE_0={size}\nZRAM_PRIORITY_0=1\n"
            f"ZRAM_SIZE_1=16M\nZRAM_MOUNT_1={self.point}\nZRAM_MODE_1=1777\n"
        )

    def arguments(self, command: str = "") -> list[str]:
        return ["-c", str(self.box.conf), command or self.command]

    def prepare(self) -> None:
        self.box.write(self.first)
        if self.command != "start":
            self.run(*self.arguments("start"))
        if self.command == "reload":
            self.box.write(self.second)

    def status(self) -> int:
        return self.run(*self.arguments("status")).returncode

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        yield from super().judge(fault, call, done)
        if fault == "SIGKILL":
            return
        numbers = self.box.numbers()
        if self.command == "start":
            if done.returncode == 0 and self.status() != 0:
                yield f"status 0, but not all runs: {done.stderr}"
            if done.returncode and numbers and "undoing" not in done.stderr:
                yield from self.judge_left(numbers, done)
        if self.command == "stop" and done.returncode == 0 and numbers:
            yield "status 0, but devices are left"
        if self.command == "reload" and not any("/dev/zram" in path for path in swaps()):
            yield "without swap"

    def judge_left(self, numbers: list[int], done: Done) -> Iterator[str]:
        """A device that failed is undone alone; the other stays if it is complete."""
        if done.returncode == TERMINATED and "stays" not in done.stderr:
            yield f"ended, devices left and nothing said of it: {done.stderr}"
        if len(numbers) == 2 and done.returncode != TERMINATED:
            yield f"failed, and both devices are there: {done.stderr}"
        for number in numbers:
            if not holders.lasting(pyzram.Sysfs(), f"zram{number}"):
                yield f"failed, and zram{number} is left half made: {done.stderr}"

    def heal(self) -> Iterator[str]:
        healed = self.run(*self.arguments("reload" if self.command == "reload" else "start"))
        if healed.returncode != 0 or self.status() != 0:
            yield f"not healed by the next command: {healed.stderr}"
        made = self.box.known()
        stopped = self.run(*self.arguments("stop"))
        left = [n for n, known in made.items() if known and diskseq(n) == known]
        if stopped.returncode != 0 or self.box.numbers() or self.point.is_mount() or left:
            yield f"left after stop: {left} {stopped.stderr}"
            self.clean()

    def clean(self) -> None:
        for number in self.box.numbers():
            drop_device(OwnDevice(number))

    def close(self) -> None:
        self.run(*self.arguments("stop"))
        self.clean()
        super().close()


class ReadingBed(Bed):
    """Commands that only look."""

    may_die = True

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        self.watched = subprocess.Popen(["sleep", "infinity"]) if command == "estimate" else None
        self.begins = f"/proc/{self.watched.pid}" if self.watched else "sys/block"

    def words(self) -> list[str]:
        if self.command == "zram_stats":
            return [sys.executable, "-Im", "pyzram.cli.zram_stats", "--json"]
        return super().words()

    def arguments(self) -> list[str]:
        assert self.watched
        return ["estimate", "--pid", str(self.watched.pid), "--full", "-a", "lzo-rle"]

    def close(self) -> None:
        if self.watched:
            self.watched.kill()
            self.watched.wait()
        super().close()


class DoctorBed(Bed):
    """A machine with two things to find: a mistake in the file, and a device without use."""

    may_die = True
    statuses = (1, 2)
    answers = (1,)

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        self.begins = str(self.box.conf)
        self.box.write("ZRAM_SIZE_0=many\n")
        self.unused = pyzram.Zram.add()
        self.unused.configure(disksize="8M")

    def arguments(self) -> list[str]:
        return ["doctor", "-c", str(self.box.conf)]

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        yield from super().judge(fault, call, done)
        if done.returncode == 1:
            for found in ("[config]", f"{self.unused.name}:", "[unused]"):
                if found not in done.stdout:
                    yield f"it does not tell of {found}: {done.stdout[-600:]}"

    def close(self) -> None:
        self.unused.remove()
        super().close()


class ImportBed(Bed):
    """A folder of another tool, of which a part cannot be carried over."""

    may_die = True

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        self.begins = str(directory / "theirs")
        folder = directory / "theirs.d"
        folder.mkdir()
        (directory / "theirs").write_text("[zram0]\nzram-size = ram / 2\n")
        (folder / "1.conf").write_text("[zram0]\nswap-priority = 7\n")
        (folder / "2.conf").write_text("[zram1]\nhost-memory-limit = none\nnobody-knows = 1\n")
        self.right = self.run(*self.arguments())

    def arguments(self) -> list[str]:
        return ["import", str(self.directory / "theirs")]

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        yield from super().judge(fault, call, done)
        if done.returncode == 0 and done.stdout != self.right.stdout:
            yield f"status 0, and a part is missing: {done.stdout}"


LOOK = """
import os, sys
from pyzram.cli.top.look import Looker
looker = Looker(sys.argv[2:], sys.argv[1])
seen = [looker.look() for _ in range(2)][-1]
looker.close()
said = [*(device.name for device in seen.devices), f"memory:{seen.available > 0}", *seen.notes]
os.write(1, " ".join(said).encode())
os._exit(0)
"""


class TopBed(Bed):
    """What top looks at, twice, without the screen.

    The screen is textual's: thousands of calls of its own and of asyncio, in several threads, whose
    faults say nothing of pyzram. A fault in the looks is to be told of, and to end nothing.
    """

    may_die = True
    statuses = (0,)

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        # Others' devices would come and go, and the number of calls with them.
        self.name = self.bystander.device.name
        self.begins = self.name

    def words(self) -> list[str]:
        return [sys.executable, "-Ic", LOOK, str(self.box.run_dir), self.name]

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        if call == "write":
            return  # that is the script's own
        yield from super().judge(fault, call, done)
        if done.returncode == 0:
            whole = self.name in done.stdout and "memory:True" in done.stdout
            if not whole and ": " not in done.stdout:
                yield f"it hides what it could not read: {done.stdout}"


class DataBed(Bed):
    """A device with data, which are put there anew before each fault."""

    answers = (0, TERMINATED)
    PAGES = 96
    LIMIT = 10_000
    """The administrator's, in units of 4096 bytes."""

    def __init__(self, directory: Path, command: str) -> None:
        super().__init__(directory, command)
        self.device = pyzram.Zram.add()
        self.begins = f"/sys/block/{self.device.name}"
        chance = random.Random(1)
        quarter = mmap.PAGESIZE // 4
        kinds = (
            lambda: chance.randbytes(4 * quarter),
            lambda: chance.randbytes(quarter) + bytes(3 * quarter),
        )
        self.data = b"".join(kinds[at % 2]() for at in range(self.PAGES))
        self.has_backing = self.has_second = False
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise

    def set_up(self) -> None:
        """Configure the device."""
        raise NotImplementedError

    def configure(self, *, backing: bool, second: bool) -> None:
        """Give it a backing file with a limit, and a second algorithm."""
        self.has_backing, self.has_second = backing, second
        settings: dict[str, Any] = {}
        if backing:
            file = self.directory / "backing"
            with file.open("wb") as opened:
                os.posix_fallocate(opened.fileno(), 0, 32 << 20)
            settings = {"backing_dev": file, "writeback_limit": self.LIMIT}
        if second:
            first, *others = self.device.read_algorithms()
            settings |= {"algorithm": first, "recompression": others[-1:]}
        self.device.configure(disksize="16M", **settings)

    def prepare(self) -> None:
        with mmap.mmap(-1, len(self.data)) as buffer:
            buffer.write(self.data)
            fd = os.open(self.device.node, os.O_RDWR | os.O_DIRECT)
            try:
                os.pwrite(fd, buffer, 0)
            finally:
                os.close(fd)
        if self.has_backing:
            self.device.set_writeback_limit(self.LIMIT)
            self.written = self.bd_writes()

    def bd_writes(self) -> int:
        return self.device.read_bd_stat().bd_writes

    def heal(self) -> Iterator[str]:
        healed = self.run(*self.arguments())
        if healed.returncode:
            yield f"not healed by the next command: {healed.stderr}"
        if self.has_backing:
            left = self.device.read_writeback_limit() + self.bd_writes() - self.written
            if left != self.LIMIT or not self.device.read_writeback_limit_enable():
                yield f"the administrator's limit of {self.LIMIT} became {left}"
        with open(self.device.node, "rb") as node:
            if node.read(len(self.data)) != self.data:
                yield "other data"

    def close(self) -> None:
        self.device.remove(release=True)
        super().close()


class PostprocessBed(DataBed):
    """A backing file or a secondary algorithm, and a command that uses it."""

    def set_up(self) -> None:
        self.configure(backing=self.command == "writeback", second=self.command == "recompress")

    def arguments(self) -> list[str]:
        kind = ["--type", "huge"] if self.command == "writeback" else []
        return [self.command, *kind, "--timeout", "60", self.device.name]

    def heal(self) -> Iterator[str]:
        yield from super().heal()
        if self.has_backing and self.bd_writes() == self.written:
            yield "nothing was written back"


class TendBed(DataBed):
    """What of these the kernel has, and ``tend --once`` ten days later, when all pages are cold."""

    LATER = str(10 * 24 * 3600)
    BUDGET = 1 << 40

    def __init__(self, directory: Path, command: str) -> None:
        self.state = directory / "state"
        super().__init__(directory, command)
        self.begins = str(self.box.conf)
        self.box.env["PYZRAM_STATE"] = str(self.state)
        self.box.write("TEND=yes\n")
        if self.has_backing:
            self.prepare()
            done = subprocess.run(
                [*self.around, *self.words()], env=self.box.env, capture_output=True, check=False
            )
            if done.returncode or self.bd_writes() == self.written:
                self.close()
                raise SystemExit(f"tend: without any fault: {done}, and nothing was written back")

    def set_up(self) -> None:
        with pyzram.Zram.add() as device:
            features = pyzram.features(device)
        self.configure(backing=bool(features.writeback), second=bool(features.recompression))
        if os.path.exists("/proc/self/ns/time") and shutil.which("unshare"):
            clocks = ["--boottime", self.LATER, "--monotonic", self.LATER]
            self.around = ("unshare", "--time", "--fork", "--kill-child", *clocks)

    def arguments(self) -> list[str]:
        conf = ["-c", str(self.box.conf), "--budget", str(self.BUDGET)]
        return ["tend", "--once", *conf, self.device.name]

    def prepare(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.box.run_dir, ignore_errors=True)
        super().prepare()

    def judge(self, fault: str, call: str, done: Done) -> Iterator[str]:
        yield from super().judge(fault, call, done)
        if fault != "SIGKILL" and done.returncode == 0 and not self.charged():
            yield "status 0, and what was written is not charged"

    def heal(self) -> Iterator[str]:
        yield from super().heal()
        if not self.charged():
            yield "what was written is not charged"
        if left := {path.name for path in self.state.iterdir()} - {LEDGER}:
            yield f"left beside the ledger: {left}"

    def charged(self) -> bool:
        """Whether the ledger is whole, and has what the device wrote since it was put there."""
        clocks = Clocks()
        ledger = Ledger(str(self.state), read_clock(pyzram.Sysfs(), clocks))
        if ledger.saved is None:
            # In /run, with half the budget, where the folder in /var could not be used.
            ledger = Ledger(str(self.box.run_dir), read_clock(pyzram.Sysfs(), clocks))
        written = (self.bd_writes() - self.written) * BD_UNIT if self.has_backing else 0
        charged = sum(ledger.written(medium) for medium in ledger.media)
        return ledger.saved is not None and not ledger.damaged and charged >= written


BEDS: dict[str, type[Bed]] = {
    **dict.fromkeys(("start", "stop", "reload"), ServiceBed),
    **dict.fromkeys(("zram_stats", "estimate"), ReadingBed),
    **dict.fromkeys(("writeback", "recompress"), PostprocessBed),
    "tend": TendBed,
    "doctor": DoctorBed,
    "import": ImportBed,
    "top": TopBed,
}


def why_not(command: str) -> str:
    """Why this kernel cannot do a command, or nothing."""
    if BEDS[command] is not PostprocessBed:
        return ""
    with pyzram.Zram.add() as device:
        features = pyzram.features(device)
    if command == "writeback" and not features.writeback:
        return "this kernel has no writeback"
    if command == "recompress" and not features.recompression:
        return "this kernel has no recompression"
    return ""
