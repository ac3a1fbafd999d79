#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the tree in the root of another processor, where warnings are errors: /out/lib, /out/bin.
set -eu

mkdir /tmp/build
cd /tree
cp -R csrc pyzram scripts setup.py pyproject.toml README.md LICENSE /tmp/build
cd /tmp/build
rm -f csrc/_pyzram.c
cross=/cross/bin/$(python3 -c 'import sysconfig; print(sysconfig.get_config_var("MULTIARCH"))')-gcc
if [ -x "$cross" ]; then
	export CC="$cross"
fi
CFLAGS="-O2 -Wall -Wextra -Werror" python3 setup.py -q build --build-base /tmp/objects \
	--build-lib /out/lib --build-scripts /out/bin
