# SPDX-License-Identifier: MIT
"""The role under a systemd that runs as process 1 of its own namespaces, as in a container.

Its units are those of the packages. In a container zram.service and the textfiles' units would not
start, because zram belongs to the host; only this condition, and waiting for the boot, is removed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fleet.role import (
    DIRECTORY,
    PACKAGES,
    PREPARE,
    SECONDS,
    changed,
    installed,
    left,
    outcome,
    prepare,
)
from fleet.throwaway import session

SYSTEMD = Path("/lib/systemd/systemd")
# It has its own processes and a cgroup; in a container systemd leaves the machine itself alone.
BOOT = """\
set -e
mkdir /run/cgroup
mount -t cgroup2 none /run/cgroup
mkdir /run/cgroup/$1
echo $$ >/run/cgroup/$1/cgroup.procs
exec unshare --pid --mount --cgroup --uts --ipc --fork --kill-child --mount-proc sh -e /mnt/inside
"""
INSIDE = """\
mount -t cgroup2 none /sys/fs/cgroup
mount --bind /dev/null /dev/console
mount -t tmpfs none /run
: >/etc/fstab
units=/run/systemd/system
for unit in zram.service zram-textfile.service zram-textfile.timer zram-estimate.service \\
	zram-estimate.timer; do
	mkdir -p $units/$unit.d
	file=$units/$unit.d/trial.conf
	echo '[Unit]' >$file
	case $unit in *.timer) ;; *) echo ConditionVirtualization= >>$file ;; esac
	case $unit in zram.service) ;; *) echo DefaultDependencies=no >>$file ;; esac
done
printf '[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/2\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n' \\
	>>$units/zram-textfile.timer.d/trial.conf
cat >$units/trial.target <<-END
	[Unit]
	DefaultDependencies=no
	Wants=trial.service
END
cat >$units/trial.service <<-END
	[Unit]
	DefaultDependencies=no
	[Service]
	Type=oneshot
	ExecStart=$PYTHON -I /mnt/plays.py
	ExecStopPost=touch /mnt/ended
	StandardOutput=file:/mnt/plays.log
	StandardError=file:/mnt/plays.log
END
exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
	/lib/systemd/systemd --unit=trial.target --log-target=null --show-status=0
"""
SESSION = """
import signal, sys
(OUT / "boot").write_text(BOOT)
(OUT / "inside").write_text(INSIDE.replace("$PYTHON", sys.executable))
(OUT / "plays.py").write_text(GIVEN)
name = f"pyzram-trial.{time.time_ns()}"
systemd = subprocess.Popen(["sh", OUT / "boot", name])
try:
    until(lambda: (OUT / "ended").exists() or systemd.poll() is not None, SECONDS)
finally:
    systemd.kill()
    systemd.wait()
    group = pathlib.Path("/run/cgroup") / name
    until(lambda: "populated 0" in (group / "cgroup.events").read_text())
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)
"""
PLAY = """
TEXTFILES = pathlib.Path("/etc/systemd/system/zram-textfile.service.d")

def look():
    system = pathlib.Path("/etc/systemd/system")
    return {
        "enabled": said("systemctl", "is-enabled", "zram").strip(),
        "service": said("systemctl", "is-active", "zram").strip(),
        "timers": {unit: [said("systemctl", "is-enabled", unit).strip(),
            said("systemctl", "is-active", unit).strip()]
            for unit in ("zram-textfile.timer", "zram-estimate.timer")},
        "told": {str(path.relative_to(system)): path.read_text() if path.is_file() else None
            for path in sorted([*system.glob("zram*.d"), *system.glob("zram*.d/*")])},
    }

def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)

def written(place, *names):
    until(lambda: all((pathlib.Path(place) / name).exists() for name in names))

FILES = "zram.prom", "zram-doctor.prom", "zram-tend.prom"
here, there = PLACES
on = {"pyzram_textfile": True, "pyzram_survey": True}
elsewhere = {"pyzram_textfile_directory": str(there), **on}
try:
    play("nothing", "--check", "--diff", size="16M", **on)
    play("first", size="16M", **on)
    written(here, *FILES)
    subprocess.run(["systemctl", "start", "zram-estimate.service"], check=True)
    (OUT / "survey").write_text((here / "zram-estimate.prom").read_text())
    play("again", size="16M", **on)
    TEXTFILES.joinpath("other.conf").write_text("[Service]\\nNice=11\\n")
    play("check", "--check", "--diff", size="32M", **elsewhere)
    play("change", size="32M", **elsewhere)
    written(there, *FILES)
    play("back", size="32M", **on)
    written(here, *FILES)
    play("off check", "--check", "--diff", size="32M")
    play("off", size="32M")
    subprocess.run(["systemctl", "enable", "--now", "zram-textfile.timer"], check=True)
    play("by hand", size="32M")
finally:
    subprocess.run(["systemctl", "stop", "zram-textfile.timer", "zram-textfile.service", "zram"])
    left()
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory, repository) -> Path:
    if not SYSTEMD.exists():
        pytest.skip("needs systemd")
    folder = tmp_path_factory.mktemp("ansible-systemd")
    given = prepare(folder, repository) + PLAY
    words = f"BOOT, INSIDE, GIVEN, SECONDS = {BOOT!r}, {INSIDE!r}, {given!r}, {SECONDS}\n"
    return session(folder, (), PREPARE + words + SESSION, seconds=SECONDS + 120)


@pytest.fixture(scope="module")
def plays(shared) -> dict[str, dict]:
    """What each play said and left, by its name."""
    assert (shared / "ended").exists(), (shared / "plays.log").read_text()
    return outcome(shared)


ON, OFF = ["enabled", "active"], ["disabled", "inactive"]
TEXTFILES = "zram-textfile.service.d/ansible.conf"
SURVEY = "zram-estimate.service.d/ansible.conf"


def test_check_mode_of_what_is_not_installed_does_nothing(plays):
    play = plays["nothing"]
    assert changed(play)
    assert installed(play) == []
    assert (play["file"], play["told"], play["sizes"]) == (None, {}, [])


def test_the_first_run_installs_enables_and_starts_it(plays):
    play = plays["first"]
    assert changed(play)
    assert installed(play) == sorted(PACKAGES)
    assert (play["enabled"], play["service"], play["sizes"]) == ("enabled", "active", [16 << 20])
    assert play["timers"] == {"zram-textfile.timer": ON, "zram-estimate.timer": ON}


def test_the_second_run_changes_nothing_and_reloads_nothing(plays):
    assert changed(plays["again"]) == 0
    assert "RUNNING HANDLER" not in plays["again"]["said"]
    assert left(plays["again"], "files") == left(plays["first"], "files")


def test_the_survey_of_the_service_is_whole(shared, plays):
    """Its sandbox lets it read the memory of every process."""
    text = (shared / "survey").read_text()
    assert 'zram_scrape_success{collector="estimate"} 1\n' in text
    (looked_at,) = re.findall(r"^zram_estimate_orig_data_size_bytes (\d+)$", text, re.M)
    assert int(looked_at) > 1 << 20


def test_check_mode_of_a_change_has_diff_and_plan_and_does_nothing(plays):
    play = plays["check"]
    assert changed(play)
    assert re.search(r"^-ZRAM_SIZE_0=.?16M", play["said"], re.M)
    assert re.search(r"^\+ZRAM_SIZE_0=.?32M", play["said"], re.M)
    assert "+Environment=DIRECTORY=/srv/textfiles" in play["said"]
    plan = play["said"].partition("Show what would be done")[2]
    assert "33554432" in plan or "32M" in plan
    assert left(play, "told") == left(plays["again"], "told")
    assert play["told"][TEXTFILES] == plays["again"]["told"][TEXTFILES]


def test_a_change_is_a_reload(plays):
    play = plays["change"]
    assert changed(play)
    assert "RUNNING HANDLER [pyzram : Reload zram]" in play["said"]
    assert play["sizes"] == [32 << 20]
    assert (play["enabled"], play["service"]) == ("enabled", "active")


def test_where_nothing_is_written_any_more_nothing_grows_old(plays):
    assert "apt.prom" in plays["change"]["files"][DIRECTORY]
    for name, place in (("change", DIRECTORY), ("back", "/srv/textfiles")):
        assert [x for x in plays[name]["files"][place] if x.startswith("zram")] == []


def test_switched_off_it_takes_back_what_it_put_there_and_no_more(plays):
    check, off = plays["off check"], plays["off"]
    assert changed(check) == changed(off)
    assert left(check, "files") == left(plays["back"], "files")
    assert off["timers"] == {"zram-textfile.timer": OFF, "zram-estimate.timer": OFF}
    gone = {TEXTFILES, SURVEY, "zram-estimate.service.d"}
    assert set(plays["back"]["told"]) - set(off["told"]) == gone
    assert "zram-textfile.service.d/other.conf" in off["told"]
    assert off["files"] == {DIRECTORY: ["apt.prom"], "/srv/textfiles": []}
    assert (off["service"], off["sizes"]) == ("active", [32 << 20])


def test_a_second_run_leaves_on_what_somebody_else_switched_on(plays):
    assert changed(plays["by hand"]) == 0
    assert plays["by hand"]["timers"]["zram-textfile.timer"] == ON
