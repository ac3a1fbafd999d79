# SPDX-License-Identifier: MIT
"""The overlay: both ebuilds are emerged for real into an alternate root, used there and unmerged.

It needs a harness that is not part of this tree but lies beside it. GENTOO_REPO names a Gentoo
repository whose eclasses are used instead of the harness's stand-ins.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from .conftest import TREE, how_many_passed, run, succeed
from .contents import OPENRC, SYSTEMD, expected, held
from .textfile_directories import UNIT

HARNESS = TREE.parent / "shared/gentoo/emerge-harness.sh"
OVERLAY = TREE / "ebuilds"
PACKAGE = OVERLAY / "sys-block/pyzram"
NO_HARNESS = ""
if not HARNESS.is_file():
    NO_HARNESS = f"needs the emerge harness as {HARNESS}"
elif os.geteuid() != 0:
    NO_HARNESS = "the emerge harness needs root"
elif run("unshare", "-m", "true").returncode != 0:
    NO_HARNESS = "the emerge harness needs `unshare -m`"
UNIT_DIRECTORY = "Environment=DIRECTORY=/var/lib/node_exporter/textfile_collector"
IN_PYTHON = re.compile(r"/usr/lib/(python3\.\d+)/site-packages/")
WRAPPED = "/usr/lib/python-exec/"  # where Gentoo keeps a command for each Python
SERVICE = TREE / "tests/packaging/openrc_service.sh"
NO_SERVICE = ""
if not Path("/sys/class/zram-control").exists():
    NO_SERVICE = "needs a zram driver"
elif not shutil.which("rc-service"):
    NO_SERVICE = "needs OpenRC (Debian: openrc)"


@pytest.fixture(scope="module")
def emerge(sdist: Path, version: str):
    """A function that runs the harness on today's tarball and returns its output."""
    if NO_HARNESS:
        pytest.skip(NO_HARNESS)

    def harness(*options: object, overlay: Path = OVERLAY, atom: str = "") -> str:
        where = ["--work", TREE / ".cache/emerge", "--gentoo", os.getenv("GENTOO_REPO", "standin")]
        if not atom:
            atom = f"=sys-block/pyzram-{version}"
            where += ["--distfile", sdist, "--remanifest"]
        return succeed(HARNESS, *where, *options, overlay, atom, cwd="/")

    return harness


def test_the_release_and_the_live_ebuild_are_the_same(version: str) -> None:
    release = (PACKAGE / f"pyzram-{version}.ebuild").read_text()
    assert release == (PACKAGE / "pyzram-9999.ebuild").read_text()


def test_ebuilds_have_gentoos_header_and_blanks() -> None:
    for ebuild in PACKAGE.glob("*.ebuild"):
        first, second, third = ebuild.read_text().split("\n")[:3]
        assert re.fullmatch(r"# Copyright (\d{4}-)?2026 Gentoo Authors", first)
        assert second == "# Distributed under the terms of the GNU General Public License v2"
        assert third == ""
        assert not re.search(r"^\t* +", ebuild.read_text(), re.M), "indent with tabs"


def test_every_file_that_the_ebuild_installs_is_in_the_tree(version: str) -> None:
    text = (PACKAGE / f"pyzram-{version}.ebuild").read_text()
    named = re.findall(r"^\t(?:new|do|systemd_do)\w+ (.*)$", text, re.M)
    files = [x for x in " ".join(named).split() if "/" in x]
    for pattern in files:
        found = succeed("bash", "-c", f"shopt -s failglob; ls -d {pattern}", cwd=TREE)
        assert found


def test_the_manifest_names_the_tarball_with_both_digests(version: str) -> None:
    line = (PACKAGE / "Manifest").read_text()
    pattern = r"DIST (\S+) \d+ BLAKE2B [0-9a-f]{128} SHA512 [0-9a-f]{128}\n"
    found = re.fullmatch(pattern, line)
    assert found
    assert found[1] == f"pyzram-{version}.tar.gz"


@pytest.mark.slow
def test_the_release_emerges_and_works(emerge, sources: list[str]) -> None:
    said = emerge(
        "--strict-qa",
        *("--pkgcheck-exit", "error,warning,style,info"),
        *("--run", '$EPYTHON -c "import pyzram._native_codec"'),
        *("--run", "zram_stats --version"),
        *("--run", "pyzram --version"),
        # Gentoo's node_exporter looks elsewhere under OpenRC than under systemd.
        *("--run", "grep -x DIRECTORY=/var/lib/node_exporter /etc/cron.d/zram-textfile"),
        *("--run", f"grep -x {UNIT_DIRECTORY} /usr/lib/{UNIT}"),
    )
    listed = said.partition(">>> installed:\n")[2].partition("\n>>>")[0]
    names = [line.split(" -> ")[0].strip() for line in listed.splitlines()]
    pythons = {found[1] for name in names if (found := IN_PYTHON.match(name))}
    assert pythons
    for python in pythons:
        others = tuple(f"/usr/lib/{other}/" for other in pythons - {python})
        ours = [name for name in names if not name.startswith((*others, WRAPPED))]
        assert held(ours) == expected(sources, OPENRC, SYSTEMD), python


@pytest.mark.long
def test_the_release_emerges_with_its_tests(emerge) -> None:
    passed = how_many_passed(emerge("-v", "--strict-qa", "--test", "--no-pkgcheck"))
    assert passed
    assert min(passed) > 1000


@pytest.mark.slow
def test_the_live_ebuild_emerges_what_is_committed_without_kernel_sources(emerge) -> None:
    if not (TREE / ".git").exists():
        pytest.skip("not a git checkout: nothing is committed")
    no_kernel = ["--kernel-config", "none", "--expect-log", "nable to (check|find)"]
    emerge("--strict-qa", *no_kernel, "--git", TREE, atom="=sys-block/pyzram-9999")


@pytest.fixture(scope="module")
def plain(emerge, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of an emerge without tests, for a kernel without zram; its service was used."""
    config = tmp_path_factory.mktemp("kernel") / "config"
    config.write_text("CONFIG_SWAP=y\n# CONFIG_ZRAM is not set\n")
    says = ["--kernel-config", config, "--expect-log", "CONFIG_ZRAM is needed"]
    return emerge("--no-pkgcheck", *says, *([] if NO_SERVICE else ["--run", f"sh {SERVICE}"]))


@pytest.mark.slow
def test_it_emerges_for_a_kernel_without_zram_and_says_so(plain: str) -> None:
    assert "PASS sys-block/pyzram" in plain


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_SERVICE), reason=NO_SERVICE)
def test_the_service_of_the_image_starts_and_stops_under_openrc(plain: str) -> None:
    assert re.search(rf"run ok .*{SERVICE.name}", plain)


@pytest.mark.slow
def test_an_ebuild_that_forgets_cffi_does_not_build(emerge, tmp_path: Path, version: str) -> None:
    overlay = shutil.copytree(OVERLAY, tmp_path / "overlay")
    ebuild = overlay / f"sys-block/pyzram/pyzram-{version}.ebuild"
    ebuild.write_text(re.sub(r".*dev-python/cffi.*\n", "", ebuild.read_text()))
    emerge("--expect-fail", "--no-pkgcheck", "--expect-log", "cffi is missing", overlay=overlay)
