# SPDX-License-Identifier: MIT
"""zram-generator's files, translated. tests/peers compares them with its own program."""

from __future__ import annotations

import contextlib

import pytest
from imported_text import import_text

from pyzram.config.config import Config
from pyzram.config.imported import RefusedFileError, in_gibibytes
from pyzram.config.importer import import_files
from pyzram.config.parser import parse_config

MIB = 1 << 20
RAM = 8 << 30


def translated(text: str) -> tuple[Config, list[str]]:
    found = import_text(text, "theirs")
    return parse_config(found.text(), "ours", ram=RAM, cpus=4), found.lost


def test_a_file_means_the_same() -> None:
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
    # If the kernel lacks it, the generator warns and uses the kernel's default.
    assert list(map(str, swap.algorithms)) == ["lzo-rle", "kernel"]
    assert list(map(str, swap.recompression)) == ["zstd(level=3)"]
    assert (swap.backing_dev, swap.discard) == ("/dev/sdb1", "both")
    assert (mount.mount_point, mount.fstype, mount.disksize) == (
        "/var/compressed",
        "ext2",
        1024 * MIB,
    )
    assert list(map(str, mount.algorithms)) == ["kernel"]
    assert (mount.mount_options, mount.mode, mount.discard) == ("noatime", 0o1777, "both")
    assert lost == [
        "line 5: zram0: compression-algorithm: (type=idle): "
        "pyzram tend decides when to recompress, and which pages (TEND)"
    ]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("512", "512M"),
        ("ram / 2", "mib(ram)/2"),
        ("min(ram / 2, 4096)", "min(mib(ram)/2, 4G)"),
        ("(ram - 1024) / 2", "(mib(ram) - 1G)/2"),
        ("8K", "8000M"),
        ('"ram * 0.33"', "mib(ram)*0.33"),
        ("log(ram)", "log(int(ram/1M))*1M"),
        ("ram % 7", "mod(int(ram/1M), 7)*1M"),
        ("e() * 100", "271.8281828459045M"),
    ],
)
def test_an_expression_stays_one_that_people_can_read(theirs: str, ours: str) -> None:
    assert f'ZRAM_SIZE_0="{ours}"' in import_text(f"[zram0]\nzram-size = {theirs}\n", "x").text()


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("zram-fraction = 0.1\nmax-zram-size = 512", 512 * MIB),
        ("zram-fraction = 0.25\nmax-zram-size = none", RAM // 4),
        ("zram-fraction = 1.0", RAM),
        ("max-zram-size = 1024", 1024 * MIB),
        ("zram-size = 64\nzram-fraction = 0.5", RAM // 2),
    ],
)
def test_the_old_keys_win(lines: str, size: int) -> None:
    config, lost = translated(f"[zram0]\n{lines}\n")
    assert config.devices[0].disksize == size
    assert any("overridden" in line for line in lost) == lines.startswith("zram-size")


def test_a_host_with_too_much_memory_has_no_such_device() -> None:
    found = import_text("[zram0]\nhost-memory-limit = 4096\n[zram1]\n", "x").text()
    for ram, indexes in ((4 << 30, [0, 1]), ((4 << 30) + MIB - 1, [0, 1]), (5 << 30, [1])):
        config = parse_config(found, "ours", ram=ram, cpus=1)
        assert [device.index for device in config.devices] == indexes
    assert "ZRAM_HOST_MEMORY_LIMIT_0" in config.warnings[0]


@pytest.mark.parametrize(
    "line",
    [
        "fs-type = none",
        "fs-type = ext4",
        "zram-size = 0",
        "zram-fraction = inf",
        "fs-type = swap\nmount-point = /x",
    ],
)
def test_what_is_not_a_device_or_not_used_is_left_out(line: str) -> None:
    config, lost = translated(f"[zram0]\n{line}\n[zram1]\n")
    assert len(config.devices) == 1
    assert "left out" in lost[0]
    assert lost[0].startswith("line 2: zram0: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("swap-prio = 5", "not known"),
        ("options = discard,nofail", "nofail"),
        ("compression-algorithm = zstd(level=99)", "no level 99"),
        ("compression-algorithm = a b c d e", "e: at most 3 algorithms recompress"),
        ("zram-size = sin(ram)", "sin() of the memory"),
    ],
)
def test_what_has_no_equivalent_is_said_with_its_line(line: str, words: str) -> None:
    config, lost = translated(f"[zram0]\n{line}\n")
    assert any(words in reason and reason.startswith("line 2: zram0: ") for reason in lost)
    assert len(config.devices) == 1


@pytest.mark.parametrize(
    ("text", "algorithms", "recompression"),
    [
        ("zstd kernel", ["zstd", "kernel"], []),
        ("zstd kernel(level=3) lz4", ["zstd", "kernel"], ["lz4"]),
        ("kernel zstd", ["kernel"], ["zstd"]),
        ("kernel", ["kernel"], []),
    ],
)
def test_the_word_kernel_is_no_algorithm(
    text: str, algorithms: list[str], recompression: list[str]
) -> None:
    """Only we have this word."""
    config, lost = translated(f"[zram0]\ncompression-algorithm = {text}\n")
    (device,) = config.devices
    assert list(map(str, device.algorithms)) == algorithms
    assert list(map(str, device.recompression)) == recompression
    (line,) = lost
    assert line.startswith("line 2: zram0: compression-algorithm: kernel")


def test_what_comes_to_no_size_is_said_with_its_line() -> None:
    found = import_text("[zram0]\nzram-size = ram/0\n", "theirs")
    (line,) = found.looks
    assert line.startswith("line 2: zram0: zram-size: ZRAM_SIZE_0: ")
    assert f"# Needs a look: {line}\n" in found.text()
    assert "divides by zero" in line


def test_the_output_of_a_command_is_not_had() -> None:
    config, lost = translated("set!x = echo 64\n[zram0]\nzram-size = x\n")
    assert lost == [
        "line 1: set!x: the output of a command, which is not run here",
        "line 3: zram0: zram-size: 'x' is set by the command of line 1: "
        "using min(mib(ram)/2, 4G) instead",
    ]
    assert config.devices[0].disksize == 4096 * MIB


@pytest.mark.parametrize(
    "text",
    [
        "[zram0]\nswap-priority = 99999\n",
        "[zram0]\nswap-priority = x\nswap-priority = 5\n",
        "[zram0]\nmount-point = /foo/../bar\n",
        "[zram0]\nzram-size = ram +\n",
        "[zram0]\nzram-size = nothing\n",
        "[zram0]\nzram-size\n",
        "[zram0] # remark\n",
        "[zram0\n",
        "[zram0]\nmount-point = 'x\n",
    ],
)
def test_what_the_generator_refuses_is_refused(text: str) -> None:
    with pytest.raises(RefusedFileError, match=r"zram-generator (makes no device|takes nothing)"):
        import_text(text, "theirs")


def test_later_files_override_key_by_key() -> None:
    found = import_files(
        [
            ("a", "[zram0]\nzram-size = 64\nswap-priority = 3\n"),
            ("b", "[zram0]\nzram-size = 5\nx=1"),
        ]
    )
    (device,) = parse_config(found.text(), ram=RAM, cpus=1).devices
    assert (device.disksize, device.priority) == (5 * MIB, 3)
    assert found.lost == ["b:3: zram0: x: not known to zram-generator"]


@pytest.mark.parametrize("digits", ["²", "9" * 5000, "1e9999"])
def test_digits_that_are_not_a_number_harm_nothing(digits: str) -> None:
    for text in (
        f"[zram{digits}]\nzram-size=1\n",
        f"[zram0]\nzram-size={digits}\n",
        f"[zram0]\nzram-size=min(ram/{digits},5)\n",
        f"[zram0]\nzram-fraction={digits}\n",
    ):
        with contextlib.suppress(RefusedFileError):
            assert import_text(text, "foreign").lost


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1024M", "1G"),
        ("min(ram/2, 4096M)", "min(ram/2, 4G)"),
        ("1536M", "1536M"),
        ("0M", "0M"),
        ("2.1024M", "2.1024M"),
        ("a1024M", "a1024M"),
        ("1024MB", "1024MB"),
        ("(ram - 1024M)/2048M", "(ram - 1G)/2G"),
    ],
)
def test_a_size_is_written_as_it_is_printed(text, wanted):
    assert in_gibibytes(text) == wanted


# For each key, a value that the generator accepts and pyzram's own rules refuse.
NEEDS_A_LOOK = [
    ("zram-size = ram*100000", "zram-size", "ZRAM_SIZE"),
    ("zram-fraction = 100000", "zram-fraction", "ZRAM_SIZE"),
    ("zram-resident-limit = ram/0", "zram-resident-limit", "ZRAM_MEM_LIMIT"),
    ("host-memory-limit = 18446744073709551615", "host-memory-limit", "ZRAM_HOST_MEMORY_LIMIT"),
    ("writeback-device = /dev/a\tb", "writeback-device", "ZRAM_BACKING_DEV"),
    ("mount-point = /a\tb", "mount-point", "ZRAM_MOUNT"),
    ("mount-point = /x\nfs-type = a/b", "fs-type", "ZRAM_FSTYPE"),
    ("mount-point = /x\noptions = a b", "options", "ZRAM_MOUNT_OPTS"),
    ("mount-point = /x\noptions = X-mount.mode=rwx", "options", "ZRAM_MODE"),
]


@pytest.mark.parametrize(("keys", "key", "variable"), NEEDS_A_LOOK)
def test_what_needs_a_look_names_the_line_of_each_key(keys: str, key: str, variable: str) -> None:
    said = import_text(f"[zram0]\n{keys}\n", "x").looks
    line = 2 + keys.count("\n")
    place = f"line {line}: zram0: {key}: {variable}_0: "
    assert any(words.startswith(place) for words in said), said


def test_a_device_that_gets_another_number_names_its_section() -> None:
    said = import_text("# x\n[zram3]\nzram-size = 64\n", "x").looks
    assert said == ["line 2: zram3: now device 0"]
