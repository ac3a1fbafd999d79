# SPDX-License-Identifier: MIT
"""The files of smaller tools; each tool's meaning is in docs/migration.md."""

from __future__ import annotations

import pytest
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.importer import import_files
from pyzram.config.parser import parse_config
from pyzram.errors import InvalidValueError

MIB = 1 << 20
RAM = 8 << 30
DIETPI = "AUTO_SETUP_SWAPFILE_LOCATION=zram\n"


def translated(text: str) -> tuple[Config, list[str]]:
    found = import_text(text, "theirs")
    return parse_config(found.text(), "ours", ram=RAM, cpus=4), found.lost


@pytest.mark.parametrize(
    ("text", "size", "algorithms", "priority"),
    [
        # zram-tools: PERCENT overrides SIZE in MiB.
        ("#ALGO=lz4\n#PERCENT=50\n#SIZE=256\n#PRIORITY=100\n", 256 * MIB, "lz4", 100),
        ("ALGO=zstd\nPERCENT=60\nSIZE=512\nPRIORITY=5\n", 5153960756, "zstd", 5),
        ("SIZE=512\n", 512 * MIB, "lz4", 100),
        # zramen: a percentage, up to a number of MiB.
        ("export ZRAM_COMP_ALGORITHM='zstd'\nexport ZRAM_SIZE=100\n", 4096 * MIB, "zstd", 32767),
        ("ZRAM_COMP_ALGORITHM=lz4\nZRAM_SIZE=25\nZRAM_PRIORITY=7\n", RAM // 4, "lz4", 7),
        # systemd-swap.
        ("zram_enabled=1\nzram_size=$(( RAM_SIZE / 4 ))\nzram_alg=zstd\n", RAM // 4, "zstd", 32767),
        ("zram_enabled=1\nzram_size=$((RAM_SIZE/8))\nzram_prio=9\n", RAM // 8, "zstd", 9),
        ("zram_enabled=yes\nzram_size=$(( RAM_SIZE * 3 / 4 )) # x\n", RAM * 3 // 4, "zstd", 32767),
        ("ZRAM_COMP_ALGORITHM=zstd\nZRAM_SIZE=0\nZRAM_MAX_SIZE=0\n", RAM // 4, "zstd", 32767),
        # DietPi.
        ("AUTO_SETUP_SWAPFILE_LOCATION=/dev/zram0\n", RAM // 2, "kernel", -1),
        (f"{DIETPI}AUTO_SETUP_SWAPFILE_SIZE=1\n", RAM // 2, "kernel", -1),
        (
            "AUTO_SETUP_SWAPFILE_SIZE=512\nAUTO_SETUP_SWAPFILE_LOCATION=zram\n",
            512 * MIB,
            "kernel",
            -1,
        ),
        # zram-config.
        ("# type alg\nswap\tlzo-rle\t250M\t750M\t75\n", 750 * MIB, "lzo-rle", 75),
    ],
)
def test_one_device_of_swap(text: str, size: int, algorithms: str, priority: int) -> None:
    config, _ = translated(text)
    (device,) = config.devices
    assert device.is_swap
    assert device.disksize == -(-size // 4096) * 4096
    assert str(device.algorithms[0]) == algorithms
    assert device.priority == priority


def test_an_empty_variable_is_not_what_is_left_out() -> None:
    lost = import_text("PERCENT=\nSIZE=99999999999\n", "theirs").lost
    assert [line.partition(": '")[0] for line in lost] == ["line 2: SIZE"]


def test_armbian_has_swap_and_tmp() -> None:
    config, lost = translated(
        "ENABLED=true\nZRAM_PERCENTAGE=50\nSWAP_ALGORITHM=lz4\nSWAP_PRIORITY=6\n"
    )
    swap, tmp = config.devices
    assert (swap.disksize, swap.mem_limit, swap.priority) == (RAM // 2, RAM // 2, 6)
    assert (tmp.mount_point, tmp.disksize, tmp.mode) == ("/tmp", RAM // 2, 0o1777)
    assert lost == []
    assert translated("ENABLED=false\nZRAM_PERCENTAGE=50\n")[0].devices == ()
    (only,) = translated("ENABLED=true\nSWAP=false\nTMP_SIZE=500M\nTMP_ALGORITHM=zstd\n")[0].devices
    assert (only.disksize, str(only.algorithms[0])) == (500 * MIB, "zstd")
    swap, _ = translated("ENABLED=true\nSWAP_ALGORITHM=lzo\n")[0].devices
    assert list(map(str, swap.algorithms)) == ["lzo-rle", "lzo", "kernel"]


def test_zram_configs_directories_that_keep_their_contents_are_reported() -> None:
    config, lost = translated(
        "swap lzo-rle 250M 750M 75 0 150\nlog lzo-rle 50M 150M /var/log /log.bind\n"
        "swap lz4 0 1G\nswap lz4 0 1G 5\n"
    )
    assert [device.mem_limit for device in config.devices] == [250 * MIB]
    assert lost == [
        "line 1: vm.page-cluster = 0: for /etc/sysctl.d",
        "line 1: vm.swappiness = 150: for /etc/sysctl.d",
        "line 2: /var/log: a directory that keeps its contents has no equivalent",
        "line 3: swap: without a priority it is not used",
        "line 4: swap: there is one already, so zram-config leaves this out",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("PERCENT=fifty\n", "line 1: PERCENT"),
        ("ALGO=lz4\nOTHER=1\n", "line 2: OTHER: has no equivalent"),
        ("zram_enabled=0\nzram_alg=lz4\n", "line 1: zram_enabled is not 1"),
        ("zram_enabled=1\nzram_count=${NCPU}\n", "line 2: zram_count"),
        ("zram_enabled=1\nswapfc_enabled=1\n", "line 2: swapfc_enabled"),
        ("AUTO_SETUP_SWAPFILE_LOCATION=/var/swap\n", "line 1: swap in /var/swap: no zram"),
        ("ZRAM_COMP_ALGORITHM=lz4\nZRAM_STREAMS=4\n", "line 2: ZRAM_STREAMS"),
        ("ZRAM_COMP_ALGORITHM=nosuch\n", "line 1: ZRAM_COMP_ALGORITHM: 'nosuch' is not known"),
        ("zram_enabled=1\nzram_size=`free`\n", "line 2: zram_size: '`free`' is not understood"),
        ("swap lz4 0 what 5\n", "line 1: swap: size 'what'"),
    ],
)
def test_what_has_no_equivalent_is_said_with_its_line(text: str, told: str) -> None:
    assert any(line.startswith(told) for line in import_text(text, "x").lost)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ('_zram_fraction="1/2"\n', "zram-swap"),
        ("ALGORITHM=zstd\nFRACTION=1.0\nPRIORITY=5\n", "zramd"),
        ("MEM_FACTOR=50\n", "zram-swap-config"),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(text: str, tool: str) -> None:
    with pytest.raises(InvalidValueError, match=f"looks like {tool}'s file"):
        import_text(text, "theirs")


@pytest.mark.parametrize("text", ["", "a=b\n", "just words\n", "[Unit]\nx=y\n"])
def test_some_other_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="not a file of"):
        import_text(text, "theirs")


@pytest.mark.parametrize(
    "text", ["ALGO=kernel\nPERCENT=50\n", "num_devices=1\ntype0=swap\nsize0=64\nalgo0=kernel\n"]
)
def test_the_word_kernel_is_no_algorithm(text: str) -> None:
    """If the kernel lacks one of that name, it uses its own, which is what our word means."""
    (device,) = translated(text)[0].devices
    assert list(map(str, device.algorithms)) == ["kernel"]


def test_several_files_are_the_generators_alone() -> None:
    with pytest.raises(InvalidValueError, match="several files"):
        import_files([("a", "PERCENT=5\n"), ("b", "PERCENT=6\n")])


def test_what_our_own_rules_refuse_is_left_out() -> None:
    """zram-tools has no swap either, because its swapon refuses it."""
    found = import_text("PRIORITY=99999\n", "x")
    assert found.lost == [
        "line 1: PRIORITY: '99999' is not a whole number from -1 to 32767: device 0 is left out"
    ]
    assert found.lines == [("NUM_DEVICES", "0")]


# For each tool, values that pyzram's own rules refuse; its line and its name there are named.
WRONG = {
    "zram-tools": ("# x\nPERCENT=50\nALGO=a/b\n", "line 3: ALGO: "),
    "zramen": ("ZRAM_COMP_ALGORITHM=lz4\nZRAM_MAX_SIZE=1\nZRAM_SIZE=0x\n", "line 3: ZRAM_SIZE: "),
    "systemd-swap": ("zram_enabled=1\nzram_prio=99999\n", "line 2: zram_prio: "),
    "armbian": ("ENABLED=true\nTMP_SIZE=1K\n", "line 2: TMP_SIZE: "),
    "armbian, backing": (
        "ENABLED=true\nZRAM_PERCENTAGE=9\nZRAM_BACKING_DEV=sda\n",
        "line 3: ZRAM_BACKING_DEV: ",
    ),
    "DietPi": (
        "AUTO_SETUP_SWAPFILE_LOCATION=zram\nAUTO_SETUP_SWAPFILE_SIZE=999999999\n",
        "line 2: AUTO_SETUP_SWAPFILE_SIZE: ",
    ),
    "zram-config": ("# x\nswap lz4 0 512M 99999\n", "line 2: swap: "),
}
# zram-init's files, each with one wrong value in the last line.
WRONG_OF_ZRAM_INIT = [
    ("type0=swap", "size0=99999999999"),
    ("type0=swap", "mlim0=x"),
    ("type0=swap", "flag0=99999"),
    ("type0=swap", "algo0=a/b"),
    ("type0=swap\nalgo0=zstd", "para0=level=x"),
    ("type0=swap", "back0=sda"),
    ("type0=swap", "labl0='a\tb'"),
    ("type0=/x", "mode0=888"),
    ("type0=/x", "owgr0=a:b:c"),
    ("type0=/x", "opts0='a b'"),
    ("load_on_start=1", "unload_on_stop=perhaps"),
]


@pytest.mark.parametrize(("text", "place"), WRONG.values(), ids=WRONG)
def test_what_is_left_out_names_the_line(text: str, place: str) -> None:
    said = import_text(text, "x").lost
    assert any(line.startswith(place) for line in said), said


@pytest.mark.parametrize(("others", "wrong"), WRONG_OF_ZRAM_INIT)
def test_what_is_left_out_of_zram_init_names_the_line(others: str, wrong: str) -> None:
    text = f"num_devices=1\nsize0=64\n{others}\n{wrong}\n"
    place = f"line {len(text.splitlines())}: {wrong.partition('=')[0]}: "
    said = import_text(text, "x").lost
    assert any(line.startswith(place) for line in said), said
