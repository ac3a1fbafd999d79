# SPDX-License-Identifier: MIT
"""A kernel booted in QEMU on a copy-on-write view of this machine's files, by virtme-ng.

Emulation always works; hardware virtualisation is used if the processor offers it, or as
PYZRAM_VM_KVM (0 or 1) says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

from . import programs
from .archive import TREE, Image, UnavailableError, cache

QEMU = "qemu-system-x86_64"


def program(name: str) -> str:
    """A command that is installed beside this Python."""
    beside = Path(sys.executable).with_name(name)
    if not beside.exists():
        raise UnavailableError(f"needs {beside}")
    return str(beside)


def vng() -> str:
    """The command that boots."""
    if not shutil.which(QEMU):
        raise UnavailableError(f"needs {QEMU} (Debian: qemu-system-x86)")
    busybox = shutil.which("busybox")
    # The guest's first programs run before there is any library.
    if not busybox or b"ld-linux" in Path(busybox).read_bytes()[:4096]:
        raise UnavailableError("needs a static busybox (Debian: busybox-static)")
    return program("vng")


def has_kvm() -> bool:
    """Whether hardware virtualisation can be trusted: a /dev/kvm alone may emulate badly."""
    chosen = os.environ.get("PYZRAM_VM_KVM")
    if chosen:
        return chosen == "1"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    flags = Path("/proc/cpuinfo").read_text().split()
    return "vmx" in flags or "svm" in flags


def load_driver(modules: tuple[Path, ...]) -> str:
    """Shell lines that load zram without devices, the kernel's own or a rebuilt one."""
    lines = [programs.mount(), "modprobe -a loop dm-mod"]
    for module in modules:
        # What it needs from the kernel's own modules; our own are already loaded.
        lines += [
            f"for name in $(modinfo -F depends {module} | tr , ' '); do",
            "\tmodprobe -q $name",
            "done",
            f"insmod {module}{' num_devices=0' if module.name == 'zram.ko' else ''}",
        ]
    if not modules:
        lines.append("modprobe zram num_devices=0")
    return "\n".join(lines)


class Guest:
    """One boot. The script runs as root inside; ``folder`` is where both sides can write."""

    running: ClassVar[set[Guest]] = set()

    def __init__(
        self, image: Image, script: Path, folder: Path, *, disks: tuple[Path, ...] = ()
    ) -> None:
        self.console = folder / "console.log"
        boot = vng()
        command = [
            *(boot, "--run", str(image.vmlinuz), "--verbose", "--user", "root"),
            # One processor: multi-threaded emulation crashes 7.x kernels.
            *("--memory", "1G", "--cpus", "1", "--force-9p", "--rwdir", str(folder)),
            # An oops is a crash, and a crash ends QEMU (virtme-ng gives it -no-reboot).
            *("--append", "oops=panic", "--append", "panic=-1"),
        ]
        if not has_kvm():
            command.append("--disable-kvm")
        command.append(f"--qemu-opts={programs.qemu_options()}")
        for disk in disks:
            command += ["--disk", str(disk)]
        # virtme-ng writes a configuration file below HOME and runs its own tools from PATH.
        home = cache() / "home"
        home.mkdir(parents=True, exist_ok=True)
        path = f"{Path(boot).parent}:/usr/sbin:/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        self.start([*command, "--", f"sh {script}"], {"HOME": str(home), "PATH": path})

    @classmethod
    def of(cls, command: list[str], folder: Path) -> Guest:
        """Another way to boot: a whole command line of QEMU."""
        guest = cls.__new__(cls)
        guest.console = folder / "console.log"
        guest.start(command, {})
        return guest

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                command,
                cwd=TREE,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        Guest.running.add(self)

    @classmethod
    def cut_all(cls) -> None:
        """Leave no guest behind when a run is broken off."""
        for guest in tuple(cls.running):
            guest.cut_power()

    def wait(self, seconds: float) -> bool:
        """Whether the guest ended by itself in time; it is gone afterwards either way."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.cut_power()
        return True

    def wait_for(self, path: Path, seconds: float) -> bool:
        """Whether a file appeared in time, while the guest runs."""
        deadline = time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return True

    def waited(self) -> float:
        """Seconds in which its processor wanted to run but this machine had none free.

        They are those of the thread that ran most (Documentation/scheduler/sched-stats.rst).
        """
        most = (0, 0)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                _, _, words = stat.read_text().rpartition(") ")
                if int(words.split()[2]) != self.process.pid:  # the process group
                    continue
                for thread in stat.parent.glob("task/*/schedstat"):
                    ran, waited, _ = map(int, thread.read_text().split())
                    most = max(most, (ran, waited))
        return most[1] / 1e9

    def cut_power(self) -> None:
        """Kill QEMU without warning the kernel inside."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        Guest.running.discard(self)

    def last_words(self) -> str:
        """The end of the console, for a failure's text."""
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-40:])
