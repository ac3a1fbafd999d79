# SPDX-License-Identifier: MIT
"""One fault at every system call of a command: walked through by strace, one run a point.

After each point: the status is true, what is said is a line each and no traceback, somebody
else's device is as it was, the next command heals, and nothing is left. ``python -m faults.walk``
goes through all points and prints the counts; ``--every N --offset K`` takes a part of them.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from kernel.box import Box, Bystander, swaps  # noqa: E402
from kernel.conftest import OwnDevice, add_device, drop_device  # noqa: E402

# fmt: off
CALLS = (
    "openat", "read", "pread64", "preadv", "write", "pwrite64", "ioctl", "flock", "rename",
    "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "chmod", "fchmod", "chown", "swapon",
    "swapoff", "mount", "umount2", "newfstatat", "fstat", "readlink", "readlinkat", "getdents64",
    "lseek", "memfd_create", "vfork", "clone3", "waitid", "wait4", "fstatfs", "statfs", "mmap",
    "dup2", "access", "faccessat2", "clock_nanosleep", "select", "pselect6", "pipe2", "fcntl",
)
# fmt: on
# A fault of memory in mmap is the interpreter's own.
NOT_FOR = {"mmap": ("EIO", "ENOMEM", "ENOSPC", "EINTR")}
ERRORS = ("EIO", "ENOMEM", "ENOSPC", "EINTR")
SIGNALS = ("SIGTERM", "SIGKILL")
# Before it has opened this, a command is nothing but the interpreter's start.
# What Python says when the fault met the loading of one of its modules.
INTERPRETER = ("ImportError", "ModuleNotFoundError")
BEGINS = {"zram_stats": "sys/block", "estimate": "/meminfo"}


class Point(NamedTuple):
    """Where, and what."""

    command: str
    call: str
    nth: int
    fault: str


class Bed:
    """A configuration with a swap device and a file system, and a bystander."""

    def __init__(self, directory: Path) -> None:
        self.box = Box(directory)
        self.point = directory / "point"
        self.point.mkdir(exist_ok=True)
        self.first = self.text("16M")
        self.second = self.text("24M")
        self.box.write(self.first)
        self.bystander = Bystander(add_device())
        self.before = {path.name for path in Path("/sys/block").glob("zram*")}

    def text(self, size: str) -> str:
        return (
            f"NUM_DEVICES=2\nZRAM_SIZE_0={size}\nZRAM_PRIORITY_0=1\n"
            f"ZRAM_SIZE_1=16M\nZRAM_MOUNT_1={self.point}\nZRAM_MODE_1=1777\n"
        )

    def words(self, command: str) -> list[str]:
        if command == "zram_stats":
            return [sys.executable, "-Im", "pyzram.cli.zram_stats", "--json"]
        if command == "estimate":
            return [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", str(self.box.conf)]
        return self.box.command(command)

    def prepare(self, command: str) -> None:
        self.box.write(self.first)
        self.run("start" if command != "start" else "stop")
        if command == "reload":
            self.box.write(self.second)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(command), env=self.box.env, capture_output=True, text=True, check=False
        )

    def strace(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["strace", "-f", "-qq", *options, *self.words(command)],
            env=self.box.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def points(self, command: str) -> list[Point]:
        """All points of a command, in the order of its calls."""
        self.prepare(command)
        trace = self.box.directory / "trace"
        self.strace(command, "-o", str(trace), "-e", f"trace={','.join(f'?{c}' for c in CALLS)}")
        begins = BEGINS.get(command, str(self.box.conf))
        lines = trace.read_text(errors="replace").splitlines()
        main = lines[0].split()[0]
        counts: collections.Counter[str] = collections.Counter()
        found, begun = [], False
        for line in lines:
            pid, _, rest = line.partition(" ")
            call = rest.strip().partition("(")[0]
            if pid != main or call not in CALLS:
                continue
            counts[call] += 1
            begun = begun or begins in rest
            if begun:
                for fault in (*ERRORS, *SIGNALS):
                    if fault not in NOT_FOR.get(call, ()):
                        found.append(Point(command, call, counts[call], fault))
        return found

    def check(self, point: Point) -> list[str]:
        """Do one point; return what is wrong."""
        self.prepare(point.command)
        kind = "signal" if point.fault.startswith("SIG") else "error"
        done = self.strace(
            point.command,
            *("-o", "/dev/null", "-e", f"trace={point.call}"),
            *("-e", f"inject={point.call}:{kind}={point.fault}:when={point.nth}"),
        )
        wrong = list(self.judge(point, done))
        healed = self.run("reload" if point.command == "reload" else "start")
        if healed.returncode != 0 or self.run("status").returncode != 0:
            wrong.append(f"not healed by the next command: {healed.stderr}")
        stopped = self.run("stop")
        left = {path.name for path in Path("/sys/block").glob("zram*")} - self.before
        if stopped.returncode != 0 or self.box.numbers() or self.point.is_mount() or left:
            wrong.append(f"left after stop: {left} {stopped.stderr}")
            self.clean()
        if self.bystander.look() != self.bystander.before:
            wrong.append("somebody else's device is not as it was")
        return wrong

    def judge(self, point: Point, done: subprocess.CompletedProcess[str]) -> Iterator[str]:
        if "Traceback" in done.stderr or "Exception ignored" in done.stderr:
            if done.stderr.rstrip().split("\n")[-1].startswith(INTERPRETER):
                return  # a module of Python itself could not be loaded
            yield f"a traceback: {done.stderr.strip()[-600:]}"
        if point.fault == "SIGKILL":
            return
        if point.command in BEGINS and done.returncode == -15:
            return  # they only read, so a signal may end them anywhere
        if done.returncode not in (0, 1, 128 + 15):
            yield f"status {done.returncode}: {done.stderr[-300:]}"
        if done.returncode and not done.stderr.strip() and point.call not in ("write", "dup2"):
            yield "it failed without a word"
        status = self.run("status").returncode
        if point.command == "start":
            if done.returncode == 0 and status != 0:
                yield f"status 0, but not all runs ({status}): {done.stderr}"
            if done.returncode and self.box.numbers() and "undoing" not in done.stderr:
                yield f"failed, devices left and nothing said of it: {done.stderr}"
        if point.command == "stop" and done.returncode == 0 and self.box.numbers():
            yield "status 0, but devices are left"
        if point.command == "reload" and not any("/dev/zram" in path for path in swaps()):
            yield "without swap"

    def clean(self) -> None:
        for number in self.box.numbers():
            drop_device(OwnDevice(number))

    def close(self) -> None:
        self.run("stop")
        self.clean()
        drop_device(self.bystander.device)


def main() -> int:
    """Walk; the status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=["start", "stop", "reload", "zram_stats"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="pyzram-faults") as directory:
        os.chmod(directory, 0o755)
        bed = Bed(Path(directory))
        try:
            for command in options.commands:
                points = bed.points(command)
                taken = points[options.offset :: options.every]
                failed = 0
                for point in taken:
                    wrong = bed.check(point)
                    for text in wrong:
                        print(f"{point}: {text}", flush=True)
                    failed += bool(wrong)
                ways = len({(point.call, point.fault) for point in taken})
                print(
                    f"{command}: {len(taken)} of {len(points)} points, {ways} ways, "
                    f"{failed} failures",
                    flush=True,
                )
                failures += failed
        finally:
            bed.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
