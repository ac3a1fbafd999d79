# SPDX-License-Identifier: MIT
"""Tools that are shell scripts judge what pyzram makes of their files.

zram-tools is fetched from Debian. The others can neither be shipped nor fetched from an archive:
``PYZRAM_PEER_SCRIPTS`` is a folder with checkouts of their repositories, by name (zram-init,
zramen, systemd-swap, zram-config, DietPi, and build, which is armbian's).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from vm.archive import TREE, Archive, UnavailableError

from pyzram.config.device_config import DeviceConfig
from pyzram.limits import page_up
from pyzram.units import parse_size

from .compare import Count
from .generator import SUITES, package
from .planned import Planned, plan
from .scripts import ScriptRoot, Settings, can_enter

RAM_KIB = 1_983_414  # 1936.9 MiB

# The parts of OpenRC that the init script calls.
OPENRC = """
einfo() { :; }
eend() { return ${1:-0}; }
yesno() { case ${1-} in [yY]es | true | 1 | on) return 0;; esac; return 1; }
. /etc/conf.d/zram-init
. /peer/init.d
start
"""
# The parts of DietPi's library that its function calls.
DIETPI = """
G_HW_MODEL=0
G_CHECK_ROOT_USER() { :; }
G_INIT() { :; }
G_DIETPI-NOTIFY() { :; }
G_CONFIG_INJECT() { :; }
G_EXEC() { "$@"; }
G_CHECK_VALIDINT() { case ${1:-x} in *[!0-9]*) return 1;; esac; }
G_CHECK_FREESPACE() { :; }
"""
# The Python packages that systemd-swap needs.
NOTIFY = "def notify(*words): pass\n"
SEMAPHORE = """
IPC_CREX = 0
def ftok(*words, **more): return 1
class ExistentialError(Exception): pass
class BusyError(Exception): pass
class Semaphore:
    def __init__(self, *words, **more): pass
    def release(self): pass
    def acquire(self, *words): pass
    def remove(self): pass
"""


class Tool:
    """Where a script and its configuration are, and how it is started."""

    def __init__(self, conf: str, command: str, scripts: dict[str, str], **more: str) -> None:
        self.conf = conf
        self.command = command
        self.scripts = scripts
        self.more = more


TOOLS = {
    "zram-tools": Tool(
        "etc/default/zramswap", "bash /peer/zramswap start", {"zramswap": "usr/sbin/zramswap"}
    ),
    "zram-init": Tool(
        "etc/conf.d/zram-init",
        "sh /peer/rc",
        {"zram-init": "zram-init/sbin/zram-init.in", "init.d": "zram-init/openrc/init.d/zram-init"},
        rc=OPENRC,
    ),
    "zramen": Tool(
        "etc/zramen",
        "sh -c 'set -a; . /etc/zramen; exec bash /peer/zramen make'",
        {"zramen": "zramen/zramen"},
    ),
    "systemd-swap": Tool(
        "etc/systemd/swap.conf.d/ours.conf",
        "PYTHONPATH=/peer /usr/bin/python3 -B /peer/systemd-swap.py start",
        {
            "systemd-swap.py": "systemd-swap/src/systemd-swap.py",
            "etc/systemd/swap.conf": "systemd-swap/include/swap-default.conf",
        },
        **{"systemd/daemon.py": NOTIFY, "systemd/__init__.py": "", "sysv_ipc.py": SEMAPHORE},
    ),
    "zram-config": Tool(
        "etc/ztab", "bash /peer/zram-config start", {"zram-config": "zram-config/zram-config"}
    ),
    "armbian": Tool(
        "etc/default/armbian-zram-config",
        "bash /peer/armbian start",
        {"armbian": "build/packages/bsp/common/usr/lib/armbian/armbian-zram-config"},
    ),
    "DietPi": Tool(
        "boot/dietpi.txt",
        "bash /peer/swapfile",
        {"swapfile": "DietPi/dietpi/func/dietpi-set_swapfile"},
    ),
}
ZSWAP = ("enabled", "compressor", "max_pool_percent", "zpool")
# What they need besides, by path.
AROUND = {
    "boot/dietpi/func/dietpi-globals": DIETPI,
    "etc/os-release": "ID=debian\n",
    "etc/armbian-release": "",
    "etc/default/armbian-ramlog": "ENABLED=false\n",
    "opt/none": "",
    "run/systemd/system/none": "",
    **{f"sys/module/zswap/parameters/{name}": "" for name in ZSWAP},
}

SHARE = "`LC_ALL=C free -m | awk '/^Mem:/{print int($2/4)}'`"
SHARES = [
    SHARE,
    "`free -m | awk '/Mem:/ { print int($2 / 2) }'`",
    "$(LC_ALL=C free -m | awk '/^Mem:/{print int($2/4)}')",
    "`free -m | awk '/^Mem:/{print int($2*0.75)}'`",
    "`free -m | awk '/^Mem:/{print int($2*3/4)}'` # three quarters",
    "`free --mebi | awk '/^Mem:/ {print $2}'`",
    "`awk '/MemTotal/{print int($2/1024/2)}' /proc/meminfo`",
    "`awk '/^MemTotal:/ {print int($2/2048)}' /proc/meminfo`",
    "`grep MemTotal /proc/meminfo | awk '{print int($2/4096)}'`",
]
ZRAM_INIT = """num_devices=2
type0=swap
flag0= # the default
size0=512
algo0=zstd # or another
labl0=zram_swap
type1=/srv/x
flag1=ext4
size1=2048
blck1=1024
opts1="strictatime,nosuid,nodev,noexec"
mode1=1777
algo1=zstd
para1="level=3"
labl1=tmp_dir
type2=/var/tmp
size2=64
"""
CASES: dict[str, list[str]] = {
    "zram-tools": [
        "",
        "#ALGO=lz4\n#PERCENT=50\n#SIZE=256\n#PRIORITY=100\n",
        "ALGO=zstd\nPERCENT=60\nSIZE=512\nPRIORITY=5\n",
        "SIZE=512\n",
        "PERCENT=33\n",
        "PERCENT=150\nALGO=lzo-rle\n",
        "ALGO='lz4hc'\nPRIORITY=\"32767\"\n",
        "SIZE=1\nSIZE=1024 # the later\n",
        "ALGO=zstd\nPERCENT=$(nproc)\nPERCENT=50\n",
    ],
    "zram-init": [
        ZRAM_INIT,
        f"num_devices=1\ntype0=swap\nsize0={SHARE}\n",
        f"num_devices=1\ntype0=swap\nsize0=512\nsize0={SHARE}\n",
        f"num_devices=1\ntype0=swap\nsize0={SHARE}\nsize0=512\n",
        "num_devices=1\ntype0=swap\nsize0=`free -m | awk '/Mem:/ { print int($2 * 3 / 4) }'`\n",
        f"num_devices=1\ntype0=swap\nsize0={SHARES[6]}\n",
        "type0=swap\nsize0=64\n",
        "num_devices=+2\ntype0=swap\nsize0=64\n",
        "num_devices=02\ntype0=swap\nsize0=64\n",
        "num_devices=0\ntype0=swap\nsize0=64\n",
        "num_devices=1\nsize0=64\n",
        "num_devices=1\ntype0=what\nsize0=64\n",
        "num_devices=1\ntype0=swap\n",
        "num_devices=1\ntype0=swap\nsize0=0\n",
        "num_devices=1\ntype0=swap\nsize0=64M\n",
        "num_devices=2\ntype0=swap\nsize0=0\ntype1=/srv\nsize1=64\n",
        'num_devices=1\ntype0=swap\nsize0=64\npara0="algo=zstd level=3"\nalgo0=zstd\n',
        "num_devices=1\ntype0=swap\nsize0=64\nflag0=-\nnotr0=y\n",
        "num_devices=1\ntype0=swap\nsize0=64\nflag0=7\nmlim0=32\n",
        "num_devices=1\ntype0=swap\nsize0=64\nback0=/dev/sdz1\nalgo0=lz4\nwlim0=256\n",
        "num_devices=1\ntype0=/srv/\nsize0=64\nflag0=ext2\nowgr0=daemon:adm\nmode0=0750\n",
        "num_devices=1\ntype0=/srv\nsize0=512\nflag0=xfs\nlabl0=abcdefghijkl\n",
        "num_devices=1\ntype0=/srv\nsize0=512\nflag0=btrfs\nopts0=noatime\n",
        "num_devices=1\ntype0=/srv\nsize0=64\nnotr0=yes\n",
        "num_devices=1\ntype0=/srv\nsize0=64\nflag0=f2fs\n",
        "num_devices=2\ntype0=swap\nsize0=64\nmlim0=1G\ntype1=/srv\nsize1=64\n",
        "num_devices=2\ntype0=swap\nsize0=64\nwlim0=1G\ntype1=/srv\nsize1=64\n",
    ],
    "zramen": [
        "ZRAM_COMP_ALGORITHM=lz4\n",
        "export ZRAM_COMP_ALGORITHM='zstd'\nexport ZRAM_SIZE=100\n",
        "ZRAM_COMP_ALGORITHM=lz4\nZRAM_SIZE=25\nZRAM_PRIORITY=7\n",
        "ZRAM_COMP_ALGORITHM=lzo\nZRAM_SIZE=33\nZRAM_MAX_SIZE=300\n",
        "ZRAM_COMP_ALGORITHM=nosuch\nZRAM_SIZE=0\n",
        "ZRAM_MAX_SIZE=0\nZRAM_SIZE=1000\nZRAM_PRIORITY=99999\n",
        "ZRAM_STREAMS=1\nZRAM_SIZE=7\n",
        "ZRAM_SIZE=50\nZRAM_PRIORITY=100\n",
        "ZRAM_COMP_ALGORITHM=lz4\nZRAM_SIZE=`nproc`\nZRAM_SIZE=10\n",
    ],
    "systemd-swap": [
        "zram_enabled=1\n",
        "zram_enabled=0\nzram_alg=lz4\n",
        "zram_enabled=yes\nzram_size=$(( RAM_SIZE / 8 ))\nzram_prio=9 # low\n",
        "zram_enabled=1\nzram_size=$((RAM_SIZE * 2 / 3)) # most\nzram_alg=lz4\nzram_count=4\n",
        'zram_enabled="true"\nzram_size=536870912\n',
        "zram_enabled=1\nzram_size=$((RAM_SIZE/3*2))\n",
        "zram_enabled=1\nzram_size=${RAM_SIZE}\n",
        "zram_enabled=1\nzram_size=$((RAM_SIZE/3))\nzram_size=1073741824\n",
        "zram_enabled=1\nexport zram_prio=5\nzram_alg = lz4\n. /etc/x\n",
        "zram_size=$((RAM_SIZE/2))\n",
    ],
    "zram-config": [
        "# swap alg mem_limit disk_size\nswap\tlzo-rle\t250M\t750M\t75\t0\t150\n",
        "swap zstd 0 1G 5\n",
        "swap lz4 0 64M 5\nswap lz4 0 128M 6\n",
        "zwap lz4 0 1G 5\nswap lz4 0 64M 5\n",
    ],
    "armbian": [
        "ENABLED=true\nZRAM_PERCENTAGE=50\n",
        "ENABLED=false\nZRAM_PERCENTAGE=50\n",
        "ZRAM_PERCENTAGE=50\n",
        "ENABLED=true\nSWAP=false\nTMP_SIZE=500M\nTMP_ALGORITHM=zstd\n",
        "ENABLED=true\nZRAM_PERCENTAGE=150\nMEM_LIMIT_PERCENTAGE=33\nSWAP_ALGORITHM=zstd\n",
        "ENABLED=true\nSWAP_ALGORITHM=lz4\nSWAP_PRIORITY=9\nZRAM_BACKING_DEV=/dev/nvme0n9\n",
    ],
    "DietPi": [
        f"AUTO_SETUP_SWAPFILE_SIZE={size}\nAUTO_SETUP_SWAPFILE_LOCATION={place}\n"
        for size, place in (
            *(("1", "zram"), ("512", "zram"), ("0", "zram"), ("300", "zram0")),
            *(("64\nAUTO_SETUP_SWAPFILE_SIZE=128", "zram"), ('"64"', "zram"), ("64", '"zram"')),
            ("64", "zram\nAUTO_SETUP_SWAPFILE_LOCATION=/var/swap"),
        )
    ]
    + ["AUTO_SETUP_SWAPFILE_LOCATION=zram\nAUTO_SETUP_SWAPFILE_SIZE = 64\n"],
}


@cache
def debian() -> Path:
    """zram-tools, unpacked and never installed."""
    folder = TREE / ".cache/peers/zram-tools"
    if not folder.exists():
        unfinished = folder.with_name("zram-tools.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        Archive(("bookworm",)).unpack(["zram-tools"], unfinished)
        unfinished.rename(folder)
    return folder


def script(name: str, path: str) -> str:
    """The text of a tool's script; skip if it is not available."""
    if name == "zram-tools":
        try:
            return (debian() / path).read_text()
        except UnavailableError as err:
            pytest.skip(f"zram-tools cannot be had: {err}")
    folder = os.environ.get("PYZRAM_PEER_SCRIPTS")
    if not folder:
        pytest.skip("PYZRAM_PEER_SCRIPTS names no folder with the tools' repositories")
    file = Path(folder) / path
    if not file.exists():
        pytest.skip(f"PYZRAM_PEER_SCRIPTS has no {path}")
    return file.read_text()


def test_the_services_that_a_page_stops_are_those_of_the_packages() -> None:
    page = (TREE / "docs/migration.md").read_text()
    try:
        packages = {"zram-tools": debian(), "zram-generator": package(SUITES[0])}
    except UnavailableError as err:
        pytest.skip(f"packages cannot be had: {err}")
    for tool, folder in packages.items():
        (named,) = re.findall(rf"^# {tool}\b.*\nsystemctl .* (\S+\.service)$", page, re.M)
        unit = named.replace("@zram0", "@")
        assert list(folder.glob(f"**/systemd/system/{unit}")), (tool, unit)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user nobody, who runs scripts, can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="pyzram-peer") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def ask(name: str, folder: Path, text: str) -> list[Settings]:
    """What the tool makes of a file."""
    folder.mkdir(exist_ok=True)
    if why := can_enter(folder):
        pytest.skip(f"no namespace for it: {why}")
    if os.geteuid() and name != "zram-tools":
        pytest.skip("needs root, for device nodes")
    tool = TOOLS[name]
    files = {f"peer/{file}": text for file, text in tool.more.items()}
    for file, path in tool.scripts.items():
        files[file if file.startswith("etc/") else f"peer/{file}"] = script(name, path)
    root = ScriptRoot(folder / "root", {**AROUND, **files, tool.conf: text}, RAM_KIB)
    done = root.run(tool.command)
    # A run that broke off would look like one that makes nothing.
    assert (root.folder / "entered").exists(), done.stderr
    for words in ("awk: command not found", "free: command not found", "Traceback"):
        assert words not in done.stderr, done.stderr
    return root.devices()


def planned(folder: Path, text: str) -> Planned:
    """What our commands make of it."""
    file = folder / "theirs"
    file.write_text(text)
    return plan(folder, [str(file)], RAM_KIB << 10)


def compare(name: str, theirs: list[Settings], ours: list[DeviceConfig]) -> Count:
    count = Count(files=1)
    count.value("devices", len(theirs), len(ours), [])
    for peer, device in zip(theirs, ours, strict=False):
        slack = 1 << 20 if name == "zramen" else 0  # it rounds a tie to what is even
        size = page_up(parse_size(str(peer["disksize"]).replace("MiB", "M"), bare_unit=1))
        same = abs(size - device.disksize) <= slack
        count.value("disksize", size, size if same else device.disksize, [])
        named = [choice.name for choice in device.algorithms if choice.name != "kernel"]
        count.value("algorithm", peer.get("comp_algorithm") or None, next(iter(named), None), [])
        if name == "armbian" and named[:1] == ["lzo-rle"]:
            count.value("algorithm", ["lzo-rle", "lzo"], named, [])
        limit = page_up(parse_size(str(peer.get("mem_limit", "0")), bare_unit=1))
        count.value("mem_limit", limit, device.mem_limit, [])
        count.value("backing_dev", peer.get("backing_dev"), device.backing_dev, [])
        count.value("fstype", peer["fstype"], "swap" if device.is_swap else device.fstype, [])
        count.value("discard", peer["discard"], device.discard != "none", [])
        if "writeback_limit" in peer:
            pages = int(str(peer["writeback_limit"]))
            count.value("writeback_limit", pages, device.writeback_limit, [])
        if name == "zram-init":
            # The kernel's file or zramctl gets algo= too.
            words = [w for w in str(peer.get("algorithm_params", "")).split() if w[:5] != "algo="]
            count.value("params", words, (device.algorithms[0].params() or "").split(), [])
            count.value("label", peer["label"], device.label or "", [])
        if device.is_swap:
            count.value("priority", peer["priority"], device.priority, [])
            continue
        count.value("mount_point", str(peer["mount_point"]), device.mount_point, [])
        options = {word for word in (device.mount_options or "").split(",") if word}
        count.value("options", peer["options"], options, [])
        mode = peer.get("mode")
        count.value("mode", None if mode is None else int(str(mode), 8), device.mode, [])
        count.value("owner", peer.get("owner"), device.owner, [])
    return count


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, texts in CASES.items() for text in texts],
    ids=[f"{name}-{number}" for name, texts in CASES.items() for number in range(len(texts))],
)
def test_a_file_means_what_it_means_to_its_tool(
    total: Count, place: Path, name: str, text: str
) -> None:
    theirs = ask(name, place, text)
    if not text:  # nothing tells whose file it is; it is what the tool does without one
        text = "#ALGO=lz4\n"
    ours = planned(place, text)
    assert ours.text.startswith(f"# Translated by pyzram import from {name}'s ")
    found = compare(name, theirs, ours.devices or [])
    total.add(found)
    assert found.different == [], ours.text


def test_an_algorithm_that_the_kernel_lacks(place: Path) -> None:
    """zramctl fails; if zram-init writes to the kernel itself, it warns and goes on as we do."""
    text = "num_devices=1\ntype0=swap\nsize0=64\nalgo0=nosuch\n"
    assert ask("zram-init", place / "zramctl", text) == []
    (made,) = ask("zram-init", place / "kernel", text + "back0=/dev/sdz1\n")
    assert made["priority"] == 16383
    (ours,) = planned(place, text).devices or []
    assert [choice.name for choice in ours.algorithms] == ["nosuch", "kernel"]


@pytest.mark.parametrize("command", SHARES)
def test_a_share_of_the_memory_is_what_free_and_awk_make_of_it(
    total: Count, place: Path, command: str
) -> None:
    """zram-init's size, calculated by the programs that such a command calls."""
    if why := can_enter(place):
        pytest.skip(f"no namespace for it: {why}")
    script = f"size0={command}\necho $size0\n"
    root = ScriptRoot(place / "root", {"peer/share": script}, RAM_KIB)
    done = root.run("sh /peer/share")
    assert done.stdout.strip().isdigit(), done.stderr
    text = f"num_devices=1\ntype0=swap\nsize0={command}\n"
    (ours,) = planned(place, text).devices or []
    found = Count(files=1)
    found.value("disksize", int(done.stdout) << 20, ours.disksize, [])
    total.add(found)
    assert found.different == []


# The place of the file that each tool ships.
SHIPPED = {
    "zram-tools": "etc/default/zramswap",
    "zram-init": "zram-init/openrc/conf.d/zram-init",
    "systemd-swap": "systemd-swap/include/swap-default.conf",
    "zram-config": "zram-config/ztab",
    "armbian": "build/packages/bsp/common/etc/default/armbian-zram-config.dpkg-dist",
    "DietPi": "DietPi/dietpi.txt",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_file_that_a_tool_ships(total: Count, place: Path, name: str) -> None:
    text = script(name, SHIPPED[name])
    ours = planned(place, text)
    if name == "zram-config":
        # hot_add of the made-up root has one answer; these rows are told, and nothing of them is
        # carried over.
        text, others = re.subn(r"^(dir|log)\b.*\n", "", text, flags=re.M)
        assert len([line for line in ours.told if "a directory that keeps" in line]) == others
    theirs = ask(name, place, text)
    assert ours.text.startswith(f"# Translated by pyzram import from {name}'s ")
    found = compare(name, theirs, ours.devices or [])
    total.add(found)
    assert found.different == [], ours.text
