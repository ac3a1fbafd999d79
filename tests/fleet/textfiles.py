# SPDX-License-Identifier: MIT
"""What the real commands leave for node_exporter on a made-up machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_roots import Machine

COLLECTORS = ("zram_stats", "doctor", "tend")
MEMORY = "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n"


def words(name: str, *arguments: str | Path) -> list[str | Path]:
    """How to call a command of the installed package."""
    code = f"import sys; from pyzram.cli.{name} import main; sys.exit(main())"
    return [sys.executable, "-Ic", code, *arguments]


def command(name: str, *arguments: str | Path, **environment: str) -> None:
    """Run a command to its end; it must succeed."""
    subprocess.run(words(name, *arguments), check=True, env={**os.environ, **environment})


@contextmanager
def tending(here: Machine, folder: Path, budget: str) -> Iterator[dict[str, str]]:
    """The daemon at work on zram0 of a machine; give the environment that finds it."""
    for name, text in (("meminfo", MEMORY), ("vmstat", "allocstall_normal 0\n")):
        (here.root / "proc" / name).write_text(text)
    environment = {
        "PYZRAM_ROOT": str(here.root),
        "PYZRAM_RUN": str(folder / "run"),
        "PYZRAM_STATE": str(folder / "state"),
    }
    arguments = words("pyzram", "tend", "--quiet", "--budget", budget, "zram0")
    daemon = subprocess.Popen(arguments, env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + 60
        while not (folder / "run/tend/status.json").exists():
            assert daemon.poll() is None and time.monotonic() < deadline, "the daemon does not work"
            time.sleep(0.05)
        yield environment
    finally:
        daemon.terminate()
        daemon.wait(30)


def write_all(here: Machine, folder: Path, budget: str = "1G") -> dict[str, str]:
    """The texts of the three files that zram-textfile.service writes, by collector."""
    folder.mkdir(parents=True, exist_ok=True)
    with tending(here, folder, budget) as environment:
        for collector in COLLECTORS:
            name, *first = ("zram_stats",) if collector == "zram_stats" else ("pyzram", collector)
            command(name, *first, "--textfile", folder / f"{collector}.prom", **environment)
    return {name: (folder / f"{name}.prom").read_text() for name in COLLECTORS}
