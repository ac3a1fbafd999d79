# SPDX-License-Identifier: MIT
"""One wheel for every CPython from 3.11 on, installed away from the tree."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TREE, run, succeed

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
COMPLETIONS = "initscripts/completions"
# Which files of the tree are where below share.
SHARED = {
    r"man/.*\.5": "man/man5",
    r"man/.*\.8": "man/man8",
    rf"{COMPLETIONS}/.*\.bash": "bash-completion/completions",
    rf"{COMPLETIONS}/_.*": "zsh/site-functions",
    rf"{COMPLETIONS}/.*\.fish": "fish/vendor_completions.d",
}
PROBE = """
import importlib.metadata, pathlib, sys
import pyzram, pyzram._native_codec
print(pyzram.__version__, importlib.metadata.version("pyzram"))
print(pathlib.Path(pyzram.__file__).parent.parent)
for name in ("_device", "_pages"):
    print(pathlib.Path(sys.modules[f"pyzram.{name}"].__file__).name)
"""


def interpreter(version: str) -> str | None:
    """A CPython of that version: on PATH, or one of pyenv's, whose shims may not work."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for found in [shutil.which(f"python{version}"), *map(str, pyenv)]:
        if found and run(found, "-c", "import venv, ensurepip").returncode == 0:
            return found
    return None


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str, Path], Path]:
    """A function that installs a distribution into a fresh environment and gives its bin folder."""

    def into(python: str, distribution: Path) -> Path:
        succeed(python, "-m", "venv", "--without-pip", tmp_path / "venv")
        bin_folder = tmp_path / "venv/bin"
        pip = [sys.executable, "-m", "pip", "--python", bin_folder / "python"]
        options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
        succeed(*pip, "install", *options, distribution, cwd=tmp_path)
        return bin_folder

    return into


def scripts(tree: Path) -> list[str]:
    """The commands of the project."""
    return [path.name for path in (tree / "scripts").iterdir()]


def works(bin_folder: Path, tree: Path, version: str, elsewhere: Path) -> None:
    """The installed package imports, has its extensions, and its commands run."""
    python = bin_folder / "python"
    versions, where, *extensions = succeed(python, "-I", "-c", PROBE, cwd=elsewhere).splitlines()
    assert versions == f"{version} {version}"
    assert Path(where).is_relative_to(bin_folder.parent)
    assert extensions == ["_device.abi3.so", "_pages.abi3.so"]
    for script in scripts(tree):
        assert version in succeed(bin_folder / script, "--version", cwd=elsewhere)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_wheel_works_with(
    python: str, wheel: Path, install, tree: Path, version: str, tmp_path: Path
) -> None:
    found = interpreter(python)
    if not found:
        pytest.skip(f"no CPython {python} with venv here")
    works(install(found, wheel), tree, version, tmp_path)


def test_the_tarball_works_too(
    sdist: Path, install, tree: Path, version: str, tmp_path: Path
) -> None:
    works(install(sys.executable, sdist), tree, version, tmp_path)


def test_the_wheel_is_for_the_stable_interface_of_311(wheel: Path, version: str) -> None:
    assert wheel.name.startswith(f"pyzram-{version}-cp311-abi3-linux_")


def test_the_wheel_holds_the_package_and_nothing_else(
    wheel: Path, sources: list[str], version: str
) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = f"pyzram-{version}.data"
    assert {n.split("/")[0] for n in names} == {"pyzram", data, f"pyzram-{version}.dist-info"}
    around = {n.removeprefix(f"{data}/") for n in names if n.startswith(data)}
    assert around == {f"scripts/{name}" for name in ("pyzram", "zram_stats")} | {
        f"data/share/{folder}/{Path(name).name}"
        for prefix, folder in SHARED.items()
        for name in sources
        if re.fullmatch(prefix, name)
    }
    packaged = {n for n in names if n.startswith("pyzram/")}
    extensions = {"pyzram/_device.abi3.so", "pyzram/_pages.abi3.so"}
    assert packaged == {n for n in sources if n.startswith("pyzram/")} | extensions


def test_what_pypi_shows_links_to_files_of_the_tree_by_their_addresses(
    wheel: Path, tree: Path, version: str
) -> None:
    metadata = zipfile.ZipFile(wheel).read(f"pyzram-{version}.dist-info/METADATA").decode()
    assert "\nDescription-Content-Type: text/markdown\n" in metadata
    links = re.findall(r"(!?)\[[^]]*\]\(([^)]*)\)", metadata)
    address = re.compile(r"https://github\.com/pyzram/pyzram/(raw|blob)/main/(.*)")
    ours = [(mark, found) for mark, link in links if (found := address.fullmatch(link))]
    assert len(ours) == len(re.findall(r"\]\((?!https?:|#)", (tree / "README.md").read_text())) > 0
    assert not [found[0] for mark, found in ours if (found[1] == "raw") != (mark == "!")]
    assert not [found[0] for _, found in ours if not (tree / found[2]).is_file()]


def test_every_manual_page_and_completion_is_in_it(sources: list[str]) -> None:
    files = [n for n in sources if n.startswith(("man/", COMPLETIONS))]
    assert not [n for n in files if not any(re.fullmatch(p, n) for p in SHARED)]


@pytest.fixture(scope="session")
def manylinux(wheel: Path) -> Path:
    """The wheel for PyPI, made of the other one."""
    if not list(Path("/usr/share/doc").glob("liblz4*/copyright")):
        pytest.skip("needs Debian's licences of what the wheel brings along")
    said = succeed(sys.executable, TREE / "tools/manylinux.py", wheel)
    return Path(said.splitlines()[-1])


def test_the_wheel_for_pypi_brings_its_libraries_and_their_licences(manylinux: Path) -> None:
    assert re.search(r"-cp311-abi3-manylinux_2_\d+_\w+\.whl$", manylinux.name)
    names = zipfile.ZipFile(manylinux).namelist()
    libraries = {re.sub(r"-.*", "", Path(n).name) for n in names if n.startswith("pyzram.libs/")}
    libraries.discard("")
    assert libraries == {"liblz4", "libzstd"}
    notices = {Path(n).stem for n in names if "/licenses/" in n}
    assert notices >= libraries


def test_auditwheel_finds_it_consistent_with_its_name(manylinux: Path) -> None:
    shown = succeed(sys.executable, "-m", "auditwheel", "show", manylinux)
    (tag,) = re.findall(r"manylinux_2_\d+_\w+", manylinux.name.removesuffix(".whl"))
    assert f'"{tag}"' in shown


def test_nothing_in_it_has_symbols_for_debugging(manylinux: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(manylinux).extractall(tmp_path)
    libraries = list(tmp_path.rglob("*.so*"))
    assert len(libraries) == 4
    for library in libraries:
        sections = succeed("readelf", "--section-headers", "--wide", library)
        assert ".text" in sections
        assert ".symtab" not in sections
        assert ".debug" not in sections


@pytest.mark.slow
def test_pip_installs_it_where_there_is_no_compiler(
    manylinux: Path, throwaway: Callable[..., str], bare_root: Path, tmp_path: Path, version: str
) -> None:
    python = (bare_root / "usr/bin/python3").readlink().name.removeprefix("python")
    wheels = tmp_path / "wheels"
    only = ["--only-binary=:all:", "--python-version", python, "--dest", wheels]
    succeed(sys.executable, "-m", "pip", "download", "--quiet", *only, "cffi")
    shutil.copy2(manylinux, wheels)
    answer = throwaway(
        "! command -v cc gcc pkg-config; cd /run; python3 -m venv venv; "
        "venv/bin/pip --isolated install --quiet --no-index --find-links /mnt pyzram; "
        "PATH=/run/venv/bin:$PATH; zram_stats --version; "
        # pip rewrites the script's first line without -I; still, root runs no code of others.
        "head -1 /run/venv/bin/pyzram; mkdir theirs; "
        "echo 'raise SystemExit(1)' | tee theirs/pyzram.py >theirs/cffi.py; "
        "PYTHONPATH=/run/theirs pyzram --version; "
        "pyzram estimate --json /bin/sh >/dev/null; "
        "python -c 'import pyzram._native_codec; print(open(\"/proc/self/maps\").read())' | "
        "grep -oE '/[^ ]*lib(lz4|zstd)[^ ]*' | sort -u; ls venv/share/man/man8/zram_stats.8",
        root=bare_root,
        shared=wheels,
    )
    said, first_line, again, lz4, zstd, manual = answer.splitlines()
    assert first_line == "#!/run/venv/bin/python3"
    assert again == f"pyzram {version}"
    assert said == f"zram_stats (pyzram) {version}"
    assert "/pyzram.libs/liblz4" in lz4
    assert "/pyzram.libs/libzstd" in zstd
    assert manual == "venv/share/man/man8/zram_stats.8"
