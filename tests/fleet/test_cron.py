# SPDX-License-Identifier: MIT
"""zram-textfile of cron.d, as installed, carried out by Debian's cron in its own minute."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_roots import Machine
from fleet.programs import TREE
from fleet.throwaway import session

BIN = Path(sys.executable).parent
FILES = ("zram-doctor.prom", "zram-tend.prom", "zram.prom")
COMMAND = """#!/bin/sh
PYZRAM_ROOT=/mnt/machine exec {bin}/{name} "$@"
"""
# One file writes into an existing directory, the other into a missing one. /dev is the test's own:
# it has a log.
CODE = """
import re, shutil
for name in ("pyzram", "zram_stats"):
    shutil.copy(OUT / name, "/usr/bin/" + name)
for kind in ("there", "missing"):
    target = pathlib.Path("/etc/cron.d/zram-" + kind)
    shutil.copy(OUT / kind / "etc/cron.d/zram-textfile", target)
    target.write_text(re.sub("^#([*])", "\\\\1", target.read_text(), flags=re.M))
    target.chmod(0o644)
there = pathlib.Path("/var/lib/node_exporter")
there.mkdir()
os.chown(there, 65534, 65534)
dev = pathlib.Path("/run/dev")
dev.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "none", dev], check=True)
for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
    os.mknod(dev / name, 0o20666, os.makedev(1, minor))
subprocess.run(["mount", "--move", dev, "/dev"], check=True)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
log.settimeout(0.1)
lines = []

def heard():
    try:
        while True:
            lines.append(log.recv(4096).decode())
    except TimeoutError:
        pass
    (OUT / "log.json").write_text(json.dumps(lines))
    return any("write metrics" in x for x in lines) and len(list(there.glob("*.prom"))) == 3

daemon = subprocess.Popen(["cron", "-f"])
try:
    until(heard, 100)
    time.sleep(2)
    heard()
finally:
    daemon.terminate()
    daemon.wait()
shutil.copytree(there, OUT / "files")
modes = {path.name: path.stat().st_mode & 0o7777 for path in sorted(there.iterdir())}
(OUT / "stat").write_text("".join(f"{name} {mode:o}\\n" for name, mode in modes.items()))
"""


@pytest.fixture(scope="module")
def minute(tmp_path_factory) -> Path:
    """What one minute of cron left."""
    folder = tmp_path_factory.mktemp("cron")
    shared = folder / "shared"
    here = Machine(shared / "machine", "vm-7.x-multi")
    here.block("loop7", 8192)
    for name in ("pyzram", "zram_stats"):
        (shared / name).write_text(COMMAND.format(bin=BIN, name=name))
        (shared / name).chmod(0o755)
    for name, directory in (("there", "/var/lib/node_exporter"), ("missing", "/var/lib/none")):
        subprocess.run(
            ["make", "-C", TREE, "install-openrc", f"TEXTFILEDIR={directory}"]
            + [f"DESTDIR={shared / name}"],
            check=True,
            capture_output=True,
        )
    return session(folder, ("cron",), CODE)


def test_all_three_files_are_written(minute, promtool):
    assert (minute / "stat").read_text() == "".join(f"{name} 644\n" for name in FILES)
    text = "".join((minute / "files" / name).read_text() for name in FILES)
    assert set(re.findall(r'^zram_scrape_success\{collector="(\w+)"\} 1$', text, re.M)) == {
        "doctor",
        "tend",
        "zram_stats",
    }
    assert 'zram_disksize_bytes{device="zram0"} 67108864\n' in text
    for name in FILES:
        with (minute / "files" / name).open() as file:
            done = subprocess.run(
                [promtool, "check", "metrics"],
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_directory_that_is_not_there_is_one_line_of_syslog(minute):
    said = [x for x in json.loads((minute / "log.json").read_text()) if " zram-textfile: " in x]
    assert len(said) == 1
    assert said[0].endswith(
        "zram_stats: /var/lib/none/zram.prom: write metrics: No such file or directory "
        "(there is no /var/lib/none; node_exporter's is its --collector.textfile.directory)"
    )
