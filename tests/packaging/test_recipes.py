# SPDX-License-Identifier: MIT
"""Other distributions' recipes, built with their own tools as far as Debian has them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_nixpkgs import LIB, evaluate

from .conftest import TREE, how_many_passed, run, succeed
from .contents import OPENRC, PLACES, SYSTEMD, expected, held
from .textfile_directories import DEBIAN, UNIT, below, of_unit

HERE = TREE / "tests/packaging"
DEBIANS_PYTHON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEB_PYTHON_INSTALL_LAYOUT": "deb"}


def files_below(folder: Path) -> list[str]:
    """The names of the files below a folder."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()]


def needs(**programs: str) -> None:
    """Skip where a program is missing."""
    for program, package in programs.items():
        if not shutil.which(program):
            pytest.skip(f"needs {program} (Debian: {package})")


@pytest.fixture(scope="module")
def recipes(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the release tarball and the recipes for it."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copy2(sdist, folder)
    succeed("sh", TREE / "tools/recipes", folder / sdist.name)
    return folder


def test_every_file_of_the_service_has_a_place(sources: list[str]) -> None:
    patterns = [*PLACES, *SYSTEMD, *OPENRC]
    ours = [n for n in sources if n.startswith(("initscripts/", "man/", "scripts/"))]
    assert not [n for n in ours if not any(re.fullmatch(p, n) for p in patterns)]


def test_the_recipes_carry_version_and_digests(recipes: Path, sdist: Path, version: str) -> None:
    for name in ("pyzram.spec", "PKGBUILD", "APKBUILD", "package.nix", "module.nix"):
        assert "@" not in re.sub(
            r"pyzram@users|zram@|\$@|@system", "", (recipes / name).read_text()
        )
    assert f"pkgver={version}\n" in (recipes / "PKGBUILD").read_text()
    sums = succeed("sha256sum", sdist).split()[0], succeed("sha512sum", sdist).split()[0]
    assert sums[0] in (recipes / "PKGBUILD").read_text()
    assert sums[0] in (recipes / "package.nix").read_text()
    assert sums[1] in (recipes / "APKBUILD").read_text()


def test_what_is_optional_is_named_where_that_can_be_said() -> None:
    extras = tomllib.loads((TREE / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    names = {re.split(r"\W", first)[0] for extra, (first, *_) in extras.items() if extra != "test"}
    assert {"matplotlib", "rich"} < names
    recipes = {
        "packaging/debian/control": names,
        "packaging/rpm/pyzram.spec": names,
        "packaging/arch/PKGBUILD": names,
        # The stand-in for Gentoo's repository knows no others, and pkgcheck refuses what it lacks.
        "ebuilds/sys-block/pyzram/pyzram-9999.ebuild": {"rich"},
    }
    for recipe, told in recipes.items():
        text = (TREE / recipe).read_text()
        assert not [name for name in told if not re.search(rf"python3?[-/]{name}\b", text)], recipe


# ---- Fedora, openSUSE ----------------------------------------------------------------------------


def rpmbuild(recipes: Path, *options: str) -> str:
    """Build the packages, in rpm/RPMS; what it wrote."""
    macros = ["--load", HERE / "rpm_macros", "--define", f"_topdir {recipes / 'rpm'}"]
    sources = ["--define", f"_sourcedir {recipes}"]
    environment = {**os.environ, **DEBIANS_PYTHON}
    command = ["rpmbuild", "-bb", "--nodeps", *options, *macros, *sources, recipes / "pyzram.spec"]
    return succeed(*command, env=environment, cwd=recipes)


@pytest.fixture(scope="module")
def rpms(recipes: Path) -> dict[str, Path]:
    """The packages by name, built without their tests."""
    needs(rpmbuild="rpm")
    rpmbuild(recipes, "--nocheck")
    return {p.name.rsplit("-", 2)[0]: p for p in (recipes / "rpm/RPMS").rglob("*.rpm")}


@pytest.mark.slow
def test_rpms_hold_every_file_once(rpms: dict[str, Path], sources: list[str]) -> None:
    assert set(rpms) == {"python3-pyzram", "pyzram", "pyzram-service"}
    folders, names = set(), []
    for package in rpms.values():
        listed = succeed("rpm", "-qlvp", package).splitlines()
        folders |= {line.split()[-1] for line in listed if line.startswith("d")}
        names += [line.split(" /", 1)[1].split(" -> ")[0] for line in listed if line[0] != "d"]
    assert len(names) == len(set(names))
    assert held(names) == expected(sources, SYSTEMD)
    unit = succeed(
        *("sh", "-c", f"rpm2cpio $1 | cpio -i --to-stdout --quiet '*/{UNIT}'", "sh"),
        rpms["pyzram-service"],
    )
    assert of_unit(unit) == DEBIAN
    service = succeed("rpm", "-qlp", rpms["pyzram-service"])
    assert {"/etc/conf.d/zram", "/usr/lib/systemd/system/zram.service"} <= set(service.split())
    for name in ("pyzram", "python3-pyzram"):
        assert "/etc/" not in succeed("rpm", "-qlp", rpms[name])
        assert "/systemd/" not in succeed("rpm", "-qlp", rpms[name])


@pytest.mark.slow
def test_configuration_is_kept_by_an_upgrade(rpms: dict[str, Path]) -> None:
    marked = succeed("rpm", "-qp", "--configfiles", rpms["pyzram-service"]).split()
    assert "/etc/conf.d/zram" in marked
    flags = succeed(
        "rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", rpms["pyzram-service"]
    )
    assert "/etc/conf.d/zram cn" in flags


@pytest.mark.slow
def test_rpmlint_has_nothing_to_say(rpms: dict[str, Path], recipes: Path) -> None:
    needs(rpmlint="rpmlint")
    config = ["-c", HERE / "rpmlint.toml", "-r", TREE / "packaging/rpm/pyzram.rpmlintrc"]
    said = succeed("rpmlint", *config, recipes / "pyzram.spec", *rpms.values())
    assert re.search(r"\b0 errors, 0 warnings", said), said


@pytest.mark.slow
def test_rpms_install_upgrade_and_go(
    rpms: dict[str, Path], throwaway: Callable[..., str], version: str
) -> None:
    packages = " ".join(str(path) for path in rpms.values())
    answer = throwaway(
        # Fedora's rpmbuild compiles Python's files and so owns what a run would write.
        "export PYTHONDONTWRITEBYTECODE=1; "
        f"rpm --initdb; rpm -i --nodeps {packages}; zram_stats --version; "
        "ls /etc/systemd/system/*.wants | grep zram || echo off; "
        "echo ZRAM_SIZE_0=1G >>/etc/conf.d/zram; "
        f"rpm -U --force --nodeps {packages}; tail -n 1 /etc/conf.d/zram; "
        "rpm -V --nodeps pyzram python3-pyzram || :; "
        "rpm -e --nodeps pyzram python3-pyzram pyzram-service 2>&1; "
        "find /etc /usr -xdev -name '*zram*' ! -name 'zramctl*'"
    )
    # Debian's rpm complains each time about being used on Debian.
    assert [line for line in answer.splitlines() if not line.startswith("rpm: ")] == [
        f"zram_stats (pyzram) {version}",
        "off",
        "ZRAM_SIZE_0=1G",
        "warning: /etc/conf.d/zram saved as /etc/conf.d/zram.rpmsave",
        "/etc/conf.d/zram.rpmsave",
    ]


def test_the_spec_is_read_as_opensuses_too(recipes: Path) -> None:
    needs(rpmspec="rpm")
    suse = ["--load", HERE / "rpm_macros", "--define", "suse_version 1600"]
    text = succeed("rpmspec", "--parse", *suse, recipes / "pyzram.spec")
    assert "%service" not in text
    assert text.count("%pre service") == 1


@pytest.mark.long
def test_rpmbuild_runs_the_tests(recipes: Path) -> None:
    needs(rpmbuild="rpm")
    (passed,) = how_many_passed(rpmbuild(recipes))
    assert passed > 1000


# ---- Arch Linux ----------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def makepkg(recipes: Path, folder: Path, *options: str) -> str:
    """Build the package as an ordinary user, in folder/makepkg; what it wrote."""
    needs(makepkg="makepkg", bsdtar="libarchive-tools")
    if os.geteuid() != 0:
        pytest.skip("needs root, to become an ordinary user whose home is the test's")
    place = folder / "makepkg"
    (place / "bin").mkdir(parents=True)
    (place / "bin/python").symlink_to("/usr/bin/python3")
    for name in ("PKGBUILD", next(recipes.glob("*.tar.gz")).name):
        shutil.copy2(recipes / name, place)
    succeed("chown", "-R", "65534:65534", place)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    path = f"{place}/bin:/usr/bin:/bin"
    environment = {**DEBIANS_PYTHON, "PATH": path, "HOME": str(place), "LC_ALL": "C.UTF-8"}
    return succeed(*nobody, "makepkg", "--nodeps", *options, cwd=place, env=environment)


@pytest.mark.slow
def test_makepkg_builds_it_with_every_file(
    recipes: Path, open_folder: Path, sources: list[str], version: str
) -> None:
    makepkg(recipes, open_folder, "--nocheck")
    (package,) = open_folder.glob("makepkg/*.pkg.tar*")
    assert held(succeed("bsdtar", "-tf", package).splitlines()) == expected(sources, SYSTEMD)
    assert of_unit(succeed("bsdtar", "-xOf", package, f"usr/lib/{UNIT}")) == DEBIAN
    info = succeed("bsdtar", "-xOf", package, ".PKGINFO")
    assert f"pkgver = {version}-1\n" in info
    backed_up = set(re.findall(r"^backup = (.*)$", info, re.M))
    assert backed_up == {n for n in expected(sources) if n.startswith("etc/")}


@pytest.mark.long
def test_makepkg_runs_the_tests(recipes: Path, open_folder: Path) -> None:
    (passed,) = how_many_passed(makepkg(recipes, open_folder))
    assert passed > 1000


# ---- Alpine --------------------------------------------------------------------------------------

# abuild's own: every one of these has to be there, and each function is called in its order.
ALPINE = """
set -e
. ./APKBUILD
for name in pkgname pkgver pkgrel pkgdesc url arch license source sha512sums; do
	eval "value=\\$$name"
	[ -n "$value" ] || { echo "no $name"; exit 1; }
done
[ ${#pkgdesc} -lt 128 ]
case $pkgdesc in *.) exit 1;; esac
echo "$sha512sums" | sed '/^$/d' | sha512sum -c
tar -xzf "pyzram-$pkgver.tar.gz"
pkgdir=$PWD/pkg
cd "pyzram-$pkgver"
build
"""


def alpine(recipes: Path, folder: Path, then: str) -> str:
    """Build in the folder, and call another of the recipe's functions; what they wrote."""
    needs(busybox="busybox-static")
    for name in ("APKBUILD", next(recipes.glob("*.tar.gz")).name):
        shutil.copy2(recipes / name, folder)
    environment = {**os.environ, **DEBIANS_PYTHON}
    # A stand-in for gpep517, which Debian lacks.
    environment["PATH"] += f":{Path(sys.executable).parent}"
    return succeed("busybox", "sh", "-c", ALPINE + then, cwd=folder, env=environment)


@pytest.mark.slow
def test_alpines_recipe_builds_in_busybox(
    recipes: Path, tmp_path: Path, sources: list[str]
) -> None:
    alpine(recipes, tmp_path, "package")
    assert held(files_below(tmp_path / "pkg")) == expected(sources, OPENRC)
    assert below(tmp_path / "pkg") == {"cron": DEBIAN}


@pytest.mark.long
def test_alpines_recipe_runs_the_tests(recipes: Path, tmp_path: Path) -> None:
    (passed,) = how_many_passed(alpine(recipes, tmp_path, "check"))
    assert passed > 1000


def test_shellcheck_takes_the_recipes_in_shell(recipes: Path) -> None:
    # SC2034: variables that the tool reads; SC2154: those that it sets; SC2148: no first line;
    # SC2164: both tools stop where a command fails.
    ignore = "--exclude=SC2034,SC2154,SC2148,SC2164"
    for name, dialect in {"APKBUILD": "sh", "PKGBUILD": "bash"}.items():
        done = run("shellcheck", f"--shell={dialect}", ignore, recipes / name)
        assert (done.returncode, done.stdout) == (0, "")


# ---- Nix -----------------------------------------------------------------------------------------

# Stand-ins for what nixpkgs gives; asking them for something that they lack is an error.
NIX_PACKAGE = """
let
  pkg = [ "pkg-config" "lz4" "zstd" "zlib" ];
  names = list: builtins.listToAttrs (map (name: { inherit name; value = name; }) list);
  lib.makeBinPath = builtins.concatStringsSep ":";
  lib.licenses.mit = "MIT";
  lib.platforms.linux = [ "x86_64-linux" ];
in import ./package.nix (names (pkg ++ [ "coreutils" "kmod" "util-linux" "e2fsprogs" ])
  // {
    inherit lib;
    fetchurl = { url, sha256 }: url;
    python3Packages = names [ "cffi" "setuptools" "hypothesis" "pytest" ] // {
      buildPythonApplication = given: given;
      python.sitePackages = "site-packages";
    };
  })
"""
NIX_MODULE = """
let
  lib = @LIB@;
  module = enable: textfileDirectory: survey: import ./module.nix {
    inherit lib;
    pkgs.callPackage = path: given: "pyzram";
    config.services.pyzram = {
      inherit enable textfileDirectory survey; package = "pyzram"; settings.ZRAM_SIZE_0 = "1G";
    };
    config.zramSwap.enable = true;
  };
in {
  off = (module false null false).config; on = (module true null false).config;
  figures = (module true "/srv/text" true).config;
  nowhere = (module true null true).config;
}
""".replace("@LIB@", LIB)


def nix(folder: Path, expression: str) -> str:
    """The value of an expression, in JSON."""
    needs(**{"nix-instantiate": "nix-bin"})
    return evaluate(folder, expression)


def test_nixs_package_evaluates(recipes: Path, version: str) -> None:
    given = json.loads(nix(recipes, NIX_PACKAGE))
    assert given["version"] == version
    assert given["src"].endswith(f"/v{version}/pyzram-{version}.tar.gz")
    assert given["dependencies"] == ["cffi"]


# stdenv's, as far as the package uses it: --replace-fail wants the text in every file.
SUBSTITUTE = """
substituteInPlace() {
	local file files=()
	while [ "${1#--}" = "$1" ]; do files+=("$1"); shift; done
	while [ $# -gt 0 ]; do
		for file in "${files[@]}"; do
			[ "$1" = --replace-quiet ] || grep -qF -e "$2" "$file" || exit 1
			sed -i "s|$2|$3|g" "$file"
		done
		shift 3
	done
}
"""


def test_nixs_package_finds_its_defaults_and_units_name_its_commands(
    recipes: Path, sdist: Path, tmp_path: Path, sources: list[str]
) -> None:
    phases = json.loads(nix(recipes, NIX_PACKAGE))
    succeed("tar", "-xzf", sdist, "--strip-components=1", cwd=tmp_path)
    out = tmp_path / "out"
    steps = f"set -e\n{SUBSTITUTE}\n{phases['postPatch']}\n{phases['postInstall']}"
    succeed("bash", "-c", steps, cwd=tmp_path, env={**os.environ, "out": str(out)})
    wanted = expected(sources, SYSTEMD)
    parts = "usr/lib/systemd", "usr/lib/pyzram"
    assert set(files_below(out)) == {n.removeprefix("usr/") for n in wanted if n.startswith(parts)}
    found = "from pyzram.config.layers import VENDOR_PATH; print(VENDOR_PATH)"
    path = succeed(sys.executable, "-c", found, cwd=tmp_path).strip()
    assert Path(path) == out / "lib/pyzram/zram.conf"
    assert Path(path).is_file()
    assert path in (tmp_path / "man/zram.conf.5").read_text()
    started = [
        line.partition("=")[2]
        for unit in (out / "lib/systemd/system").glob("*.service")
        for line in unit.read_text().split("\n")
        if line.startswith("Exec")
    ]
    assert len(started) > 8
    commands = {f"{out}/bin/pyzram", f"{out}/bin/zram_stats", "coreutils/bin/kill"}
    assert {line.split()[0] for line in started} == commands


EVERY_TEST = "tests/unit tests/native"


@pytest.mark.slow
@pytest.mark.parametrize(
    "tests",
    [
        "tests/unit/cli/test_options.py tests/native/cli/test_scripts.py",
        pytest.param(EVERY_TEST, marks=pytest.mark.long),
    ],
)
def test_nixs_package_is_tested_although_only_a_variable_finds_it(
    recipes: Path, unpacked: Path, wheel: Path, tmp_path: Path, tests: str
) -> None:
    phase = json.loads(nix(recipes, NIX_PACKAGE))["installCheckPhase"]
    assert phase.count(EVERY_TEST) == 1
    tree = shutil.copytree(unpacked, tmp_path / "tree")
    zipfile.ZipFile(wheel).extractall(tmp_path / "out/site-packages")
    dependencies = tmp_path / "dependencies"
    dependencies.mkdir()
    for name in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for package in Path(name).iterdir():
            if not package.name.startswith("pyzram"):
                (dependencies / package.name).symlink_to(package)
    python = Path(sys.executable).resolve().parent
    path = f"{python}:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {"out": str(tmp_path / "out"), "PYTHONPATH": str(dependencies), "PATH": path}
    steps = f"set -e\nrunHook() {{ :; }}\n{phase.replace(EVERY_TEST, tests)}"
    (passed,) = how_many_passed(succeed("bash", "-c", steps, cwd=tree, env=environment))
    assert passed > (1000 if tests == EVERY_TEST else 20)


def test_nixs_module_is_off_until_enabled(recipes: Path) -> None:
    states = json.loads(nix(recipes, NIX_MODULE))
    assert states["off"] == {}
    assert states["on"]["environment"]["etc"]["conf.d/zram"]["text"] == "ZRAM_SIZE_0='1G'\n"
    # Settings are in the unit, so different ones mean a changed unit, which is reloaded.
    assert states["on"]["systemd"]["services"]["zram"] == {
        "wantedBy": ["swap.target"],
        "reloadIfChanged": True,
        "reloadTriggers": ['{"ZRAM_SIZE_0":"1G"}'],
    }
    timer, service = (states["on"]["systemd"][x]["zram-textfile"] for x in ("timers", "services"))
    assert (timer, service) == ({"wantedBy": []}, {})
    assert states["on"]["systemd"]["timers"]["zram-estimate"]["wantedBy"] == []
    systemd = states["figures"]["systemd"]
    assert systemd["timers"]["zram-textfile"]["wantedBy"] == ["timers.target"]
    assert systemd["timers"]["zram-estimate"]["wantedBy"] == ["timers.target"]
    for name in ("zram-textfile", "zram-estimate"):
        assert systemd["services"][name] == {
            "environment": {"DIRECTORY": "/srv/text"},
            "serviceConfig": {"ReadWritePaths": ["-/srv/text"]},
        }
    # A survey needs a directory, and two makers of swap are one too many.
    assert [x["assertion"] for x in states["on"]["assertions"]] == [True, False]
    assert [x["assertion"] for x in states["figures"]["assertions"]] == [True, False]
    assert [x["assertion"] for x in states["nowhere"]["assertions"]] == [False, False]
