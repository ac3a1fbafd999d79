# SPDX-License-Identifier: MIT
"""Modules that come straight from their bytecode are the same as those that Python loads."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyzram

INSTALL = "from pyzram.quick_imports import install; install()"
# What a module knows about itself, and whether it was loaded quickly.
TELL = """
import sys
from pyzram.kernel import sysfs
for name, module in sorted(sys.modules.items()):
    if name.startswith("pyzram."):
        spec = module.__spec__
        print(name, type(spec.loader).__name__, module.__file__, module.__cached__, spec.origin,
              spec.has_location, spec.submodule_search_locations, module.__package__,
              getattr(module, "__path__", None), spec.loader.path, spec.loader.name,
              len(spec.loader.get_source(name)), spec.loader.get_code(name).co_filename)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package, whose bytecode is there; the first import writes it."""
    source = Path(pyzram.__file__).parent
    shutil.copytree(source, tmp_path / "pyzram", ignore=shutil.ignore_patterns("__pycache__"))
    python(tmp_path, f"{INSTALL}\n{TELL}")
    return tmp_path


def python(folder: Path, code: str, *options: str) -> str:
    """Run code that finds the package in ``folder``; return what it prints."""
    return subprocess.run(
        [
            sys.executable,
            "-I",
            *options,
            "-c",
            f"import sys; sys.path[:0] = [{str(folder)!r}]\n{code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def quick(folder: Path, *options: str) -> set[str]:
    """The modules that were loaded quickly."""
    lines = python(folder, f"{INSTALL}\n{TELL}", *options).splitlines()
    return {line.split()[0] for line in lines if line.split()[1] == "QuickLoader"}


def test_modules_are_as_python_makes_them(copy: Path) -> None:
    told = python(copy, f"{INSTALL}\n{TELL}")
    plain = python(copy, f"import pyzram.quick_imports\n{TELL}")
    assert "QuickLoader" not in plain
    assert told.replace("QuickLoader", "SourceFileLoader") == plain
    # Packages too; and Python had to load the one that does it.
    names = [line.split()[0] for line in plain.splitlines()]
    assert "pyzram.kernel" in names
    assert quick(copy) == {*names} - {"pyzram.quick_imports"}


def test_bytecode_that_was_made_elsewhere_is_left_to_python(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(copy / "pyzram", other / "pyzram")
    assert quick(other) == set()
    show = f"{INSTALL}\nfrom pyzram.text import quote; print(quote.__code__.co_filename)"
    assert python(other, show) == f"{other}/pyzram/text.py\n"


def test_an_edited_source_counts(copy: Path) -> None:
    source = copy / "pyzram/limits.py"
    old = source.stat()
    show = (
        f"{INSTALL}\nimport pyzram.limits as limits; print(limits.__doc__, limits.__spec__.loader)"
    )
    python(copy, show)
    assert "QuickLoader" in python(copy, show)
    source.write_text('"""Longer."""\n')
    os.utime(source, ns=(old.st_atime_ns, old.st_mtime_ns))  # only its size tells
    assert python(copy, show).startswith("Longer. ")
    source.write_text('"""Newer!."""\n')
    os.utime(source, (old.st_atime, old.st_mtime + 2))  # only its time
    assert python(copy, show).startswith("Newer!. ")
    source.unlink()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        python(copy, show)
    assert "No module named 'pyzram.limits'" in caught.value.stderr


@pytest.mark.parametrize(
    "made", ["empty", "damaged", "another Python's", "of another kind", "by its hash", "no"]
)
def test_other_bytecode_is_left_to_python(copy: Path, made: str) -> None:
    assert "pyzram.text" in quick(copy)
    source = copy / "pyzram/text.py"
    (stored,) = copy.glob(f"pyzram/__pycache__/text.{sys.implementation.cache_tag}.pyc")
    if made == "by its hash":
        kind = py_compile.PycInvalidationMode.CHECKED_HASH
        py_compile.compile(str(source), str(stored), invalidation_mode=kind)
    elif made == "no":
        stored.unlink()
    else:
        data = stored.read_bytes()
        others = {
            "empty": b"",
            "damaged": data[:12],
            "another Python's": b"\0\0\r\n" + data[4:],
            "of another kind": data[:4] + b"\1\0\0\0" + data[8:],
        }
        stored.write_bytes(others[made])
    loaded = quick(copy, "-B")
    assert "pyzram.text" not in loaded
    assert "pyzram.errors" in loaded


def test_optimised_bytecode_is_that_of_its_level(copy: Path) -> None:
    assert quick(copy, "-OO") == set()  # and writes it
    assert "pyzram.text" in quick(copy, "-OO")
    told = python(copy, f"{INSTALL}\nimport pyzram.text; print(pyzram.text.__doc__)", "-OO")
    assert told == "None\n"


def test_bytecode_that_is_kept_elsewhere_is_left_to_python(copy: Path, tmp_path: Path) -> None:
    elsewhere = f"pycache_prefix={tmp_path / 'elsewhere'}"
    quick(copy, "-X", elsewhere)
    assert quick(copy, "-X", elsewhere) == set()
    assert list((tmp_path / "elsewhere").rglob("text.*.pyc"))


def test_a_package_in_an_archive_is_left_to_python(copy: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", copy, "pyzram")
    show = f"{INSTALL}\nimport pyzram.text; print(pyzram.text.__spec__.loader)"
    assert "zipimporter" in python(Path(archive), show)


@pytest.mark.parametrize("script", ["pyzram", "zram_stats"])
def test_the_commands_do_it(copy: Path, script: str) -> None:
    path = Path(__file__).parents[2] / "scripts" / script
    code = f"""
import atexit, os
sys.argv = ["{script}", "--version"]
os._exit = lambda status: print(sys.modules["pyzram.cli.{script}"].__spec__.loader)
exec(open({str(path)!r}).read())
"""
    python(copy, code)  # which writes it
    assert "QuickLoader" in python(copy, code)
