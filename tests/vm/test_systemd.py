# SPDX-License-Identifier: MIT
"""The units under a systemd that runs as process 1: from boot to power off, in a guest.

The guest's files are seen through an overlay, so the units are enabled as an administrator would,
and nothing of the guest tells systemd that it runs in a container, where zram.service stays away.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from vm.archive import TREE, UnavailableError, cache, kernel_image
from vm.guest import Guest, load_driver, program
from vm.kernels import KERNELS

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12")
SECONDS = 600.0

GUEST = """\
{driver}
modprobe overlay
root=/run/overlay
mkdir $root; mount -t tmpfs none $root; mkdir $root/upper $root/work $root/all
mount -t overlay -o lowerdir=/,upperdir=$root/upper,workdir=$root/work none $root/all || exit
cd $root/all
mount --rbind /sys sys; mount --rbind /dev dev; mount -t tmpfs none run
mkdir run/out run/tree; mount --bind {folder} run/out; mount --bind {tree} run/tree
unshare --pid --mount --fork --kill-child chroot . sh -e /run/out/boot.sh
ls /sys/block | grep zram >{folder}/left
"""
BOOT = """\
mount -t proc proc /proc
rm -f /.dockerenv
: >/etc/fstab
mkdir -p /etc/conf.d /usr/local/bin
echo ZRAM_SIZE_0=64M >/etc/conf.d/zram
printf 'ZRAM_SIZE_0=32M\\nZRAM_MOUNT_0=/tmp\\n' >/etc/conf.d/zram.tmp
# Not by its own path: the tree may lie below /tmp, which is mounted over.
printf '#!/bin/sh\\nexec {tree}/{python} -I {tree}/{pyzram} "$@"\\n' >/usr/local/bin/pyzram
chmod 755 /usr/local/bin/pyzram
cp {tree}/initscripts/systemd/zram*.service /etc/systemd/system
for unit in zram zram@; do
	mkdir /etc/systemd/system/$unit.service.d
	printf '[Unit]\\nRequiresMountsFor={tree}\\n' >/etc/systemd/system/$unit.service.d/tree.conf
done
# systemd's own tmpfs on /tmp, which comes after swap.target, finds the place taken.
[ ! -e /usr/share/systemd/tmp.mount ] || cp /usr/share/systemd/tmp.mount /etc/systemd/system
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
systemctl enable zram.service zram@tmp.service
exec /lib/systemd/systemd --unit=trial.target --log-target=console
"""
TRIAL = """\
set -x
say() { echo "$@" $(tail -n +2 /proc/swaps | cut -c 10- | tr -s ' \\t' ' ' | cut -d ' ' -f 3,5); }
zram() { systemctl "$@" >&2; say "$1 $?"; }
zram is-active zram zram@tmp
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
# They are stopped on the way down.
systemctl --no-block poweroff
"""
EXPECTED = """\
is-active 0 65532 100
tmp ext2/ext3 1777 65532 100
reload 0 98300 101
stop 0
is-active 3
start 1
is-failed 0
start 0 32764 100
"""


@pytest.fixture
def folder() -> Path:
    path = cache() / "results/systemd"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def test_the_units_boot_reload_stop_fail_and_go_down_with_the_machine(folder):
    if not Path("/lib/systemd/systemd").exists():
        raise UnavailableError("needs systemd")
    python, pyzram = (Path(p).relative_to(TREE) for p in (sys.executable, program("pyzram")))
    tree = "/run/tree" if TREE.is_relative_to("/tmp") else str(TREE)
    script = folder / "guest.sh"
    script.write_text(GUEST.format(driver=load_driver(()), folder=folder, tree=TREE))
    (folder / "boot.sh").write_text(BOOT.format(python=python, pyzram=pyzram, tree=tree))
    (folder / "trial.sh").write_text(TRIAL)
    guest = Guest(kernel_image(KERNEL), script, folder)
    assert guest.wait(SECONDS), guest.last_words()
    assert (folder / "said").read_text() == EXPECTED, guest.last_words()
    # A machine that went down in order: both units have taken their devices with them.
    assert (folder / "left").read_text() == "", guest.last_words()
