# SPDX-License-Identifier: MIT
"""Wheels for PyPI for the processors of boards, built in their roots and run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from arches.roots import ARCHES, Arch, cache, enter, make_root, snapshot
from vm.archive import TREE, UnavailableError, run

MACHINES = {"arm64": "aarch64", "armhf": "armv7l"}
BINUTILS = {"arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf"}
# The root has the libraries too, so the question is which of them is used.
PROBE = """
import sys
sys.path.insert(0, "/out/site")
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
def test_a_manylinux_wheel_runs_with_the_libraries_it_brings(arch: Arch) -> None:
    strip = f"{BINUTILS[arch.name]}-strip"
    if not shutil.which(strip):
        raise UnavailableError(f"needs {strip} (Debian: binutils-{BINUTILS[arch.name]})")
    root, out = make_root(arch), cache() / "results" / f"{arch.name}-wheel"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tree = snapshot(out)

    def inside(*command: str) -> str:
        done = subprocess.run(
            enter(root, arch, tree, out, *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    inside("sh", "tests/arches/build.sh", "wheel")
    (wheel,) = (out / "wheel").glob(f"pyzram-*-cp311-abi3-linux_{MACHINES[arch.name]}.whl")
    said = run(sys.executable, TREE / "tools/manylinux.py", wheel, root)
    repaired = Path(said.split("\n")[-2])
    assert re.search(rf"-manylinux_2_\d+_{MACHINES[arch.name]}\.", repaired.name), repaired.name
    with zipfile.ZipFile(repaired) as archive:
        archive.extractall(out / "site")
    version, *used = inside("python3", "-Ic", PROBE).split("\n")[:-1]
    assert f"-{version}-" in repaired.name
    assert {re.sub(r"(-|\.so).*", "", Path(name).name) for name in used} == {"liblz4", "libzstd"}
    assert all(name.startswith("/out/site/pyzram.libs/") for name in used), used
    print(f"{repaired.name}: runs")
