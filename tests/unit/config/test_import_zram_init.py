# SPDX-License-Identifier: MIT
"""zram-init's conf.d file: its rules as a table of cases."""

from __future__ import annotations

import pytest
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.parser import parse_config

MIB = 1 << 20
RAM = 8 << 30
SWAP = "num_devices=1\ntype0=swap\nsize0=64\n"


def translated(text: str, ram: int = RAM) -> tuple[Config, list[str]]:
    found = import_text(text, "theirs")
    return parse_config(found.text(), "ours", ram=ram, cpus=4), found.lost


# Like its own file: two devices, a block size that mkfs no longer accepts, remarks everywhere.
SHIPPED = """
load_on_start=yes
unload_on_stop=yes
num_devices=2
type0=swap
flag0= # the default priority
size0=512
#size0=`LC_ALL=C free -m | awk '/^Mem:/{print int($2/4)}'`
mlim0= # none
notr0= # discard
algo0=zstd # or another
           # as one likes
labl0=zram_swap

type1=/tmp
flag1=ext4
size1=2048
blck1=1024
opts1="strictatime,nosuid,nodev,noexec" # or others
mode1=1777
algo1=zstd
para1="level=3"
labl1=tmp_dir
type2=/var/tmp
size2=1024
type3=- # only made
size3=1024
type3=swap
"""


def test_its_own_file_means_the_same() -> None:
    config, lost = translated(SHIPPED)
    assert (config.load_on_start, config.unload_on_stop) == (True, True)
    swap, mount = config.devices
    assert (swap.disksize, swap.mem_limit, swap.priority) == (512 * MIB, 0, 16383)
    assert list(map(str, swap.algorithms)) == ["zstd", "kernel"]
    assert (swap.label, swap.discard) == ("zram_swap", "both")
    assert (mount.mount_point, mount.fstype, mount.disksize) == ("/tmp", "ext4", 2048 * MIB)
    assert (mount.mode, mount.label) == (0o1777, "tmp_dir")
    assert mount.mount_options == "strictatime,nosuid,nodev,noexec"
    assert list(map(str, mount.algorithms)) == ["zstd(level=3)", "kernel"]
    assert mount.mkfs_options == ("-O", "^has_journal", "-m", "0")
    assert lost == ["line 18: blck1: blocks of 1024 bytes: mkfs fails, zram has 4096"]


@pytest.mark.parametrize(
    "text",
    [
        "type0=swap\nsize0=64\n",
        "num_devices=+2\ntype0=swap\nsize0=64\n",
        "num_devices=two\ntype0=swap\nsize0=64\n",
        "num_devices=0\ntype0=swap\nsize0=64\n",
        "num_devices=1\nsize0=64\n",
        "num_devices=1\ntype0=what\nsize0=64\n",
        "num_devices=1\ntype0=swap\n",
        "num_devices=1\ntype0=swap\nsize0=0\n",
        "num_devices=1\ntype0=-\nsize0=64\n",
        "num_devices=257\ntype0=swap\nsize0=64\n",
    ],
)
def test_no_device_where_zram_init_makes_or_uses_none(text: str) -> None:
    config, lost = translated(text)
    assert config.devices == ()
    assert lost or "num_devices=0" in text


@pytest.mark.parametrize(
    ("command", "size"),
    [
        ("`LC_ALL=C free -m | awk '/^Mem:/{print int($2/4)}'`", 483),
        ("`free -m | awk '/Mem:/ { print int($2 / 2) }'`", 967),
        ("$(LC_ALL=C free -m | awk '/^Mem:/{print int($2/4)}')", 483),
        ("\"$(free -m | awk '/^Mem:/ {print $2}')\"", 1935),
        ("`free -m | awk '/^Mem:/{print int($2*0.75)}'`", 1451),
        ("`free -m | awk '/^Mem:/{print int($2*3/4)}'` # three quarters", 1451),
        ("`awk '/MemTotal/{print int($2/1024/2)}' /proc/meminfo`", 967),
        ("`awk '/^MemTotal:/ {print int($2/2048)}' /proc/meminfo`", 967),
        ("`grep MemTotal /proc/meminfo | awk '{print int($2/4096)}'`", 483),
    ],
)
def test_a_share_of_the_memory_stays_one(command: str, size: int) -> None:
    """As free and awk see it, on a machine whose memory is not a whole number of MiB."""
    config, lost = translated(f"num_devices=1\ntype0=swap\nsize0={command}\n", 1_981_500 * 1024)
    assert config.devices[0].disksize == size * MIB
    assert lost == []


@pytest.mark.parametrize("command", ["`free -m`", "$((1024))", '"$(expr 2 \\* 2)"', "`cat /x`"])
def test_another_command_is_told_and_our_default_taken(command: str) -> None:
    config, lost = translated(f"num_devices=1\ntype0=swap\nsize0={command}\n")
    assert config.devices[0].disksize == 4096 * MIB
    assert lost == ["line 3: size0: a command, which is not run: using our default instead"]


def test_the_later_assignment_counts_be_it_a_command_or_not() -> None:
    command = "`free -m | awk '/^Mem:/{print int($2/4)}'`"
    head = "num_devices=1\ntype0=swap\n"
    later = translated(f"{head}size0=512\nsize0={command}\n")
    earlier = translated(f"{head}size0={command}\nsize0=512\n")
    assert (later[0].devices[0].disksize, later[1]) == (2048 * MIB, [])
    assert (earlier[0].devices[0].disksize, earlier[1]) == (512 * MIB, [])


@pytest.mark.parametrize(
    ("kind", "fstype", "kept"), [("swap", "", 15), ("/x", "ext4", 16), ("/x", "xfs", 12)]
)
def test_a_label_is_cut_as_the_programs_cut_it(kind: str, fstype: str, kept: int) -> None:
    label = "abcdefghijklmnopqrst"
    config, lost = translated(
        f"num_devices=1\ntype0={kind}\nflag0={fstype}\nsize0=512\nlabl0={label}\n"
    )
    assert config.devices[0].label == label[:kept]
    assert lost[0].startswith(f"line 5: labl0: {label!r} is cut to {label[:kept]!r}")


@pytest.mark.parametrize(
    ("lines", "algorithms"),
    [
        ('algo0=zstd\npara0="algo=zstd level=3"', ["zstd(level=3)", "kernel"]),
        ('para0="algo=lz4 level=3"', ["lz4(level=3)", "kernel"]),
        ("para0=level=3", ["kernel"]),
        ("", ["kernel"]),
    ],
)
def test_algorithms_and_parameters(lines: str, algorithms: list[str]) -> None:
    config, _ = translated(f"{SWAP}{lines}\n")
    assert list(map(str, config.devices[0].algorithms)) == algorithms


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("icmp0=yes", "icmp0"),
        ("uuid0=1234", "uuid0"),
        ("args0='-v'", "shell code"),
        ("unknown=1", "not a variable of zram-init"),
        ("echo hello", "not an assignment"),
    ],
)
def test_what_has_no_equivalent_is_said_with_its_line(line: str, words: str) -> None:
    config, lost = translated(f"{SWAP}{line}\n")
    assert [words in reason for reason in lost] == [True]
    assert lost[0].startswith("line 4: ")
    assert len(config.devices) == 1


def test_the_priority_discard_and_writeback_limit_are_understood() -> None:
    (device,) = translated(f"{SWAP}flag0=-\nnotr0=y\nback0=/dev/sdb1\nwlim0=256\n")[0].devices
    assert (device.priority, device.discard) == (-1, "none")
    assert device.writeback_limit == 256


@pytest.mark.parametrize(
    ("fstype", "discard"), [("ext4", "both"), ("ext2", "none"), ("xfs", "none"), ("btrfs", "none")]
)
def test_only_ext4_is_mounted_with_discard(fstype: str, discard: str) -> None:
    text = f"num_devices=1\ntype0=/srv\nsize0=512\nflag0={fstype}\n"
    assert translated(text)[0].devices[0].discard == discard


def test_a_file_system_that_zram_init_lacks_is_left_out() -> None:
    config, lost = translated("num_devices=1\ntype0=/srv\nsize0=64\nflag0=f2fs\n")
    assert config.devices == ()
    assert lost == ["line 4: flag0: zram-init makes no file system f2fs, left out"]


def test_a_device_that_is_skipped_moves_the_others_up() -> None:
    config, lost = translated("num_devices=2\ntype0=swap\nsize0=0\ntype1=/srv\nsize1=64\n")
    (desired,) = config.devices
    assert desired.mount_point == "/srv"
    assert lost == ["line 3: size0: size '0' makes no device"]


@pytest.mark.parametrize("digits", ["²", "9" * 5000])
def test_digits_that_are_not_a_number_are_not_carried_over(digits: str) -> None:
    for text in (
        f"num_devices={digits}\ntype0=swap\nsize0=64\n",
        f"num_devices=1\ntype0=swap\nsize0={digits}\n",
        f"{SWAP}size{'9' * 5000}=1\n",
    ):
        assert import_text(text, "foreign").lost


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("num_devices=1\nsize0=64\n", "line 2: type0: no type makes no device"),
        ("x=1\nnum_devices=1\n", "line 2: type0: no type makes no device"),
        ("num_devices=1\nlabl0=x\ntype0=/x\n", "line 2: size0: size '' makes no device"),
        ("num_devices=2\ntype1=swap\nsize1=64\n", "line 2: device 1: now device 0"),
    ],
)
def test_what_is_missing_or_moved_is_said_with_a_line(text: str, said: str) -> None:
    found = import_text(text, "x")
    assert said in found.lost + found.looks
