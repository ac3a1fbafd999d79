# SPDX-License-Identifier: MIT
"""Wheels for PyPI for the processors of boards, built in their roots and run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from arches.roots import ARCHES, Arch, cache, enter, make_root, snapshot
from vm.archive import TREE, UnavailableError, run

# A wheel needs the C library of where it was built or a newer one, and boards keep theirs for
# years.
OLDEST = "bookworm"
MACHINES = {"arm64": "aarch64", "armhf": "armv7l"}
BINUTILS = {"arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf"}
PROBE = """
import pyzram
page = bytes(range(256)) * 16
for name in ("lz4hc", "zstd", "deflate"):
    packed = pyzram.compress_page(page, name)
    assert pyzram.decompress_page(packed, name, page_size=4096) == page, name
print(pyzram.__version__)
with open("/proc/self/maps") as file:
    for line in file:
        if "liblz4" in line or "libzstd" in line:
            print(line.split()[-1])
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "arch", [a for a in ARCHES if a.name in MACHINES], ids=lambda arch: arch.name
)
def test_pip_installs_a_manylinux_wheel_where_there_is_no_compiler(arch: Arch) -> None:
    strip = f"{BINUTILS[arch.name]}-strip"
    if not shutil.which(strip):
        raise UnavailableError(f"needs {strip} (Debian: binutils-{BINUTILS[arch.name]})")
    arch = replace(arch, suite=OLDEST, packages="")
    root = make_root(replace(arch, folder=f"{arch.name}-wheel"))
    bare = make_root(replace(arch, folder=f"{arch.name}-bare"), bare=True)
    out = cache() / "results" / f"{arch.name}-wheel"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tree = snapshot(out)

    def inside(where: Path, *command: str) -> str:
        done = subprocess.run(
            enter(where, arch, tree, out, *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    inside(root, "sh", "tests/arches/build.sh", "wheel")
    (wheel,) = (out / "wheel").glob(f"pyzram-*-cp311-abi3-linux_{MACHINES[arch.name]}.whl")
    said = run(sys.executable, TREE / "tools/manylinux.py", wheel, root)
    repaired = Path(said.split("\n")[-2])
    assert re.search(rf"-manylinux_2_\d+_{MACHINES[arch.name]}\.", repaired.name), repaired.name
    judged = run(sys.executable, "-m", "auditwheel", "show", repaired)
    print(f"{repaired.name}: {' '.join(judged.split())}")

    inside(
        bare, "sh", "-c", "! command -v cc && ! command -v gcc && test ! -e /usr/include/stdio.h"
    )
    pip = "python3 -Im pip install --no-index --break-system-packages --root-user-action=ignore"
    inside(bare, *pip.split(), f"/out/wheel/{repaired.name}")
    version, *used = inside(bare, "python3", "-Ic", PROBE).split("\n")[:-1]
    assert f"-{version}-" in repaired.name
    assert {re.sub(r"(-|\.so).*", "", Path(name).name) for name in used} == {"liblz4", "libzstd"}
    assert all("/dist-packages/pyzram.libs/" in name for name in used), used
    for command in ("pyzram", "zram_stats"):
        assert version in inside(bare, command, "--version"), command
