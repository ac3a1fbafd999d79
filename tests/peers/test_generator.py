# SPDX-License-Identifier: MIT
"""zram-generator's own program judges what pyzram makes of its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyzram.config.importer import import_files
from pyzram.config.parser import parse_config

from .compare import MAIN, Count, compare
from .files import EXPRESSIONS, FILES, SETS
from .generator import Root, package
from .planned import run

EXAMPLES = int(os.environ.get("PYZRAM_PEER_EXAMPLES", "300"))
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("text", FILES)
def test_a_file_means_what_it_means_to_the_generator(root: Root, total: Count, text: str) -> None:
    found = compare(root, text)
    total.add(found)
    assert found.values
    assert found.different == []


def test_the_example_that_the_generator_ships(root: Root, total: Count) -> None:
    """Its command needs Xen; when it fails, the generator accepts nothing of the file."""
    folder = "usr/share/doc/systemd-zram-generator"
    text = (package(root.suite) / folder / "zram-generator.conf.example").read_text()
    assert root.ask(text).status
    root.program("xenstore-read", "echo 4096")
    for ram_kib in (1_983_412, 8 << 20, 32 << 20):
        found = compare(root, text, ram_kib)
        total.add(found)
        assert found.values
        assert found.different == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_means_the_same(root: Root, total: Count, expression: str) -> None:
    for ram_kib in (8 << 20, 1_983_412):
        found = compare(root, f"[zram0]\nzram-size = {expression}\n", ram_kib)
        total.add(found)
        assert found.different == []


def test_the_release_before_agrees(old_root: Root, total: Count) -> None:
    """Debian bookworm's version evaluates with the same rules."""
    for expression in EXPRESSIONS[::4]:
        found = compare(old_root, f"[zram0]\nzram-size = {expression}\nswap-priority = 7\n")
        total.add(found)
        assert found.different == [], expression


@pytest.mark.parametrize("files", SETS, ids=range(len(SETS)))
def test_files_are_merged_as_the_generator_merges_them(
    root: Root, total: Count, files: dict[str, str]
) -> None:
    found = compare(root, files)
    total.add(found)
    assert found.values > 1
    assert found.different == []


@pytest.mark.parametrize("text", FILES[::20])
def test_what_is_compared_is_what_the_commands_print(tmp_path: Path, text: str) -> None:
    """In separate processes, with this machine's memory; all other tests run them in this one."""
    file, config = tmp_path / "theirs", tmp_path / "zram"
    file.write_text(text)
    environment = {**os.environ, "PYZRAM_RUN": str(tmp_path / "run")}

    def said(*words: str | Path) -> tuple[int, str, str]:
        done = subprocess.run(
            [BIN / "pyzram", *words], capture_output=True, text=True, check=False, env=environment
        )
        return done.returncode, done.stdout, done.stderr

    imported = said("import", file)
    assert imported == run("import", str(file))
    if imported[0] == 0:
        config.write_text(imported[1])
        with mock.patch.dict(os.environ, environment):
            here = run("start", "--pretend", "--json", "-c", str(config))
        there = said("start", "--pretend", "--json", "-c", config)
        if here[1]:
            assert json.loads(there[1])["devices"] == json.loads(here[1])["devices"]
        else:
            assert there == here


# ---- what the kernel lacks ---------------------------------------------------------------------

# As the kernel's files: a write to the first is EINVAL, to the second ENOSPC.
EINVAL, ENOSPC = (10, 237), (1, 7)


@pytest.mark.parametrize(
    ("keys", "lacks", "comes_up"),
    [
        ("compression-algorithm = nosuch", {"comp_algorithm": EINVAL}, True),
        ("compression-algorithm = nosuch", {"comp_algorithm": ENOSPC}, False),
        ("compression-algorithm = lz4 nosuch", {"recomp_algorithm": EINVAL}, True),
        ("compression-algorithm = lz4 nosuch", {"recomp_algorithm": None}, True),
        ("writeback-device = /dev/sdz", {"backing_dev": None}, True),
        ("writeback-device = /dev/sdz", {"backing_dev": EINVAL}, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_what_the_kernel_lacks(
    root: Root, tmp_path: Path, keys: str, lacks: dict[str, tuple[int, int] | None], comes_up: bool
) -> None:
    """What costs the peer its device; ours is judged by the plan that the import gives."""
    if os.geteuid():
        pytest.skip("needs root, for device nodes")
    text = f"[zram0]\nzram-size = 64\n{keys}\n"
    assert root.ask(text).devices
    written, said = root.set_up(0, **lacks)
    assert ("disksize" in written) is comes_up, said
    config = parse_config(import_files([(MAIN, text)]).text(), ram=8 << 30, cpus=4)
    (ours,) = config.devices
    if "comp_algorithm" in lacks and comes_up:
        from pyzram.service.steps import choose

        assert choose(ours.algorithms, ("lzo-rle", "lz4")) is None, "left to the kernel"
    # test_one_bad_device shows the others on a real kernel.
    assert bool(ours.recompression) is ("recomp_algorithm" in lacks)
    assert bool(ours.backing_dev) is ("backing_dev" in lacks)


def test_a_backing_device_that_is_not_there_is_waited_for(root: Root) -> None:
    """So the peer's device does not come up without it, and neither does ours."""
    answer = root.ask("[zram0]\nzram-size = 64\nwriteback-device = /dev/sdz\n")
    (bindings,) = [
        text for name, text in answer.devices[0].units.items() if name.endswith("bindings.conf")
    ]
    assert "BindsTo=dev-%i.swap dev-sdz.device" in bindings


# ---- generated ---------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(0, 20000).map(str),
    st.sampled_from([".5", "0.25", "64.", "1e3", "1.5e2", "4K", "2k", "0.001G", "3", "0"]),
)


def _expressions() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        blanks = st.sampled_from(["", " "])
        return st.one_of(
            st.tuples(inner, blanks, st.sampled_from("+-*/"), blanks, inner).map("".join),
            st.tuples(inner, st.sampled_from([" < ", ">=", " == ", "!=", "&&", " || "]), inner).map(
                "".join
            ),
            st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=1, max_size=3)).map(
                lambda x: f"{x[0]}({', '.join(x[1])})"
            ),
            st.tuples(st.sampled_from(["int", "round", "floor", "ceil", "abs", "sign"]), inner).map(
                lambda x: f"{x[0]}({x[1]})"
            ),
            inner.map(lambda x: f"({x})"),
            inner.map(lambda x: f"[{x}]"),
            inner.map(lambda x: f"-{x}"),
            st.tuples(inner, st.sampled_from(["%7", "^2", "%ram", "^.5"])).map("".join),
        )

    return st.recursive(st.one_of(NUMBERS, st.just("ram")), larger, max_leaves=6)


VALUES = {
    "zram-size": _expressions(),
    "zram-resident-limit": st.sampled_from(["0", "ram/4", "512", "min(ram/8, 100)", "0.5", "bad"]),
    "host-memory-limit": st.sampled_from(["none", "4096", "8192", "+9000", "65536", "1.5", ""]),
    "memory-limit": st.sampled_from(["none", "100", "65536"]),
    "zram-fraction": st.sampled_from(["0.5", "1.0", ".25", "1e-1", "+2", "-1", "x", "0"]),
    "max-zram-size": st.sampled_from(["none", "100", "4096", "+7", "1.5"]),
    "compression-algorithm": st.sampled_from(
        [
            *("zstd", "lz4", "lzo-rle zstd", '"zstd"', "", "zstd(level=3)", "lz4 zstd(level=3)"),
            *("zstd(level=9,dictionary=/d) lz4", "lz4 (type=idle)", "zstd #lzo", "a b c d e"),
            *("zstd(level=99)", "lz4 zstd(level=3,priority=1) lzo"),
        ]
    ),
    "writeback-device": st.sampled_from(["/dev/sdz", "sdz", "/dev/disk/by-label/x y"]),
    "swap-priority": st.sampled_from(["100", "+5", "-1", "32767", "32768", "-2", "x", " 7 ", "0"]),
    "mount-point": st.sampled_from(["/a", "/a/./b", "/a//b/", "/a/../b", "a", "'/a b'", "/tmp"]),
    "fs-type": st.sampled_from(["ext4", "swap", "xfs", "btrfs", "none", ""]),
    "options": st.sampled_from(
        ["discard", "", "discard=once", "noatime,discard", "X-mount.mode=1777", "defaults", "ro"]
    ),
    "unknown": st.just("1"),
}
SECTION = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key])),
    max_size=5,
)
SPELLING = st.sampled_from(["{0}={1}", "{0} = {1}", "  {0}\t=  {1}  ", "{0}: {1}", "{0} = \\\n{1}"])


@st.composite
def configurations(draw: st.DrawFn) -> str:
    lines = [draw(st.sampled_from(["", "# remark", "; remark", "x = 1"]))]
    for number in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)):
        lines.append(draw(st.sampled_from(["[zram{}]", "[ zram{} ]"])).format(number))
        for key, value in draw(SECTION):
            lines.append(draw(SPELLING).format(key, value))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@given(text=configurations(), ram_kib=st.sampled_from([8 << 20, 524_288, 1_983_412, 65_812_340]))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
    derandomize="PYZRAM_PEER_EXAMPLES" not in os.environ,
)
def test_a_generated_file_means_the_same(root: Root, total: Count, text: str, ram_kib: int) -> None:
    found = compare(root, text, ram_kib)
    total.add(found)
    assert found.different == [], text
