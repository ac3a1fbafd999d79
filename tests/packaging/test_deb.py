# SPDX-License-Identifier: MIT
"""Debian's packages: lintian accepts them; they install, upgrade, run and leave nothing behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TREE, how_many_passed, run, succeed
from .contents import COMPLETIONS, OPENRC, SYSTEMD, expected, held

pytestmark = pytest.mark.slow
NEEDED = {"dpkg-checkbuilddeps": "dpkg-dev", "lintian": "lintian"}
# What root must not run: installers rewrite the scripts' first line without -I.
THEIRS = (
    "mkdir -p /run/theirs; for name in pyzram json cffi; do "
    "echo 'raise SystemExit(\"of somebody else\")' >/run/theirs/$name.py; done; "
    "export PYTHONPATH=/run/theirs; "
)
TOOLS = "$debs/python3-pyzram_*.deb $debs/pyzram_*.deb"
SERVICE = "$debs/pyzram-service_*.deb"
INSTALL = "apt-get -qq -y --no-install-recommends install"
PURGE = "apt-get -qq -y purge python3-pyzram pyzram pyzram-service >>/run/log 2>&1"
NOTHING_LEFT = "find /etc /usr /lib /var/lib /var/log -xdev -name '*zram*' ! -name 'zramctl*'"
NAMES = "commands device service"
DRIVER = Path("/sys/class/zram-control").exists()
needs_driver = pytest.mark.skipif(not DRIVER, reason="needs a zram driver")


@pytest.fixture(scope="module")
def built(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything that the build made; its tests were not run."""
    for command, package in NEEDED.items():
        if not shutil.which(command):
            pytest.skip(f"needs {command} (Debian: {package})")
    lacking = run("dpkg-checkbuilddeps", TREE / "packaging/debian/control")
    if lacking.returncode != 0:
        pytest.skip(lacking.stdout.strip())
    return build(sdist, tmp_path_factory.mktemp("deb"), "nocheck")


def build(sdist: Path, out: Path, options: str) -> Path:
    """Build as tools/deb does."""
    shutil.copy2(sdist, out)
    environment = {**os.environ, "DEB_BUILD_OPTIONS": options}
    succeed("sh", TREE / "tools/deb", out / sdist.name, env=environment)
    return out


def test_the_packages_hold_every_file_once(built: Path, sources: list[str]) -> None:
    listing = 'for package; do dpkg-deb --fsys-tarfile "$package" | tar -tf -; done'
    names = succeed("sh", "-ec", listing, "sh", *built.glob("*.deb")).splitlines()
    # Debian 12 has units in /lib, as its own rules say, later releases in /usr/lib.
    files = [name.replace("./lib/", "./usr/lib/", 1) for name in names if not name.endswith("/")]
    assert len(files) == len(set(files))
    zsh = {rf"{COMPLETIONS}/(_.*)": r"usr/share/zsh/vendor-completions/\1"}
    assert held(files) == expected(sources, OPENRC, SYSTEMD, zsh)


@pytest.fixture
def on_machine(throwaway: Callable[..., str], built: Path) -> Callable[[str], str]:
    """A function that runs a shell line with the packages in $debs in a copy of this machine."""
    return lambda line: throwaway(f"debs={built}; cd /; {line}")


@pytest.fixture
def fresh(throwaway: Callable[..., str], bare_root: Path, built: Path) -> Callable[[str], str]:
    """The same in a root that has little more than Debian's essential packages."""

    def shell(line: str) -> str:
        return throwaway(f"debs=/mnt; cd /; {line}", root=bare_root, shared=built)

    return shell


def test_lintian_has_nothing_to_say(built: Path) -> None:
    (changes,) = built.glob("*.changes")
    environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    options = ["--display-info", "--pedantic", "--allow-root"]
    assert succeed("lintian", *options, changes, env=environment) == ""


def test_the_tools_alone_start_nothing_and_run_no_code_of_others(fresh, version: str) -> None:
    answer = fresh(
        f"{INSTALL} {TOOLS} >/run/log 2>&1; "
        "zram_stats --version; pyzram --version; python3 -c 'import pyzram._native_codec'; "
        f"{THEIRS}zram_stats --version; pyzram --version; unset PYTHONPATH; rm -r /run/theirs; "
        "find /etc -name '*zram*'; find /lib/systemd /usr/lib/systemd -name '*zram*.service'; "
        f"{PURGE}; {NOTHING_LEFT}"
    )
    assert answer.splitlines() == 2 * [f"zram_stats (pyzram) {version}", f"pyzram {version}"]


def test_all_of_it_installs_runs_and_purges_leaving_nothing(on_machine) -> None:
    answer = on_machine(
        "find /etc /usr /lib /var/lib/systemd -xdev | sort >/run/before; "
        f"{INSTALL} {TOOLS} {SERVICE} >/run/log 2>&1; "
        "ls /etc/systemd/system/swap.target.wants | grep zram; "
        "dpkg --verify python3-pyzram pyzram pyzram-service; "
        f"export AUTOPKGTEST_TMP=/run; for test in {NAMES}; do "
        f"{TREE}/packaging/debian/tests/$test >>/run/log && echo $test passed || echo $test $?; "
        f"done; {PURGE}; "
        "find /etc /usr /lib /var/lib/systemd -xdev | sort | comm -13 /run/before -"
    )
    done = "passed" if DRIVER else "77"
    assert answer.splitlines() == ["zram.service", "commands passed"] + [
        f"{name} {done}" for name in ("device", "service")
    ]


def test_what_was_removed_keeps_its_configuration_until_purged(fresh) -> None:
    answer = fresh(
        f"{INSTALL} {TOOLS} {SERVICE} >/run/log 2>&1; "
        "echo ZRAM_SIZE_0=1G >>/etc/conf.d/zram; "
        # What the daemon makes, and logrotate of its log.
        "mkdir -p /var/lib/pyzram; echo kept >/var/lib/pyzram/ledger; "
        "touch /var/log/zram-tend.log /var/log/zram-tend.log.1.gz; "
        "apt-get -qq -y remove python3-pyzram >>/run/log 2>&1; "
        "cat /var/lib/pyzram/ledger; ls /var/log | grep zram; "
        "tail -n 1 /etc/conf.d/zram; find /usr /lib -name '*zram*.service'; "
        f"{INSTALL} {TOOLS} {SERVICE} >>/run/log 2>&1; "
        f"tail -n 1 /etc/conf.d/zram; {PURGE}; {NOTHING_LEFT}"
    )
    log = ["zram-tend.log", "zram-tend.log.1.gz"]
    assert answer.splitlines() == ["kept", *log, "ZRAM_SIZE_0=1G", "ZRAM_SIZE_0=1G"]


@pytest.mark.parametrize(
    "steps",
    [[f"{TOOLS} {SERVICE}"], [TOOLS, SERVICE]],
    ids=["at once", "the service later"],
)
def test_the_single_package_before_is_upgraded(
    fresh, built: Path, steps: list[str], version: str
) -> None:
    old = built / "old/pyzram.deb"
    old.parent.mkdir(exist_ok=True)
    succeed("sh", TREE / "tests/packaging/old_deb.sh", built, old, f"{version}-1")
    upgrade = "; ".join(f"{INSTALL} {step} >>/run/log 2>&1" for step in steps)
    answer = fresh(
        f"{INSTALL} $debs/old/pyzram.deb >/run/log 2>&1; "
        "echo ZRAM_SIZE_0=1G >>/etc/conf.d/zram; "
        f"{upgrade}; "
        "tail -n 1 /etc/conf.d/zram; cd /etc/conf.d; ls -d zram*; dpkg -S /etc/conf.d/zram; "
        "ls /etc/systemd/system/swap.target.wants; "
        "dpkg --verify | grep -v conf.d/zram || :; "
        f"{PURGE}; {NOTHING_LEFT}"
    )
    assert answer.splitlines() == [
        "ZRAM_SIZE_0=1G",
        "zram",
        "pyzram-service: /etc/conf.d/zram",
        "zram.service",
    ]


@pytest.mark.long
def test_the_build_runs_its_tests(built: Path, sdist: Path, tmp_path: Path) -> None:
    log = build(sdist, tmp_path, "").joinpath("deb.log").read_text()
    (passed,) = how_many_passed(log)
    assert passed > 1000


@pytest.mark.long
@needs_driver
@pytest.mark.skipif(not shutil.which("autopkgtest"), reason="needs autopkgtest")
def test_autopkgtest_passes_them_too(on_machine) -> None:
    answer = on_machine(
        "autopkgtest -B $debs/*.deb $debs/*.dsc -- null 2>&1 || echo failed with $?"
    )
    summary = answer.partition("@@@@ summary\n")[2].splitlines()
    results = [x.split()[:2] for x in summary if x.split()[1:2] in (["PASS"], ["SKIP"])]
    assert results == [["commands", "PASS"], ["device", "PASS"], ["service", "PASS"]], answer


@needs_driver
@pytest.mark.skipif(not shutil.which("rc-service"), reason="needs OpenRC (Debian: openrc)")
def test_debians_openrc_starts_and_stops_it(on_machine) -> None:
    on_machine(
        f"{INSTALL} {TOOLS} {SERVICE} >/run/log 2>&1; sh {TREE}/tests/packaging/openrc_service.sh"
    )
