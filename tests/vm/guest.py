# SPDX-License-Identifier: MIT
"""A kernel booted in QEMU on a copy-on-write view of this machine's files, by virtme-ng.

Emulation always works; hardware virtualisation is used where the processor offers it, or as
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

from .archive import TREE, Image, UnavailableError, cache

QEMU = "qemu-system-x86_64"


def vng() -> str:
    """The command that boots; it is installed beside this Python."""
    if not shutil.which(QEMU):
        raise UnavailableError(f"needs {QEMU} (Debian: qemu-system-x86)")
    beside = Path(sys.executable).with_name("vng")
    found = str(beside) if beside.exists() else shutil.which("vng")
    if not found:
        raise UnavailableError("needs virtme-ng (pip install virtme-ng)")
    return found


def has_kvm() -> bool:
    """Whether hardware virtualisation can be trusted: a /dev/kvm alone may emulate badly."""
    chosen = os.environ.get("PYZRAM_VM_KVM")
    if chosen:
        return chosen == "1"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    flags = Path("/proc/cpuinfo").read_text().split()
    return "vmx" in flags or "svm" in flags


def load_driver(module: Path | None) -> str:
    """Shell lines that load zram without devices, the kernel's own or a rebuilt one."""
    if module is None:
        load = "modprobe zram num_devices=0"
    else:
        load = (
            f"for name in $(modinfo -F depends {module} | tr , ' '); do modprobe $name; done\n"
            f"insmod {module} num_devices=0"
        )
    return f"{load}\nmodprobe loop"


class Guest:
    """One boot. The script runs as root inside; ``folder`` is where both sides can write."""

    def __init__(
        self, image: Image, script: Path, folder: Path, *, disks: tuple[Path, ...] = ()
    ) -> None:
        self.console = folder / "console.log"
        program = vng()
        command = [
            *(program, "--run", str(image.vmlinuz), "--verbose", "--user", "root"),
            # One processor: multi-threaded emulation crashes 7.x kernels.
            *("--memory", "1G", "--cpus", "1", "--force-9p", "--rwdir", str(folder)),
            # An oops is a crash, and a crash ends QEMU (virtme-ng gives it -no-reboot).
            *("--append", "oops=panic", "--append", "panic=-1"),
        ]
        if not has_kvm():
            command.append("--disable-kvm")
        for disk in disks:
            command += ["--disk", str(disk)]
        # virtme-ng writes a configuration file below HOME and runs its own tools from PATH.
        home = cache() / "home"
        home.mkdir(parents=True, exist_ok=True)
        path = f"{Path(program).parent}:/usr/sbin:/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                [*command, "--", f"sh {script}"],
                cwd=TREE,
                env={**os.environ, "HOME": str(home), "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

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

    def cut_power(self) -> None:
        """Kill QEMU without a word to the kernel inside."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self) -> str:
        """The end of the console, for a failure's text."""
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-40:])
