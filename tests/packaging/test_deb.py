# SPDX-License-Identifier: MIT
"""Debian's package: lintian takes it, it installs, runs and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .conftest import TREE, run, succeed

pytestmark = pytest.mark.slow
NEEDED = {"dpkg-checkbuilddeps": "dpkg-dev", "lintian": "lintian"}
# No service may be started in the throwaway root, whatever the machine runs.
NO_STARTS = "echo 'exit 101' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; "


@pytest.fixture(scope="module")
def built(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything that the build made, tests run."""
    for command, package in NEEDED.items():
        if not shutil.which(command):
            pytest.skip(f"needs {command} (Debian: {package})")
    lacking = run("dpkg-checkbuilddeps", TREE / "packaging/debian/control")
    if lacking.returncode != 0:
        pytest.skip(lacking.stdout.strip())
    out = tmp_path_factory.mktemp("deb")
    shutil.copy2(sdist, out)
    succeed("sh", TREE / "tools/deb", out / sdist.name)
    return out


@pytest.fixture
def as_root(built: Path, tmp_path: Path):
    """A function that runs a shell line with the package at hand, in a root that is thrown away."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = TREE / "tests/packaging/throwaway_root.sh"
    root = tmp_path / "root"
    root.mkdir()
    probe = run("sh", script, root, "true")
    if probe.returncode != 0:
        pytest.skip(f"no throwaway root here: {probe.stdout.strip()}")

    def shell(line: str) -> str:
        (package,) = built.glob("pyzram_*.deb")
        return succeed("sh", script, root, f"{NO_STARTS}deb={package}; cd /; {line}")

    return shell


def test_lintian_finds_no_errors(built: Path) -> None:
    (changes,) = built.glob("*.changes")
    environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    options = ["--fail-on", "error", "--allow-root"]
    succeed("lintian", *options, changes, env=environment)


def test_it_installs_runs_and_purges_leaving_nothing(as_root, version: str) -> None:
    answer = as_root(
        "find /etc /usr /lib /var/lib/systemd -xdev | sort >/run/before; "
        "apt-get -qq -y install $deb >/run/log 2>&1; "
        "zram_stats --version; pyzram --version; python3 -c 'import pyzram._native'; "
        "dpkg --verify pyzram; "
        "apt-get -qq -y purge pyzram >>/run/log 2>&1; "
        "find /etc /usr /lib /var/lib/systemd -xdev | sort | diff /run/before -"
    )
    assert answer.splitlines() == [f"zram_stats (pyzram) {version}", f"pyzram {version}"]


@pytest.mark.skipif(not Path("/sys/class/zram-control").exists(), reason="needs a zram driver")
def test_what_its_unit_starts_swaps_and_stops(as_root) -> None:
    as_root(f"sh {TREE}/tests/packaging/deb_service.sh $deb")
