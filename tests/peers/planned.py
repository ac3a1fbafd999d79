# SPDX-License-Identifier: MIT
"""What the commands make of another tool's file: ``import``, then ``start --pretend --json``.

Both run in this process, with an amount of memory and a number of processors of our choice: two
more interpreters for each of some thousand files would take longer than everything else.
"""

from __future__ import annotations

import gc
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from pyzram.cli import pyzram as command
from pyzram.config.device_config import DeviceConfig
from pyzram.config.variables import FIELDS

CPUS = 4
FAILED = 1
NOT_CARRIED = "pyzram import: not carried over: "


@dataclass
class Planned:
    """What the commands said about a file."""

    imported: int
    """Status of ``import``; with 1 there is nothing else."""
    planned: int = 0
    """Status of ``start --pretend``; also 1 if this machine lacks what is asked for."""
    told: list[str] = field(default_factory=list)
    """What was not carried over, and the rest of what ``import`` said."""
    said: str = ""
    """What ``start`` said."""
    text: str = ""
    """The configuration."""
    devices: list[DeviceConfig] | None = None
    """What the JSON has about each device; ``None`` if the configuration was refused."""


def plan(folder: Path, files: list[str], ram: int) -> Planned:
    """Import files and plan a start of the result, as if this machine had ``ram`` bytes."""
    config = folder / "zram"
    status, text, said = run("import", *files)
    told = [line.removeprefix(NOT_CARRIED) for line in said.split("\n") if line]
    if status:
        assert status == FAILED
        assert not text
        return Planned(status, told=told)
    config.write_text(text, errors="surrogateescape")
    with _machine(ram, folder):
        status, document, said = run("start", "--pretend", "--json", "-c", str(config))
    found = Planned(0, status, told, said, text)
    if document:
        found.devices = [_device(row, str(config)) for row in json.loads(document)["devices"]]
    else:
        assert status == FAILED
    return found


def _device(row: dict[str, Any], config: str) -> DeviceConfig:
    """Take back what the JSON has, and nothing else."""
    # Each value that was set names its line.
    for name, place in row["sources"].items():
        path, _, line = place.rpartition(":")
        assert path == config
        text = Path(config).read_text(errors="surrogateescape").split("\n")[int(line) - 1]
        assert text.startswith(f"{name}=")
    settings = {
        name: restore(str(text)) if (restore := FIELDS[name].restore) else text
        for name, text in row["settings"].items()
        if text not in ("", None)
    }
    return DeviceConfig(row["index"], **settings)


def run(*words: str) -> tuple[int, str, str]:
    """Run a command; return its status and what it printed to both streams."""
    output, errors = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            status = command.main(list(words))
    finally:
        gc.enable()  # the service's commands disable it
        gc.unfreeze()
    assert "Traceback" not in errors.getvalue()
    return status, output.getvalue(), errors.getvalue()


@contextmanager
def _machine(ram: int, folder: Path) -> Iterator[None]:
    with (
        mock.patch("pyzram.service.service.total_memory", lambda: ram),
        mock.patch("os.cpu_count", lambda: CPUS),
        mock.patch.dict(os.environ, {"PYZRAM_RUN": str(folder / "run")}),
    ):
        yield
