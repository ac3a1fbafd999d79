# SPDX-License-Identifier: MIT
"""What devices need works without the extension for pages and the libraries that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Not what tests/native/sanitize builds, which only the process that runs the tests can load.
PATH = [entry for entry in sys.path if not entry.endswith("build/sanitized")]
PACKAGE = next(path for entry in PATH if (path := Path(entry, "pyzram")).is_dir())
SETTING_UP = ["kernel", "device", "config", "service", "cli/service.py"]
FOR_DEVICES = [
    *(*SETTING_UP, "_native_block_state", "_native_page_ages", "postprocess", "tend"),
    *("cli/writeback.py", "cli/recompress.py", "cli/tend", "cli/zram_stats.py"),
]
FOR_PAGES = ["_native_codec", "_native_memory", "_native_zsmalloc"]


def modules(*names: str) -> list[str]:
    """The modules of these files and folders."""
    paths = [path for name in names for path in (PACKAGE / name).rglob("*.py")]
    paths += [
        (PACKAGE / name).with_suffix(".py") for name in names if not (PACKAGE / name).is_dir()
    ]
    return [".".join(["pyzram", *p.relative_to(PACKAGE).with_suffix("").parts]) for p in paths]


def ran(code: str, *words: str, folder: Path = PACKAGE.parent) -> str:
    """What a fresh interpreter, which takes pyzram from a folder, prints on both files."""
    code = f"import sys; sys.path[:0] = {[str(folder), *PATH]!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-ISc", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package."""
    shutil.copytree(PACKAGE, tmp_path / "pyzram", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_setting_up_a_device_maps_no_library_of_a_codec() -> None:
    code = """maps = lambda: {line.split()[-1] for line in open('/proc/self/maps')}
before = maps()
for name in sys.argv[1:]: __import__(name)
print(*sorted(maps() - before))"""

    def mapped(*names: str) -> set[str]:
        new = [Path(path).name for path in ran(code, *names).split()]
        assert any(name.startswith("_device.") for name in new), new
        return {name.partition(".")[0] for name in new} & {"liblz4", "libzstd", "libz", "_pages"}

    assert mapped(*modules(*SETTING_UP)) == set()
    # An interpreter that has zlib in it has mapped that library before.
    assert mapped(*modules(*FOR_PAGES)) >= {"liblz4", "libzstd", "_pages"}


def test_what_is_for_devices_works_without_the_extension_for_pages(copy: Path) -> None:
    (extension,) = copy.glob("pyzram/_pages.*.so")
    extension.write_bytes(b"")
    imported = "for name in sys.argv[1:]: __import__(name)"
    assert len(modules(*FOR_DEVICES)) > 60
    assert ran(imported, *modules(*FOR_DEVICES), folder=copy) == ""
    for name in modules(*FOR_PAGES):
        assert ran(imported, name, folder=copy).endswith(f"{extension}: file too short\n")


@pytest.mark.parametrize("words", ["pyzram bench", "pyzram estimate", "zram_stats --estimate"])
def test_commands_that_need_it_say_in_one_line_what_is_missing(copy: Path, words: str) -> None:
    (extension,) = copy.glob("pyzram/_pages.*.so")
    extension.write_bytes(b"")
    command, option = words.split()
    code = f"from pyzram.cli.{command} import main; sys.exit(main(sys.argv[1:]))"
    program = command if command == "zram_stats" else words
    said = ran(code, option, str(extension), folder=copy)
    assert said == f"{program}: {extension}: file too short\n"


def test_where_nothing_is_built_every_module_says_so(copy: Path) -> None:
    for extension in copy.glob("pyzram/*.so"):
        extension.unlink()
    for name in modules(*(path.stem for path in PACKAGE.glob("_native*.py"))):
        last = ran(f"import {name}", folder=copy).splitlines()[-1]
        assert f"the C extensions are not built in {copy}/pyzram. In a checkout run" in last
