# SPDX-License-Identifier: MIT
"""The role at work: several plays on one machine, and what each printed and left behind.

The machine is a view of this one that is gone afterwards; the devices are real, and the role
installs Debian packages of this tree with apt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from fleet.programs import TREE, cache

ROLE = TREE / "packaging/ansible"
ANSIBLE = cache() / "ansible/bin"
SECONDS = 1500
PACKAGES = ["python3-pyzram", "pyzram", "pyzram-service"]
DIRECTORY = "/var/lib/prometheus/node-exporter"
PLAYBOOK = """
- hosts: all
  gather_facts: true
  gather_subset: [min]
  vars:
    ansible_python_interpreter: /usr/bin/python3
  roles:
    - role: pyzram
      vars:
        pyzram_settings: {ZRAM_SIZE_0: "{{ size }}", ZRAM_ALGORITHM_0: zstd lz4 lzo-rle}
"""
# Before the plays: an apt that knows the packages of this tree alone, and node_exporter's folder.
PREPARE = """
import shutil
for old in pathlib.Path("/etc/apt").glob("sources.list*"):
    shutil.rmtree(old) if old.is_dir() else old.unlink()
pathlib.Path("/etc/apt/sources.list").write_text("deb [trusted=yes] file:/mnt/repo ./\\n")
shutil.rmtree("/var/lib/apt/lists")
subprocess.run(["apt-get", "update"], check=True)
os.makedirs("/var/lib/prometheus/node-exporter")
pathlib.Path("/var/lib/prometheus/node-exporter/apt.prom").write_text("")
"""
# The caller's look() inspects the machine after each play.
PLAYS = """
import json, os, pathlib, subprocess, time
OUT = pathlib.Path("/mnt")
CONF = pathlib.Path("/etc/conf.d/zram")
PLACES = pathlib.Path("/var/lib/prometheus/node-exporter"), pathlib.Path("/srv/textfiles")
found = {}
# Whoever ends the session from outside ends it before it has cleaned up.
deadline = time.monotonic() + SECONDS
os.environ.update(ANSIBLE_ROLES_PATH=ROLES, ANSIBLE_NOCOLOR="1", ANSIBLE_PIPELINING="1",
    HOME="/root", LC_ALL="C.UTF-8", PATH=f"{ANSIBLE}:/usr/sbin:/usr/bin:/sbin:/bin")

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
        "installed": said("dpkg-query", "-Wf", "${db:Status-Abbrev} ${Package}\\n", "*pyzram*"),
        "sizes": [row["disksize"] for row in json.loads(said("pyzram", "status", "--json") or "[]")
            if row["state"] == "running"],
        "files": {str(place): sorted(p.name for p in place.glob("*")) if place.is_dir() else None
            for place in PLACES},
        **look(),
    }
    (OUT / "found.json").write_text(json.dumps(found))

def left():
    (OUT / "left").write_text(said("pyzram", "status", "--json"))
"""


def ansible(name: str) -> Path:
    program = ANSIBLE / name
    if not program.exists():
        pytest.skip(f"needs {name}: make fleet")
    return program


def prepare(folder: Path, repository: Path) -> str:
    """Share what a session needs; gives what its code begins with. Skips where it cannot be."""
    ansible("ansible-playbook")
    if os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("needs root and a zram driver")
    shutil.copytree(repository, folder / "shared/repo")
    (folder / "shared/site.yml").write_text(PLAYBOOK)
    given = f"ANSIBLE, ROLES = pathlib.Path({str(ANSIBLE)!r}), {str(ROLE / 'roles')!r}\n"
    return f"import pathlib\n{given}SECONDS = {SECONDS}\n" + PLAYS


def outcome(shared: Path) -> dict[str, dict[str, Any]]:
    """What each play said and left, by its name."""
    rows = json.loads((shared / "left").read_text())
    assert [row["state"] for row in rows] == ["missing"], "it is not stopped"
    found: dict[str, dict[str, Any]] = json.loads((shared / "found.json").read_text())
    return found


def left(play: dict[str, Any], *without: str) -> dict[str, Any]:
    """The machine after it; what the service says has how much is used just now."""
    return {key: play[key] for key in play if key not in ("said", "status", "service", *without)}


def changed(play: dict[str, Any]) -> int:
    """How many tasks of a successful play changed something."""
    assert play["status"] == 0, play["said"]
    return int(re.search(r"changed=(\d+)", play["said"])[1])


def installed(play: dict[str, Any]) -> list[str]:
    """Packages that are completely installed."""
    return sorted(line.split()[1] for line in play["installed"].split("\n") if line[:2] == "ii")
