# SPDX-License-Identifier: MIT
"""Contract: choosing compressors and their parameters."""

from __future__ import annotations

import errno

import pytest
from kernel.raw import (
    PAGE,
    algorithms,
    has,
    load,
    need,
    noise,
    numbers,
    refused,
    same,
    selected,
    store,
    text,
)


def repetitive(number: int) -> bytes:
    """A page with many matches to choose from: more effort finds better ones."""
    source = noise(number)
    return b"".join(source[start % 512 : start % 512 + 24] for start in range(0, 16 * PAGE, 379))[
        :PAGE
    ]


def fresh_sizes(device, *settings: tuple[str, str]) -> int:
    """Bytes that a few pages become with these settings."""
    device.write("reset", "1")
    for attribute, value in settings:
        device.write(attribute, value)
    device.write("disksize", "4M")
    store(device, [repetitive(number) for number in range(3)] + [text(1)])
    return numbers(device, "mm_stat")[1]


def test_the_list_names_each_algorithm_once_one_in_brackets(zram_device):
    line = zram_device.read("comp_algorithm")
    assert line.endswith(" \n")
    assert line.count("[") == line.count("]") == 1
    assert len(set(algorithms(zram_device))) == len(algorithms(zram_device))


@pytest.mark.parametrize("name", ["lzo-rle", "lzo", "lz4", "lz4hc", "zstd", "deflate", "842"])
def test_a_listed_algorithm_can_be_chosen_and_gives_back_what_it_stored(zram_device, name):
    if name not in algorithms(zram_device):
        pytest.skip(f"this kernel has no {name}")
    zram_device.write("comp_algorithm", name)
    assert selected(zram_device) == name
    zram_device.write("disksize", "1M")
    pages = [text(1), noise(1), same(1), text(2)]
    store(zram_device, pages)
    assert 0 < numbers(zram_device, "mm_stat")[1] < 2 * PAGE
    assert load(zram_device, 4) == pages


def test_the_algorithm_is_fixed_after_disksize(zram_device):
    zram_device.write("disksize", "1M")
    refused(errno.EBUSY, zram_device.write, "comp_algorithm", selected(zram_device))


def test_an_unknown_algorithm_is_refused_and_the_choice_stays(zram_device):
    before = selected(zram_device)
    refused(errno.EINVAL, zram_device.write, "comp_algorithm", "no-such-algorithm")
    assert selected(zram_device) == before


@pytest.mark.parametrize("form", ["{} ", " {}", "[{}]", "{},"])
def test_an_algorithm_is_one_exact_word(zram_device, form):
    name = selected(zram_device)
    refused(errno.EINVAL, zram_device.write, "comp_algorithm", form.format(name))


def test_an_algorithm_in_capitals_is_unknown(zram_device):
    name = algorithms(zram_device)[-1].upper()
    if name.isdigit():
        pytest.skip("no letters in it")
    refused(errno.EINVAL, zram_device.write, "comp_algorithm", name)


def test_one_newline_after_an_algorithm_is_dropped(zram_device):
    name = algorithms(zram_device)[-1]
    zram_device.write("comp_algorithm", f"{name}\n")
    assert selected(zram_device) == name


def test_a_name_of_128_bytes_is_too_long_or_cut_and_unknown(zram_device):
    refused((errno.E2BIG, errno.EINVAL), zram_device.write, "comp_algorithm", "x" * 128)


# ---- algorithm_params ----------------------------------------------------------------------------


@pytest.fixture
def tunable(zram_device):
    need(zram_device, "algorithm_params")
    return zram_device


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("priority=9", errno.EINVAL),
        ("priority=-1", errno.EINVAL),
        ("level=x", errno.EINVAL),
        ("level=99999999999", errno.ERANGE),
        ("level", errno.EINVAL),
        ("level=", errno.EINVAL),
        ("algo=no-such-algorithm level=1", errno.EINVAL),
    ],
)
def test_impossible_parameters_are_refused(tunable, written, code):
    refused(code, tunable.write, "algorithm_params", written)


def test_an_unknown_parameter_is_silently_ignored(tunable):
    tunable.write("algorithm_params", "priority=0 leve=9")
    tunable.write("disksize", "1M")


def test_the_last_of_two_equal_parameters_wins(tunable):
    if "zstd" not in algorithms(tunable):
        pytest.skip("this kernel has no zstd")
    one = fresh_sizes(tunable, ("comp_algorithm", "zstd"), ("algorithm_params", "level=1"))
    last = ("algorithm_params", "level=15 level=1")
    assert fresh_sizes(tunable, ("comp_algorithm", "zstd"), last) == one


def test_a_write_replaces_the_whole_set_of_its_priority(tunable):
    if "zstd" not in algorithms(tunable):
        pytest.skip("this kernel has no zstd")
    default = fresh_sizes(tunable, ("comp_algorithm", "zstd"))
    high = ("algorithm_params", "algo=zstd level=19")
    assert fresh_sizes(tunable, ("comp_algorithm", "zstd"), high) != default
    again = ("algorithm_params", "priority=0 nothing=here")
    assert fresh_sizes(tunable, ("comp_algorithm", "zstd"), high, again) == default


def test_reset_forgets_the_parameters(tunable):
    if "zstd" not in algorithms(tunable):
        pytest.skip("this kernel has no zstd")
    default = fresh_sizes(tunable, ("comp_algorithm", "zstd"))
    fresh_sizes(tunable, ("comp_algorithm", "zstd"), ("algorithm_params", "level=19"))
    assert fresh_sizes(tunable, ("comp_algorithm", "zstd")) == default


@pytest.mark.parametrize(("content", "codes"), [(None, (errno.EINVAL, errno.ENOENT)), (b"", (22,))])
def test_a_dictionary_must_be_there_and_not_be_empty(tunable, tmp_path, content, codes):
    path = tmp_path / "dictionary"
    if content is not None:
        path.write_bytes(content)
    refused(codes, tunable.write, "algorithm_params", f"priority=0 dict={path}")


def test_a_dictionary_makes_pages_like_it_smaller(tunable, tmp_path):
    if "zstd" not in algorithms(tunable):
        pytest.skip("this kernel has no zstd")
    path = tmp_path / "dictionary"
    path.write_bytes(repetitive(0) + text(1))
    without = fresh_sizes(tunable, ("comp_algorithm", "zstd"))
    chosen = ("algorithm_params", f"algo=zstd dict={path}")
    assert fresh_sizes(tunable, ("comp_algorithm", "zstd"), chosen) < without


def test_parameters_are_refused_after_disksize_where_the_kernel_checks(tunable):
    # Earlier kernels do not check, and free a dictionary in use, so this is never tried there.
    if not has(tunable, "writeback_batch_size"):
        pytest.skip("this kernel does not check the state")
    tunable.write("disksize", "1M")
    refused(errno.EBUSY, tunable.write, "algorithm_params", "priority=0 level=1")


@pytest.mark.vm_only
def test_a_bad_level_surfaces_at_disksize_and_the_choice_is_lost(tunable):
    if not has(tunable, "writeback_batch_size"):
        pytest.skip("this kernel may crash after a failed disksize: KERNEL 6.12 to 6.18")
    default = selected(tunable)
    tunable.write("comp_algorithm", "deflate")
    tunable.write("algorithm_params", "algo=deflate level=42")
    refused(errno.EINVAL, tunable.write, "disksize", "1M")
    assert tunable.read("initstate") == "0\n"
    # The trap: the same write again succeeds, with another algorithm than was asked for.
    tunable.write("disksize", "1M")
    assert selected(tunable) == default != "deflate"


# ---- recomp_algorithm ----------------------------------------------------------------------------


@pytest.fixture
def multi(zram_device):
    need(zram_device, "recomp_algorithm")
    return zram_device


def test_no_secondary_algorithm_reads_as_nothing(multi):
    assert multi.read("recomp_algorithm") == ""


def test_secondary_algorithms_read_one_line_each_by_priority(multi):
    multi.write("recomp_algorithm", "algo=deflate priority=2")
    multi.write("recomp_algorithm", "algo=zstd")
    # 7.3 counts too many bytes: NULs follow each line.
    first, second = multi.read("recomp_algorithm").replace("\0", "").splitlines()
    assert first.startswith("#1: ") and "[zstd]" in first
    assert second.startswith("#2: ") and "[deflate]" in second


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("priority=1", errno.EINVAL),
        ("algo=no-such-algorithm", errno.EINVAL),
        ("algo=zstd priority=0", errno.EINVAL),
        ("algo=zstd priority=4", errno.EINVAL),
        ("algo=zstd priority=x", errno.EINVAL),
        ("algo=zstd priority=99999999999", errno.ERANGE),
        ("algo=", errno.EINVAL),
        ("zstd", errno.EINVAL),
    ],
)
def test_an_impossible_secondary_algorithm_is_refused(multi, written, code):
    refused(code, multi.write, "recomp_algorithm", written)
    assert multi.read("recomp_algorithm") == ""


def test_secondary_algorithms_are_fixed_after_disksize_and_forgotten_by_reset(multi):
    multi.write("recomp_algorithm", "algo=zstd")
    multi.write("disksize", "1M")
    refused(errno.EBUSY, multi.write, "recomp_algorithm", "algo=deflate")
    multi.write("reset", "1")
    assert multi.read("recomp_algorithm") == ""
