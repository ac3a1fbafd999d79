# SPDX-License-Identifier: MIT
"""Run a bench as users of Debian's package have it: in a bare Debian, with our packages installed.

Other packages can slow down every start of Python, with their .pth files; here there are none. It
needs Debian, root and mmdebstrap. The root is made once and kept in .cache; the packages are those
in dist/: make deb && .venv/bin/python bench/in_debian.py service.py start
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).parent.parent
PACKAGES = "python3,python3-cffi-backend,util-linux,mount,kmod"
OURS = "pyzram", "python3-pyzram"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
# The mounts are seen by nobody else, and go with the last process.
ENTER = """
set -e
mount -t proc proc {root}/proc
mount --rbind /sys {root}/sys
mount --rbind /dev {root}/dev
exec chroot {root} {command}
"""


def run(*command: str | Path, **env: str) -> None:
    done = subprocess.run(command, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: exit status {done.returncode}")


def root_of(suite: str) -> Path:
    root = TREE / ".cache/roots" / f"bench-{suite}"
    if not root.exists():
        making = root.with_name(f"{root.name}.tmp")
        shutil.rmtree(making, ignore_errors=True)
        making.parent.mkdir(parents=True, exist_ok=True)
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", suite, making)
        making.rename(root)
    return root


def main() -> None:
    lines = Path("/etc/os-release").read_text().splitlines()
    root = root_of(dict(line.partition("=")[::2] for line in lines)["VERSION_CODENAME"])
    inside = root / "bench"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(TREE / "bench", inside)
    for name in OURS:
        found = sorted((TREE / "dist").glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise SystemExit(f"dist has no package {name}: make deb")
        shutil.copy(found[-1], inside / f"{name}.deb")
    # What a start does not need, such as the codecs' libraries, is left out.
    install = "dpkg --force-depends --install /bench/*.deb >/bench/install.log 2>&1"
    run("chroot", root, "sh", "-c", install, **ENVIRONMENT)
    command = shlex.join(
        ["env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
        + ["python3", f"/bench/{sys.argv[1]}", *sys.argv[2:]]
    )
    script = ENTER.format(root=shlex.quote(str(root)), command=command)
    run("unshare", "--mount", "--propagation", "private", "sh", "-c", script)


if __name__ == "__main__":
    main()
