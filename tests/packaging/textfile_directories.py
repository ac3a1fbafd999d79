# SPDX-License-Identifier: MIT
"""Where those parts of the service that are installed below a folder write their textfiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEBIAN = "/var/lib/prometheus/node-exporter"
CRON = "etc/cron.d/zram-textfile"
UNIT = "systemd/system/zram-textfile.service"
# How many files each writes.
UNITS = {"zram-textfile": 3, "zram-estimate": 1}


def of_cron(text: str) -> str:
    """The directory that the file for cron is given, if it uses that and nothing else."""
    (told,) = re.findall(r"^DIRECTORY=(/\S+)$", text, re.M)
    written = re.findall(r'--textfile "([^"]*)/zram\S*\.prom"', text)
    assert written == ["$DIRECTORY"] * sum(UNITS.values())
    return str(told)


def of_unit(text: str, files: int = UNITS["zram-textfile"]) -> str:
    """The directory that a service is given, if it may write there and uses nothing else."""
    (told,) = re.findall(r"^Environment=DIRECTORY=(/\S+)$", text, re.M)
    written = re.findall(r"--textfile (\S+)/zram\S*\.prom$", text, re.M)
    assert written == ["${DIRECTORY}"] * files
    assert f"ReadWritePaths=-/var/lib -{told}\n" in text
    return str(told)


def below(folder: Path) -> dict[str, str]:
    """Both, as far as they are there."""
    found = {}
    if (folder / CRON).exists():
        found["cron"] = of_cron((folder / CRON).read_text())
    for name, files in UNITS.items():
        for unit in folder.rglob(f"systemd/system/{name}.service"):
            told = of_unit(unit.read_text(), files)
            assert found.setdefault("systemd", told) == told, "two directories"
    return found
