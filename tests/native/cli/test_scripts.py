# SPDX-License-Identifier: MIT
"""The installed scripts: as root they ignore what the environment says about Python."""

from __future__ import annotations

import os
import py_compile
import struct
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "pyzram"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


THEIRS = "raise SystemExit('of somebody else')\n"


def put(folder: Path) -> None:
    for module in ("pyzram", "cffi", "json"):
        (folder / module).mkdir(parents=True)
        (folder / module / "__init__.py").write_text(THEIRS)


@pytest.mark.parametrize("name", ["pyzram", "zram_stats"])
def test_a_path_is_not_searched(tmp_path, name):
    script = Path(sys.executable).with_name(name)
    if not script.exists():
        pytest.skip("the scripts are not beside this Python")
    put(tmp_path)
    done = subprocess.run(
        [script, "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pyzram" in done.stdout


def test_both_scripts_have_the_same_check():
    one, other = (SCRIPT.with_name(name).read_text() for name in ("pyzram", "zram_stats"))
    assert one.count("exec(CHECK)") == other.count("exec(CHECK)") == 1
    assert one.split('"""')[1] == other.split('"""')[1]


def test_bytecode_is_not_taken_from_anywhere_else(tmp_path):
    """Whatever its header says, as here, where it says that it is of our source."""
    tell = "import pyzram.cli.output as output; print(output.__file__)"
    # Not this process's own, which may be another build.
    source = Path(
        subprocess.check_output([sys.executable, "-c", tell], cwd=tmp_path, text=True).strip()
    )
    theirs = tmp_path / "theirs.py"
    theirs.write_text(THEIRS)
    # A package's build sets SOURCE_DATE_EPOCH, and then the default is another header.
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    made = Path(py_compile.compile(str(theirs), doraise=True, invalidation_mode=mode)).read_bytes()
    status = source.stat()
    made = made[:8] + struct.pack("<LL", int(status.st_mtime), status.st_size) + made[16:]
    planted = (
        tmp_path / str(source.parent).lstrip("/") / f"output.{sys.implementation.cache_tag}.pyc"
    )
    planted.parent.mkdir(parents=True)
    planted.write_bytes(made)
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    taken = subprocess.run(
        [sys.executable, "-c", "import pyzram.cli.output"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        check=False,
    )
    assert b"of somebody else" in taken.stderr, "Python itself believes it"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--version"], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


OWN = ("own", "below everyone's sticky", "link of root")
FOREIGN = (
    "theirs",
    "below theirs",
    "link to everyone's",
    "link by way of theirs",
    "their link",
    "below everyone's",
    "below their group's",
    "theirs, not by its shortest name",
)


@pytest.mark.parametrize("whose", [*OWN, *FOREIGN])
def test_the_home_of_another_user_is_not_searched(tmp_path, whose, nobody):
    """With the Python below this environment, which has no pyzram: only that home has it."""
    python = str(vars(sys)["_base_executable"])
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    tell = "import site; print(site.ENABLE_USER_SITE, site.USER_SITE)"
    enabled, _, home = subprocess.check_output([python, "-c", tell], env=env, text=True).partition(
        " "
    )
    if enabled != "True" or not SCRIPT.exists():
        pytest.skip("this Python has no packages of users, or the tree is not here")
    site = Path(home.strip())
    put(site)
    if whose.startswith("theirs"):
        os.chown(site, nobody, nobody)
    elif whose == "below theirs":
        os.chown(site.parents[1], nobody, nobody)  # who could put another folder there
    elif whose == "link to everyone's":
        site.rename(tmp_path / "everyone's")
        (tmp_path / "everyone's").chmod(0o1777)
        site.symlink_to(tmp_path / "everyone's")
    elif "everyone's" in whose:
        site.parents[1].chmod(0o1777 if "sticky" in whose else 0o777)
    elif "group" in whose:
        os.chown(site.parents[1], 0, nobody)
        site.parents[1].chmod(0o775)
    elif "link" in whose:
        (tmp_path / ".local").rename(tmp_path / "packages")
        (tmp_path / "middle").mkdir()
        (tmp_path / "middle" / "link").symlink_to("../packages")
        (tmp_path / ".local").symlink_to("middle/link")
        if whose == "link by way of theirs":
            os.chown(tmp_path / "middle", nobody, nobody)
        elif whose == "their link":
            os.chown(tmp_path / ".local", nobody, nobody, follow_symlinks=False)
    if "shortest" in whose:
        env["HOME"] += "/."
    done = subprocess.run(
        [python, SCRIPT, "--version"], env=env, capture_output=True, text=True, check=False
    )
    assert ("of somebody else" in done.stderr) == (whose in OWN), "root's own is honoured"
