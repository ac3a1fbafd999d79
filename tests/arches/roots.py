# SPDX-License-Identifier: MIT
"""Roots of other processors: Debian's packages unpacked by mmdebstrap, run by qemu-user.

Nothing in them is configured, so making one runs no foreign program and takes only as long as the
download. The cache is .cache/arches in the tree, or PYZRAM_ARCHES_CACHE; what is there is used as
it is, without the network.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from vm.archive import TREE, UnavailableError, mirror, run

PACKAGES = (
    "base-files base-passwd bash coreutils dash findutils grep gzip libc-bin mount procps sed tar "
    "util-linux gcc libc6-dev make pkg-config liblz4-dev libzstd-dev zlib1g-dev liblzo2-dev "
    "python3 python3-dev python3-cffi python3-setuptools python3-wheel "
    "python3-pytest python3-hypothesis python3-prometheus-client"
)
GUEST = (
    "e2fsprogs xfsprogs btrfs-progs exfatprogs dosfstools nilfs-tools dmsetup kmod busybox-static"
)
# What a machine has on which ``pip install`` gets a wheel: no compiler, none of the libraries.
BARE = (
    "base-files base-passwd bash coreutils dash findutils grep libc-bin mount sed util-linux "
    "python3 python3-cffi python3-pip"
)


@dataclass(frozen=True)
class Arch:
    """A processor as Debian and qemu-user call it, and the suite that has all of its packages."""

    name: str
    suite: str
    emulator: str = ""  # none: this machine's own processor runs it
    cpu: str = ""  # QEMU_CPU, where another than the emulator's own choice is needed
    short: bool = False  # also part of ``make check``
    packages: str = ""  # what guests of tests/vm need as well
    folder: str = ""  # of the root in the cache, if not called like the processor


ARCHES = (
    Arch("armhf", "trixie", "arm", short=True),
    Arch("s390x", "bookworm", "s390x", short=True, packages=GUEST),
    # Debian 13 signs every return address; as the standard says it, that takes 4.7 times as long.
    Arch("arm64", "trixie", "aarch64", cpu="max,pauth-impdef=on", packages=GUEST),
    Arch("i386", "trixie"),
    Arch("riscv64", "trixie", "riscv64"),
    Arch("ppc64el", "bookworm", "ppc64le", packages=GUEST),
    Arch("amd64", "sid"),  # for its Python and its libraries, newer than any release's
)


def cache() -> Path:
    return Path(os.environ.get("PYZRAM_ARCHES_CACHE") or TREE / ".cache/arches").resolve()


def snapshot(folder: Path) -> Path:
    """A copy of the tree, so that what is built and what is tested are the same despite edits."""
    made = ".git .venv .cache .tox build dist *.egg-info __pycache__ .hypothesis .*_cache"
    skipped = shutil.ignore_patterns(*made.split())
    return Path(shutil.copytree(TREE, folder / "tree", ignore=skipped))


def enter(root: Path, arch: Arch, tree: Path, out: Path, *command: str) -> list[str]:
    """The command line that runs ``command`` in a root, a tree at /tree and ``out`` at /out."""
    binfmt = f"/usr/lib/binfmt.d/qemu-{arch.emulator}.conf" if arch.emulator else "none"
    start = ["sh", f"{TREE}/tests/arches/enter", str(root), binfmt, str(tree), str(out)]
    return [*start, *(("env", f"QEMU_CPU={arch.cpu}") if arch.cpu else ()), *command]


def make_root(arch: Arch, bare: bool = False) -> Path:
    """The root, from the cache or newly made; ``bare`` is one with nothing to build with."""
    root = cache() / (arch.folder or arch.name)
    packages = BARE if bare else f"{PACKAGES} {arch.packages}"
    if os.geteuid() != 0:
        raise UnavailableError("roots of other processors are entered by root")
    if arch.emulator and not Path(f"/usr/lib/binfmt.d/qemu-{arch.emulator}.conf").exists():
        raise UnavailableError(f"needs qemu-{arch.emulator} (Debian: qemu-user-static)")
    if not root.exists():
        unfinished = root.with_name(root.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        run(
            *("mmdebstrap", "--variant=extract", f"--architectures={arch.name}"),
            '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may keep sid as it was
            f"--include={','.join(packages.split())}",
            *(arch.suite, unfinished, mirror()),
            failure=UnavailableError,
        )
        # Which of these are links to /usr depends on the suite.
        for name in ("bin", "sbin", "lib", "lib64"):
            if (unfinished / "usr" / name).exists() and not (unfinished / name).exists():
                (unfinished / name).symlink_to(f"usr/{name}")
        # What configuring would have made and the tests need: users, the table of mounts, what pip
        # trusts, a compiler's name.
        for name in ("passwd", "group"):
            master = unfinished / f"usr/share/base-passwd/{name}.master"
            shutil.copy(master, unfinished / "etc" / name)
        (unfinished / "etc/mtab").symlink_to("../proc/self/mounts")
        if bare:
            trusted = sorted((unfinished / "usr/share/ca-certificates/mozilla").iterdir())
            bundle = unfinished / "etc/ssl/certs/ca-certificates.crt"
            bundle.write_text("".join(path.read_text() for path in trusted))
        else:
            (unfinished / "usr/bin/cc").symlink_to("gcc")
        unfinished.rename(root)
    return root
