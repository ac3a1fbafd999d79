# SPDX-License-Identifier: MIT
"""Debian's kernels with larger pages or big endian, booted in QEMU on a root for their processor.

The root is that of tests/arches, read through 9p under an overlay; the initial RAM file system is
a static busybox and the modules that 9p needs.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from arches.roots import ARCHES, Arch, enter, make_root, snapshot

from .archive import Archive, UnavailableError, bootable, cache, release_of, run
from .guest import Guest


@dataclass(frozen=True)
class Machine:
    """A kernel of another processor, and the machine that QEMU makes for it."""

    name: str
    page_size: int
    arch: str
    suite: str
    package: str
    qemu: tuple[str, ...]
    console: str
    image: str
    bus: str = "pci"


MACHINES = (
    Machine(
        *("6.12-16k", 16384, "arm64", "trixie", "linux-image-arm64-16k"),
        ("qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
        *("ttyAMA0", "vmlinuz"),
    ),
    Machine(
        *("7.x-16k", 16384, "arm64", "trixie-backports", "linux-image-arm64-16k"),
        ("qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
        *("ttyAMA0", "vmlinuz"),
    ),
    Machine(
        *("6.12-64k", 65536, "ppc64el", "bookworm-backports", "linux-image-powerpc64le-64k"),
        (
            *("qemu-system-ppc64", "-cpu", "power9", "-M"),
            "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
        ),
        *("hvc0", "vmlinux"),
    ),
    Machine(
        *("6.12-s390x", 4096, "s390x", "bookworm-backports", "linux-image-s390x"),
        ("qemu-system-s390x", "-M", "s390-ccw-virtio", "-cpu", "max"),
        *("ttysclp0", "vmlinuz", "ccw"),
    ),
)

INIT = """\
#!/bin/busybox sh
exec 2>&1
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in {modules}; do $b insmod /modules/$module; done
shared=trans=virtio,version=9p2000.L,msize=262144
$b mount -t 9p -o $shared,cache=loose,ro root /lower
$b mount -t tmpfs tmpfs /upper
$b mkdir /upper/upper /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work overlay /new
$b mkdir -p /new/out /new/tree /new/lib/modules /new/proc /new/sys /new/dev /new/run /new/tmp
$b mount -t 9p -o $shared out /new/out
$b mount -t 9p -o $shared,cache=loose,ro modules /new/lib/modules
$b mount -t 9p -o $shared,cache=loose,ro tree /new/tree
$b mount -t proc proc /new/proc
$b mount -t sysfs sys /new/sys
$b mount -t debugfs debug /new/sys/kernel/debug
$b mount -t cgroup2 cgroup /new/sys/fs/cgroup
$b mount -t devtmpfs dev /new/dev
$b mkdir -p /new/dev/pts /new/dev/shm
$b mount -t devpts devpts /new/dev/pts
$b mount -t tmpfs tmpfs /new/dev/shm
$b mount -t tmpfs tmpfs /new/run
$b mount -t tmpfs tmpfs /new/tmp
echo /bin/modprobe >/proc/sys/kernel/modprobe
$b chroot /new /bin/sh /out/guest.sh
echo o >/proc/sysrq-trigger
$b sleep 60
"""

# The kernel looks for modprobe here, where it started, and not below the guest's root.
MODPROBE = """\
#!/bin/busybox sh
exec /bin/busybox chroot /new /sbin/modprobe "$@"
"""


def kernel(machine: Machine) -> Path:
    """The kernel's package and its modules' index, from the cache or unpacked into it."""
    root = cache() / "kernels" / machine.name
    if not root.exists():
        unfinished = root.with_name(root.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        archive = Archive((machine.suite,), machine.arch)
        packages = archive.kernel_packages(machine.package)
        try:
            archive.unpack(packages, unfinished)
        except UnavailableError:
            # Not every mirror has the metapackage's signed image; the unsigned one is the same.
            archive.unpack([f"{name}-unsigned" for name in packages], unfinished)
        if not (unfinished / "lib").exists():
            (unfinished / "lib").symlink_to("usr/lib")
        run("depmod", "-b", unfinished, release_of(unfinished))
        unfinished.rename(root)
    return root


def initial_ram(machine: Machine, kernel_root: Path, root: Path, folder: Path) -> Path:
    """Write the compressed archive that the kernel starts from."""
    tree = folder / "initial"
    for name in ("bin", "modules", "proc", "dev", "lower", "upper", "new"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", tree / "bin/busybox")
    names: list[str] = []
    for wanted in ("9p", "9pnet_virtio", "overlay"):
        shown = run(
            *("modprobe", "-d", kernel_root, "-S", release_of(kernel_root)),
            *("--show-depends", wanted),
        )
        for line in shown.split("\n"):
            path = Path((line.split() or ["", ""])[1])
            name = path.name.removesuffix(".xz")
            if line.startswith("insmod") and name not in names:
                data = path.read_bytes()
                data = lzma.decompress(data) if path.suffix == ".xz" else data
                (tree / "modules" / name).write_bytes(data)
                names.append(name)
    for name, text in (("init", INIT.format(modules=" ".join(names))), ("bin/modprobe", MODPROBE)):
        (tree / name).write_text(text)
        (tree / name).chmod(0o755)
    packed = subprocess.run(
        ["sh", "-c", "find . | busybox cpio -o -H newc"], cwd=tree, capture_output=True, check=True
    )
    shutil.rmtree(tree)
    target = folder / "initrd"
    target.write_bytes(gzip.compress(packed.stdout, 1))
    return target


def share(bus: str, name: str, path: Path, *, writable: bool = False) -> tuple[str, ...]:
    mode = "" if writable else ",readonly=on"
    return (
        *("-fsdev", f"local,id={name},path={path},security_model=none,multidevs=remap{mode}"),
        *("-device", f"virtio-9p-{bus},fsdev={name},mount_tag={name}"),
    )


def build(arch: Arch, root: Path, tree: Path, out: Path) -> None:
    """The tree, built in the root by qemu-user."""
    done = subprocess.run(
        enter(root, arch, tree, out, "sh", "tests/arches/build.sh"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def boot(machine: Machine, folder: Path, work: str) -> Guest:
    """The guest at work: shell lines that find the tree at /tree and ``folder`` at /out."""
    if not shutil.which(machine.qemu[0]) or not shutil.which("busybox"):
        raise UnavailableError(
            f"needs {machine.qemu[0]} and busybox (Debian: qemu-system-arm, -ppc, -misc)"
        )
    (arch,) = (arch for arch in ARCHES if arch.name == machine.arch)
    root = make_root(arch)
    if not (root / "bin/busybox").exists():
        raise UnavailableError(f"{root} is from before guests were booted on it: remove it")
    kernel_root = kernel(machine)
    tree = snapshot(folder)
    build(arch, root, tree, folder)
    (python,) = (root / "usr/lib").glob("python3.*")
    script = (
        "export PATH=/out/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8\n"
        f"mount --bind /out/lib /usr/local/lib/{python.name}/dist-packages\n"
        f"modprobe zram num_devices=0\ncd /tree\n{work}"
    )
    (folder / "guest.sh").write_text(script)
    command = [
        *machine.qemu,
        *("-m", "1G", "-smp", "1", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"),
        *("-kernel", str(bootable(kernel_root, machine.image))),
        *("-initrd", str(initial_ram(machine, kernel_root, root, folder))),
        *("-append", f"console={machine.console} panic=-1 oops=panic quiet"),
        *share(machine.bus, "root", root),
        *share(machine.bus, "out", folder, writable=True),
        *share(machine.bus, "modules", kernel_root / "lib/modules"),
        *share(machine.bus, "tree", tree),
    ]
    return Guest.of(command, folder)
