# SPDX-License-Identifier: MIT
"""Tools that are shell scripts, run in a made-up root: what they would do, without doing it.

A script runs as nobody, who is root in a separate user namespace, in a root that holds this
machine's /usr, a configuration, proc/meminfo, and plain files in place of sysfs's attributes.
Programs that would change something are stand-ins that note their arguments.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

from vm.archive import UnavailableError

from .generator import NOBODY, tool

DEVICES = 4
OFFERED = "lzo [lzo-rle] lz4 lz4hc zstd"
ATTRIBUTES = (
    *("comp_algorithm", "algorithm_params", "disksize", "mem_limit", "max_comp_streams"),
    *("backing_dev", "reset", "idle", "writeback", "writeback_limit", "writeback_limit_enable"),
)
PROGRAMS = (
    *("modprobe", "rmmod", "modinfo", "zramctl", "mkswap", "swapon", "swapoff", "mount", "umount"),
    *("mkfs.ext2", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "tune2fs", "sysctl", "logger", "sleep"),
    *("chown", "chmod", "dpkg", "systemctl", "systemd-escape", "journalctl", "findmnt"),
)
# Notes a line of arguments, and answers as scripts expect it.
STAND_IN = """#!/bin/sh
printf '%s' "${0##*/}" >>/calls
for word; do printf '\\t%s' "$word" >>/calls; done
echo >>/calls
next() { # the first device that nothing was made of
	number=0
	while [ -s /sys/block/zram$number/disksize ] || [ -e /found$number ]; do
		number=$((number + 1))
	done
	echo /dev/zram$number
}
case "${0##*/} $*" in
zramctl*nosuch*) echo "zramctl: failed to set algorithm" >&2; exit 1;;
"zramctl -f") next;;
zramctl*--find* | "zramctl -f "*)
	found=$(next)
	touch /found${found#/dev/zram}
	echo $found;;
modinfo*) echo 'parm:           num_devices:Number of devices (uint)';;
systemd-escape*) echo dev-zram0.swap;;
esac
exit 0
"""
# A number of a device that no driver has: scripts look whether a node is a block device.
NO_DRIVER = os.makedev(127, 0)
ENTER = """
set -e
cd {root}
for name in usr etc/alternatives {links}; do
	if [ -L /$name ]; then [ -L $name ] || ln -s "$(readlink /$name)" $name
	elif [ -d /$name ]; then mkdir -p $name; mount --rbind /$name $name; fi
done
# Also by their whole path.
for file in programs/*; do
	for place in usr/sbin usr/bin; do
		[ ! -e $place/${{file##*/}} ] || mount --bind $file "$(readlink -f $place/${{file##*/}})"
	done
done
mount --bind /dev/null dev/null
mount -t tmpfs none usr/local
mkdir -p usr/local/lib/zram-config usr/local/share/zram-config/log
touch entered
exec chroot . /usr/bin/env -i PATH=/programs:/peer:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C {command}
"""


Settings = dict[str, object]


class ScriptRoot:
    """A made-up root for one script with its files: path below / to text."""

    def __init__(self, folder: Path, files: dict[str, str], ram_kib: int) -> None:
        self.folder = folder
        tree = {
            "proc/meminfo": _meminfo(ram_kib),
            **{f"sys/block/zram{n}/{name}": "" for n in range(DEVICES) for name in ATTRIBUTES},
            **{f"sys/block/zram{n}/comp_algorithm": OFFERED for n in range(DEVICES)},
            "proc/mounts": "",
            "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
            "proc/cpuinfo": "processor\t: 0\n",
            "etc/mtab": "",
            "etc/fstab": "",
            "dev/null": "",
            "calls": "",
            "sys/module/zram/initstate": "live\n",
            "sys/class/zram-control/hot_add": "0\n",
            **{f"programs/{name}": STAND_IN for name in PROGRAMS},
            **{path.lstrip("/"): text for path, text in files.items()},
        }
        for path, text in tree.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
            (folder / path).chmod(0o755)
        for name in ("tmp", "run", "var/run", "var/log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            for number in range(DEVICES):
                os.mknod(folder / f"dev/zram{number}", stat.S_IFBLK | 0o600, NO_DRIVER)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        links = "bin sbin lib lib32 lib64"
        enter = self.folder.with_suffix(".enter")
        enter.write_text(ENTER.format(root=self.folder, links=links, command=command))
        enter.chmod(0o644)
        return subprocess.run(
            [*as_nobody(), "sh", str(enter)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    def devices(self) -> list[Settings]:
        """The devices that were made, each in the words of pyzram's configuration."""
        found: dict[int, Settings] = {number: {} for number in range(DEVICES)}
        for number, settings in found.items():
            for name in ATTRIBUTES:
                text = (self.folder / f"sys/block/zram{number}/{name}").read_text().strip()
                if text and text != OFFERED:
                    settings[name] = text
        for line in (self.folder / "calls").read_text().splitlines():
            program, *words = line.split("\t")
            words = [word for word in words if word != "--"]
            nodes = [match[1] for word in words if (match := re.fullmatch(r"/dev/zram(\d+)", word))]
            take = TAKE.get(program.partition(".")[0])
            if take is None or "--reset" in words or words == ["-f"]:
                continue
            if program in ("chmod", "chown"):  # of a mount point
                at = [
                    n for n, settings in found.items() if settings.get("mount_point") == words[-1]
                ]
            elif program == "zramctl" and not nodes:  # it looks for one
                at = [n for n, settings in found.items() if "disksize" not in settings][:1]
            else:
                at = [int(node) for node in nodes]
            for number in at:
                take(found[number], program, words)
        for unit in (self.folder / "run/systemd/system").glob("*.swap"):
            text = unit.read_text()
            if match := re.search(r"^What=/dev/zram(\d+)$", text, re.M):
                settings = found[int(match[1])]
                settings["priority"] = int(_line(text, "Priority") or -1)
                settings["discard"] = "discard" in _line(text, "Options").split(",")
        # Whatever is made but never used is left out.
        return [
            x for x in found.values() if "disksize" in x and x.keys() & {"priority", "mount_point"}
        ]


def _line(unit: str, key: str) -> str:
    match = re.search(rf"^{key}=(.*)$", unit, re.M)
    return match[1] if match else ""


def _meminfo(ram_kib: int) -> str:
    names = ("MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Shmem", "SReclaimable")
    rows = [("MemTotal", ram_kib), *((name, ram_kib // 2) for name in names)]
    rows += [("SwapTotal", 0), ("SwapFree", 0), ("Slab", 0), ("SUnreclaim", 0)]
    return "".join(f"{name + ':':16}{value:>8} kB\n" for name, value in rows)


def _option(words: list[str], *names: str) -> str:
    """The value of an option, in whichever spelling."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else words[at + 1]
    return ""


def _zramctl(settings: Settings, _program: str, words: list[str]) -> None:
    settings["disksize"] = _option(words, "--size", "-s")
    settings["comp_algorithm"] = _option(words, "--algorithm", "-a")
    settings["algorithm_params"] = _option(words, "--algorithm-params")


def _mkswap(settings: Settings, _program: str, words: list[str]) -> None:
    settings["fstype"] = "swap"
    settings["label"] = _option(words, "-L", "--label")


def _swapon(settings: Settings, _program: str, words: list[str]) -> None:
    settings["priority"] = int(_option(words, "-p", "--priority") or -1)
    settings["discard"] = any(word in ("-d", "--discard") for word in words)


def _mkfs(settings: Settings, program: str, words: list[str]) -> None:
    settings["fstype"] = program.partition(".")[2]
    settings["label"] = _option(words, "-L")


def _mount(settings: Settings, _program: str, words: list[str]) -> None:
    options = _option(words, "-o").split(",")
    settings["mount_point"] = words[-1]
    settings["discard"] = "discard" in options
    settings["options"] = {word for word in options if word and word != "discard"}


def _chmod(settings: Settings, program: str, words: list[str]) -> None:
    settings["mode" if program == "chmod" else "owner"] = words[0]


TAKE = {
    "chmod": _chmod,
    "chown": _chmod,
    "zramctl": _zramctl,
    "mkswap": _mkswap,
    "swapon": _swapon,
    "mkfs": _mkfs,
    "mount": _mount,
}


def can_enter(folder: Path) -> str:
    """Why a script in a folder cannot be run in isolation, or nothing."""
    try:
        command = [*as_nobody(), "ls", str(folder)]
    except UnavailableError as err:
        return str(err)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def as_nobody() -> list[str]:
    """The prefix for a command that is to be root in a namespace and nobody outside."""
    drop = [tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [*(drop if os.geteuid() == 0 else ()), tool("unshare"), "-r", "-m"]
