#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the tree in the root of another processor, where warnings are errors: /out/lib, /out/bin.
# Usage: tests/arches/build.sh [wheel], which is then in /out/wheel.
set -eu

mkdir /tmp/build
cd /tree
cp -R csrc pyzram scripts man initscripts setup.py pyproject.toml README.md LICENSE /tmp/build
cd /tmp/build
cross=/cross/bin/$(python3 -c 'import sysconfig; print(sysconfig.get_config_var("MULTIARCH"))')-gcc
if [ -x "$cross" ]; then
	export CC="$cross"
fi
export CFLAGS="-O2 -Wall -Wextra -Werror"
if [ "${1-}" = wheel ]; then
	exec python3 setup.py -q bdist_wheel --dist-dir /out/wheel
fi
python3 setup.py -q build --build-base /tmp/objects --build-lib /out/lib --build-scripts /out/bin
