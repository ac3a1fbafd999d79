# SPDX-License-Identifier: MIT
"""A systemd that runs as process 1 in a guest, with the units of this tree.

The guest's files are seen through an overlay, so units are enabled as an administrator would do,
and nothing in the guest tells systemd that it runs in a container, where zram.service stays away.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .archive import TREE, UnavailableError, kernel_image
from .guest import Guest, load_driver, program
from .kernels import KERNELS

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12")

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
# What the trial adds goes between these two.
HEAD = """\
mount -t proc proc /proc
rm -f /.dockerenv
: >/etc/fstab
mkdir -p /etc/conf.d /usr/local/bin
# Not by its own path: the tree may lie below /tmp, which is mounted over.
printf '#!/bin/sh\\nexec {tree}/{python} -I {tree}/{pyzram} "$@"\\n' >/usr/local/bin/pyzram
chmod 755 /usr/local/bin/pyzram
cp {tree}/initscripts/systemd/zram*.service /etc/systemd/system
for unit in {units}; do
	mkdir /etc/systemd/system/$unit.service.d
	printf '[Unit]\\nRequiresMountsFor={tree}\\n' >/etc/systemd/system/$unit.service.d/tree.conf
done
"""
TAIL = """\
systemctl enable {enabled}
exec /lib/systemd/systemd --unit=trial.target --log-target=console
"""


def boot(
    folder: Path,
    trial: str,
    units: tuple[str, ...],
    enabled: tuple[str, ...],
    *,
    disks: tuple[Path, ...] = (),
) -> Guest:
    """Boot into trial.target, which ``trial`` makes: shell lines, with {tree} and {python} in them.

    ``folder`` is /run/out inside; ``units`` are those that need the tree.
    """
    if not Path("/lib/systemd/systemd").exists():
        raise UnavailableError("needs systemd")
    python, pyzram = (Path(p).relative_to(TREE) for p in (sys.executable, program("pyzram")))
    tree = "/run/tree" if TREE.is_relative_to("/tmp") else str(TREE)
    words = {"units": " ".join(units), "enabled": " ".join(enabled)}
    script = folder / "guest.sh"
    script.write_text(GUEST.format(driver=load_driver(()), folder=folder, tree=TREE))
    (folder / "boot.sh").write_text(
        (HEAD + trial + TAIL).format(python=python, pyzram=pyzram, tree=tree, **words)
    )
    return Guest(kernel_image(KERNEL), script, folder, disks=disks)
