# SPDX-License-Identifier: MIT
"""The configuration file: shell syntax, historic variables, and everything that can be wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram.config import consistency, layers, variables
from pyzram.config.config import Config, ConfigError
from pyzram.config.parser import parse_config, read_config
from pyzram.config.shell_assignments import read_assignments
from pyzram.errors import ZramOSError

GIB = 1 << 30
RAM = 16 * GIB


def parse(text: str, ram: int = RAM) -> Config:
    return parse_config(text, "zram", ram=ram, cpus=4)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return list(caught.value.problems)


# ---- defaults ----------------------------------------------------------------------------------


def test_an_empty_file_is_one_swap_device_with_the_documented_defaults() -> None:
    config = parse("")
    assert config.load_on_start
    assert not config.unload_on_stop
    (device,) = config.devices
    assert device.is_swap
    assert device.disksize == 4 * GIB
    assert [choice.name for choice in device.algorithms] == ["zstd", "lz4", "lzo-rle", "lzo"]
    assert (device.priority, device.discard, device.mem_limit) == (100, "none", 0)
    assert parse("", ram=2 * GIB).devices[0].disksize == GIB


def test_the_default_is_shared_by_several_devices() -> None:
    assert [desired.disksize for desired in parse("NUM_DEVICES=4").devices] == [GIB] * 4


def test_no_devices_may_be_asked_for() -> None:
    assert parse("NUM_DEVICES=0").devices == ()


# ---- historic ----------------------------------------------------------------------------------


def test_the_historic_file_keeps_its_meaning() -> None:
    config = parse(
        "# Load zram kernel module on start?\n"
        'LOAD_ON_START="yes"\nUNLOAD_ON_STOP="yes"\nNUM_DEVICES="2"\n'
        'ZRAM_SIZE_0="524288"\nZRAM_SIZE_1=65536\nSWAPON_OPTS="-p 666"\n'
    )
    assert (config.load_on_start, config.unload_on_stop) == (True, True)
    assert [desired.disksize for desired in config.devices] == [512 << 20, 64 << 20]
    assert [desired.priority for desired in config.devices] == [666, 666]


@pytest.mark.parametrize(
    ("options", "priority", "discard"),
    [
        ("-p 5", 5, "none"),
        ("-p5", 5, "none"),
        ("--priority=7 --discard=once", 7, "once"),
        ("--priority 7 -d", 7, "both"),
        ("--discard", 100, "both"),
        ("-p -1", -1, "none"),
    ],
)
def test_swapon_options_are_understood(options: str, priority: int, discard: str) -> None:
    (desired,) = parse(f'SWAPON_OPTS="{options}"').devices
    assert (desired.priority, desired.discard) == (priority, discard)


def test_a_device_of_its_own_settings_beats_swapon_opts() -> None:
    (desired,) = parse("SWAPON_OPTS='-p 5 -d'\nZRAM_PRIORITY_0=9\nZRAM_DISCARD_0=no").devices
    assert (desired.priority, desired.discard) == (9, "none")


# ---- devices -----------------------------------------------------------------------------------


def test_everything_can_be_said_about_a_swap_device() -> None:
    (desired,) = parse(
        """
        ZRAM_SIZE_0='min(ram/4, 2G)'
        ZRAM_ALGORITHM_0="zstd lz4(level=2) lzo-rle"
        ZRAM_PARAMS_0="level=9 dict=/etc/zram.dict"
        ZRAM_RECOMP_ALGORITHM_0="zstd(level=19) deflate(level=9,deflate.winbits=-12)"
        ZRAM_MEM_LIMIT_0=25%
        ZRAM_PRIORITY_0=200 ZRAM_DISCARD_0=pages
        ZRAM_LABEL_0="my swap"
        ZRAM_BACKING_DEV_0=/dev/sdb1 ; ZRAM_WRITEBACK_LIMIT_0=1G
        """
    ).devices
    assert desired.disksize == 2 * GIB
    assert list(map(str, desired.algorithms)) == [
        "zstd(level=9,dict=/etc/zram.dict)",
        "lz4(level=2)",
        "lzo-rle",
    ]
    assert list(map(str, desired.recompression)) == [
        "zstd(level=19)",
        "deflate(level=9,deflate.winbits=-12)",
    ]
    assert desired.mem_limit == 4 * GIB
    assert (desired.priority, desired.discard, desired.label) == (200, "pages", "my swap")
    assert (desired.backing_dev, desired.writeback_limit) == ("/dev/sdb1", GIB // 4096)


def test_a_mount_point_makes_a_file_system() -> None:
    (desired,) = parse(
        """
        ZRAM_SIZE_0=1.5G
        ZRAM_MOUNT_0=/srv/build/
        ZRAM_FSTYPE_0=xfs
        ZRAM_MKFS_OPTS_0="-m crc=0"
        ZRAM_MOUNT_OPTS_0="noatime,nodev"
        ZRAM_MODE_0=2775
        ZRAM_OWNER_0=portage:portage
        """
    ).devices
    assert not desired.is_swap
    assert (desired.mount_point, desired.fstype) == ("/srv/build", "xfs")
    assert desired.mkfs_options == ("-m", "crc=0")
    assert (desired.mount_options, desired.mode, desired.owner) == (
        "noatime,nodev",
        0o2775,
        "portage:portage",
    )
    assert desired.discard == "both"


def test_tmp_is_writable_for_all_untouched() -> None:
    assert parse("ZRAM_MOUNT_0=/tmp").devices[0].mode == 0o1777
    assert parse("ZRAM_MOUNT_0=/srv").devices[0].mode is None


def test_devices_are_counted_by_what_is_set() -> None:
    assert len(parse("ZRAM_SIZE_2=64M").devices) == 3


def test_settings_above_num_devices_are_warned_about() -> None:
    config = parse("NUM_DEVICES=1\nZRAM_SIZE_1=64M")
    assert len(config.devices) == 1
    assert "NUM_DEVICES is 1" in config.warnings[0]


def test_an_empty_value_is_the_default() -> None:
    assert parse('ZRAM_SIZE_0=""').devices[0].disksize == 4 * GIB
    config = parse("NUM_DEVICES=\nLOAD_ON_START=''\nUNLOAD_ON_STOP=\nSWAPON_OPTS=\n")
    assert (len(config.devices), config.load_on_start, config.unload_on_stop) == (1, True, False)
    assert len(parse("NUM_DEVICES=3\nNUM_DEVICES=\n").devices) == 1


def test_a_level_is_written_as_everywhere() -> None:
    short = parse("ZRAM_ALGORITHM_0='zstd:3 lz4'\nZRAM_RECOMP_ALGORITHM_0=zstd:-5").devices[0]
    long = parse(
        "ZRAM_ALGORITHM_0='zstd(level=3) lz4'\nZRAM_RECOMP_ALGORITHM_0='zstd(level=-5)'"
    ).devices[0]
    assert short == long
    assert short.algorithms[0].label == "zstd:3"


# ---- wrong -------------------------------------------------------------------------------------


def test_everything_wrong_is_reported_at_once_with_its_line() -> None:
    found = problems("ZRAM_SIZE_0=64Q\n\nNUM_DEVICE=1\nZRAM_PRIORITY_0=high\n")
    assert [line.split(" ")[0] for line in found] == ["zram:1:", "zram:3:", "zram:4:"]
    assert "did you mean NUM_DEVICES?" in found[1]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ZRAM_SIZE", "ZRAM_SIZE_0"),
        ("ZRAM_SIZ_1", "ZRAM_SIZE_1"),
        ("zram_size_0", "ZRAM_SIZE_0"),
        ("ZRAM_ALGORITM_3", "ZRAM_ALGORITHM_3"),
        ("SWAP_ON_OPTS", "SWAPON_OPTS"),
        ("LOAD_AT_START", "LOAD_ON_START"),
        ("size0", "pyzram import"),
    ],
)
def test_an_unknown_variable_comes_with_a_suggestion(name: str, meant: str) -> None:
    (line,) = problems(f"{name}=1")
    assert meant in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ZRAM_MOUNT_0="/a\u200bb"', r"'/a\u200bb' is not a path: not printable"),
        ("ZRAM_SIZE_0=4095B", "too small"),
        ("ZRAM_SIZE_0=16E", "2^64-1"),
        ("ZRAM_SIZE_0=16EiB", "2^64-1"),
        ("ZRAM_SIZE_0=8E", "for the table alone"),
        ("ZRAM_SIZE_0=32", "a bare number is KiB"),
        ("ZRAM_SIZE_0=0.5", "a bare number is KiB"),
        ("ZRAM_SIZE_0='min(ram/2, 4096)'", "is bytes: give it a suffix"),
        ("ZRAM_SIZE_0='ram/0'", "divides by zero"),
        ("ZRAM_SIZE_300=1G", "0 to 255"),
        ("ZRAM_SIZE_01=1G", "0 to 255"),
        ("NUM_DEVICES=-1", "whole number"),
        ("NUM_DEVICES=257", "whole number"),
        ("LOAD_ON_START=maybe", "neither yes nor no"),
        ("SWAPON_OPTS='-p'", "cannot be taken"),
        ("SWAPON_OPTS='--all'", "cannot be taken"),
        ("ZRAM_PRIORITY_0=32768", "-1 to 32767"),
        ("ZRAM_DISCARD_0=sometimes", "none once pages both"),
        ("ZRAM_LABEL_0=sixteen-letters!", "too long: swap takes 15 bytes"),
        ("ZRAM_ALGORITHM_0='zstd(level=x)'", "whole number"),
        ("ZRAM_ALGORITHM_0='zstd(leve=3)'", "parameters are"),
        ("ZRAM_ALGORITHM_0='lz4 zstd(level=23)'", "ZRAM_ALGORITHM_0: zstd has no level 23"),
        ("ZRAM_PARAMS_0='level=23'", "ZRAM_PARAMS_0: zstd has no level 23, only -131072 to 22"),
        ("ZRAM_RECOMP_ALGORITHM_0='lz4hc(level=0)'", "only 1 to 16"),
        ("ZRAM_ALGORITHM_0='lzo-rle(level=1)'", "lzo-rle has no levels"),
        ("ZRAM_ALGORITHM_0='deflate(deflate.winbits=8)'", "-15 to -9"),
        ("ZRAM_ALGORITHM_0='zstd(level=3'", "never closed"),
        ("ZRAM_ALGORITHM_0='a/b'", "algorithm 'a/b': not a valid name"),
        ("ZRAM_ALGORITHM_0='zstd.x(level=3) lz4'", "algorithm 'zstd.x': not a valid name"),
        ("ZRAM_ALGORITHM_0='lz4 zstd:23'", "ZRAM_ALGORITHM_0: zstd has no level 23"),
        ("ZRAM_ALGORITHM_0='zstd:'", "whole number"),
        ("ZRAM_ALGORITHM_0='zstd:3,lz4'", "is not a whole number (separate algorithms by blanks)"),
        ("ZRAM_ALGORITHM_0='zstd,lz4'", "not a valid name (separate algorithms by blanks)"),
        ("ZRAM_ALGORITHM_0=':3'", "not a valid name"),
        ("ZRAM_ALGORITHM_0='zstd:3(level=4)'", "after : or in the brackets"),
        ("ZRAM_PARAMS_0='dict=relative'", "absolute"),
        ("ZRAM_RECOMP_ALGORITHM_0='a b c d'", "more than 3"),
        ("ZRAM_BACKING_DEV_0=sdb1", "absolute"),
        ("ZRAM_WRITEBACK_LIMIT_0=1G", "needs ZRAM_BACKING_DEV_0"),
        ("ZRAM_FSTYPE_0=ext4", "needs ZRAM_MOUNT_0"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_PRIORITY_0=5", "swap only"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_DISCARD_0=once", "yes or no"),
        ("ZRAM_MOUNT_0=tmp", "absolute"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_MODE_0=999", "mode"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_OWNER_0=a:b:c", "owner"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_FSTYPE_0='-x'", "name"),
        ("ZRAM_MOUNT_0=/tmp ZRAM_MOUNT_OPTS_0='a b'", "commas"),
        ("ZRAM_MOUNT_0=/tmp\nZRAM_MOUNT_1=/tmp/", "two devices"),
    ],
)
def test_a_wrong_value_is_refused_and_says_why(text: str, words: str) -> None:
    (line,) = problems(text)
    assert words in line
    assert line.startswith("zram:")


def test_openrc_variables_are_left_to_openrc() -> None:
    assert len(parse('rc_need="!localmount"\nrc_before=bootmisc').devices) == 1


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zram"
    path.write_text("ZRAM_SIZE_0=1G\n".ljust(layers.TEXT_MAX, "\n"))
    assert read_config(str(path), ram=RAM).device(0).disksize == 1 << 30
    path.write_text("ZRAM_SIZE_0=1G\n".ljust(layers.TEXT_MAX + 1, "\n"))
    with pytest.raises(ZramOSError, match=r"File too large \(give a text file"):
        read_config(str(path), ram=RAM)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZramOSError, match="missing") as caught:
        read_config(str(tmp_path / "missing"), ram=RAM)
    assert caught.value.errno == 2


# ---- shell syntax ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "A=1",
        "A=1 B=2;C=3",
        "export A='x y'",
        'A="a\\"b\\\\c\\$d\\`e\\f"',
        "A='a'\"b\"c\\ d",
        "# comment\n  A=1 # more\nB=a#b",
        "A=one\\\ntwo\nB=3",
        'A="one\\\ntwo\nthree"',
        "A=x\nB=$A-${A}y\nC='$A'",
        "A=\nB=''",
        'A="$"',
        "A=a=b",
        "A=x\\'y",
        "A=1\nexport A\nB=2",
        "A=1\nexport A B=2 A # more",
        "A=\"$'x'\"",
    ],
)
def test_assignments_mean_what_they_mean_to_a_shell(text: str, tmp_path: Path) -> None:
    found, refused = read_assignments(text)
    assert not refused
    ours = {entry.name: entry.value for entry in found}
    script = text + "".join(f'\nprintf "{name}=%s\\0" "${name}"' for name in ours)
    out = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    theirs = dict(part.split("=", 1) for part in out.split("\0")[:-1])
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A=`id`", 1, "backticks"),
        ("\nA=$(id)", 2, "$(...)"),
        ('A="x$((1+1))"', 1, "$(...)"),
        ('A="`id`"', 1, "backticks"),
        ("A=${B:-x}", 1, "plain ${NAME}"),
        ("A=$B", 1, "not set earlier"),
        ("A=min(ram/2,4G)", 1, "quote the value"),
        ("A=a;B=b|c", 1, "quote the value"),
        ("A='x\n\n", 1, "never closed"),
        ('A=1\nB="x', 2, "never closed"),
        ("A = 1", 1, "no blanks around '='"),
        ("A=1 rm -rf x", 1, "no commands"),
        ("if true; then", 1, "no commands"),
        ("1A=2", 1, "not an assignment"),
        ("A=~/x", 1, "'~'"),
        (". /etc/other", 1, "no commands"),
        ("A=$'x'", 1, "shells differ"),
        ("A=$1", 1, "means something to a shell"),
        ('A="$$"', 1, "means something to a shell"),
        ("A=${#}", 1, "means something to a shell"),
        ("A=1\nA", 2, "no commands"),
        ("export A", 1, "no commands"),
        ("A=1\necho A", 2, "no commands"),
    ],
)
def test_what_would_run_something_is_reported_with_its_line(
    text: str, line: int, words: str
) -> None:
    _, refused = read_assignments(text)
    assert words in refused[0].reason
    assert refused[0].line == line


def test_reading_goes_on_after_a_line_that_is_refused() -> None:
    found, refused = read_assignments("A=`id`\nB=2\nC=$(id)\nD=4\n")
    assert [entry.name for entry in found] == ["B", "D"]
    assert [problem.line for problem in refused] == [1, 3]


@given(st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=127), max_size=40))
def test_a_quoted_value_comes_back_whatever_is_in_it(value: str) -> None:
    found, refused = read_assignments(f"A={shlex.quote(value)}\nB=1\n")
    assert not refused
    assert [(entry.name, entry.value) for entry in found] == [("A", value), ("B", "1")]
    assert found[1].line == value.count("\n") + 2


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    read_assignments(text)
    try:
        parse(text)
    except ConfigError as err:
        assert err.problems


def test_every_variable_is_in_the_example_file() -> None:
    example = Path(__file__).parents[3] / "initscripts/openrc/zram.confd"
    text = example.read_text()
    for name in [*variables.GLOBALS, *(f"{stem}_0" for stem in variables.PER_DEVICE)]:
        assert f"{name}=" in text, name


def test_without_a_file_in_its_place_the_defaults_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "zram")
    monkeypatch.setattr(layers, "DEFAULT_PATH", path)
    monkeypatch.setattr(layers, "VENDOR_PATH", f"{tmp_path}/vendor")
    found = read_config(path, ram=RAM)
    assert [desired.what for desired in found.devices] == ["swap"]
    assert found.warnings == (f"{path}: there is no such file, the defaults apply",)


def test_a_backing_device_cannot_serve_two_devices() -> None:
    assert problems("ZRAM_BACKING_DEV_0=/dev/x\nZRAM_BACKING_DEV_1=//dev/x\n") == [
        "zram: two devices are to write back to /dev/x"
    ]


@pytest.mark.parametrize("name", ["NUM_DEVICES", "ZRAM_PRIORITY_0", "ZRAM_MODE_0"])
def test_a_number_of_thousands_of_digits_is_refused(name: str) -> None:
    assert name in problems(f"{name}={'9' * 5000}\n")[0]
    assert "numbered" in problems(f"ZRAM_SIZE_{'9' * 5000}=1G\n")[0]


def test_the_last_of_every_range_is_in_it() -> None:
    assert len(parse("NUM_DEVICES=256\n").devices) == 256
    assert "not a whole number" in problems("NUM_DEVICES=257\n")[0]
    assert parse("ZRAM_SIZE_255=1M\n").devices[-1].index == 255
    assert "numbered 0 to 255" in problems("ZRAM_SIZE_256=1M\n")[0]
    assert parse("ZRAM_PRIORITY_0=-1\n").devices[0].priority == -1
    assert parse("SWAPON_OPTS=-p32767\n").devices[0].priority == 32767
    assert "-2" in problems("SWAPON_OPTS='-p -2'\n")[0]
    mount = "ZRAM_MOUNT_0=/x\nZRAM_MODE_0="
    assert parse(mount + "07777\n").devices[0].mode == 0o7777
    assert "is not a mode" in problems(mount + "10000\n")[0]
    assert "is not a mode" in problems(mount + "007777\n")[0]


def test_a_table_of_half_the_memory_is_the_largest() -> None:
    # 16 bytes for each page of 4096.
    assert parse("ZRAM_SIZE_0=2T\n").devices[0].disksize == 2 << 40
    assert "at once, for the table" in problems("ZRAM_SIZE_0=2.001T\n")[0]


def test_settings_up_to_num_devices_cause_no_warning() -> None:
    assert parse("NUM_DEVICES=2\nZRAM_SIZE_1=1M\n").warnings == ()


@pytest.mark.parametrize("mode", ["0o17", "1_7", "+7", "-0", "8", "17777"])
def test_a_mode_has_only_octal_digits(mode: str) -> None:
    assert "is not a mode" in problems(f"ZRAM_MOUNT_0=/x\nZRAM_MODE_0={mode}\n")[0]


# ---- files as they come ------------------------------------------------------------------------


def read(tmp_path: Path, data: bytes) -> Config:
    path = tmp_path / "zram"
    path.write_bytes(data)
    return read_config(str(path), ram=RAM)


def test_lines_of_another_system_are_taken_with_a_warning(tmp_path: Path) -> None:
    config = read(tmp_path, b'ZRAM_SIZE_0="64M"\r\nZRAM_ALGORITHM_0="lzo \\\r\nlz4"\r\n')
    assert config.devices[0].disksize == 64 << 20
    assert [str(choice) for choice in config.devices[0].algorithms] == ["lzo", "lz4"]
    (warning,) = config.warnings
    assert warning.endswith("zram:1: lines end in CR LF, which OpenRC's shell does not take")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbfZRAM_SIZE_0=64M\n", ":1: begins with a byte order mark"),
        ("ZRAM_SIZE_0=64M\n".encode("utf-16"), ": it has NUL bytes"),
        (b"ZRAM_LABEL_0=gr\xf6\xdfe\n", ":1: ZRAM_LABEL_0: "),
        (b"ZRAM_MOUNT_0=/a\nZRAM_MOUNT_OPTS_0=x=\xf6\n", ":2: ZRAM_MOUNT_OPTS_0: "),
        (b"ZRAM_MOUNT_0=/a\nZRAM_OWNER_0=\xf6\n", ":2: ZRAM_OWNER_0: "),
        (b"ZRAM_MOUNT_0=/a\nZRAM_MKFS_OPTS_0='-L \"a\nb\"'\n", ":2: ZRAM_MKFS_OPTS_0: "),
    ],
)
def test_what_is_not_text_is_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    (problem,) = caught.value.problems
    assert words in problem


def test_a_comment_may_be_in_any_encoding(tmp_path: Path) -> None:
    assert not read(tmp_path, b"# gr\xf6\xdfe\nZRAM_SIZE_0=64M\n").warnings


def test_a_variable_that_is_set_twice_is_warned_about() -> None:
    config = parse("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\nZRAM_SIZE_0=32M\n")
    assert config.devices[0].disksize == 32 << 20
    assert config.warnings == (f"{config.path}:3: ZRAM_SIZE_0: overrides line 1",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ZRAM_ALGORITHM_0=ztsd", "unknown zram algorithm 'ztsd' (did you mean zstd?)"),
        ("ZRAM_ALGORITHM_0='zstd LZ4'", "'LZ4' (did you mean lz4?)"),
        ("ZRAM_RECOMP_ALGORITHM_0=gzip", "ZRAM_RECOMP_ALGORITHM_0: unknown zram algorithm"),
    ],
)
def test_an_algorithm_that_nobody_knows_is_warned_about(line: str, words: str) -> None:
    (warning,) = parse(line).warnings
    assert words in warning


def test_two_links_to_one_place_are_one_place(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for name in "ab":
        (tmp_path / name).symlink_to(place)
    text = "ZRAM_BACKING_DEV_0={0}/a\nZRAM_BACKING_DEV_1={0}/b\n"
    with pytest.raises(ConfigError, match=f"two devices are to write back to {place}"):
        read(tmp_path, text.format(tmp_path).encode())
    with pytest.raises(ConfigError, match=f"two devices are to be mounted on {place}"):
        read(tmp_path, text.replace("BACKING_DEV", "MOUNT").format(tmp_path).encode())
    config = read(tmp_path, f"ZRAM_MOUNT_0={tmp_path}/a\n".encode())
    assert config.devices[0].mount_point == str(place)


def test_a_size_without_its_zero_says_how_to_write_it() -> None:
    with pytest.raises(ConfigError, match=r"'.5G' is not a number \(write 0.5G\)"):
        parse("ZRAM_SIZE_0=.5G")


def test_options_of_mkfs_may_be_quoted() -> None:
    config = parse("ZRAM_MOUNT_0=/a\nZRAM_MKFS_OPTS_0='-U \"a b\" -q'\n")
    assert config.devices[0].mkfs_options == ("-U", "a b", "-q")
    with pytest.raises(ConfigError, match="No closing quotation"):
        parse('ZRAM_MOUNT_0=/a\nZRAM_MKFS_OPTS_0="-U \'a"\n')


@pytest.mark.parametrize(
    ("owner", "words"),
    [("nosuchuser", "no user 'nosuchuser'"), ("root:nosuchgroup", "no group 'nosuchgroup'")],
)
def test_an_owner_that_is_not_there_is_told_at_once(tmp_path: Path, owner: str, words: str) -> None:
    text = f"ZRAM_MOUNT_0=/a\nZRAM_OWNER_0={owner}\n"
    with pytest.raises(ConfigError, match=f":2: ZRAM_OWNER_0: {words} on this machine"):
        read(tmp_path, text.encode())
    assert parse(text).devices[0].owner == owner, "another machine may have it"


@pytest.mark.parametrize("owner", ["root", "0:0", ":root", "root:", "12345"])
def test_owners_that_are_there(tmp_path: Path, owner: str) -> None:
    config = read(tmp_path, f"ZRAM_MOUNT_0=/a\nZRAM_OWNER_0={owner}\n".encode())
    assert config.devices[0].owner == owner


# ---- where the files are -------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layers, "DEFAULT_PATH", f"{tmp_path}/etc")
    monkeypatch.setattr(layers, "VENDOR_PATH", f"{tmp_path}/usr")
    (tmp_path / "etc.d").mkdir()
    (tmp_path / "usr.d").mkdir()
    return tmp_path


def test_the_administrators_files_override_the_distributions(places: Path) -> None:
    (places / "usr").write_text("ZRAM_SIZE_0=1G\nZRAM_PRIORITY_0=1\nZRAM_LABEL_0=vendor\n")
    (places / "usr.d/90-x.conf").write_text("ZRAM_PRIORITY_0=2\nZRAM_DISCARD_0=once\n")
    (places / "etc").write_text("# mine\nZRAM_PRIORITY_0=3\n")
    (places / "etc.d/10-a.conf").write_text("ZRAM_LABEL_0=mine\n")
    (places / "etc.d/.hidden.conf").write_text("nonsense\n")
    (places / "etc.d/notes.txt").write_text("nonsense\n")
    found = read_config(f"{places}/etc", ram=RAM)
    (device,) = found.devices
    assert (device.disksize, device.priority, device.label) == (1 << 30, 3, "mine")
    assert found.sources == {
        "ZRAM_SIZE_0": f"{places}/usr:1",
        "ZRAM_DISCARD_0": f"{places}/usr.d/90-x.conf:2",
        "ZRAM_PRIORITY_0": f"{places}/etc:2",
        "ZRAM_LABEL_0": f"{places}/etc.d/10-a.conf:1",
    }
    assert found.warnings == ()  # overriding is what they are for


@pytest.mark.parametrize(
    "name",
    ["ZRAM_SIZE_0", "ZRAM_MEM_LIMIT_0", "ZRAM_HOST_MEMORY_LIMIT_0", "TEND_BUDGET"],
)
@pytest.mark.parametrize("size", ["1024M", "1G", "1GiB", "1048576K", "1024m", "1073741824B"])
def test_a_size_is_told_alike_however_it_is_written(name: str, size: str) -> None:
    assert parse(f"{name}={size}\n")._told() == [f"{name}=1G (zram:1)"]


@pytest.mark.parametrize("size", ["50%", "min(ram/2, 1024M)", "1048576", "1000MB", "ram", "1.33G"])
def test_what_has_no_shorter_size_is_told_as_it_is_written(size: str) -> None:
    (line,) = parse(f'ZRAM_MEM_LIMIT_0="{size}"\n')._told()
    assert line == f"ZRAM_MEM_LIMIT_0={size} (zram:1)"


def test_an_empty_value_takes_the_distributions_back(places: Path) -> None:
    (places / "usr").write_text("ZRAM_PRIORITY_0=1\n")
    (places / "etc").write_text("ZRAM_PRIORITY_0=\n")
    found = read_config(f"{places}/etc", ram=RAM)
    assert (found.devices[0].priority, found.sources) == (100, {})


def test_a_drop_in_of_the_same_name_takes_the_place_of_the_packages(places: Path) -> None:
    (places / "usr.d/50-a.conf").write_text("ZRAM_PRIORITY_0=2\n")
    (places / "etc.d/50-a.conf").symlink_to("/dev/null")
    found = read_config(f"{places}/etc", ram=RAM)
    assert found.devices[0].priority == 100


def test_a_named_file_has_its_own_drop_ins_and_no_others(places: Path) -> None:
    (places / "usr").write_text("ZRAM_PRIORITY_0=1\n")
    (places / "own").write_text("ZRAM_SIZE_0=64M\n")
    (places / "own.d").mkdir()
    (places / "own.d/a.conf").write_text("ZRAM_SIZE_0=bad\n")
    with pytest.raises(ConfigError) as caught:
        read_config(f"{places}/own", ram=RAM)
    assert caught.value.problems[0].startswith(f"{places}/own.d/a.conf:1: ZRAM_SIZE_0: ")


# ---- what fits together --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ZRAM_MOUNT_0=/x\nZRAM_FSTYPE_0=xfs\nZRAM_LABEL_0=thirteen-long", "xfs takes 12 bytes"),
        ("ZRAM_MOUNT_0=/x\nZRAM_LABEL_0=seventeen-letters!", "ext4 takes 16 bytes"),
        ("ZRAM_MOUNT_0=/x\nZRAM_MKFS_OPTS_0='-b 1024'", "blocks of 1024 bytes"),
        ("ZRAM_MOUNT_0=/x\nZRAM_MKFS_OPTS_0='-m 0 -b1024'", "blocks of 1024 bytes"),
        ("ZRAM_ALGORITHM_0='kernel zstd'", "nothing can follow it"),
        ("ZRAM_ALGORITHM_0='kernel(level=3)'", "takes no parameters"),
        ("ZRAM_ALGORITHM_0=kernel\nZRAM_PARAMS_0=level=3", "needs an algorithm by name"),
        ("ZRAM_RECOMP_ALGORITHM_0=kernel", "only ZRAM_ALGORITHM takes"),
        ("ZRAM_MOUNT_0=/x\nZRAM_MKFS_OPTS_0='-b 1k'", "blocks of 1024 bytes"),
        ("ZRAM_MEM_LIMIT_0=8.4e+06K", "size '8.4e+06K': no scientific notation (8.4e+06), use a"),
        ("ZRAM_MEM_LIMIT_0=1e+09", "size '1e+09': no scientific notation (1e+09), use a"),
        ("ZRAM_SIZE_0='min(1e9, ram)'", "size 'min(1e9, ram)': no scientific notation (1e9), use"),
        ("TEND_BUDGET=1e9", "size '1e9': no scientific notation (1e9), use a suffix like 1G"),
    ],
)
def test_impossible_values_are_refused_with_the_reason(text: str, words: str) -> None:
    (problem,) = problems(text)
    assert words in problem


@pytest.mark.parametrize(
    ("fstype", "options"),
    [
        ("ext4", "-b 4096"),
        ("ext4", "-b 1024 -b 4096"),
        ("xfs", "-b size=4096"),
        ("btrfs", "-s 4k"),
        ("exfat", "-c 4096"),
    ],
)
def test_blocks_smaller_than_a_page_are_as_large_as_zrams(
    fstype: str, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "PAGE_SIZE", 65536)
    text = f"ZRAM_MOUNT_0=/x\nZRAM_FSTYPE_0={fstype}\nZRAM_MKFS_OPTS_0='{options}'"
    config = parse_config(text, ram=8 << 30, cpus=4)
    assert not [warning for warning in config.warnings if "MKFS_OPTS" in warning]


@pytest.mark.parametrize(
    ("page", "options", "said"),
    [(16384, "", True), (16384, "-b 16384", False), (4096, "", False)],
)
def test_f2fs_is_mounted_only_with_blocks_of_a_page(
    page: int, options: str, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "PAGE_SIZE", page)
    text = f"ZRAM_MOUNT_0=/x\nZRAM_FSTYPE_0=f2fs\nZRAM_MKFS_OPTS_0='{options}'"
    warnings = parse_config(text, "zram", ram=8 << 30, cpus=4).warnings
    assert any(":2: ZRAM_FSTYPE_0: mkfs.f2fs makes blocks of 4096" in x for x in warnings) is said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ZRAM_SIZE_0=16000M\nZRAM_MEM_LIMIT_0=8M", "8M for a device of 15.6G"),
        ("ZRAM_SIZE_0=100G", "100G in 8G of memory"),
        ("ZRAM_MOUNT_0=/x\nZRAM_FSTYPE_0=jfs", ":2: ZRAM_FSTYPE_0: jfs is not tested with pyzram"),
        ("ZRAM_MOUNT_0=/x\nZRAM_MKFS_OPTS_0='-b 8192'", ":2: ZRAM_MKFS_OPTS_0: blocks of 8192"),
        (
            "ZRAM_MOUNT_0=/x\nZRAM_SIZE_0=1G\nZRAM_FSTYPE_0=xfs\nZRAM_MKFS_OPTS_0='-b log=13'",
            ":4: ZRAM_MKFS_OPTS_0: blocks of 8192 bytes: few kernels mount xfs",
        ),
        ("ZRAM_SIZE_0=0", "no such device here, its size is 0"),
        ("ZRAM_HOST_MEMORY_LIMIT_0=4G", "no such device here, this machine has 8G"),
    ],
)
def test_what_hardly_makes_sense_is_reported(text: str, words: str) -> None:
    (warning,) = parse_config(text, "zram", ram=8 << 30, cpus=4).warnings
    assert words in warning


def test_a_device_can_be_left_out_between_others() -> None:
    config = parse_config("ZRAM_SIZE_0=1G\nZRAM_SIZE_1=0\nZRAM_SIZE_2=2G", ram=8 << 30, cpus=4)
    assert [device.index for device in config.devices] == [0, 2]
    assert config.device(2).disksize == 2 << 30
    with pytest.raises(KeyError):
        config.device(1)


def test_a_configuration_is_a_value():
    text = "ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0='zstd(level=3) lz4'\nZRAM_MOUNT_1=/a\nZRAM_SIZE_1=2G\n"
    config = parse(text)
    assert parse(text) == config
    assert hash(parse(text)) == hash(config)
    assert parse(text + "ZRAM_LABEL_0=x\n") != config
    for value in (config, config.devices[0]):
        with pytest.raises(AttributeError, match="frozen"):
            value.path = value.index = 5
        back = type(value).from_dict(json.loads(json.dumps(value.as_dict())))
        assert back == value
    with pytest.raises(TypeError, match="frozen"):
        config.sources["ZRAM_SIZE_0"] = "mine:1"
    smaller = config.devices[0].replace(disksize=1 << 20)
    assert (smaller.disksize, smaller.algorithms) == (1 << 20, config.devices[0].algorithms)
    assert config.devices[0].disksize == 1 << 30
