# SPDX-License-Identifier: MIT
"""The role installs Debian's packages of this tree, by apt, and starts their service under OpenRC.

Ansible is taken from .cache/fleet/ansible, which ``make fleet`` fills.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from fleet.programs import TREE
from fleet.role import (
    ANSIBLE,
    DIRECTORY,
    PACKAGES,
    PREPARE,
    ROLE,
    SECONDS,
    ansible,
    changed,
    installed,
    left,
    outcome,
    prepare,
)
from fleet.throwaway import session

CODE = """
# What OpenRC leaves behind when it boots.
for state in ("daemons exclusive failed hotplugged inactive options scheduled started starting "
        "stopping tmp wasinactive").split():
    os.makedirs("/run/openrc/" + state)
pathlib.Path("/run/openrc/softlevel").touch()

def look():
    crons = sorted(pathlib.Path("/etc/cron.d").glob("zram-*"))
    return {
        "crons": {path.name: path.read_text() for path in crons},
        "enabled": "zram" in said("rc-update", "show").split(),
        "service": said("rc-service", "zram", "status"),
    }

def minute():
    # What cron would do now, by the files that are there.
    for path in pathlib.Path("/etc/cron.d").glob("zram-*"):
        lines = path.read_text().split("\\n")
        settings = [line for line in lines if line[:1].isalpha()]
        for line in lines:
            if line[:1] == "*" or line[:2] == "17":
                command = line.split(None, 6)[6]
                subprocess.run(["sh", "-euc", "\\n".join([*settings, command])])

here = {"pyzram_service_mgr": "openrc"}
on = {"pyzram_textfile": True, "pyzram_survey": True, **here}
there = {"pyzram_textfile_directory": "/srv/textfiles", **on}
try:
    play("nothing", "--check", "--diff", size="16M", **on)
    play("first", size="16M", **on)
    minute()
    play("again", size="16M", **on)
    play("check", "--check", "--diff", size="32M", **there)
    play("change", size="32M", **there)
    minute()
    play("back", size="32M", **on)
    minute()
    play("off check", "--check", "--diff", size="32M", **here)
    play("off", size="32M", **here)
    play("off again", size="32M", **here)
    play("wrong", size="lots", **here)
    play("foreign", size="64M")
finally:
    subprocess.run(["rc-service", "zram", "stop"])
    left()
"""
FILES = ["zram-doctor.prom", "zram-estimate.prom", "zram-tend.prom", "zram.prom"]
OURS = {"zram-textfile-ansible", "zram-estimate-ansible"}


@pytest.fixture(scope="module")
def plays(tmp_path_factory, repository) -> dict[str, dict]:
    """What each play said and left, by its name."""
    if not shutil.which("rc-service"):
        pytest.skip("needs OpenRC (Debian: openrc)")
    folder = tmp_path_factory.mktemp("ansible")
    given = prepare(folder, repository)
    return outcome(session(folder, (), given + PREPARE + CODE, seconds=SECONDS + 120))


def test_check_mode_of_what_is_not_installed_says_what_would_be_done_and_does_nothing(plays):
    play = plays["nothing"]
    assert changed(play)
    assert "ZRAM_SIZE_0=" in play["said"]
    assert installed(play) == []
    assert (play["file"], play["crons"], play["sizes"]) == (None, {}, [])


def test_the_first_run_installs_enables_and_starts_it(plays):
    play = plays["first"]
    assert changed(play)
    assert installed(play) == sorted(PACKAGES)
    assert play["enabled"] and "started" in play["service"]
    assert play["sizes"] == [16 << 20]


def test_the_second_run_changes_nothing_and_reloads_nothing(plays):
    assert changed(plays["again"]) == 0
    assert "RUNNING HANDLER" not in plays["again"]["said"]
    assert left(plays["again"], "files") == left(plays["first"], "files")


def test_check_mode_of_a_change_has_diff_and_plan(plays):
    play = plays["check"]
    assert changed(play)
    assert re.search(r"^-ZRAM_SIZE_0=.?16M", play["said"], re.M)
    assert re.search(r"^\+ZRAM_SIZE_0=.?32M", play["said"], re.M)
    plan = play["said"].partition("Show what would be done")[2]
    assert "33554432" in plan or "32M" in plan
    assert left(play) == left(plays["again"])


def test_a_change_is_a_reload(plays):
    play = plays["change"]
    assert changed(play)
    assert "RUNNING HANDLER [pyzram : Reload zram]" in play["said"]
    assert play["sizes"] == [32 << 20]


def test_a_wrong_setting_is_refused_before_anything_is_touched(plays):
    play = plays["wrong"]
    assert play["status"] == 2
    assert "ZRAM_SIZE_0" in play["said"]
    assert left(play) == left(plays["off again"])


def test_where_nobody_could_start_the_service_one_line_says_so(plays):
    play = plays["foreign"]
    assert play["status"] == 2
    told = [line for line in play["said"].split("\n") if '"msg"' in line]
    assert len(told) == 1
    assert "pyzram has services for systemd and OpenRC, and this machine has " in told[0]
    assert left(play) == left(plays["off again"])


def test_textfiles_are_written_where_the_package_or_the_variable_says(plays):
    first, change = plays["first"]["crons"], plays["change"]["crons"]
    assert "\n* * * * * root { zram_stats " in first["zram-textfile-ansible"]
    assert "\n17 3 * * * root nice -n 19 pyzram estimate " in first["zram-estimate-ansible"]
    assert plays["again"]["files"] == {DIRECTORY: ["apt.prom", *FILES], "/srv/textfiles": None}
    for name in OURS:
        assert f"\nDIRECTORY={DIRECTORY}\n" in first[name]
        assert "\nDIRECTORY=/srv/textfiles\n" in change[name]
        assert first[name].count(" root ") == 1
    assert "+DIRECTORY=/srv/textfiles" in plays["check"]["said"]


def test_the_packages_own_file_stays_off(plays):
    """It stays as the administrator left it: what the role switches on is a separate file."""
    own = {play["crons"].get("zram-textfile") for name, play in plays.items() if name != "nothing"}
    (text,) = own
    assert text == (TREE / "initscripts/cron/zram-textfile").read_text()
    assert not re.search(r"^[*\d]", text, re.M)


def test_where_nothing_is_written_any_more_nothing_grows_old(plays):
    """Another directory, and back to the package's: the previous files go, others' files stay."""
    assert plays["change"]["files"] == {DIRECTORY: ["apt.prom"], "/srv/textfiles": []}
    assert plays["back"]["files"] == {DIRECTORY: ["apt.prom"], "/srv/textfiles": []}
    assert plays["off check"]["files"] == {DIRECTORY: ["apt.prom", *FILES], "/srv/textfiles": []}


def test_switched_off_it_takes_back_what_it_put_there_and_no_more(plays):
    check, off = plays["off check"], plays["off"]
    assert changed(check) == changed(off)
    assert left(check, "files") == left(plays["back"], "files")
    assert set(plays["back"]["crons"]) - set(off["crons"]) == OURS
    assert off["files"] == {DIRECTORY: ["apt.prom"], "/srv/textfiles": []}
    assert off["sizes"] == [32 << 20]
    assert changed(plays["off again"]) == 0
    assert left(plays["off again"]) == left(off)


def test_the_packages_that_have_the_service_are_those_of_the_recipes():
    """Each is known by Ansible's name for the distribution family, and by the recipe's line."""
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
    """The file is already right on the next run, which would therefore notify nobody."""
    tasks = (ROLE / "roles/pyzram/tasks/main.yml").read_text()
    assert tasks.index("notify: Reload zram") < tasks.index("meta: flush_handlers")
    assert tasks.index("meta: flush_handlers") < tasks.index("include_tasks: textfiles.yml")
