#!/bin/sh
# SPDX-License-Identifier: MIT
# Install a package in a throwaway root, start and stop what its unit starts, with a small device
# of its own, and purge it. Usage: deb_service.sh PACKAGE
set -eux

unit=/lib/systemd/system/zram.service
step() {
	command=$(sed -n "s/^Exec$1=//p" "$unit")
	[ -n "$command" ]
	$command
}

apt-get -qq -y install "$1"
printf 'ZRAM_SIZE_0="16M"\nZRAM_PRIORITY_0="1"\nZRAM_LABEL_0="t%s"\n' $$ >/etc/conf.d/zram
trap 'step Stop' EXIT
step StartPre
step Start
device=$(blkid --cache-file /dev/null --label "t$$")
grep "^$device .*16380" /proc/swaps
trap - EXIT
step Stop
# By its label: somebody else may have a device of its number by now.
if blkid --cache-file /dev/null --label "t$$"; then
	exit 1
fi
apt-get -qq -y purge pyzram
[ ! -e /etc/conf.d/zram ]
