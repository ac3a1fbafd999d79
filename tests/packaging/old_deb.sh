#!/bin/sh
# SPDX-License-Identifier: MIT
# Make of the split packages the single one that was before them. Usage: old_deb.sh FOLDER-OF-DEBS OUT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/DEBIAN"
for name in python3-pyzram pyzram pyzram-service; do
	dpkg-deb -x "$1/${name}"_*.deb "$work"
done
rm -r "$work/usr/share/doc" "$work/etc/init.d"
# It had the scripts that its service needs, as the package of the service has them now.
dpkg-deb -e "$1"/pyzram-service_*.deb "$work/DEBIAN"
rm -f "$work/DEBIAN/md5sums"
find "$work/etc" -type f -printf '/etc/%P\n' >"$work/DEBIAN/conffiles"
cat >"$work/DEBIAN/control" <<EOF
Package: pyzram
Version: $3
Architecture: $(dpkg --print-architecture)
Maintainer: the pyzram authors <pyzram@users.noreply.github.com>
Depends: $(dpkg-deb -f "$1"/python3-pyzram_*.deb Depends)
Description: the single package
EOF
dpkg-deb --root-owner-group -b "$work" "$2"
