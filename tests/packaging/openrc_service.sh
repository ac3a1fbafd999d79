#!/bin/sh
# SPDX-License-Identifier: MIT
# Start, look at and stop the installed OpenRC service with a small device of its own. The changes
# to /etc stay in this mount namespace; /run is expected to be thrown away.
set -eux

if [ -z "${OWN_NAMESPACE:-}" ]; then
	export OWN_NAMESPACE=1
	exec unshare --mount --propagation private sh "$0"
fi
cp -a /etc /run/etc
mount --bind /run/etc /etc
for state in daemons exclusive failed hotplugged inactive options scheduled started starting stopping \
	tmp wasinactive; do
	mkdir -p "/run/openrc/$state"
done
touch /run/openrc/softlevel
printf 'ZRAM_SIZE_0="16M"\nZRAM_PRIORITY_0="1"\nZRAM_LABEL_0="t%s"\n' $$ >/etc/conf.d/zram

trap 'rc-service zram stop' EXIT
rc-service zram start
rc-service zram status
rc-service zram info
device=$(blkid --cache-file /dev/null --label "t$$")
grep "^$device .*16380" /proc/swaps
trap - EXIT
rc-service zram stop
# By its label: somebody else may have a device of its number by now.
if blkid --cache-file /dev/null --label "t$$"; then
	exit 1
fi
