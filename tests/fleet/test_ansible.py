# SPDX-License-Identifier: MIT
"""The role installs Debian's packages of this tree, by apt, and starts their service under OpenRC.

In a view of this machine that is gone afterwards; the devices are real. Ansible is taken from
.cache/fleet/ansible, which ``make fleet`` fills.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fleet.debs import repository
from fleet.programs import TREE, cache
from fleet.throwaway import session

ROLE = TREE / "packaging/ansible"
ANSIBLE = cache() / "ansible/bin"
SECONDS = 1200
PLAYBOOK = """
- hosts: all
  gather_facts: true
  vars:
    ansible_python_interpreter: /usr/bin/python3
  roles:
    - role: pyzram
      vars:
        pyzram_settings: {ZRAM_SIZE_0: "{{ size }}", ZRAM_ALGORITHM_0: zstd lz4 lzo-rle}
        pyzram_textfile: true
"""
CODE = """
import shutil
for old in pathlib.Path("/etc/apt").glob("sources.list*"):
    shutil.rmtree(old) if old.is_dir() else old.unlink()
pathlib.Path("/etc/apt/sources.list").write_text("deb [trusted=yes] file:/mnt/repo ./\\n")
shutil.rmtree("/var/lib/apt/lists")
subprocess.run(["apt-get", "update"], check=True)
# What OpenRC leaves behind when it boots.
for state in ("daemons exclusive failed hotplugged inactive options scheduled started starting "
        "stopping tmp wasinactive").split():
    os.makedirs("/run/openrc/" + state)
pathlib.Path("/run/openrc/softlevel").touch()
CONF, CRON = pathlib.Path("/etc/conf.d/zram"), pathlib.Path("/etc/cron.d/zram-textfile")
found = {}
# Whoever ends the session from outside ends it before it has cleaned up.
deadline = time.monotonic() + SECONDS

def said(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""

def play(name, *options, **variables):
    done = subprocess.run(
        [ANSIBLE / "ansible-playbook", "-i", "localhost,", "-c", "local", "/mnt/site.yml",
            "-e", json.dumps(variables), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=deadline - time.monotonic())
    found[name] = {
        "status": done.returncode,
        "said": done.stdout,
        "file": CONF.read_text() if CONF.exists() else None,
        "cron": CRON.read_text() if CRON.exists() else None,
        "installed": said("dpkg-query", "-Wf", "${db:Status-Abbrev} ${Package}\\n", "*pyzram*"),
        "enabled": "zram" in said("rc-update", "show").split(),
        "service": said("rc-service", "zram", "status"),
        "sizes": [row["disksize"] for row in json.loads(said("pyzram", "status", "--json") or "[]")
            if row["state"] == "running"],
        "directory": pathlib.Path("/srv/textfiles").is_dir(),
    }
    (OUT / "found.json").write_text(json.dumps(found))

os.environ.update(ANSIBLE_ROLES_PATH=ROLES, ANSIBLE_NOCOLOR="1", HOME="/root", LC_ALL="C.UTF-8",
    PATH=f"{ANSIBLE}:/usr/sbin:/usr/bin:/sbin:/bin")
here = {"pyzram_service_mgr": "openrc"}
there = {"pyzram_textfile_directory": "/srv/textfiles", **here}
try:
    play("nothing", "--check", "--diff", size="16M", **here)
    play("first", size="16M", **here)
    play("again", size="16M", **here)
    play("check", "--check", "--diff", size="32M", **there)
    play("change", size="32M", **there)
    play("wrong", size="lots", **there)
    play("foreign", size="64M")
finally:
    subprocess.run(["rc-service", "zram", "stop"])
    (OUT / "left").write_text(said("pyzram", "status", "--json"))
"""


def ansible(name: str) -> Path:
    program = ANSIBLE / name
    if not program.exists():
        pytest.skip(f"needs {name}: make fleet")
    return program


@pytest.fixture(scope="module")
def plays(tmp_path_factory) -> dict[str, dict]:
    """What each play said and left, by its name."""
    ansible("ansible-playbook")
    if os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("needs root and a zram driver")
    if not shutil.which("rc-service"):
        pytest.skip("needs OpenRC (Debian: openrc)")
    folder = tmp_path_factory.mktemp("ansible")
    repository(folder / "shared/repo")
    (folder / "shared/site.yml").write_text(PLAYBOOK)
    given = f"ANSIBLE, ROLES = pathlib.Path({str(ANSIBLE)!r}), {str(ROLE / 'roles')!r}\n"
    given += f"SECONDS = {SECONDS}\n"
    shared = session(folder, (), given + CODE, seconds=SECONDS + 120)
    rows = json.loads((shared / "left").read_text())
    assert [row["state"] for row in rows] == ["missing"], "it is not stopped"
    return json.loads((shared / "found.json").read_text())


def left(play: dict) -> dict:
    """The machine after it; what the service says has how much is used just now."""
    return {key: play[key] for key in play if key not in ("said", "status", "service")}


def changed(play: dict) -> int:
    assert play["status"] == 0, play["said"]
    return int(re.search(r"changed=(\d+)", play["said"])[1])


def test_check_mode_of_what_is_not_installed_says_what_would_be_done_and_does_nothing(plays):
    play = plays["nothing"]
    assert changed(play)
    assert "ZRAM_SIZE_0=" in play["said"]
    assert "ii" not in play["installed"]
    assert (play["file"], play["cron"], play["sizes"]) == (None, None, [])


def test_the_first_run_installs_enables_and_starts_it(plays):
    play = plays["first"]
    assert changed(play)
    installed = sorted(
        line.split()[1] for line in play["installed"].split("\n") if line[:2] == "ii"
    )
    assert installed == ["python3-pyzram", "pyzram", "pyzram-service"]
    assert play["enabled"] and "started" in play["service"]
    assert play["sizes"] == [16 << 20]


def test_the_second_run_changes_nothing_and_reloads_nothing(plays):
    assert changed(plays["again"]) == 0
    assert "RUNNING HANDLER" not in plays["again"]["said"]
    assert left(plays["again"]) == left(plays["first"])


def test_check_mode_of_a_change_has_diff_and_plan(plays):
    play = plays["check"]
    assert changed(play)
    assert re.search(r"^-ZRAM_SIZE_0=.?16M", play["said"], re.M)
    assert re.search(r"^\+ZRAM_SIZE_0=.?32M", play["said"], re.M)
    plan = play["said"].partition("Show what would be done")[2]
    assert "33554432" in plan or "32M" in plan
    assert left(play) == left(plays["first"])


def test_a_change_is_a_reload(plays):
    play = plays["change"]
    assert changed(play)
    assert "RUNNING HANDLER [pyzram : Reload zram]" in play["said"]
    assert play["sizes"] == [32 << 20]


def test_a_wrong_setting_is_refused_before_anything_is_touched(plays):
    play = plays["wrong"]
    assert play["status"] == 2
    assert "ZRAM_SIZE_0" in play["said"]
    assert left(play) == left(plays["change"])


def test_where_nobody_could_start_the_service_one_line_says_so(plays):
    play = plays["foreign"]
    assert play["status"] == 2
    told = [line for line in play["said"].split("\n") if '"msg"' in line]
    assert len(told) == 1
    assert "pyzram has services for systemd and OpenRC, and this machine has " in told[0]
    assert left(play) == left(plays["change"])


def test_textfiles_are_written_where_the_package_or_the_variable_says(plays):
    assert "\n* * * * * root { zram_stats " in plays["first"]["cron"]
    assert "\nDIRECTORY=/var/lib/prometheus/node-exporter\n" in plays["first"]["cron"]
    assert "\nDIRECTORY=/srv/textfiles\n" in plays["change"]["cron"]
    assert (plays["first"]["directory"], plays["change"]["directory"]) == (False, True)
    assert "+DIRECTORY=/srv/textfiles" in plays["check"]["said"]


def test_the_packages_that_have_the_service_are_those_of_the_recipes():
    """By Ansible's name of the distribution's family, and the recipe's own line."""
    defaults = (ROLE / "roles/pyzram/defaults/main.yml").read_text()
    told = dict(re.findall(r"^  (\w+): \[(.*)\]$", defaults, re.M))
    recipes = {
        "Alpine": ("alpine/APKBUILD", "\t$pkgname-openrc\n", "pyzram, pyzram-openrc"),
        "Debian": ("debian/control", "\nPackage: pyzram-service\n", "pyzram, pyzram-service"),
        "Gentoo": (
            "../ebuilds/sys-block/pyzram/pyzram-9999.ebuild",
            "newinitd",
            "sys-block/pyzram",
        ),
        "RedHat": ("rpm/pyzram.spec", "\n%files service\n", "pyzram, pyzram-service"),
        "Suse": ("rpm/pyzram.spec", "\n%files service\n", "pyzram, pyzram-service"),
    }
    assert told == {family: packages for family, (_, _, packages) in recipes.items()}
    for recipe, line, _ in recipes.values():
        assert line in (TREE / "packaging" / recipe).read_text()


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


def test_a_reload_is_done_before_tasks_that_may_fail():
    """The file is as it is to be on the next run, which would notify nobody."""
    tasks = (ROLE / "roles/pyzram/tasks/main.yml").read_text()
    assert tasks.index("notify: Reload zram") < tasks.index("meta: flush_handlers")
    assert tasks.index("meta: flush_handlers") < tasks.index("include_tasks: textfile.yml")
