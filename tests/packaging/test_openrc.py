# SPDX-License-Identifier: MIT
"""The service under the real OpenRC, in a mount namespace that keeps it off the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import TREE, run, succeed

SCRIPT = TREE / "initscripts/openrc/zram.initd"
CONFD = TREE / "initscripts/openrc/zram.confd"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}

# What OpenRC makes when it boots.
RC_DIRECTORIES = (
    *("daemons", "exclusive", "failed", "hotplugged", "inactive", "options", "scheduled"),
    *("started", "starting", "stopping", "tmp", "wasinactive"),
)
# Stand-ins with the dependencies that OpenRC's own have.
STUB = """#!/sbin/openrc-run
depend() {{
	{depend}
}}
start() {{
	echo "started {name}"
}}
stop() {{
	return 0
}}
"""
OTHERS = {
    "localmount": ":",
    "swap": "before localmount",
    "modules": ":",
    "bootmisc": "need localmount",
}


def missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/sys/class/zram-control").is_dir():
        return "needs a zram driver"
    if not shutil.which("openrc-run", path="/sbin:/usr/sbin"):
        return "needs openrc"
    return "" if shutil.which("pyzram", path=str(Path(sys.executable).parent)) else "needs pyzram"


needs_openrc = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


class ObservedSystem:
    """A separate OpenRC: /run, /etc/init.d, conf.d, runlevels and rc.conf."""

    def __init__(self, directory: Path, shell: str) -> None:
        self.directory = directory
        self.shell = shell
        self.run = directory / "run"
        self.vendor = directory / "vendor"
        for name in ("init.d", "conf.d", "runlevels/boot", "root-etc"):
            (directory / name).mkdir(parents=True)
        for name in RC_DIRECTORIES:
            (self.run / "openrc" / name).mkdir(parents=True)
        (self.run / "openrc/softlevel").touch()
        for name, depend in OTHERS.items():
            self.service(name).write_text(STUB.format(name=name, depend=depend))
            self.service(name).chmod(0o755)
            (directory / "runlevels/boot" / name).symlink_to(f"/etc/init.d/{name}")
        shutil.copy(SCRIPT, self.service("zram"))
        self.service("zram").chmod(0o755)
        pyzram = Path(sys.executable).parent / "pyzram"
        # Otherwise OpenRC itself checks whether this is a container.
        (directory / "rc.conf").write_text(f'pyzram="{pyzram}"\nrc_sys=""\n')
        self.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n")

    def service(self, name: str) -> Path:
        return self.directory / "init.d" / name

    def conf(self, name: str, text: str) -> None:
        (self.directory / "conf.d" / name).write_text(text)

    def sh(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script with our directories for OpenRC; mounts last as long as the script."""
        # A copy of /etc, because the machine's need not have all directories to mount on.
        etc = self.directory / "root-etc"
        binds = [f"mount -t tmpfs none {etc}; cp -a /etc/. {etc}; mount --move {etc} /etc"]
        for name in ("init.d", "conf.d", "runlevels"):
            binds.append(f"mkdir -p /etc/{name}; mount --bind {self.directory}/{name} /etc/{name}")
        if self.shell == "busybox":
            binds.append(f"mount --bind {shutil.which('busybox')} /bin/sh")
        if self.vendor.exists():
            # The machine's own /usr/lib with a folder more.
            over = f"lowerdir=/usr/lib,upperdir={etc}/upper,workdir={etc}/work"
            binds.append(
                f"mount -t tmpfs none {etc}; mkdir {etc}/upper {etc}/work; mount -t overlay none "
                f"-o {over} /usr/lib; cp -a {self.vendor} /usr/lib/pyzram"
            )
        binds.append(f"cat {self.directory}/rc.conf > /etc/rc.conf")
        binds.append(f"mount --bind {self.run} /run")
        return run("unshare", "-m", "bash", "-ec", "\n".join([*binds, "set +e", script]))

    def rc(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.sh(f"rc-service {' '.join(words)}")

    def state(self) -> list[str]:
        """Names of the devices that are recorded and there."""
        names = []
        for path in (self.run / "pyzram/services").glob("*"):
            for line in path.read_text().splitlines():
                if (
                    line.startswith("device ")
                    and Path(f"/sys/block/zram{line.split()[2]}").is_dir()
                ):
                    names.append(f"zram{line.split()[2]}")
        return names


@pytest.fixture(params=["dash", "busybox"])
def machine(request: pytest.FixtureRequest, tmp_path: Path):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    made = ObservedSystem(tmp_path, request.param)
    yield made
    for name in ["zram", *(path.name for path in made.service("").glob("zram.*"))]:
        if made.state():
            made.rc(name, "stop")
    assert made.state() == []


# ---- without OpenRC ----------------------------------------------------------------------------


def test_the_script_passes_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    succeed("shellcheck", "-s", "sh", SCRIPT)


@pytest.mark.parametrize("shell", SHELLS)
def test_script_and_configuration_are_posix_shell(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    for path in (SCRIPT, CONFD):
        assert succeed(*SHELLS[shell], "-n", path) == ""


def test_the_shipped_configuration_says_nothing_but_comments() -> None:
    for path in (CONFD, TREE / "initscripts/vendor/zram.conf"):
        lines = path.read_text().splitlines()
        assert all(not line or line.startswith("#") for line in lines)


def test_every_default_in_the_shipped_configuration_is_the_default(tmp_path: Path) -> None:
    from pyzram.config.parser import parse_config

    ram = 8 << 30
    lines = [line[1:] for line in CONFD.read_text().splitlines() if line.startswith("#")]
    shown = [x for x in lines if x.partition("=")[0].replace("_", "").isalnum() and "=" in x]
    # Those of file systems need a mount point.
    swap = [x for x in shown if not x.startswith(("ZRAM_FS", "ZRAM_MKFS"))]
    left = parse_config("\n".join(swap), ram=ram, cpus=2)
    right = parse_config("", ram=ram, cpus=2)
    assert len(shown) > 15
    assert left.load_on_start == right.load_on_start
    assert left.unload_on_stop == right.unload_on_stop
    assert left.devices == right.devices
    point = ["ZRAM_MOUNT_0=/srv", *(x for x in shown if x.startswith(("ZRAM_FS", "ZRAM_MKFS")))]
    shown_there = parse_config("\n".join(point), ram=ram, cpus=2)
    assert shown_there.devices == parse_config("ZRAM_MOUNT_0=/srv", ram=ram, cpus=2).devices


# ---- with OpenRC -------------------------------------------------------------------------------


@needs_openrc
def test_start_status_reload_and_stop(machine: ObservedSystem) -> None:
    assert machine.rc("zram", "status").returncode == 3
    started = machine.rc("zram", "start")
    assert started.returncode == 0, started.stdout
    (first,) = machine.state()
    assert f"/{first} " in Path("/proc/swaps").read_text()
    status = machine.rc("zram", "status")
    assert status.returncode == 0, status.stdout
    assert f"{first} running swap size 64M" in status.stdout
    machine.conf("zram", "ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    reloaded = machine.rc("zram", "reload")
    assert reloaded.returncode == 0, reloaded.stdout
    (second,) = machine.state()
    assert second != first
    assert "disksize" in machine.rc("zram", "info").stdout
    stopped = machine.rc("zram", "stop")
    assert stopped.returncode == 0, stopped.stdout
    assert machine.state() == []
    assert machine.rc("zram", "status").returncode == 3


@needs_openrc
def test_a_start_that_fails_in_part_is_no_started_service_until_it_is_completed(
    machine: ObservedSystem,
) -> None:
    machine.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\nZRAM_ALGORITHM_1=nosuch\n")
    failed = machine.rc("zram", "start")
    assert failed.returncode == 1
    assert "device 1: " in failed.stdout
    assert machine.rc("zram", "status").returncode == 3
    (kept,) = machine.state()  # what works stays
    machine.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_SIZE_1=64M\n")
    assert machine.rc("zram", "start").returncode == 0
    assert machine.rc("zram", "status").returncode == 0
    assert kept in machine.state() and len(machine.state()) == 2


@needs_openrc
def test_a_started_service_without_its_device_does_not_call_itself_fine(
    machine: ObservedSystem,
) -> None:
    assert machine.rc("zram", "start").returncode == 0
    (name,) = machine.state()
    succeed("swapoff", f"/dev/{name}")
    assert machine.rc("zram", "status").returncode not in (0,)


@needs_openrc
def test_a_broken_file_is_found_before_anything_is_stopped(machine: ObservedSystem) -> None:
    machine.conf("zram", "ZRAM_SIZE_0=1\n")
    failed = machine.rc("zram", "start")
    assert failed.returncode == 1
    assert "/etc/conf.d/zram:1: ZRAM_SIZE_0: " in failed.stdout
    machine.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\n")
    assert machine.rc("zram", "start").returncode == 0
    before = machine.state()
    machine.conf("zram", "ZRAM_SIZ_0=64M\n")
    for command in ("restart", "reload", "check"):
        failed = machine.rc("zram", command)
        assert failed.returncode == 1, command
        assert "did you mean ZRAM_SIZE_0" in failed.stdout
    assert machine.state() == before


@needs_openrc
def test_a_warning_about_the_file_is_reported_once(machine: ObservedSystem) -> None:
    machine.conf("zram", "ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\nNUM_DEVICES=1\nZRAM_SIZE_1=64M\n")
    for command in ("start", "reload", "restart"):
        done = machine.rc("zram", command)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("NUM_DEVICES is 1") == 1, done.stdout


@needs_openrc
def test_restart_makes_the_devices_anew(machine: ObservedSystem) -> None:
    assert machine.rc("zram", "start").returncode == 0
    machine.conf("zram", "ZRAM_SIZE_0=96M\nZRAM_PRIORITY_0=1\n")
    restarted = machine.rc("zram", "restart")
    assert restarted.returncode == 0, restarted.stdout
    assert "size 96M" in machine.rc("zram", "status").stdout


@needs_openrc
def test_every_command_is_described(machine: ObservedSystem) -> None:
    described = machine.rc("zram", "describe")
    assert described.returncode == 0
    for command in ("check", "info", "reload"):
        assert f"{command}: " in described.stdout
    assert "no description" not in described.stdout.lower()


@needs_openrc
def test_a_service_for_one_device_has_its_own_file_and_comes_before_bootmisc(
    machine: ObservedSystem,
) -> None:
    machine.service("zram.tmp").symlink_to("zram")
    machine.conf("zram.tmp", "ZRAM_SIZE_0=64M\nZRAM_MOUNT_0='/tmp'\n")
    (machine.directory / "runlevels/boot/zram.tmp").symlink_to("/etc/init.d/zram.tmp")
    machine.service("zram.other").symlink_to("zram")
    machine.conf("zram.other", "NUM_DEVICES=0\n#ZRAM_MOUNT_0=/tmp\n#ZRAM_MOUNT_1=/tmp/x\n")
    (machine.directory / "runlevels/boot/zram.other").symlink_to("/etc/init.d/zram.other")
    # /tmp, where all this is, gets covered in the namespace: what happened is told on the way.
    done = machine.sh(
        "openrc boot; rc-service zram.tmp status; stat -c 'mode %a' /tmp\n"
        "findmnt -no SOURCE,FSTYPE /tmp; rc-service zram.tmp stop && echo stopped"
    )
    lines = done.stdout
    assert "mode 1777" in lines
    assert "ext4" in lines
    assert lines.rstrip().endswith("stopped")
    before, bootmisc, after = lines.partition("started bootmisc\n")
    assert before.count("Setting up zram devices") == 1, lines
    assert bootmisc
    assert after.count("Setting up zram devices") == 1, lines


@needs_openrc
@pytest.mark.parametrize("place", ["conf.d/zram.d", "vendor", "vendor/zram.conf.d"])
def test_a_drop_in_that_mounts_on_tmp_brings_the_service_before_bootmisc(
    machine: ObservedSystem, place: str
) -> None:
    folder = machine.directory / place
    folder.mkdir(parents=True)
    (machine.directory / "runlevels/boot/zram").symlink_to("/etc/init.d/zram")
    text = "ZRAM_SIZE_1=64M\nZRAM_MOUNT_1=/tmp\n"
    (folder / "zram.conf").write_text(text)
    status = "rc-service zram status; rc-service zram stop && echo stopped"
    lines = machine.sh(f"openrc boot; {status}").stdout
    assert "running /tmp size 64M" in lines
    assert lines.rstrip().endswith("stopped")
    before, bootmisc, _ = lines.partition("started bootmisc\n")
    assert bootmisc
    assert "Setting up zram devices" in before, lines
    # A changed file changes the order; that of a package when it is told to look: OpenRC 0.45 reads
    # which files there are outside of /etc and does not look at them.
    update = "-u " if place.startswith("vendor") else ""
    order = (
        f"RC_SVCNAME=test /lib/rc/bin/rc-depend {update}zram >/dev/null; "
        "sed -n '/service=.zram/,$s/.*_i\\(before\\|after\\)_.*=/\\1 /p' /run/openrc/deptree"
    )
    assert "before 'bootmisc'" in machine.sh(order).stdout
    changed = folder / "zram.conf"
    changed.write_text("".join(f"#{line}" for line in text.splitlines(True)))
    os.utime(changed, (time.time() + 5,) * 2)
    assert "after 'bootmisc'" in machine.sh(order).stdout


@needs_openrc
def test_it_is_not_started_in_a_container(machine: ObservedSystem) -> None:
    rc_conf = machine.directory / "rc.conf"
    (machine.directory / "runlevels/boot/zram").symlink_to("/etc/init.d/zram")
    for kind in ("docker", "lxc", "podman", "systemd-nspawn"):
        rc_conf.write_text(rc_conf.read_text() + f'rc_sys="{kind}"\n')
        booted = machine.sh("openrc boot")
        assert "started bootmisc" in booted.stdout
        assert "zram" not in booted.stdout
        machine.sh("rc-service bootmisc stop")
    assert machine.state() == []
