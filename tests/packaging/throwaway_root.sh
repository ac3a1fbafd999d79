#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a shell line as root in a copy-on-write view of this machine's files, or of another root's:
# what it installs is gone afterwards. Kernel, /dev and /sys are the machine's own.
# Usage: throwaway_root.sh FOLDER LINE [ROOT [SHARED]]; the folder SHARED is seen as /mnt.
set -eu

if [ -z "${THROWAWAY_ROOT:-}" ]; then
	export THROWAWAY_ROOT=1
	exec unshare --mount --propagation private sh "$0" "$@"
fi

mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=${3:-/},upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in proc sys dev; do
	mount --rbind "/$folder" "$1/root/$folder"
done
mount -t tmpfs none "$1/root/run"
[ -z "${4:-}" ] || mount --bind "$4" "$1/root/mnt"
# No service may be started here, whatever the machine runs.
printf '#!/bin/sh\nexit 101\n' >"$1/root/usr/sbin/policy-rc.d"
chmod +x "$1/root/usr/sbin/policy-rc.d"
exec chroot "$1/root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
	sh -euc "$2"
