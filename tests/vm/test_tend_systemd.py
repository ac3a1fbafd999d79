# SPDX-License-Identifier: MIT
"""zram-tend.service as shipped, under a systemd that runs as process 1 in a guest.

It tests the sandbox, the capabilities (none), what the daemon tells systemd and what systemd does
about it. Only the policy's hours are seconds, the watchdog is less patient, and homes are readable.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vm.archive import results
from vm.systemd_guest import boot

SECONDS = 1200.0
M = 1 << 20

BOOT = """\
mkdir -p /var/lib/pyzram
rm -f /var/lib/pyzram/*
printf 'ZRAM_SIZE_0=64M\\nZRAM_BACKING_DEV_0=/dev/vda\\n' >/etc/conf.d/zram
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
"""


@pytest.fixture
def folder() -> Path:
    return results("tend-systemd")


@pytest.mark.long
def test_the_service_writes_without_capabilities_reloads_and_is_started_again(folder):
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(64 * M)
    guest = boot(folder, BOOT, ("zram", "zram-tend"), ("zram.service",), disks=(disk,))
    assert guest.wait(SECONDS), guest.last_words()
    said = (folder / "trial.log").read_text() if (folder / "trial.log").exists() else ""
    assert (folder / "report.json").exists(), said + guest.last_words()
    found = json.loads((folder / "report.json").read_text())
    assert "failed" not in found, found["failed"] + guest.last_words()
    print(f"zram-tend.service: {found}")
    # READY=1 came, because without it the start would have failed.
    assert found["start"] == ["active", "running", "Tending"]
    assert set(found["capabilities"].values()) == {"0000000000000000"}
    assert found["no_new_privileges"] == "1"
    assert found["written"] > 0 and found["ledger"]
    assert found["reload"] == {"same_process": True, "off": 0, "on": True}
    assert found["broken_file"] == {"same_process": True}
    assert found["killed"] == ["signal", True] and found["hung"] == ["watchdog", True]
    assert found["restarts"] == 2
    assert found["stop"] == ["inactive", "success"]
