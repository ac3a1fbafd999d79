# SPDX-License-Identifier: MIT
"""The recipes of docs/configuration-management.md, each given to its own tool.

Puppet, Salt and cloud-init work on a view of this machine that is gone afterwards. There ``pyzram
check`` is real and every other command only leaves a line, as does the script that is the service.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_nixpkgs import LIB, evaluate
from fleet.programs import TREE, cache
from fleet.throwaway import session

PAGE = (TREE / "docs/configuration-management.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
RECIPES = dict(FENCE.findall(PAGE))
SALT = cache() / "salt/bin/salt-call"
BIN = Path(sys.executable).parent
PYZRAM = """#!/bin/sh
[ "$1" != check ] || exec {bin}/pyzram "$@"
echo "$*" >>/mnt/calls
"""
SERVICE = """#!/bin/sh
### BEGIN INIT INFO
# Provides: zram
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case $1 in
start) touch /run/zram.up; echo start >>/mnt/calls ;;
stop) rm -f /run/zram.up ;;
reload) exec pyzram reload ;;
status) [ -e /run/zram.up ] && echo "zram is running" ;;
esac
"""
# What a session begins with. run() notes what a tool said, what it called, and the file after it.
BEGIN = """
import shutil
for source, target in (("pyzram", "/usr/bin/pyzram"), ("service", "/etc/init.d/zram")):
    shutil.copy(OUT / source, target)
    os.chmod(target, 0o755)
CONF = pathlib.Path("/etc/conf.d/zram")
CONF.parent.mkdir(exist_ok=True)
CONF.unlink(missing_ok=True)
CALLS = OUT / "calls"
turns = []

def run(*words):
    CALLS.write_text("")
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    turns.append({
        "status": done.returncode,
        "said": done.stdout,
        "calls": CALLS.read_text().split("\\n")[:-1],
        "file": CONF.read_text() if CONF.exists() else None,
    })
    (OUT / "turns.json").write_text(json.dumps(turns))
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """What is shared with the session."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "pyzram").write_text(PYZRAM.format(bin=BIN))
    (shared / "service").write_text(SERVICE)
    for name, text in RECIPES.items():
        (shared / f"recipe.{name}").write_text(text)
    return tmp_path


def turns(shared: Path) -> list[dict]:
    return json.loads((shared / "turns.json").read_text())


def applies(found: list[dict], changed: str) -> None:
    """No-op, first run, second run, a change, a wrong value: what each has to do."""
    dry, first, second, change, wrong = found
    assert (dry["calls"], dry["file"]) == ([], None), dry["said"]
    assert first["file"] == 'ZRAM_SIZE_0="16M"\n', first["said"]
    assert set(first["calls"]) <= {"start", "reload"} and "start" in first["calls"]
    assert (second["calls"], second["file"]) == ([], first["file"]), second["said"]
    assert not re.search(changed, second["said"])
    assert change["file"] == 'ZRAM_SIZE_0="32M"\n', change["said"]
    assert change["calls"] == ["reload"], change["said"]
    assert (wrong["calls"], wrong["file"]) == ([], change["file"]), wrong["said"]
    assert "ZRAM_SIZE_0" in wrong["said"], "it does not say what pyzram check said"


def test_puppet(folder):
    shared = session(
        folder,
        ("puppet-agent",),
        BEGIN
        + """
recipe = (OUT / "recipe.puppet").read_text()
os.environ.update(HOME="/root", LANG="C.UTF-8")
subprocess.run(["puppet", "parser", "validate", OUT / "recipe.puppet"], check=True)

def puppet(size, *options):
    use = f"class {{ 'zram': settings => {{ 'ZRAM_SIZE_0' => '{size}' }}, packages => [] }}\\n"
    (OUT / "site.pp").write_text(recipe + use)
    run("puppet", "apply", "--color=false", "--detailed-exitcodes", *options, OUT / "site.pp")

puppet("16M", "--noop")
for size in ("16M", "16M", "32M", "lots"):
    puppet(size)
""",
    )
    found = turns(shared)
    applies(found, r"Notice: /Stage")
    assert [turn["status"] for turn in found[1:4]] == [2, 0, 2]  # 2: changes were made
    assert found[4]["status"] in (4, 6)


def test_salt(folder):
    if not SALT.exists():
        pytest.skip("needs salt-call: make fleet")
    shared = session(
        folder,
        (),
        BEGIN
        + f"""
SALT = {str(SALT)!r}
"""
        + """
states = OUT / "states/zram"
states.mkdir(parents=True)
shutil.copy(OUT / "recipe.salt", states / "init.sls")

def salt(size, *options):
    pillar = json.dumps({"zram": {"settings": {"ZRAM_SIZE_0": size}, "packages": []}})
    run(SALT, "--local", "--config-dir", OUT / "salt", "--file-root", OUT / "states",
        "--no-color", "--log-level=error", "--retcode-passthrough",
        "state.apply", "zram", f"pillar={pillar}", *options)

(OUT / "salt").mkdir()
(OUT / "salt/minion").write_text("id: here\\nroot_dir: /run/salt-root\\n")
salt("16M", "test=True")
for size in ("16M", "16M", "32M", "lots"):
    salt(size)
""",
    )
    found = turns(shared)
    applies(found, r"Succeeded: \d+ \(changed")
    assert [turn["status"] for turn in found[1:4]] == [0, 0, 0]
    assert found[4]["status"] != 0


def test_cloud_init(folder):
    """Its schema accepts the file, and its module writes what pyzram accepts."""
    shared = session(
        folder,
        ("cloud-init",),
        BEGIN
        + """
recipe = OUT / "recipe.yaml"
run("cloud-init", "schema", "--config-file", recipe)
recipe_wrong = OUT / "wrong.yaml"
recipe_wrong.write_text(recipe.read_text().replace("content:", "contents:"))
run("cloud-init", "schema", "--config-file", recipe_wrong)
code = '''
import logging, sys, types, yaml
from cloudinit.config import cc_write_files
from cloudinit.distros import debian
cloud = types.SimpleNamespace(distro=debian.Distro("debian", {}, None))
given = yaml.safe_load(open(sys.argv[1]))
cc_write_files.handle("write_files", given, cloud, logging.getLogger(), [])
assert "--option=Dpkg::Options::=--force-confold" in debian.APT_GET_COMMAND
'''
run("/usr/bin/python3", "-c", code, recipe)
run("pyzram", "check", "--quiet")
""",
    )
    schema, wrong, written, checked = turns(shared)
    assert schema["status"] == 0, schema["said"]
    assert wrong["status"] != 0 and "contents" in wrong["said"]
    assert written["status"] == 0, written["said"]
    assert written["file"] == 'ZRAM_SIZE_0="min(ram/2, 8G)"\nZRAM_ALGORITHM_0="zstd lz4"\n'
    assert checked["status"] == 0, checked["said"]


# "system" is what the recipe says.
NIX = """
let
  lib = @LIB@;
  system = import ./pyzram/recipe.nix;
  config.services.pyzram = { package = "pyzram"; textfileDirectory = null; }
    // system.services.pyzram;
  module = import (builtins.head system.imports) { inherit lib config; pkgs = {}; };
in (module.config).environment.etc."conf.d/zram".text
""".replace("@LIB@", LIB)


def test_nixos(tmp_path):
    """The recipe and the module evaluate, and pyzram accepts the result."""
    if shutil.which("nix-instantiate") is None:
        pytest.skip("needs nix-instantiate: install nix-bin")
    (tmp_path / "pyzram/pyzram").mkdir(parents=True)
    (tmp_path / "pyzram/recipe.nix").write_text(RECIPES["nix"])
    shutil.copy(TREE / "packaging/nix/module.nix", tmp_path / "pyzram/pyzram/module.nix")
    file = tmp_path / "zram"
    file.write_text(json.loads(evaluate(tmp_path, NIX)))
    assert file.read_text() == "ZRAM_ALGORITHM_0='zstd lz4'\nZRAM_SIZE_0='min(ram/2, 8G)'\n"
    subprocess.run([BIN / "pyzram", "check", "--config", file], check=True)
