# SPDX-License-Identifier: MIT
"""Debian's kernels in a cache folder: fetched by a separate apt, unpacked, never installed.

The cache is .cache/vm in the tree, or PYZRAM_VM_CACHE. What is there is used as it is, without
the network; remove it to get newer kernels. The mirror is the machine's own, or PYZRAM_VM_MIRROR.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .kernels import Kernel

TREE = Path(__file__).resolve().parents[2]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class UnavailableError(Exception):
    """Something is not available on this machine; the text says why and what would help."""


@dataclass(frozen=True)
class Image:
    """An unpacked kernel: ``root/lib/modules/release`` and a bootable file."""

    root: Path
    release: str
    vmlinuz: Path


def cache() -> Path:
    return Path(os.environ.get("PYZRAM_VM_CACHE") or TREE / ".cache/vm").resolve()


def results(name: str) -> Path:
    """An empty folder for what a run brings back; it stays there afterwards."""
    path = cache() / "results" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def run(
    *command: str | Path, cwd: Path | None = None, failure: type[Exception] = RuntimeError
) -> str:
    """Run a tool; if it fails, its output is the reason given."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise UnavailableError(f"needs the command {command[0]}") from err
    if done.returncode:
        tail = (done.stdout + done.stderr).strip().splitlines()[-20:]
        raise failure(f"{' '.join(map(str, command))} failed:\n" + "\n".join(tail))
    return done.stdout


class Archive:
    """Some suites of Debian's archive, through an apt that shares nothing with the machine's."""

    def __init__(self, suites: tuple[str, ...], architecture: str = "amd64") -> None:
        foreign = () if architecture == "amd64" else (architecture,)
        self.folder = cache() / "apt" / "+".join([*suites, *foreign])
        self.architecture = architecture
        self.suites = suites
        self.updated = False

    def options(self) -> list[str]:
        settings = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": self.folder / "preferences",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def update(self) -> None:
        """Fetch the lists, once."""
        if self.updated:
            return
        (self.folder / "lists/partial").mkdir(parents=True, exist_ok=True)
        (self.folder / "archives/partial").mkdir(parents=True, exist_ok=True)
        (self.folder / "sources.list").write_text(
            "".join(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n" for suite in self.suites)
        )
        # Otherwise backports would lose against an older version from another suite.
        (self.folder / "preferences").write_text("Package: *\nPin: release *\nPin-Priority: 500\n")
        command = ("apt-get", *self.options(), "-o", "APT::Update::Error-Mode=any", "update")
        run(*command, failure=UnavailableError)
        self.updated = True

    def field(self, package: str, field: str) -> str:
        """A field of the newest version of a package."""
        self.update()
        text = run("apt-cache", *self.options(), "--no-all-versions", "show", package)
        found = re.search(rf"^{field}: (.*)$", text, re.MULTILINE)
        if not found:
            raise UnavailableError(f"package {package} has no field {field}")
        return found[1]

    def kernel_packages(self, newest: str = "linux-image-amd64") -> list[str]:
        """The packages that hold the newest kernel and its modules; their split varies."""
        wanted = re.compile(r"linux-(?:image|binary|modules)-\d\S*")
        found: list[str] = []
        ahead = wanted.findall(self.field(newest, "Depends"))
        while ahead:
            package = ahead.pop()
            if package not in found:
                found.append(package)
                ahead += wanted.findall(self.field(package, "Depends"))
        return found

    def unpack(self, packages: list[str], target: Path) -> None:
        """Download packages and unpack them below ``target``."""
        self.update()
        downloads = self.folder / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir(parents=True)
        target.mkdir(parents=True, exist_ok=True)
        command = ("apt-get", *self.options(), "download", *packages)
        run(*command, cwd=downloads, failure=UnavailableError)
        for package in sorted(downloads.glob("*.deb")):
            run("dpkg-deb", "-x", package, target)
        shutil.rmtree(downloads)


def mirror() -> str:
    """Where this machine gets Debian from."""
    chosen = os.environ.get("PYZRAM_VM_MIRROR")
    if chosen:
        return chosen
    known = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    for uri in known.split():
        if re.search(r"/debian/?$", uri):
            return uri
    raise UnavailableError("no Debian mirror among apt's sources; name one in PYZRAM_VM_MIRROR")


def kernel_image(kernel: Kernel) -> Image:
    """The unpacked kernel, from the cache or fetched into it."""
    root = cache() / "kernels" / "+".join(kernel.suites)
    if not root.exists():
        unfinished = root.with_name(root.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        archive = Archive(kernel.suites)
        archive.unpack(archive.kernel_packages(), unfinished)
        if not (unfinished / "lib").exists():
            (unfinished / "lib").symlink_to("usr/lib")
        run("depmod", "-b", unfinished, release_of(unfinished))
        unfinished.rename(root)
    return Image(root, release_of(root), bootable(root))


def bootable(root: Path, name: str = "vmlinuz") -> Path:
    """The file of an unpacked kernel that QEMU starts; where it lies depends on the release."""
    release = release_of(root)
    for place in (f"boot/{name}-{release}", f"lib/modules/{release}/{name}"):
        if (root / place).exists():
            return root / place
    raise UnavailableError(f"no bootable file in {root}")


def release_of(root: Path) -> str:
    releases = [path.name for path in (root / "lib/modules").iterdir()]
    if len(releases) != 1:
        raise UnavailableError(f"{root} holds {len(releases)} kernels, not one: remove it")
    return releases[0]
