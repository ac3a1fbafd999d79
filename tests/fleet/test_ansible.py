# SPDX-License-Identifier: MIT
"""The role, played on this machine in a mount namespace with an /etc and a /run of its own.

The service manager is what Ansible takes here, ``service`` or ``rc-service``, with
a script that calls pyzram and says of the status what OpenRC says too; the devices are real.
Ansible is taken from .cache/fleet/ansible, which ``make fleet`` fills.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet.programs import TREE, cache

ROLE = TREE / "packaging/ansible"
ANSIBLE = cache() / "ansible/bin"
INIT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: zram
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
echo "$1" >>/run/calls
case $1 in
start|stop|reload|restart) exec pyzram "$1" ;;
status) exec pyzram status && echo " * status: started" ;;
esac
"""
SESSION = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/etc /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
rm -rf /etc/conf.d/zram
install -m 755 "$HERE/init" /etc/init.d/zram
trap 'pyzram stop --quiet' EXIT
play() {
	name=$1; shift
	status=0
	ansible-playbook -i localhost, -c local "$HERE/site.yml" "$@" >"$HERE/$name" 2>&1 || status=$?
	echo "status $status" >>"$HERE/$name"
	: >/run/calls.new; [ ! -e /run/calls ] || mv /run/calls /run/calls.new
	cp /run/calls.new "$HERE/$name.calls"
	[ ! -e /etc/conf.d/zram ] || cp /etc/conf.d/zram "$HERE/$name.conf"
	pyzram status --json >"$HERE/$name.json" || :
}
play first-check --check --diff -e size=16M
play first -e size=16M
play again -e size=16M
play change-check --check --diff -e size=32M
play change -e size=32M
play wrong -e size=lots
"""
PLAYBOOK = """
- hosts: all
  gather_facts: true
  vars:
    ansible_python_interpreter: /usr/bin/python3
  roles:
    - role: pyzram
      vars:
        pyzram_packages: []
        pyzram_settings: {ZRAM_SIZE_0: "{{ size }}", ZRAM_ALGORITHM_0: zstd lz4 lzo-rle}
"""


def ansible(name: str) -> Path:
    program = ANSIBLE / name
    if not program.exists():
        pytest.skip(f"needs {name}: make fleet")
    return program


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    ansible("ansible-playbook")
    if os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("needs root and a zram driver")
    for program in ("unshare", "service", "update-rc.d"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    here = tmp_path_factory.mktemp("ansible")
    # service(8) leaves a script with a PATH of its own.
    pyzram = Path(sys.executable).parent / "pyzram"
    (here / "init").write_text(INIT.replace("exec pyzram", str(pyzram)))
    (here / "site.yml").write_text(PLAYBOOK)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SESSION],
        env={
            **os.environ,
            "HERE": str(here),
            "HOME": str(here),
            "ANSIBLE_ROLES_PATH": str(ROLE / "roles"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{ANSIBLE}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return here


def changed(played: Path, name: str) -> int:
    text = (played / name).read_text()
    assert text.endswith("status 0\n"), text
    return int(re.search(r"changed=(\d+)", text)[1])


def size(played: Path, name: str) -> list[int]:
    rows = json.loads((played / f"{name}.json").read_text())
    return [row["disksize"] for row in rows if row["state"] == "running"]


def test_check_mode_says_what_would_be_done_and_does_nothing(played):
    assert changed(played, "first-check")
    text = (played / "first-check").read_text()
    assert '+ZRAM_SIZE_0="16M"' in text or "+ZRAM_SIZE_0=16M" in text
    assert "swap on with priority" in text
    assert not (played / "first-check.conf").exists()
    assert size(played, "first-check") == []


def test_the_first_run_starts_it(played):
    assert changed(played, "first")
    assert size(played, "first") == [16 << 20]


def test_the_second_run_changes_nothing(played):
    assert changed(played, "again") == 0
    assert "reload" not in (played / "again.calls").read_text()


def test_check_mode_of_a_change_has_diff_and_plan(played):
    assert changed(played, "change-check")
    text = (played / "change-check").read_text()
    assert re.search(r"^-ZRAM_SIZE_0=.?16M", text, re.M)
    assert re.search(r"^\+ZRAM_SIZE_0=.?32M", text, re.M)
    assert "Show what would be done" in text
    assert "33554432" in text or "32M" in text.partition("Show what would be done")[2]
    assert size(played, "change-check") == [16 << 20]


def test_a_change_is_a_reload(played):
    assert changed(played, "change")
    assert "reload" in (played / "change.calls").read_text().split()
    assert size(played, "change") == [32 << 20]


def test_a_wrong_setting_is_refused_before_anything_is_touched(played):
    text = (played / "wrong").read_text()
    assert "ZRAM_SIZE_0" in text
    assert "status 2\n" in text
    assert (played / "wrong.conf").read_text() == (played / "change.conf").read_text()
    assert size(played, "wrong") == [32 << 20]


def test_ansible_lint_finds_nothing():
    done = subprocess.run(
        [ansible("ansible-lint"), "--offline", "--nocolor", "--profile", "production"],
        cwd=ROLE,
        env={**os.environ, "PATH": f"{ANSIBLE}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
