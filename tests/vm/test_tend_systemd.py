# SPDX-License-Identifier: MIT
"""zram-tend.service as shipped, under a systemd that runs as process 1 in a guest.

Its sandbox, its capabilities (none), what it tells systemd and what systemd does about it; only the
policy's hours are made seconds, the watchdog is less patient, and homes can be read.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from vm.archive import TREE, UnavailableError, cache, kernel_image
from vm.guest import Guest, load_driver, program
from vm.kernels import KERNELS
from vm.test_systemd import GUEST

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12")
SECONDS = 1200.0
M = 1 << 20

BOOT = """\
mount -t proc proc /proc
rm -f /.dockerenv
: >/etc/fstab
mkdir -p /etc/conf.d /usr/local/bin /var/lib/pyzram
rm -f /var/lib/pyzram/*
printf 'ZRAM_SIZE_0=64M\\nZRAM_BACKING_DEV_0={backing}\\n' >/etc/conf.d/zram
printf '#!/bin/sh\\nexec {tree}/{python} -I {tree}/{pyzram} "$@"\\n' >/usr/local/bin/pyzram
chmod 755 /usr/local/bin/pyzram
cp {tree}/initscripts/systemd/zram*.service /etc/systemd/system
for unit in zram zram-tend; do
	mkdir /etc/systemd/system/$unit.service.d
	printf '[Unit]\\nRequiresMountsFor={tree}\\n' >/etc/systemd/system/$unit.service.d/tree.conf
done
# It does not wait for all of a machine's start, which takes minutes here. And this Python may be in
# somebody's home, which the service does not see.
cat >/etc/systemd/system/zram-tend.service.d/hurry.conf <<-END
	[Unit]
	DefaultDependencies=no
	[Service]
	ProtectHome=read-only
	ExecStart=
	ExecStart={tree}/{python} -I {tree}/tests/vm/tend_service.py daemon tend
	WatchdogSec=40s
END
cat >/etc/systemd/system/trial.target <<-END
	[Unit]
	DefaultDependencies=no
	Requires=swap.target
	Wants=trial.service
END
cat >/etc/systemd/system/trial.service <<-END
	[Unit]
	DefaultDependencies=no
	After=swap.target sys-kernel-debug.mount
	Wants=sys-kernel-debug.mount
	[Service]
	Type=oneshot
	TimeoutStartSec=infinity
	ExecStart={tree}/{python} -I {tree}/tests/vm/tend_service.py trial /run/out
	ExecStopPost=systemctl --no-block poweroff
	StandardOutput=file:/run/out/trial.log
	StandardError=file:/run/out/trial.log
END
systemctl enable zram.service
exec /lib/systemd/systemd --unit=trial.target --log-target=console
"""


@pytest.fixture
def folder() -> Path:
    path = cache() / "results/tend-systemd"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@pytest.mark.long
def test_the_service_writes_without_capabilities_reloads_and_is_started_again(folder):
    if not Path("/lib/systemd/systemd").exists():
        raise UnavailableError("needs systemd")
    python, pyzram = (Path(p).relative_to(TREE) for p in (sys.executable, program("pyzram")))
    tree = "/run/tree" if TREE.is_relative_to("/tmp") else str(TREE)
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(64 * M)
    script = folder / "guest.sh"
    script.write_text(GUEST.format(driver=load_driver(()), folder=folder, tree=TREE))
    (folder / "boot.sh").write_text(
        BOOT.format(python=python, pyzram=pyzram, tree=tree, backing="/dev/vda")
    )
    guest = Guest(kernel_image(KERNEL), script, folder, disks=(disk,))
    assert guest.wait(SECONDS), guest.last_words()
    said = (folder / "trial.log").read_text() if (folder / "trial.log").exists() else ""
    assert (folder / "report.json").exists(), said + guest.last_words()
    found = json.loads((folder / "report.json").read_text())
    assert "failed" not in found, found["failed"] + guest.last_words()
    print(f"zram-tend.service: {found}")
    # READY=1 came: without it the start would not have ended well.
    assert found["start"] == ["active", "running", "Tending"]
    assert set(found["capabilities"].values()) == {"0000000000000000"}
    assert found["no_new_privileges"] == "1"
    assert found["written"] > 0 and found["ledger"]
    assert found["reload"] == {"same_process": True, "off": 0, "on": True}
    assert found["broken_file"] == {"same_process": True}
    assert found["killed"] == ["signal", True] and found["hung"] == ["watchdog", True]
    assert found["restarts"] == 2
    assert found["stop"] == ["inactive", "success"]
