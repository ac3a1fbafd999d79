# SPDX-License-Identifier: MIT
"""Units of a systemd that runs as process 1, and engines' containers, chosen by name.

Podman, crun and systemd-nspawn are Debian's, unpacked into the cache and never installed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest
from vm.archive import TREE, Archive, UnavailableError, cache, results
from vm.systemd_guest import boot

SECONDS = 1500.0
PACKAGES = ["podman", "conmon", "crun", "libyajl2", "libsubid4", "systemd-container"]
PACKAGES += ["golang-github-containers-common", "golang-github-containers-image"]

BOOT = """\
# It walks all of /var, which is this machine's own, seen through an emulator.
ln -s /dev/null /etc/systemd/system/systemd-tmpfiles-setup.service
cat >/etc/systemd/system/kitchen@.service <<-END
	[Unit]
	DefaultDependencies=no
	[Service]
	Slice=food.slice
	ExecStart=/bin/sh -c 'sleep 3600 & sleep 3600 & wait'
	[Install]
	WantedBy=trial.target
END
sed /Slice/d /etc/systemd/system/kitchen@.service >/etc/systemd/system/kitchen.service
cat >/etc/systemd/system/trial.target <<-END
	[Unit]
	DefaultDependencies=no
	Wants=trial.service
END
cat >/etc/systemd/system/trial.service <<-END
	[Unit]
	DefaultDependencies=no
	Wants=dbus.socket
	After=dbus.socket kitchen.service kitchen@a-b.service kitchen@c.service
	[Service]
	Type=oneshot
	TimeoutStartSec=infinity
	Environment=ENGINES={engines}
	ExecStart={tree}/{python} -I {tree}/tests/vm/selection_trial.py /run/out
	ExecStopPost=systemctl --no-block poweroff
	StandardOutput=file:/run/out/trial.log
	StandardError=file:/run/out/trial.log
END
"""


def engines() -> Path:
    """Where the packages are unpacked."""
    root = cache() / "engines"
    if not root.exists():
        suite = platform.freedesktop_os_release().get("VERSION_CODENAME")
        if not suite or not Path("/etc/debian_version").exists():
            raise UnavailableError("needs a release of Debian, for its container engines")
        unfinished = root.with_name("engines.part")
        Archive((suite,)).unpack(PACKAGES, unfinished)
        unfinished.rename(root)
    machine = f"{os.uname().machine}-linux-gnu"
    for name in ("podman", "crun", "systemd-nspawn"):
        done = subprocess.run(
            ["ldd", root / "usr/bin" / name],
            env={**os.environ, "LD_LIBRARY_PATH": str(root / "usr/lib" / machine)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "not found" in done.stdout:
            raise UnavailableError(f"{name} lacks libraries: {done.stdout}{done.stderr}")
    return root


@pytest.mark.long
def test_units_and_containers_are_chosen_by_name():
    folder = results("selection")
    place = engines()
    if not place.is_relative_to(TREE):
        raise UnavailableError(f"the guest sees {TREE} only, and the engines are in {place}")
    inside = "{tree}/" + str(place.relative_to(TREE))
    guest = boot(
        folder,
        BOOT.replace("{engines}", inside),
        ("trial",),
        ("kitchen.service", "kitchen@a-b.service", "kitchen@c.service"),
    )
    assert guest.wait(SECONDS), guest.last_words()
    log = folder / "trial.log"
    report = log.read_text() if log.exists() else guest.last_words()
    assert (folder / "found").exists(), report
    found = json.loads((folder / "found").read_text())
    for way, (chosen, theirs) in found.items():
        print(way, chosen, theirs)
        assert theirs, way
        assert chosen == theirs, way
    assert len(found) == 11, report
