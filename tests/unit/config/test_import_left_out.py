# SPDX-License-Identifier: MIT
"""What ``check`` would refuse is left out: the value or the device, as with the other tool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.imported import Imported
from pyzram.config.parser import parse_config
from pyzram.errors import InvalidValueError

RAM = 8 << 30
TWO = "num_devices=2\ntype0=swap\nsize0=64\ntype1=/x\nsize1=128\n"


def taken(text: str) -> tuple[Config, Imported]:
    found = import_text(text, "theirs", ram=RAM)
    return parse_config(found.text(), "ours", ram=RAM, cpus=4, here=True), found


@pytest.mark.parametrize(
    ("line", "kinds", "said"),
    [
        ("mlim1=1G", ["swap"], "mlim1: '1G' is not numeric, so it makes no device"),
        ("wlim1=1G", ["swap"], "wlim1: '1G' is not numeric, so it makes no device"),
        ("owgr1=nosuchuser:x", ["swap", "/x"], "owgr1: "),
        ("mode1=999", ["swap", "/x"], "mode1: "),
        ("flag0=40000", ["/x"], "flag0: '40000' is not a whole number from -1 to 32767"),
        ("flag0=abc", ["/x"], "flag0: 'abc' is not a whole number"),
        ("type0=/x", ["/x"], "two devices are to be mounted on /x"),
        ("algo0='a/b'", ["swap", "/x"], "algo0: algorithm 'a/b': not a valid name"),
    ],
)
def test_zram_init_loses_a_value_or_a_device(line: str, kinds: list[str], said: str) -> None:
    config, found = taken(f"{TWO}{line}\n")
    assert [device.mount_point or "swap" for device in config.devices] == kinds
    assert any(said in words for words in found.lost), found.lost
    for index, device in enumerate(config.devices):
        assert device.index == index
        assert device.disksize in (64 << 20, 128 << 20)


def test_two_devices_do_not_share_a_backing_device() -> None:
    config, found = taken(f"{TWO}back0=/dev/sdz\nback1=/dev/sdz\n")
    assert [device.backing_dev for device in config.devices] == ["/dev/sdz", None]
    assert found.lost == ["line 7: back1: two devices are to write back to /dev/sdz, left out"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PERCENT=50\nPRIORITY=40000\n", "line 2: PRIORITY: '40000'"),
        ("PERCENT=50\nALGO='a b/c'\n", "line 2: ALGO: "),
        ("swap lz4 0 512M 70000\n", "line 1: swap: '70000'"),
        ('swap "lz4" 0 512M 75\n', "line 1: swap: algorithm '\"lz4\"': not a valid name"),
    ],
)
def test_the_only_device_is_lost(text: str, said: str) -> None:
    config, found = taken(text)
    assert config.devices == ()
    (line,) = found.lost
    assert line.startswith(said)
    assert line.endswith("device 0 is left out")
    assert f"# Not carried over: {line}\n" in found.text()


def test_an_unknown_row_of_a_ztab_is_lost_alone() -> None:
    config, found = taken("# x\nswap lz4 0 512M 75\nzwap lz4 0 1G 75\nlog lz4 0 1G /var/log /b\n")
    (device,) = config.devices
    assert device.disksize == 512 << 20
    assert found.lost[0] == "line 3: zwap: not a kind of row that zram-config knows"


@pytest.mark.parametrize("text", ["just words\nand more\n", "swap = 5\n", "logs of swap\n"])
def test_other_words_are_no_ztab(text: str) -> None:
    with pytest.raises(InvalidValueError, match="not a file of"):
        import_text(text, "x")


NAMES = {
    "num_devices=3\ntype0=swap\nsize0=64\ntype1=/x\nsize1=64\ntype2=/x\nsize2=9\n": [
        f"{stem}{number}="
        for stem in (
            [
                "type",
                "size",
                "mlim",
                "wlim",
                "flag",
                "notr",
                "algo",
                "para",
                "labl",
                "back",
                "opts",
                "mode",
                "owgr",
                "blck",
            ]
        )
        for number in range(3)
    ],
    "PERCENT=50\n": ["PERCENT=", "SIZE=", "ALGO=", "PRIORITY="],
    "ZRAM_COMP_ALGORITHM=lz4\n": [
        *("ZRAM_SIZE=", "ZRAM_PRIORITY=", "ZRAM_MAX_SIZE=", "ZRAMEN_SWAPON_DISCARD="),
    ],
    "zram_enabled=1\n": ["zram_size=", "zram_alg=", "zram_prio=", "zram_count="],
    "ENABLED=true\nZRAM_PERCENTAGE=9\n": [
        *("ZRAM_PERCENTAGE=", "MEM_LIMIT_PERCENTAGE=", "SWAP_ALGORITHM=", "TMP_ALGORITHM="),
        *("TMP_SIZE=", "ZRAM_BACKING_DEV=", "SWAP_PRIORITY=", "SWAP=", "TMP="),
    ],
    "AUTO_SETUP_SWAPFILE_LOCATION=zram\n": ["AUTO_SETUP_SWAPFILE_SIZE="],
    "swap lz4 0 512M 75\n": ["swap lz4 0 ", "swap ", "swap lz4 ", "log "],
}
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "0", "1", "-1", "50", "64", "512M", "1G", "40000", "99999999999999999999", "1e3"),
            *("swap", "/x", "/y z", "/x/../x", "-", "ext4", "a/b", "lz4", "'zstd lz4'", "kernel"),
            *("level=3", "'algo=zstd level=99'", "root:root", "nosuchuser:x", "0755", "'a\tb'"),
            *("$(nproc)", "$((RAM_SIZE/2))", "/dev/sdz", "'a\"b$c`d'", "é" * 20, "512M 70000"),
            "4096",
        ]
    ),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=12),
)


@pytest.mark.parametrize("start", sorted(NAMES))
def test_a_file_with_nul_bytes_is_refused(start: str) -> None:
    for text in (f"{start}{NAMES[start][-1]}\0\n", f"# \0\n{start}"):
        with pytest.raises(InvalidValueError, match="theirs: it has NUL bytes"):
            import_text(text, "theirs", ram=RAM)


@given(data=st.data(), start=st.sampled_from(sorted(NAMES)))
def test_what_is_written_is_taken(data: st.DataObject, start: str) -> None:
    lines = st.tuples(st.sampled_from(NAMES[start]), VALUES).map("".join)
    text = start + "\n".join(data.draw(st.lists(lines, max_size=6))) + "\n"
    try:
        found = import_text(text, "x", ram=RAM)
    except InvalidValueError:
        return  # nothing is written
    parse_config(found.text(), "ours", ram=RAM, cpus=4, here=True)
    assert all(len(line.split("\n")) == 1 for line in found.lost)
