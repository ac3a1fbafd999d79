# SPDX-License-Identifier: MIT
"""zram-generator itself, run in a made-up root: what it would write, and where.

Debian's package is fetched into .cache/peers and unpacked, never installed. Its program runs as
nobody in a root that holds its libraries, a configuration, proc/meminfo, and pipes in place of
sysfs's attributes; it sees nothing of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from vm.archive import TREE, Archive, UnavailableError

SUITES = ("trixie", "bookworm")
PACKAGE = "systemd-zram-generator"
ATTRIBUTES = (
    "backing_dev",
    "mem_limit",
    "comp_algorithm",
    "recomp_algorithm",
    "algorithm_params",
    "recompress",
    "disksize",
)
CREATES = re.compile(r"Creating unit file (\S+) \(/dev/zram(\d+) with (\d+)MB\)")
NOBODY = 65534


@dataclass
class Device:
    """What the peer makes of one section: the unit's text, and what it writes to sysfs."""

    number: int
    megabytes: int | None = None
    unit: str = ""
    units: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """One run over one configuration."""

    devices: dict[int, Device]
    said: str
    status: int


@cache
def tool(name: str) -> str:
    """The path of a command of this machine, for a run whose PATH leads nowhere."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise UnavailableError(f"needs the command {name}")
    return path


@cache
def package(suite: str) -> Path:
    """The unpacked package with the libraries it was built for."""
    folder = TREE / ".cache/peers" / suite
    if not folder.exists():
        unfinished = folder.with_name(suite + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        Archive((suite,)).unpack([PACKAGE, "libc6", "libgcc-s1", "busybox-static"], unfinished)
        unfinished.rename(folder)
    return folder


class Root:
    """A made-up root; used for many configurations, one after the other."""

    def __init__(self, folder: Path, suite: str = SUITES[0]) -> None:
        self.folder = folder
        self.suite = suite
        self.ours = folder.with_name(f"{folder.name}-ours")
        self.ours.mkdir()
        source = package(suite)
        loader = next(source.glob("**/lib/*/ld-linux*.so.*"), None)
        program = next(source.glob("**/system-generators/zram-generator"), None)
        if loader is None or program is None:
            raise UnavailableError(f"{source} lacks the program or its loader: remove it")
        self.libraries = "/" + str(loader.parent.relative_to(source))
        for name in (loader.name, "libc.so.6", "libm.so.6", "libgcc_s.so.1"):
            self.copy(loader.parent / name, f"{self.libraries}/{name}")
        self.copy(program, "/generator")
        self.command = [f"{self.libraries}/{loader.name}", "--library-path", self.libraries]
        self.command.append("/generator")
        (folder / "proc/self").mkdir(parents=True)
        (folder / "dev").mkdir()
        (folder / "dev/null").touch()
        (folder / "proc/self/exe").symlink_to("/generator")
        self.makefs()
        (folder / "proc/cmdline").write_text("\n")
        (folder / "proc/crypto").write_text("")
        (folder / "sys/class/zram-control").mkdir(parents=True, exist_ok=True)
        (folder / "sys/class/zram-control/hot_add").write_text("0\n")

    def copy(self, source: Path, target: str) -> None:
        place = self.folder / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
        place.chmod(0o755)

    def makefs(self) -> None:
        """Put a shell there, and a systemd-makefs that notes what it is asked to make."""
        shell = next(package(self.suite).glob("**/bin/busybox"), None)
        if shell is None:
            raise UnavailableError(f"{package(self.suite)} lacks busybox: remove it")
        self.copy(shell, "/bin/sh")
        self.script = self.folder / "lib/systemd/systemd-makefs"
        if not (self.folder / "lib").exists():
            (self.folder / "lib").symlink_to("usr/lib")
        self.script.parent.mkdir(parents=True, exist_ok=True)
        self.script.write_text('#!/bin/sh\necho "$@" >/out/made\n')
        self.script.chmod(0o755)

    def program(self, name: str, script: str) -> None:
        """Put a program there, for the commands of a configuration."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def made(self) -> str:
        """The file system that the last device to be set up got."""
        note = self.folder / "out/made"
        return note.read_text().split()[0] if note.exists() else ""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = str(self.folder)
        enter = [tool("chroot"), f"--userspec={NOBODY}:{NOBODY}", "--groups=", where]
        if os.geteuid():
            enter = [tool("unshare"), "-r", tool("chroot"), where]
        return subprocess.run(
            [*enter, *self.command, *arguments],
            env={"PATH": "/bin", "ZRAM_GENERATOR_ROOT": "/"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
            check=False,
        )

    def configure(self, files: dict[str, str], ram_kib: int) -> None:
        """Replace the files (paths below /) in the root."""
        for place in ("etc", "run", "usr/lib/systemd/zram-generator.conf.d", "usr/local", "out"):
            shutil.rmtree(self.folder / place, ignore_errors=True)
        (self.folder / "usr/lib/systemd/zram-generator.conf").unlink(missing_ok=True)
        (self.folder / "proc/meminfo").write_text(f"MemTotal:       {ram_kib} kB\n")
        for name, text in files.items():
            path = self.folder / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        (self.folder / "out").mkdir(mode=0o777)
        (self.folder / "out").chmod(0o777)

    def ask(self, text: str | dict[str, str], ram_kib: int = 8 << 20) -> Answer:
        """Run the peer on a configuration and return everything that it makes of it."""
        files = {"/etc/systemd/zram-generator.conf": text} if isinstance(text, str) else text
        self.configure(files, ram_kib)
        done = self.run("/out")
        devices: dict[int, Device] = {}
        for unit, number, size in CREATES.findall(done.stdout):
            device = devices.setdefault(int(number), Device(int(number)))
            device.megabytes, device.unit = int(size), unit
        answer = Answer(devices, done.stdout + done.stderr, done.returncode)
        for path in (self.folder / "out").rglob("*"):
            if path.is_file() and not path.is_symlink():
                answer_units = path.read_text(errors="surrogateescape")
                for device in devices.values():
                    if path.name == device.unit or f"@zram{device.number}." in str(path):
                        device.units[str(path.relative_to(self.folder / "out"))] = answer_units
        return answer

    def set_up(self, number: int, **special: tuple[int, int] | None) -> tuple[dict[str, str], str]:
        """What the peer writes to the device's attributes, in a run after :meth:`ask`.

        ``special`` are attributes that a kernel lacks (``None``), or that a device replaces.
        """
        block = self.folder / f"sys/block/zram{number}"
        if special:
            shutil.rmtree(block, ignore_errors=True)
        block.mkdir(parents=True, exist_ok=True)
        for name, device in special.items():
            if device is not None:
                os.mknod(block / name, stat.S_IFCHR | 0o666, os.makedev(*device))
                (block / name).chmod(0o666)
        pipes = {}
        for name in set(ATTRIBUTES) - set(special):
            if not (block / name).exists():
                os.mkfifo(block / name)
            (block / name).chmod(0o666)
            pipes[name] = os.open(block / name, os.O_RDWR | os.O_NONBLOCK)
        try:
            done = self.run("--setup-device", f"zram{number}")
            written = {}
            for name, pipe in pipes.items():
                try:
                    written[name] = os.read(pipe, 65536).decode(errors="surrogateescape")
                except BlockingIOError:
                    continue
        finally:
            for pipe in pipes.values():
                os.close(pipe)
            for name in special:
                (block / name).unlink(missing_ok=True)
        return written, done.stderr
