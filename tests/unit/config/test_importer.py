# SPDX-License-Identifier: MIT
"""Other tools' files, translated: what comes out is a configuration that means the same."""

from __future__ import annotations

import pytest

from pyzram.config.importer import import_text
from pyzram.config.parser import Config, parse_config
from pyzram.errors import InvalidValueError

MIB = 1 << 20
RAM = 8 << 30


def translated(text: str) -> tuple[Config, list[str]]:
    found = import_text(text, "theirs")
    return parse_config(found.text(), "ours", ram=RAM, cpus=4), found.lost


ZRAM_INIT = """
# zram-init
load_on_start=yes
unload_on_stop=yes
num_devices=2
type0=swap
flag0= # default priority
size0=512
mlim0=128
algo0=zstd
para0="level=3"
labl0=zram_swap
rc_before="bootmisc"

type1=/var/tmp
flag1=ext4
size1=2048
opts1="noatime"
mode1=1777
owgr1=root:root
labl1=var_tmp
blck1=4096
"""


def test_zram_inits_file_means_the_same() -> None:
    config, lost = translated(ZRAM_INIT)
    assert (config.load_on_start, config.unload_on_stop) == (True, True)
    swap, mount = config.devices
    assert (swap.disksize, swap.mem_limit, swap.priority) == (512 * MIB, 128 * MIB, 16383)
    assert list(map(str, swap.algorithms)) == ["zstd(level=3)"]
    assert (swap.label, swap.discard) == ("zram_swap", "both")
    assert (mount.mount_point, mount.fstype, mount.disksize) == ("/var/tmp", "ext4", 2048 * MIB)
    assert (mount.mount_options, mount.mode, mount.owner) == ("noatime", 0o1777, "root:root")
    assert mount.mkfs_options == ("-O", "^has_journal", "-m", "0", "-b", "4096")
    assert lost == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("icmp0=yes", "icmp0"),
        ("uuid0=1234", "uuid0"),
        ("args0='-v'", "shell code"),
        ("size0=`expr 1 + 2`", "backticks"),
        ("unknown=1", "no variable of zram-init"),
        ("num_devices=2\ntype1=-\nsize1=5", "made but not used"),
        ("num_devices=2\ntype1=what\nsize1=5", "makes none"),
        ("num_devices=2\nsize1=0", "makes none"),
    ],
)
def test_what_zram_init_has_and_pyzram_has_not_is_said(line: str, words: str) -> None:
    config, lost = translated(f"type0=swap\nsize0=64\n{line}\n")
    assert any(words in reason for reason in lost)
    assert len(config.devices) == 1


def test_a_device_that_zram_init_skips_moves_the_others_up() -> None:
    config, lost = translated("num_devices=2\ntype0=swap\nsize0=0\ntype1=/srv\nsize1=64\n")
    (desired,) = config.devices
    assert desired.mount_point == "/srv"
    assert "device 1: it is device 0 now" in lost


def test_the_writeback_limit_of_zram_init_is_in_pages() -> None:
    found = import_text("size0=64\nback0=/dev/sdb1\nwlim0=256\n", "foreign")
    assert 'ZRAM_WRITEBACK_LIMIT_0="1024K"' in found.text()


def test_as_many_devices_as_there_can_be() -> None:
    sizes = "".join(f"size{index}=64\n" for index in range(257))
    assert not import_text(f"num_devices=256\n{sizes}", "foreign").lost
    assert "num_devices" in import_text(f"num_devices=257\n{sizes}", "foreign").lost[0]


def test_the_kernel_recompresses_with_three_algorithms() -> None:
    names = "lzo-rle lz4 zstd deflate"
    found = import_text(f"[zram0]\ncompression-algorithm = {names}\n", "foreign")
    assert not found.lost
    assert 'ZRAM_RECOMP_ALGORITHM_0="lz4 zstd deflate"' in found.text()
    found = import_text(f"[zram0]\ncompression-algorithm = {names} 842\n", "foreign")
    assert found.lost == ["zram0: compression-algorithm 842: the kernel has three at most"]


def test_the_priority_and_discard_of_zram_init_are_understood() -> None:
    (desired,) = translated("type0=swap\nsize0=64\nflag0=-\nnotr0=y\n")[0].devices
    assert (desired.priority, desired.discard) == (-1, "none")


def test_zram_generators_file_means_the_same() -> None:
    config, lost = translated(
        """
        # comment
        [zram0]
        zram-size = min(ram / 2, 4096)
        compression-algorithm = lzo-rle zstd(level=3) (type=idle)
        swap-priority = 50
        zram-resident-limit = ram / 4
        writeback-device = /dev/sdb1
        options = discard

        [zram1]
        mount-point = /var/compressed
        options = X-mount.mode=1777,noatime,discard
        zram-size = 1024
        """
    )
    swap, mount = config.devices
    assert (swap.disksize, swap.mem_limit, swap.priority) == (4096 * MIB, RAM // 4, 50)
    assert list(map(str, swap.algorithms)) == ["lzo-rle"]
    assert list(map(str, swap.recompression)) == ["zstd(level=3)"]
    assert (swap.backing_dev, swap.discard) == ("/dev/sdb1", "both")
    assert (mount.mount_point, mount.fstype, mount.disksize) == (
        "/var/compressed",
        "ext2",
        1024 * MIB,
    )
    assert (mount.mount_options, mount.mode, mount.discard) == ("noatime", 0o1777, "both")
    assert lost == [
        "zram0: compression-algorithm (type=idle): recompression is no part of the configuration"
    ]


@pytest.mark.parametrize(
    ("theirs", "size"),
    [
        ("512", 512 * MIB),
        ("ram", RAM),
        ("ram / 4", RAM // 4),
        ("min(ram / 2, 4096)", 4096 * MIB),
        ("min(ram, 1024) + 512", 1536 * MIB),
        ("max(ram / 3, 100)", RAM // 3),
        ("(ram - 1024) / 2", (RAM - 1024 * MIB) // 2),
    ],
)
def test_sizes_in_megabytes_become_sizes_in_bytes(theirs: str, size: int) -> None:
    (desired,) = translated(f"[zram0]\nzram-size = {theirs}\n")[0].devices
    assert desired.disksize == -(-size // 4096) * 4096


def test_devices_without_a_size_each_have_the_generators_default() -> None:
    config, _ = translated("[zram0]\nswap-priority = 5\n[zram1]\nzram-size = log(ram)\n")
    assert [desired.disksize for desired in config.devices] == [4096 * MIB] * 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("host-memory-limit = 2048", "host-memory-limit"),
        ("zram-size = log(ram)", "zram-size"),
        ("set!x = echo 1", "shell code"),
        ("swap-prio = 5", "not known"),
        ("options = discard,nofail", "nofail"),
    ],
)
def test_what_the_generator_has_and_pyzram_has_not_is_said(line: str, words: str) -> None:
    config, lost = translated(f"[zram0]\n{line}\n")
    assert any(words in reason for reason in lost)
    assert len(config.devices) == 1


def test_a_value_that_pyzram_refuses_is_pointed_out() -> None:
    found = import_text("[zram0]\nswap-priority = 99999\n", "theirs")
    assert any("ZRAM_PRIORITY_0" in reason for reason in found.lost)


def test_some_other_file_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="neither"):
        import_text("a=b\n", "theirs")


@pytest.mark.parametrize("digits", ["²", "9" * 5000])
def test_digits_that_are_no_number_are_not_carried_over(digits: str) -> None:
    for text in (
        f"num_devices={digits}\nsize0=64\n",
        f"type0=swap\nsize0={digits}\n",
        f"size0=64\nwlim0={digits}\nsize{'9' * 5000}=1\n",
        f"[zram{digits}]\nzram-size=1\n",
        f"[zram0]\nzram-size={digits}\n",
        f"[zram0]\nzram-size=min(ram/{digits},5)\n",
    ):
        assert import_text(text, "foreign").lost


def test_a_count_beyond_all_devices_is_not_counted_to() -> None:
    found = import_text("num_devices=99999999\nsize0=64\n", "foreign")
    assert "num_devices" in found.lost[0]


@pytest.mark.parametrize("size", ["`free -m`", "$((1024))", '"$(expr 2 \\* 2)"'])
def test_a_size_that_a_command_works_out_makes_a_device_of_the_default_size(size: str) -> None:
    found = import_text(f"num_devices=2\ntype0=swap\nsize0={size}\nsize1=64\n", "theirs")
    assert 'ZRAM_SIZE_0="min(ram/2, 4G)"\n' in found.text()
    assert 'ZRAM_SIZE_1="64M"\n' in found.text()
    assert "size0: the default is used, min(ram/2, 4G)" in found.lost


def test_a_file_of_zram_init_without_devices_is_one() -> None:
    assert 'NUM_DEVICES="0"\n' in import_text("num_devices=0\n", "theirs").text()


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("zram-fraction = 0.1\nmax-zram-size = 512", 512 * MIB),
        ("zram-fraction = 0.25\nmax-zram-size = none", RAM // 4),
        ("zram-fraction = 0.25", RAM // 4),
        ("max-zram-size = 1024", 1024 * MIB),
        ("zram-size = 64\nzram-fraction = 0.5", 64 * MIB),
    ],
)
def test_sizes_as_older_generators_have_them(lines: str, size: int) -> None:
    config, lost = translated(f"[zram0]\n{lines}\n")
    assert config.devices[0].disksize == -(-size // 4096) * 4096
    assert lost == []
