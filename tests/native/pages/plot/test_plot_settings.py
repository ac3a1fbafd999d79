# SPDX-License-Identifier: MIT
"""When root draws, only its own settings count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

DRAW = """
import os, sys
from pyzram.pages.plot import plot
from pyzram.pages.plot.plot import matplotlib, save
here = os.getcwd()
figure = matplotlib("figure").Figure()
figure.gca().set_title("x")
assert os.getcwd() == here
save(figure, "drawn.svg")
import matplotlib as loaded
assert not loaded.rcParams["text.usetex"]
print(loaded.get_configdir())
"""


def draw(folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-Ic", DRAW],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "drawn.svg").stat().st_size > 0
    return done.stdout.strip()


@pytest.mark.parametrize("kind", ["latex", "garbage", "pipe"])
def test_a_file_of_settings_in_the_current_directory_is_not_read(kind, tmp_path, nobody):
    """Root's current directory may belong to anybody."""
    settings = tmp_path / "matplotlibrc"
    if kind == "pipe":
        os.mkfifo(settings)
    else:
        settings.write_bytes(b"text.usetex: True\n" if kind == "latex" else b"\xff\n")
    draw(tmp_path)


def test_nothing_is_written_below_another_user_s_home(tmp_path, nobody):
    """Sudo may keep $HOME."""
    home = tmp_path / "home"
    (home / ".config/matplotlib").mkdir(parents=True)
    (home / ".config/matplotlib/matplotlibrc").write_text("text.usetex: True\n")
    for path in (home, *home.rglob("*")):
        os.chown(path, nobody, nobody)
    before = sorted(home.rglob("*"))
    used = draw(tmp_path, HOME=str(home))
    assert not used.startswith(str(home))
    assert not os.path.exists(used), "it is gone at the end"
    assert sorted(home.rglob("*")) == before
