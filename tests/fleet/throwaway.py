# SPDX-License-Identifier: MIT
"""Programs of Debian in a copy-on-write view of this machine that is gone after the test.

Packages and their dependencies are kept in the cache. In the view they are installed without the
network, no service is started, and whatever the session starts ends with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet.programs import TREE, UnavailableError, cache

SCRIPT = TREE / "tests/packaging/throwaway_root.sh"
SECONDS = 300
# Users other than root find the environment too; loopback is the only network.
PREPARE = """
options="--force-confold --skip-same-version --no-triggers"
# What a package must have before it is unpacked is there the second time.
[ ! -d /mnt/debs ] || for turn in 1 2; do
	dpkg $options -i /mnt/debs/*.deb >/mnt/dpkg.log 2>&1 && break
done || : # a script that asks systemd; a session tells what is missing
ldconfig
rm /usr/sbin/policy-rc.d
for folder in {prefixes}; do
	while [ "$folder" != / ]; do chmod a+rx "$folder"; folder=$(dirname "$folder"); done
done
exec unshare --net --pid --fork --kill-child --mount-proc {python} -I /mnt/session.py
"""
# What every session begins with.
LOOPBACK = """
import fcntl, json, os, pathlib, socket, struct, subprocess, time, urllib.request
OUT = pathlib.Path("/mnt")
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP

def until(what, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except (OSError, ValueError):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
"""


def debs(*packages: str) -> Path:
    """Packages and those dependencies that are not installed here, fetched if missing."""
    folder = cache() / "debs" / "+".join(packages)
    if folder.is_dir():
        return folder
    if shutil.which("apt-get") is None:
        raise UnavailableError(f"needs apt-get: {' '.join(packages)} is taken from Debian")
    new = folder.with_name(f"{folder.name}.{os.getpid()}")
    (new / "partial").mkdir(parents=True)
    options = [f"-oDir::Cache::archives={new}", "-oDebug::NoLocking=1", "--no-install-recommends"]
    done = subprocess.run(
        ["apt-get", "install", "--download-only", "-qqy", *options, *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    (new / "partial").rmdir()
    if done.returncode or not list(new.glob("*.deb")):
        shutil.rmtree(new)
        raise UnavailableError(f"apt-get download of {' '.join(packages)}: {done.stderr.strip()}")
    new.rename(folder)
    return folder


def session(
    folder: Path, packages: tuple[str, ...], code: str, *, seconds: float = SECONDS
) -> Path:
    """Run Python code in such a view; return the folder that it knows as OUT.

    Skip if the packages or the view are not available.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root, for a root of its own")
    if os.stat(sys.prefix).st_dev != os.stat("/").st_dev:
        pytest.skip("the environment is not on the root file system, so its view lacks it")
    shared = folder / "shared"
    try:
        if packages:
            shutil.copytree(debs(*packages), shared / "debs")
    except UnavailableError as err:
        pytest.skip(str(err))
    (shared / "session.py").write_text(LOOPBACK + code)
    (folder / "view").mkdir()
    shared.chmod(0o777)
    line = PREPARE.format(prefixes=f"{sys.prefix} {sys.base_prefix}", python=sys.executable)
    done = subprocess.run(
        ["sh", SCRIPT, folder / "view", line, "/", shared],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    log = (shared / "dpkg.log").read_text() if (shared / "dpkg.log").exists() else ""
    assert done.returncode == 0, log[-2000:] + done.stdout + done.stderr
    return shared
