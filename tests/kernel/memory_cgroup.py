# SPDX-License-Identifier: MIT
"""A memory cgroup for one test, of cgroup version 1 or 2."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
SMALLEST = 1 << 16


def _home() -> tuple[Path, int] | None:
    """Where memory is accounted, and by which version of cgroups."""
    if (ROOT / "memory" / "cgroup.procs").exists():
        return ROOT / "memory", 1
    controllers = ROOT / "cgroup.controllers"
    if controllers.exists() and "memory" in controllers.read_text().split():
        return ROOT, 2
    return None


HOME = _home()
WHY_NOT = "" if HOME else "needs a memory cgroup (v1, or v2 with the memory controller)"


class MemoryCgroup:
    """Processes whose memory is accounted together. ``end`` kills them and removes the cgroup."""

    def __init__(self, name: str) -> None:
        assert HOME
        self.home, self.version = HOME
        if self.version == 2:
            (self.home / "cgroup.subtree_control").write_text("+memory")
        self.path = self.home / f"pyzram-test-{os.getpid()}-{name}"
        self.path.mkdir()

    def enter(self) -> None:
        """Move the calling process in: for ``preexec_fn``."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self) -> list[int]:
        """Processes that live, ascending."""
        return sorted(map(int, (self.path / "cgroup.procs").read_text().split()))

    @property
    def usage(self) -> int:
        """Bytes that are charged now."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int((self.path / name).read_text())

    def limit(self, size: int) -> None:
        """Allow at most this many bytes from now on."""
        name = "memory.limit_in_bytes" if self.version == 1 else "memory.max"
        (self.path / name).write_text(str(size))

    def empty(self) -> None:
        """Page out whatever can be, as the kernel does when memory is short."""
        calm = 0
        before = self.usage
        while calm < 10:
            try:
                if self.version == 1:
                    (self.path / "memory.force_empty").write_text("0")
                else:
                    (self.path / "memory.reclaim").write_text(str(before))
            except OSError:
                pass  # something stays, and the figures show what
            # The kernel uses sums that may be two seconds old; reading them refreshes them.
            (self.path / "memory.stat").read_text()
            calm = calm + 1 if self.usage > before - SMALLEST else 0
            before = self.usage

    def killed(self) -> int:
        """Processes that the kernel killed for lack of memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        words = (self.path / name).read_text().split()
        return int(words[words.index("oom_kill") + 1])

    def end(self) -> None:
        """Kill what is left and remove it."""
        deadline = time.monotonic() + 10
        while pids := self.pids():
            assert time.monotonic() < deadline, f"{pids} do not end"
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self.path.rmdir()
