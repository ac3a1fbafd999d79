# SPDX-License-Identifier: MIT
"""The units under a systemd that runs as process 1: from boot to power off, in a guest."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.archive import results
from vm.systemd_guest import boot

SECONDS = 600.0

BOOT = """\
# At boot there is no /etc/conf.d/zram: the distribution's file, one of its packages' and the
# administrator's drop-in say it all, and a mask puts another package's out of effect.
mkdir -p /usr/lib/pyzram/zram.conf.d /etc/conf.d/zram.d
rm -f /etc/conf.d/zram
printf 'ZRAM_SIZE_0=16M\\nZRAM_PRIORITY_0=77\\n' >/usr/lib/pyzram/zram.conf
echo ZRAM_SIZE_0=64M >/usr/lib/pyzram/zram.conf.d/50-package.conf
echo ZRAM_SIZE_0=wrong >/usr/lib/pyzram/zram.conf.d/60-other.conf
ln -s /dev/null /etc/conf.d/zram.d/60-other.conf
echo ZRAM_PRIORITY_0=78 >/etc/conf.d/zram.d/10-here.conf
printf 'ZRAM_SIZE_0=32M\\nZRAM_MOUNT_0=/tmp\\n' >/etc/conf.d/zram.tmp
# systemd's own tmpfs on /tmp, which comes after swap.target, finds the place taken.
[ ! -e /usr/share/systemd/tmp.mount ] || cp /usr/share/systemd/tmp.mount /etc/systemd/system
printf '[Service]\\nStandardError=append:/run/out/unit.log\\n' \\
	>/etc/systemd/system/zram.service.d/log.conf
cat >/etc/systemd/system/trial.target <<-END
	[Unit]
	DefaultDependencies=no
	Requires=swap.target
	Wants=trial.service tmp.mount
END
cat >/etc/systemd/system/trial.service <<-END
	[Unit]
	DefaultDependencies=no
	After=swap.target tmp.mount
	[Service]
	Type=oneshot
	ExecStart=sh /run/out/trial.sh
	StandardOutput=file:/run/out/said
	StandardError=file:/run/out/trial.log
END
"""
TRIAL = """\
set -x
say() { echo "$@" $(tail -n +2 /proc/swaps | cut -c 10- | tr -s ' \\t' ' ' | cut -d ' ' -f 3,5); }
zram() { systemctl "$@" >&2; say "$1 $?"; }
zram is-active zram zram@tmp
pyzram check
rm -r /usr/lib/pyzram /etc/conf.d/zram.d
say "tmp $(stat -fc %T /tmp) $(stat -c %a /tmp)"
echo ZRAM_SIZE_0=96M >/etc/conf.d/zram
zram reload zram
zram stop zram
zram is-active zram
echo ZRAM_SIZ_0=96M >/etc/conf.d/zram
zram start zram
zram is-failed zram
echo ZRAM_SIZE_0=32M >/etc/conf.d/zram
zram start zram
# One device that cannot be had: the unit has failed, says which, and the others stay.
zram stop zram
printf 'NUM_DEVICES=2\\nZRAM_SIZE_0=32M\\nZRAM_SIZE_1=64M\\nZRAM_ALGORITHM_1=nosuch\\n' \\
	>/etc/conf.d/zram
zram start zram
zram is-failed zram
say $(systemctl show -P Result -P ExecMainStatus zram)
zram is-active swap.target
# A stop of what has failed does nothing, by systemd's rules; the command does.
zram stop zram
pyzram stop >&2; say "pyzram stop $?"
zram start zram
# Once it can be had, a start adds it and touches nothing else.
sed -i /nosuch/d /etc/conf.d/zram
zram start zram
zram is-active zram
# They are stopped on the way down.
systemctl --no-block poweroff
"""
EXPECTED = """\
is-active 0 65532 78
/etc/conf.d/zram: nothing wrong
ZRAM_SIZE_0=64M (/usr/lib/pyzram/zram.conf.d/50-package.conf:1)
ZRAM_PRIORITY_0=78 (/etc/conf.d/zram.d/10-here.conf:1)
tmp ext2/ext3 1777 65532 78
reload 0 98300 100
stop 0
is-active 3
start 1
is-failed 0
start 0 32764 100
stop 0
start 1 32764 100
is-failed 0 32764 100
exit-code 1 32764 100
is-active 0 32764 100
stop 0 32764 100
pyzram stop 0
start 1 32764 100
start 0 32764 100 65532 100
is-active 0 32764 100 65532 100
"""
LEFT_OUT = "pyzram start: device 1: "


@pytest.fixture
def folder() -> Path:
    return results("systemd")


def test_the_units_boot_reload_stop_fail_and_go_down_with_the_machine(folder):
    (folder / "trial.sh").write_text(TRIAL)
    guest = boot(folder, BOOT, ("zram", "zram@"), ("zram.service", "zram@tmp.service"))
    assert guest.wait(SECONDS), guest.last_words()
    assert (folder / "said").read_text() == EXPECTED, guest.last_words()
    told = [x for x in (folder / "unit.log").read_text().split("\n") if x.startswith(LEFT_OUT)]
    assert len(told) == 2, told
    assert "no algorithm nosuch" in told[0]
    # The machine was shut down properly, so both units have removed their devices.
    assert (folder / "left").read_text() == "", guest.last_words()
