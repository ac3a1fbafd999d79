# SPDX-License-Identifier: MIT
"""What programs are started with: their files, their cgroup, and commands to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernel.memory_cgroup import MemoryCgroup

Check = Callable[[], bool]


class Kitchen:
    """Where programs are found, run and cleaned up after."""

    def __init__(self, cache: Path, folder: Path, cgroup: MemoryCgroup) -> None:
        self.root = cache / "root"
        self.folder = folder
        self.cgroup = cgroup

    def find(self, name: str) -> str:
        """A program of the system, or from packages that were only unpacked."""
        folders = [self.root / f for f in ("usr/lib/chromium", "usr/bin", "usr/sbin")]
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", *map(str, folders)])
        found = shutil.which(name, path=path)
        if not found:
            raise FileNotFoundError(name)
        return found

    def environment(self) -> dict[str, str]:
        """With the libraries that were only unpacked."""
        machine = f"usr/lib/{os.uname().machine}-linux-gnu"
        places = (machine, f"{machine}/pulseaudio", "usr/lib/chromium")
        libraries = os.pathsep.join(str(self.root / place) for place in places)
        return {**os.environ, "LD_LIBRARY_PATH": libraries, "HOME": str(self.folder)}

    def run(self, *command: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a program inside the cgroup."""
        enter = ["sh", "-c", 'echo $$ >"$0"; exec "$@"', str(self.cgroup.path / "cgroup.procs")]
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            [*enter, *command],
            **{
                "cwd": self.folder,
                "env": self.environment(),
                "stdin": subprocess.PIPE,
                "stdout": subprocess.DEVNULL,
                "stderr": subprocess.DEVNULL,
                **options,
            },
        )

    def ask(self, *command: str, text: str = "") -> str:
        """Run a client outside the cgroup."""
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, env=self.environment()
        )
        return done.stdout.strip()


def port() -> int:
    """A port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(number: int, seconds: float = 60) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 1):
            return
        assert time.monotonic() < deadline, "no server came up"
        time.sleep(0.1)


def said(process: subprocess.Popen[bytes], word: bytes) -> None:
    """Wait until a program says a word."""
    assert process.stdout
    text = b""
    while word not in text:
        more = os.read(process.stdout.fileno(), 4096)
        assert more, f"ended: {text[-500:]!r}"
        text += more


def got(number: int, path: str = "/") -> bytes:
    """Fetch a page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{number}{path}", timeout=60) as answer:
        return bytes(answer.read())


def talker(kitchen: Kitchen, *command: str, **options: object) -> Check:
    """A program that says when it is ready and, when asked, whether all is right."""
    process = kitchen.run(*command, stdout=subprocess.PIPE, **options)
    said(process, b"ready")
    return lambda: answers(process, b"go\n", b"right")


def answers(process: subprocess.Popen[bytes], question: bytes, word: bytes) -> bool:
    """Ask a program and wait until it says the word that is right."""
    ask(process, question)
    said(process, word)
    return True


def ask(process: subprocess.Popen[bytes], question: bytes) -> None:
    """Send lines to a program."""
    assert process.stdin
    process.stdin.write(question)
    process.stdin.flush()
