# SPDX-License-Identifier: MIT
"""What a fault is put into: a command with what it works on, and what must hold afterwards."""

from __future__ import annotations

import mmap
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kernel.box import Box, Bystander, forked, swaps
from kernel.conftest import OwnDevice, add_device, drop_device

import pyzram
from pyzram.kernel import holders

Done = subprocess.CompletedProcess[str]
TERMINATED = 128 + 15


class Bed:
    """What all have: a folder, a configuration, and a device of somebody else."""

    begins = ""
    """Before a call has this in its text, a command is nothing but the interpreter's start."""
    may_die = False
    """It only reads, so a signal may end it anywhere."""

    def __init__(self, directory: Path, command: str) -> None:
        self.directory = directory
        self.command = command
        self.box = Box(directory)
        self.bystander = Bystander(add_device())

    def words(self) -> list[str]:
        """The command in a process of its own."""
        return [sys.executable, "-Im", "pyzram.cli.pyzram", *self.arguments()]

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def run(self, *arguments: str) -> Done:
        """A command without a fault; forked, since most of the time would go by starting Python."""
        return forked(list(arguments), self.box.env)

    def strace(self, *options: str) -> Done:
        return subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", *options, *self.words()],
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
        if done.returncode not in (0, 1, TERMINATED):
            yield f"status {done.returncode}: {done.stderr[-300:]}"
        if done.returncode and not done.stderr.strip() and call not in ("write", "dup2"):
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
        left = [n for n, known in made.items() if OwnDevice(n).diskseq.strip() == known]
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


class PostprocessBed(Bed):
    """A device with data, a backing file or a secondary algorithm, and an administrator's limit."""

    PAGES = 96
    LIMIT = 10_000

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
        try:
            if command == "writeback":
                backing = directory / "backing"
                with backing.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, 32 << 20)
                self.device.configure(
                    disksize="16M", backing_dev=backing, writeback_limit=self.LIMIT
                )
            else:
                first, *others = self.device.read_algorithms()
                self.device.configure(disksize="16M", algorithm=first, recompression=others[-1:])
        except BaseException:
            self.close()
            raise

    def arguments(self) -> list[str]:
        kind = ["--type", "huge"] if self.command == "writeback" else []
        return [self.command, *kind, "--timeout", "60", self.device.name]

    def prepare(self) -> None:
        with mmap.mmap(-1, len(self.data)) as buffer:
            buffer.write(self.data)
            fd = os.open(self.device.node, os.O_RDWR | os.O_DIRECT)
            try:
                os.pwrite(fd, buffer, 0)
            finally:
                os.close(fd)
        if self.command == "writeback":
            self.device.set_writeback_limit(self.LIMIT)
            self.written = self.bd_writes()

    def bd_writes(self) -> int:
        return self.device.read_bd_stat().bd_writes

    def heal(self) -> Iterator[str]:
        healed = self.run(*self.arguments())
        if healed.returncode:
            yield f"not healed by the next command: {healed.stderr}"
        if self.command == "writeback":
            left = self.device.read_writeback_limit() + self.bd_writes() - self.written
            if left != self.LIMIT or not self.device.read_writeback_limit_enable():
                yield f"the administrator's limit of {self.LIMIT} became {left}"
            if self.bd_writes() == self.written:
                yield "nothing was written back"
        with open(self.device.node, "rb") as node:
            if node.read(len(self.data)) != self.data:
                yield "other data"

    def close(self) -> None:
        self.device.remove(release=True)
        super().close()


BEDS: dict[str, type[Bed]] = {
    **dict.fromkeys(("start", "stop", "reload"), ServiceBed),
    **dict.fromkeys(("zram_stats", "estimate"), ReadingBed),
    **dict.fromkeys(("writeback", "recompress"), PostprocessBed),
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
