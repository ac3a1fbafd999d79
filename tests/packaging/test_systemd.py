# SPDX-License-Identifier: MIT
"""The units, checked by systemd itself."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import TREE, run, succeed
from .textfile_directories import DEBIAN, below

UNITS = TREE / "initscripts/systemd"
# Any of these gives a service a mount namespace, in which its mounts and swap areas would be lost.
NAMESPACES = ("Private", "ProtectSystem", "ProtectHome", "ProtectKernel", "ReadOnly", "MountFlags")


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    programs = Path(sys.executable).parent
    for unit in UNITS.iterdir():
        text = re.sub(
            r"^(Exec\w+=)(?=pyzram |zram_stats )", rf"\1{programs}/", unit.read_text(), flags=re.M
        )
        assert text.count(str(programs)) == text.count("\nExec") - text.count("=kill ")
        (tmp_path / unit.name).write_text(text)
    units = [tmp_path / "zram.service", tmp_path / "zram@swap.service"]
    units.append(tmp_path / "zram-tend.service")
    units += [tmp_path / "zram-tend-once.service", tmp_path / "zram-tend-once.timer"]
    units += [tmp_path / "zram-textfile.service", tmp_path / "zram-textfile.timer"]
    units += [tmp_path / "zram-estimate.service", tmp_path / "zram-estimate.timer"]
    done = run("systemd-analyze", "verify", "--man=no", *units)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["zram.service", "zram@.service"])
def test_no_unit_gets_a_mount_namespace(name: str) -> None:
    settings = [line for line in (UNITS / name).read_text().splitlines() if "=" in line]
    assert not [line for line in settings if line.startswith(NAMESPACES)]


def test_both_units_differ_in_the_file_alone() -> None:
    one = (UNITS / "zram.service").read_text().splitlines()[3:]
    each = (UNITS / "zram@.service").read_text().splitlines()[3:]
    same = [line.replace(" --config /etc/conf.d/zram.%i", "").replace(" (%i)", "") for line in each]
    assert one == same


def test_tending_once_is_as_confined_as_the_daemon() -> None:
    """The other unit has every line of the daemon's sandbox too."""
    daemon, once = (
        {
            line
            for line in (UNITS / f"{name}.service").read_text().splitlines()
            if "=" in line and not line.startswith("#")
        }
        for name in ("zram-tend", "zram-tend-once")
    )
    others = ("Description", "Type", "Exec", "Restart=", "RestartSec", "Watchdog", "WantedBy")
    assert not {line for line in daemon - once if not line.startswith(others)}
    assert "ExecStart=pyzram tend --once --quiet" in once


def test_sysctls_are_recommended_and_not_set() -> None:
    lines = (TREE / "initscripts/sysctl.d/zram.conf").read_text().splitlines()
    assert all(not line or line.startswith("#") for line in lines)
    assert "#vm.page-cluster = 0" in lines


@pytest.mark.parametrize("directory", [DEBIAN, "/srv/a-b_c/text"])
def test_textfiles_go_where_the_distribution_says(tmp_path: Path, directory: str) -> None:
    told = () if directory == DEBIAN else (f"TEXTFILEDIR={directory}",)
    succeed("make", "-C", TREE, "install-openrc", "install-systemd", f"DESTDIR={tmp_path}", *told)
    assert below(tmp_path) == {"cron": directory, "systemd": directory}


def test_the_documentation_says_where_each_package_writes_textfiles() -> None:
    """Its table, compared with what the recipe passes to make or writes into the files."""
    ebuild, spec = "ebuilds/sys-block/pyzram/pyzram-9999.ebuild", "packaging/rpm/pyzram.spec"
    recipes = {
        "Debian, Ubuntu": "packaging/debian/rules",
        "Fedora, EPEL": spec,
        "Gentoo, OpenRC": ebuild,
        "Gentoo, systemd": ebuild,
        "NixOS": "packaging/nix/module.nix",
        "openSUSE": spec,
        "Arch": "packaging/arch/PKGBUILD",
        "Alpine": "packaging/alpine/APKBUILD",
    }
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (TREE / "docs/fleet.md").read_text(), re.M
    )
    told = {name: (there, ours) for name, there, ours in rows if name in recipes}
    assert set(told) == set(recipes)
    for name, (there, ours) in told.items():
        said = re.findall(r"`([^`]+)`", there if ours == "the same" else ours)
        text = (TREE / recipes[name]).read_text().replace("%{_sharedstatedir}", "/var/lib")
        text = text.replace("textfiles+=/", "textfiles=/var/lib/node_exporter/")
        directory = said[0].removeprefix("services.pyzram.")
        assert re.search(rf"(=| ){re.escape(directory)}( |$)", text, re.M), name
