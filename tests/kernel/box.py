# SPDX-License-Identifier: MIT
"""A configuration with its own record, for tests that run the commands of the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from pyzram.cli import pyzram as command
from pyzram.service.registry import Registry

from .conftest import OwnDevice

SMALL = "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n"
MADV_PAGEOUT = 21
IN_GUEST = os.environ.get("PYZRAM_IN_GUEST") == "1"
# On a shared machine others may have devices, which start mentions.
FOREIGN = "was not made by pyzram"


class Box:
    """A configuration with its own record."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.conf = directory / "zram"
        self.run_dir = directory / "run"
        self.env = {**os.environ, "PYZRAM_RUN": str(self.run_dir)}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-Im", "pyzram.cli.pyzram", "-c", str(self.conf), *words]

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return checked(
            subprocess.run(
                command,
                env={**self.env, **env},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        )

    def pyzram(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        if IN_GUEST:
            return checked(forked(["-c", str(self.conf), *words], {**self.env, **env}))
        return self.run(*self.command(*words), **env)

    def fine(self, *words: str, **env: str) -> str:
        done = self.pyzram(*words, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *words: str, **env: str) -> str:
        """Run what must fail, and return the one line that says why."""
        done = self.pyzram(*words, **env)
        assert done.returncode == 1, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("pyzram")
        return line

    def write(self, text: str) -> None:
        self.conf.write_text(text)

    def let_run_take_nothing(self, how: str) -> None:
        """Make the file system of the run directory ``full`` or ``read-only``."""
        if how == "full":
            for size in (4096, 1):
                try:
                    with (self.run_dir / f"fill{size}").open("wb", buffering=0) as file:
                        while file.write(bytes(size)):
                            pass
                except OSError:
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", self.run_dir], check=True)

    def numbers(self) -> list[int]:
        """Numbers of the devices that are recorded and there."""
        state = Registry(str(self.conf), directory=str(self.run_dir))
        state.load()
        return [registered.number for registered in state.devices]

    def rows(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.pyzram("status", "--json").stdout)
        return rows

    def known(self) -> dict[int, str]:
        """Number and diskseq of each device that is recorded."""
        return {number: diskseq(number) for number in self.numbers()}


def said_twice(text: str) -> list[str]:
    """Lines of messages that name a device, a step or a program twice in one statement."""
    statements = [
        (line, part.split(": ")) for line in text.splitlines() for part in line.split("; ")
    ]
    return [line for line, words in statements if len(words) != len(set(words))]


def checked(
    done: subprocess.CompletedProcess[str],
) -> subprocess.CompletedProcess[str]:
    """The same, without what others on this machine cause."""
    done.stderr = "".join(x for x in done.stderr.splitlines(True) if FOREIGN not in x)
    assert "Traceback" not in done.stderr
    assert not said_twice(done.stderr)
    return done


def forked(
    argv: list[str], env: dict[str, str], prepare: Callable[[], None] = lambda: None
) -> subprocess.CompletedProcess[str]:
    """Run a command of pyzram in a forked child, since starting Python takes long when emulated."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.closerange(3, 1024)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                os.environ.clear()
                os.environ.update(env)
                prepare()
                status = command.main(argv)
                sys.stdout.flush()
            except SystemExit as end:  # a signal was heeded
                status = end.code
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, status, out.read(), err.read())


class Bystander:
    """Somebody else's device, set up and labelled like one of ours; nothing may touch it."""

    def __init__(self, device: OwnDevice) -> None:
        self.device = device
        device.write("disksize", str(8 << 20))
        subprocess.run(
            ["mkswap", "--quiet", "--label", device.name, device.node],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.before = self.look()

    def look(self) -> tuple[str, ...]:
        with open(self.device.node, "rb") as node:
            signature = node.read(4096).hex()
        names = ("diskseq", "disksize", "comp_algorithm", "mm_stat")
        # Not every kernel has diskseq.
        texts = [self.device.read(x) for x in names if (self.device.sysfs / x).exists()]
        # The peak in mm_stat does not matter, and the kernel compacts on its own.
        texts[-1] = " ".join(texts[-1].split()[:2])
        return (*texts, signature)


def swaps() -> dict[str, list[str]]:
    """Path to the words of its line in /proc/swaps."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    return {line.split()[0]: line.split() for line in lines}


def swaps_left(before: set[str]) -> set[str]:
    """New swap areas; on a shared machine they may be anybody's."""
    return set() if os.environ.get("PYZRAM_SHARED_MACHINE") == "1" else set(swaps()) - before


def diskseq(number: int) -> str:
    try:
        return Path(f"/sys/block/zram{number}/diskseq").read_text().strip()
    except FileNotFoundError:
        return ""


def programs(box: Box, **scripts: str) -> str:
    """A PATH that has these scripts and nothing else."""
    directory = box.directory / "bin"
    directory.mkdir()
    for name, text in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return str(directory)
