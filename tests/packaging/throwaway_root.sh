#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a shell line as root in a copy-on-write view of this machine's files: what it installs is
# gone afterwards. Kernel, /dev and /sys are the machine's own. Usage: throwaway_root.sh FOLDER LINE
set -eu

if [ -z "${THROWAWAY_ROOT:-}" ]; then
	export THROWAWAY_ROOT=1
	exec unshare --mount --propagation private sh "$0" "$@"
fi

mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in proc sys dev; do
	mount --rbind "/$folder" "$1/root/$folder"
done
mount -t tmpfs none "$1/root/run"
exec chroot "$1/root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
	sh -euc "$2"
