# SPDX-License-Identifier: MIT
"""Estimates of known contents, and what the command says about them."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys
import termios
from array import array
from pathlib import Path

import pytest
from effort import effort, enough_inside
from terminal import printed_on

import pyzram
from pyzram.cli import pyzram as dispatcher
from pyzram.cli.estimate import command, config_text
from pyzram.cli.estimate import report as estimate_report
from pyzram.cli.json_documents import of_estimate
from pyzram.cli.stats import estimate as stats_estimate
from pyzram.config import parser
from pyzram.errors import InvalidValueError
from pyzram.pages.codec import batches, codec
from pyzram.pages.codec.codec import algorithms, compressed_sizes, zstd_release
from pyzram.pages.estimate import estimate, estimator, recommend, tally
from pyzram.pages.estimate.sampling import Interval
from pyzram.pages.pool.zsmalloc import PoolModel, PoolStats
from pyzram.pages.process.owner import Owner
from pyzram.pages.source.file_sources import open_files
from pyzram.pages.source.process_sources import open_processes
from pyzram.pages.source.sources import Source

PAGE = 4096
FAST = "lz4"
POOL = PoolModel(page_size=PAGE, word_size=8, chain=(8, "waste"))


def page_of(kind, rng):
    if kind == "zero":
        return bytes(PAGE)
    if kind == "random":
        return rng.randbytes(PAGE)
    words = [rng.randbytes(8) for _ in range(40)]
    return b"".join(rng.choice(words) for _ in range(PAGE // 8))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """24 000 pages in runs of a kind, more than twice a sample of one percentage point."""
    rng = random.Random(1)
    pool = {kind: [page_of(kind, rng) for _ in range(64)] for kind in ("zero", "random", "words")}
    path = tmp_path_factory.mktemp("corpus") / "corpus"
    with path.open("wb") as file:
        count = 0
        while count < 24_000:
            kind = rng.choice(list(pool))
            run = min(rng.randrange(1, 200), 24_000 - count)
            file.write(b"".join(rng.choice(pool[kind]) for _ in range(run)))
            count += run
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def truth(corpus):
    return POOL.store(compressed_sizes(corpus.read_bytes(), FAST))


def run(corpus, **options):
    with open_files([str(corpus)], page_size=PAGE) as source:
        return estimator.estimate_pages(source, [FAST], pool=POOL, **options)


def test_a_full_estimate_is_the_truth(corpus, truth):
    result = run(corpus, full=True)
    assert result.census
    assert (result.pages, result.sampled, result.lost) == (24_000, 24_000, 0)
    found = result.algorithms[FAST]
    assert found.figures == truth
    assert found.compression_ratio == Interval(
        truth.compression_ratio, truth.compression_ratio, truth.compression_ratio
    )


def test_a_sample_comes_near_the_truth(corpus, truth):
    result = run(corpus, seed=3, precision=0.0112)
    found = result.algorithms[FAST]
    assert not result.census
    assert 1000 < result.sampled < 11_000
    assert found.compression_ratio.low < truth.compression_ratio < found.compression_ratio.high
    assert found.compression_ratio.high - found.compression_ratio.low < 0.0228
    assert abs(found.figures.mem_used_total / truth.mem_used_total - 1) < 0.03
    assert abs(found.figures.same_pages / truth.same_pages - 1) < 0.05
    assert found.figures.orig_data_size == 24_000 * PAGE
    assert abs(found.figures.compression_ratio - found.compression_ratio.mean) < 1e-6


def test_real_samples_hold_the_truth_93_times_of_100(corpus, truth):
    ratios = memories = 0
    errors, used = [], []
    rounds = effort(200)
    for seed in range(rounds):
        found = run(corpus, seed=seed, precision=0.05, timing=False).algorithms[FAST]
        ratios += (
            found.compression_ratio.low <= truth.compression_ratio <= found.compression_ratio.high
        )
        memories += found.mem_used_total.low <= truth.mem_used_total <= found.mem_used_total.high
        errors.append((found.compression_ratio.high - found.compression_ratio.low) / 2)
        used.append(found.figures.mem_used_total / truth.mem_used_total - 1)
    lean = sum(used) / rounds
    print(f"inside: ratio {ratios}, memory {memories} of {rounds}; memory leans {lean:+.3%}")
    assert ratios >= enough_inside(rounds)
    assert memories >= enough_inside(rounds)
    # The error of a mean of 200 is a fourteenth of that of one; the rest is bias.
    assert abs(lean) < 0.005 * (200 / rounds) ** 0.5


def test_times_are_measured_and_median_is_below_the_99th_percentile(corpus):
    found = run(corpus, precision=0.05).algorithms[FAST]
    assert 0 < found.compress_us <= found.compress_us_p99
    assert 0 < found.decompress_us <= found.decompress_us_p99
    untimed = run(corpus, precision=0.05, timing=False).algorithms[FAST]
    assert untimed.compress_us is None


@pytest.fixture
def records(tmp_path):
    """64 MiB in records of 256 KiB: a header of zeros, a page of ones, numbered pages of words."""
    rng = random.Random(2)
    words = [page_of("words", rng)[4:] for _ in range(59)]
    body = b"".join(at.to_bytes(4, "little") + page for at, page in enumerate(words, 5))
    (tmp_path / "records").write_bytes((bytes(4 * PAGE) + b"\xff" * PAGE + body) * 256)
    return tmp_path / "records"


def test_times_are_those_of_all_pages_not_of_the_heads_of_records(records, monkeypatch):
    timed, others = [], []

    def spy(buffer, *args, **options):
        timed.extend(bytes(buffer[at : at + 4]) for at in range(0, len(buffer), PAGE))
        return codec.timed_sizes(buffer, *args, **options)

    def count(buffer, *args, **options):
        others.append(len(buffer) // PAGE)
        return codec.compressed_sizes(buffer, *args, **options)

    monkeypatch.setattr(tally, "timed_sizes", spy)
    monkeypatch.setattr(tally, "compressed_sizes", count)
    with open_files([str(records)], page_size=PAGE) as source:
        found = estimator.estimate_pages(source, [FAST], pool=POOL, threads=1, seed=1)
    assert found.census
    assert found.algorithms[FAST].compress_us > 0
    assert recommend.recommend(found, 1 << 30, [FAST]).algorithm == FAST
    # Three of the 64 pages of a batch, which are the pages of a record, and each of them once.
    assert (len(timed), sum(others)) == (3 * 256, 61 * 256)
    assert len(set(timed)) == 61  # zeros, ones, and all of the 59 others
    again = list(timed)
    timed.clear()
    with open_files([str(records)], page_size=PAGE) as source:
        estimator.estimate_pages(source, [FAST], pool=POOL, threads=1, seed=1)
    assert timed == again


@pytest.mark.parametrize("threads", [1, 3])
def test_lengths_stay_with_their_pages_where_some_are_timed(records, threads, monkeypatch):
    lengths = array("I")
    measure = tally.Tally.measure

    def spy(*args):
        lengths.extend(measure(*args))
        return lengths[-len(args[1].places) - len(args[1].others) // PAGE :]

    monkeypatch.setattr(tally.Tally, "measure", spy)
    content = records.read_bytes()[: 1003 * PAGE]
    records.write_bytes(content)
    found = run(records, full=True, threads=threads)
    assert found.algorithms[FAST].compress_us
    assert lengths == compressed_sizes(content, FAST, page_size=PAGE)
    assert found.zero_pages == 4 * 16


def test_same_filled_memory_has_no_times_and_takes_nothing(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(50 * PAGE))
    found = run(tmp_path / "zeros").algorithms[FAST]
    assert found.figures.same_pages == 50
    assert (found.figures.mem_used_total, found.compression_ratio.mean) == (0, 0)
    assert found.compress_us is None
    assert recommend.holds(found, 1 << 30) is None


def test_progress_is_told_and_ends_at_all(corpus):
    seen = []
    run(corpus, precision=0.05, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert 0 < seen[-1][0] <= seen[-1][1] == seen[0][1]


@pytest.mark.parametrize("name", ["zstd99", "", "lz4:x", "lz4:"])
def test_an_algorithm_without_a_possible_name_is_refused(name):
    with pytest.raises(InvalidValueError):
        estimator.parse_algorithm(name)


def test_levels_are_given_behind_a_colon():
    assert estimator.parse_algorithm("lz4:3") == ("lz4", 3)
    assert estimator.parse_algorithm("lz4") == ("lz4", None)


def test_a_store_of_another_page_size_is_refused(corpus):
    with (
        open_files([str(corpus)], page_size=16384) as source,
        pytest.raises(InvalidValueError, match="16384"),
    ):
        estimator.estimate_pages(source, [FAST], pool=POOL)


# ---- recommending --------------------------------------------------------------------------------


def made_up(name, used, us, level=None):
    figures = PoolStats(
        page_size=PAGE,
        pages=1000,
        orig_data_size=1000 * PAGE,
        compr_data_size=used,
        mem_used_total=used,
        same_pages=0,
        huge_pages=0,
        objects=(0,) * len(POOL.classes),
    )
    share = used / figures.orig_data_size
    return estimate.AlgorithmEstimate(
        name, level, figures, Interval(share, share, share), us, 2 * us, us, 2 * us, share
    )


def of(*found):
    return estimate.Estimate("x", POOL, 1000, 1000, 0, 0, True, {}, {a.label: a for a in found})


LZ4 = made_up("lz4", 2_000_000, 2.0)


@pytest.mark.parametrize(
    ("others", "offered", "best"),
    [
        ([], None, "lz4"),
        ([made_up("zstd", 1_790_000, 20.0)], None, "zstd"),
        ([made_up("zstd", 1_810_000, 20.0)], None, "lz4"),
        ([made_up("zstd", 1_000_000, 120.0)], None, "lz4"),
        ([made_up("zstd", 1_000_000, 20.0)], ["lz4", "lzo"], "lz4"),
        (
            [made_up("zstd", 1_500_000, 20.0, 9), made_up("deflate", 1_400_000, 60.0)],
            None,
            "zstd:9",
        ),
    ],
)
def test_a_slower_algorithm_must_earn_it(others, offered, best):
    found = recommend.recommend(of(*others, LZ4), 8 << 30, offered)
    assert found.algorithm == best
    assert "%" in found.reason


@pytest.mark.parametrize(
    ("others", "offered", "says"),
    [
        ([], None, "takes 49% of the memory, and no slower algorithm saves a tenth of that"),
        ([], ["lz4", "lzo"], "and no slower algorithm saves a tenth of that"),
        (
            [made_up("zstd", 1_500_000, 20.0)],
            ["lz4", "lzo"],
            "and no slower algorithm that this kernel offers saves a tenth of that; zstd would "
            "take 25% less, on a kernel that has it",
        ),
        (
            [made_up("zstd", 1_900_000, 20.0)],
            ["lz4"],
            "and no slower algorithm that this kernel offers saves a tenth of that",
        ),
        (
            [made_up("zstd", 1_500_000, 20.0), made_up("842", 1_900_000, 1.0)],
            ["lz4"],
            "that this kernel offers saves a tenth of that; zstd would take 25% less, on a kernel "
            "that has it",
        ),
        (
            [made_up("deflate", 1_000_000, 120.0)],
            None,
            "and what saves a tenth of that takes longer than flash to read a page back",
        ),
        (
            [made_up("zstd", 1_500_000, 20.0), made_up("deflate", 1_300_000, 60.0)],
            ["lz4", "zstd"],
            "takes 37% of the memory, 25% less than lz4, for 18.0 microseconds more per page read "
            "back; deflate would take 13% less, on a kernel that has it",
        ),
    ],
)
def test_the_reason_is_true_of_the_whole_table(others, offered, says):
    assert recommend.recommend(of(*others, LZ4), 8 << 30, offered).reason.endswith(says)


def test_the_reason_and_the_table_measure_the_same_or_say_so():
    figures = dataclasses.replace(LZ4.figures, mem_used_total=3_000_000)
    small = dataclasses.replace(LZ4, figures=figures)
    reason = recommend.recommend(of(small), 8 << 30).reason
    assert reason.startswith("takes 49% of the memory in a large device (in one as small as this,")
    assert "large" not in recommend.recommend(of(LZ4), 8 << 30).reason


def test_less_than_a_mebibyte_is_no_ground_for_a_recommendation(tmp_path):
    few = tmp_path / "few"
    for pages, recommended in ((255, False), (256, True)):
        few.write_bytes(b"".join(random.Random(i).randbytes(64) * 64 for i in range(pages)))
        with open_files([str(few)]) as source:
            found = estimator.estimate_pages(source, [FAST])
        said = estimate_report.report(found, 8 << 30, None)
        assert ("Recommended: " in said) == ("/etc/conf.d/zram:" in said) == recommended
        assert ("Less than 1M is too little to recommend anything." in said) != recommended


def test_the_device_fits_half_of_the_memory_and_no_more_than_twice_it():
    half = recommend.recommend(of(LZ4), 16 << 30)
    assert half.disksize == 16 << 30  # 8 GiB hold 2.048 times as much, down to whole GiB
    small = recommend.recommend(of(made_up("lz4", 100_000, 1.0)), 512 << 20)
    assert small.disksize == 1 << 30
    assert recommend.recommend(of(), 1 << 30) is None
    assert recommend.recommend(of(LZ4), 1 << 30, ["842"]) is None


def test_what_a_few_pages_mean_is_not_blurred_by_zspages_that_are_not_full(tmp_path):
    few = tmp_path / "few"
    few.write_bytes(b"".join(bytes([i]) * 2048 + bytes(range(256)) * 8 for i in range(50)))
    with open_files([str(few)]) as source:
        found = estimator.estimate_pages(source, [FAST], pool=POOL).algorithms[FAST]
    many = recommend.holds(found, 1 << 30) / (1 << 30)
    assert 1 / found.figures.compression_ratio / many < 1.2
    assert (
        found.figures.mem_used_total / found.figures.orig_data_size
        > 1.2 * found.figures.compression_ratio
    )


def test_snippets_are_ready_to_use():
    found = recommend.Recommendation("zstd:3", "...", 12 << 30)
    read = parser.parse_config(config_text.conf_d(found), ram=16 << 30, cpus=2)
    [device] = read.devices
    [choice] = device.algorithms
    assert (device.disksize, choice.name, choice.level) == (12 << 30, "zstd", 3)
    assert not read.warnings
    assert config_text.zram_generator(found) == (
        "[zram0]\nzram-size = 12288\ncompression-algorithm = zstd(level=3)\n"
    )


def test_a_device_filled_with_the_source_shows_what_a_pool_would_hold(corpus, truth):
    device = stats_estimate.filled(run(corpus, full=True), FAST)
    assert device["same_pages"] == truth.same_pages
    assert device["mem_used_total"] == truth.mem_used_total
    assert device["disksize"] == device["orig_data_size"] == device["write_ios"] * 4096


def test_the_histogram_holds_every_page(truth, corpus):
    found = run(corpus, full=True).algorithms[FAST]
    counts = estimate.size_histogram(found, POOL)
    assert sum(counts) == 24_000
    assert counts[0] == truth.same_pages
    assert counts[16] >= truth.huge_pages > 0


@pytest.mark.parametrize(
    ("full", "threads", "sharing"), [(True, 3, 3), (True, 1, 1), (False, None, 1), (False, 2, 2)]
)
def test_as_many_threads_compress_as_were_asked_for(tmp_path, monkeypatch, full, threads, sharing):
    seen = [1]

    def share(*args):
        seen.append(args[-1])
        real(*args)

    real = batches._in_threads
    monkeypatch.setattr(batches, "_in_threads", share)
    (tmp_path / "file").write_bytes(random.Random(1).randbytes(1 << 20) * 8)
    with open_files([str(tmp_path / "file")]) as source:
        estimator.estimate_pages(source, [FAST], full=full, threads=threads, timing=False)
    assert max(seen) == sharing


def test_each_process_has_its_own_share_of_a_batch_that_many_fill():
    """One of zeros and one of noise, both far smaller than a batch."""
    code = (
        "import mmap, os, sys\n"
        "memory = mmap.mmap(-1, 200 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        # Page by page: what is freed may stay in the process.
        "for _ in range(200): memory.write({data})\nprint(flush=True)\nsys.stdin.read()\n"
    )
    what = {"noise": "os.urandom(mmap.PAGESIZE)", "one": "bytes([1]) * mmap.PAGESIZE"}
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as stack:
        pids = {}
        for name, data in what.items():
            command_line = [sys.executable, "-Ic", code.format(data=data)]
            child = stack.enter_context(subprocess.Popen(command_line, stdin=pipe, stdout=pipe))
            stack.callback(child.stdin.close)
            child.stdout.readline()
            pids[name] = child.pid
        with open_processes(pids.values()) as source:
            result = estimator.estimate_pages(source, [FAST], full=True, timing=False)
    used = {
        name: sum(part.mem_used_total[FAST] for part in result.parts if part.owner.pid == pid)
        for name, pid in pids.items()
    }
    pages = {
        name: sum(part.pages for part in result.parts if part.owner.pid == pid)
        for name, pid in pids.items()
    }
    assert abs(pages["noise"] - pages["one"]) < 40, "but for that they are alike"
    assert 160 * PAGE < used["noise"] - used["one"] < 240 * PAGE


# ---- the command ---------------------------------------------------------------------------------


def test_json_has_the_kernels_names(corpus, truth, capsys):
    status = command.main([str(corpus), "--full", "-a", FAST, "--chain", "8", "--json"])
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["pages"], said["sampled"], said["swapped"]) == (24_000, 24_000, 0)
    found = said["algorithms"][FAST]
    assert found["orig_data_size"] == truth.orig_data_size
    assert found["compr_data_size"] == truth.compr_data_size
    assert found["same_pages"] == truth.same_pages
    assert (
        found["compression_ratio_low"]
        == found["compression_ratio"]
        == found["compression_ratio_high"]
        == truth.compression_ratio
    )
    for key in ("mem_used_total", "huge_pages", "compress_us", "decompress_us"):
        assert found[key] > 0
    assert said["libzstd"] is None


def test_json_names_the_library_of_zstd(capsys):
    assert command.main([__file__, "-a", "zstd:1", "--json"]) == 0
    version, kernel = zstd_release()
    assert json.loads(capsys.readouterr().out)["libzstd"] == {"version": version, "kernel": kernel}


def test_the_report_says_what_it_means(corpus, capsys):
    assert command.main([str(corpus), "-a", f"{FAST},lzo", "--ram", "8G"]) == 0
    said = capsys.readouterr().out
    with open_files([str(corpus)]) as source:
        result = estimator.estimate_pages(source, [FAST, "lzo"], full=True, timing=False)
    amounts = re.search(
        r"8G of RAM would hold about (.*)G of this with lz4, (.*)G with lzo\.", said
    )
    for found, name in zip(amounts.groups(), (FAST, "lzo"), strict=True):
        expected = recommend.holds(result.algorithms[name], 8 << 30) / (1 << 30)
        assert abs(float(found) / expected - 1) < 0.05
    assert "24000 pages" in said
    assert "same-filled" in said
    assert FAST in said


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        ("by_share", "counted by share (PSS), because only root sees which pages are the same: 7 "),
        ("by_page_table", "did not touch: 7 objects of shared memory"),
    ],
)
def test_what_this_caller_cannot_see_is_said_and_not_exact(tmp_path, fact, says):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * PAGE)
    with open_files([str(path)]) as source:
        seen = estimator.estimate_pages(source, [FAST], full=True, timing=False)
        setattr(source, fact, 7)  # as for a process of another user
        hidden = estimator.estimate_pages(source, [FAST], full=True, timing=False)
    assert (seen.exact, hidden.exact) == (True, False)
    for found, rows in ((seen, 0), (hidden, 1)):
        said = estimate_report.report(found, 1 << 30, None)
        assert said.count(says) == rows
        assert ("exact" in said, "of what is seen" in said) == (not rows, bool(rows))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0B in 0 pages, all read\nThere is nothing to compress."),
        (b"x", "4K in 1 page, all read\n"),
        (bytes(PAGE + 1), "8K in 2 pages, all read\n"),
        (bytes(PAGE + 1), "All of this takes no memory: every page is same-filled."),
        (random.Random(4).randbytes(2 * PAGE), "8G of RAM would hold about 8G of this with lz4."),
    ],
    ids=["nothing", "one byte", "a page and a byte", "zeros", "noise"],
)
def test_figures_at_the_edges_make_sense(tmp_path, capsys, content, says):
    path = tmp_path / "file"
    path.write_bytes(content)
    words = [str(path), "-a", FAST, "--ram", "8G", "--page-size", str(PAGE)]
    assert command.main(words) == 0
    assert says in capsys.readouterr().out
    assert command.main([*words, "--json"]) == 0

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    said = json.loads(capsys.readouterr().out, parse_constant=refuse)
    figures = said["algorithms"][FAST]
    pages = -(-len(content) // PAGE)
    assert (said["pages"], said["sampled"], said["swapped"]) == (pages, pages, 0)
    assert figures["orig_data_size"] == pages * PAGE
    assert figures["mem_used_total"] >= figures["compr_data_size"]
    if pages:
        assert (
            0
            <= figures["compression_ratio_low"]
            <= figures["compression_ratio"]
            <= figures["compression_ratio_high"]
            <= 1
        )
    else:
        assert (
            figures["compression_ratio"]
            is figures["compression_ratio_low"]
            is figures["compression_ratio_high"]
            is None
        )


class Leaving:
    """Pages of noise in a process that exits after the first few are read."""

    owner = Owner(1, "leaving", "heap")

    def __init__(self, pages, there):
        self.pages, self.there = pages, there

    def read(self, ranks, out):
        found = [rank < self.there for rank in ranks]
        out[: sum(found) * PAGE] = random.Random(5).randbytes(sum(found) * PAGE)
        return found

    def close(self):
        pass


@pytest.mark.parametrize("pages", [1000, 100_000])
def test_pages_that_were_gone_widen_the_bounds(pages):
    source = Source("leaving", PAGE)
    source._segments.append(Leaving(pages, pages * 9 // 10))
    result = estimator.estimate_pages(source, [FAST], pool=POOL, timing=False)
    lost = result.lost / (result.lost + result.sampled)
    assert 0.08 < lost < 0.12
    assert not result.census
    ratio = result.algorithms[FAST].compression_ratio
    assert ratio.mean == 1
    assert 0.88 < ratio.low <= 1 - lost  # they may have been zeros
    assert ratio.high == pytest.approx(1)


@pytest.mark.parametrize("pages", [1, 1000, 100_000])
def test_a_process_that_is_gone_at_once_has_no_figures(pages):
    source = Source("leaving", PAGE)
    source._segments.append(Leaving(pages, 0))
    result = estimator.estimate_pages(source, [FAST], pool=POOL)
    assert result.sampled == 0
    assert result.lost > 0
    assert "nothing to compress" in estimate_report.report(result, 8 << 30, None)
    figures = of_estimate(result)["algorithms"][FAST]
    assert (
        figures["compression_ratio"]
        is figures["compression_ratio_low"]
        is figures["compression_ratio_high"]
        is None
    )
    assert stats_estimate.filled(result, FAST)["orig_data_size"] == 0


def test_every_algorithm_is_tried_by_default(tmp_path, capsys):
    path = tmp_path / "some"
    path.write_bytes(b"some words " * 5000)
    assert command.main([str(path)]) == 0
    said = capsys.readouterr().out
    for name in algorithms():
        assert f"\n{name} " in said


def test_own_child_is_estimated(capsys):
    code = (
        "import sys; x = [bytes([i % 7 + 1]) * 50000 for i in range(100)]; "
        "print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        status = command.main(["--pid", str(child.pid), "-a", FAST, "--json"])
        child.stdin.close()
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pages"] * os.sysconf("SC_PAGE_SIZE") > 5_000_000
    assert said["algorithms"][FAST]["compression_ratio"] < 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ["--precision", "99", "x"],
        ["-a", "nothing", "x"],
        ["--pid", "1", "--system"],
        ["--page-size", "4096", "--system"],
        ["--page-size", "5", "x"],
        ["--chain", "40", "x"],
        ["--threads", "0", "x"],
        ["--ram", "0", "x"],
        ["-", "x"],
    ],
)
def test_wrong_usage_is_status_2(arguments, capsys):
    arguments = [__file__ if word == "x" else word for word in arguments]
    assert dispatcher.main(["estimate", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pyzram estimate: ")


def test_a_missing_file_is_one_line_and_status_1(capsys):
    assert dispatcher.main(["estimate", "/nonexistent"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "/nonexistent" in err


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), (["--version"], 0), ([], 2), (["x"], 2)]
)
def test_the_dispatcher_knows_its_commands(arguments, status, capsys):
    assert dispatcher.main(arguments) == status
    out, err = capsys.readouterr()
    if status == 0 and arguments != ["--version"]:
        assert all(name in out + err for name in dispatcher.COMMANDS)


def test_standard_input_is_a_source(corpus):
    program = [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", "-", "-a", FAST, "--json"]
    cat = subprocess.Popen(["cat", str(corpus)], stdout=subprocess.PIPE)
    done = subprocess.run(program, stdin=cat.stdout, capture_output=True, text=True, check=True)
    cat.stdout.close()
    assert cat.wait() == 0
    said = json.loads(done.stdout)
    assert said["pages"] == 24_000
    assert 10_000 < said["sampled"] < 10_200
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("<&-", ["pyzram.cli.pyzram", "estimate", "-"]),
        ("<&-", ["pyzram.cli.pyzram", "bench", "-"]),
        ("<&-", ["pyzram.cli.zram_stats", "--estimate", "-"]),
        (">&-", ["pyzram.cli.pyzram", "estimate", "-a", FAST, __file__]),
        (">&-", ["pyzram.cli.pyzram", "estimate", "-a", FAST, "--json", __file__]),
        (">&-", ["pyzram.cli.pyzram", "bench", "-a", FAST, __file__]),
        (">&-", ["pyzram.cli.zram_stats", "--estimate", __file__]),
    ],
)
def test_a_closed_standard_stream_is_one_line_and_status_1(closed, words):
    program = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-Im", *words]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "closed" in done.stderr


@pytest.mark.parametrize("rich", [True, False])
def test_a_bar_is_drawn_on_a_terminal_only(corpus, rich):
    if rich:
        pytest.importorskip("rich")
    hide = "" if rich else "import sys; sys.modules['rich'] = sys.modules['rich.progress'] = None\n"
    code = f"{hide}from pyzram.cli.pyzram import main; raise SystemExit(main())"
    program = [sys.executable, "-Ic", code, "estimate", str(corpus), "-a", FAST, "--full"]
    leader, follower = pty.openpty()
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=follower) as child:
        os.close(follower)
        seen = printed_on(leader)
        out = child.stdout.read()
    assert child.returncode == 0
    assert b"estimating" in seen
    assert b"estimating" not in out
    assert b"24000 pages" in out


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_plot_is_a_picture(tmp_path, ending, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{ending}"
    assert command.main([__file__, "--plot", str(path)]) == 0
    start = path.read_bytes()[:200]
    assert (
        start.startswith(b"\x89PNG") if ending == "png" else b"<svg" in start or b"<?xml" in start
    )
    if ending == "svg":
        text = path.read_text()
        assert all(f"{name}: " in text for name in algorithms())
    assert "Stored sizes with" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["estimate", "bench"])
def test_a_plot_that_cannot_be_written_is_refused_before_the_work(name, tmp_path, capsys):
    assert dispatcher.main([name, __file__, "--plot", str(tmp_path / "plot.nothing")]) == 2
    assert dispatcher.main([name, __file__, "--plot", "/nonexistent/plot.png"]) == 1
    out, err = capsys.readouterr()
    assert "plot.nothing: plots are .png, .svg, .pdf files" in err
    assert "/nonexistent/plot.png: write plot: No such file or directory" in err
    assert out == ""


def test_without_matplotlib_the_plot_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert dispatcher.main(["estimate", __file__, "--plot", "x.png"]) == 1
    assert "pyzram[plot]" in capsys.readouterr().err
    assert not Path("x.png").exists()


# ---- the questions that people ask ---------------------------------------------------------------


def test_every_form_of_an_algorithm_means_the_same(tmp_path):
    file = tmp_path / "pages"
    file.write_bytes(bytes(4096) + os.urandom(4096) + b"pyzram! " * 512)
    forms = ["zstd:3", "zstd(level=3)", pyzram.Algorithm("zstd", level=3), ["zstd:3"]]
    found = [pyzram.estimate(files=file, algorithms=form, timing=False) for form in forms]
    assert {tuple(one.algorithms) for one in found} == {("zstd:3",)}
    assert len({one.algorithms["zstd:3"].figures for one in found}) == 1


def test_one_source_is_given_and_no_more(tmp_path):
    for wrong in ({}, {"pids": 1, "system": True}, {"files": "/etc/passwd", "pids": [1]}):
        with pytest.raises(pyzram.InvalidValueError, match="give one of pids, files and system"):
            pyzram.estimate(**wrong)
    with pytest.raises(OSError, match="name the files that are in it"):
        pyzram.estimate(files=tmp_path)


def test_memory_is_recommended_for(tmp_path):
    file = tmp_path / "pages"
    file.write_bytes(b"".join(bytes([i]) * 64 for i in range(256)) * 16)
    chosen = pyzram.recommend(pyzram.estimate(files=file), ram=1 << 30, offered="lz4")
    assert chosen.algorithm == "lz4"
    assert 0 < chosen.disksize <= 2 << 30


@pytest.mark.parametrize(
    ("offered", "best"),
    [
        ("zstd", "zstd:9"),
        (["zstd:9"], "zstd:9"),
        (pyzram.Algorithm("zstd"), "zstd:9"),
        ([pyzram.Algorithm("zstd", level=9), "lz4"], "zstd:9"),
        ({"lz4"}, "lz4"),
    ],
    ids=str,
)
def test_what_is_offered_is_said_in_every_form(offered, best):
    both = of(made_up("zstd", 1_000_000, 20.0, 9), LZ4)
    found = pyzram.recommend(both, ram=8 << 30, offered=offered)
    assert (found and found.algorithm) == best


@pytest.mark.parametrize("offered", [["zstd:3", "lz4(level=1)"], "842", []], ids=str)
def test_what_was_not_estimated_cannot_be_recommended(offered):
    """Not even at another level: it is reported, and differs from having no pages."""
    both = of(made_up("zstd", 1_000_000, 20.0, 9), LZ4)
    with pytest.raises(pyzram.InvalidValueError, match=r"none of them was estimated .*: zstd:9"):
        pyzram.recommend(both, ram=8 << 30, offered=offered)


@pytest.mark.parametrize("ram", [0, -5, "8G", 1.5, True])
def test_a_machine_has_memory(ram):
    with pytest.raises(pyzram.InvalidValueError, match=f"ram {ram!r}: not a whole number"):
        pyzram.recommend(of(LZ4), ram=ram)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *(({"threads": n}, f"threads {n}: not") for n in (0, -3, 10**9, True)),
        *(({"seed": seed}, f"seed {seed!r}: not a whole number") for seed in ("x", 1.5)),
        *(({"precision": p}, f"precision {p!r}: not") for p in (0, "1", None)),
    ],
    ids=str,
)
def test_an_estimate_is_not_begun_with_what_it_cannot_take(tmp_path, wrong, words):
    file = tmp_path / "pages"
    file.write_bytes(bytes(8192))
    for ask in (pyzram.estimate, pyzram.bench):
        if ask is pyzram.estimate or "threads" not in wrong:
            with pytest.raises(pyzram.InvalidValueError, match=words):
                ask(files=file, algorithms="lz4", **wrong)


@pytest.mark.parametrize("size", [7, 0, -4096, "4096", 8192])
def test_a_source_has_pages_of_a_kernel(tmp_path, size):
    file = tmp_path / "pages"
    file.write_bytes(bytes(8192))
    read, write = os.pipe()
    try:
        with file.open("rb") as opened:
            for fd in (opened.fileno(), read):
                with pytest.raises(pyzram.InvalidValueError, match="not one of 4096"):
                    pyzram.open_stream(fd, page_size=size)
    finally:
        os.close(read)
        os.close(write)
    with pytest.raises(pyzram.InvalidValueError, match="not one of 4096"):
        pyzram.open_files(file, page_size=size)


def test_a_source_that_is_dropped_open_says_so_and_a_closed_one_is_refused(tmp_path):
    file = tmp_path / "pages"
    file.write_bytes(bytes(8192))
    with pytest.warns(ResourceWarning, match="was never closed"):
        pyzram.open_files([str(file)])
    with pyzram.open_files([str(file)]) as source:
        pass
    with pytest.raises(pyzram.InvalidValueError, match="the source is closed"):
        pyzram.estimate_pages(source, "lz4")


def test_lz4hc_is_never_exact_and_libraries_are_named(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "pages"
    path.write_bytes(b"".join(rng.randbytes(100) * 41 for _ in range(64))[: 64 * 4096])
    with open_files([path]) as source:
        result = estimator.estimate_pages(source, ["lz4", "lz4hc", "zstd"], full=True, timing=False)
    text = estimate_report.report(result, 1 << 30, None)
    rows = {line.split()[0]: line for line in text.split("\n") if line.startswith(("lz", "zstd"))}
    assert "exact" in rows["lz4"] and "exact" not in rows["lz4hc"]
    found = result.algorithms["lz4hc"]
    assert (
        found.compression_ratio.low
        < found.compression_ratio.mean
        < found.compression_ratio.high
        == found.compression_ratio.mean * 1.025
    )
    assert found.mem_used_total.low < found.figures.mem_used_total < found.mem_used_total.high
    assert re.search(r"^\(zstd: libzstd 1\.\d+\.\d+, which matches (Linux|no kernel)", text, re.M)


@pytest.mark.parametrize(
    ("version", "level", "byteorder", "factor"),
    [
        ((1, 5, 7), None, "little", 1),
        ((1, 5, 7), 19, "little", 1),
        ((1, 5, 4), None, "little", 1),
        ((1, 5, 4), 9, "little", 1),
        ((1, 5, 4), 1, "little", 1.005),
        ((1, 5, 4), 19, "little", 1.005),
        ((1, 5, 6), None, "little", 1.02),
        ((1, 5, 7), None, "big", 1.001),
    ],
)
def test_zstd_is_exact_where_a_kernel_has_the_library(
    monkeypatch, tmp_path, version, level, byteorder, factor
):
    monkeypatch.setattr("pyzram._native_codec.zstd_version", lambda: version)
    monkeypatch.setattr(sys, "byteorder", byteorder)
    path = tmp_path / "pages"
    path.write_bytes(b"".join(random.Random(7).randbytes(100) * 41 for _ in range(8))[: 4 * 4096])
    with open_files([path]) as source:
        wanted = pyzram.Algorithm("zstd", level=level)
        result = estimator.estimate_pages(source, [wanted], full=True, timing=False)
    ratio = result.algorithms[wanted.label].compression_ratio
    assert ratio.high == ratio.mean * factor
    text = estimate_report.report(result, 1 << 30, None)
    (row,) = [line for line in text.split("\n") if line.startswith("zstd")]
    assert ("exact" in row) == (factor == 1)
    assert ("the bounds allow for its difference from the kernel's" in text) == (factor != 1)


@pytest.mark.parametrize("name", ["lzo", "lzo-rle"])
@pytest.mark.parametrize("emulated", [(), ("setarch", "linux32")], ids=["as it is", "32 bits"])
def test_lzo_is_exact_where_the_kernel_takes_the_same_steps(tmp_path, name, emulated):
    done = subprocess.run([*emulated, "uname", "-m"], capture_output=True, text=True, check=True)
    exact = done.stdout in ("x86_64\n", "aarch64\n")
    path = tmp_path / "pages"
    path.write_bytes(b"".join(random.Random(7).randbytes(100) * 41 for _ in range(8))[: 4 * 4096])
    pyzram_estimate = (sys.executable, "-Im", "pyzram.cli.pyzram", "estimate")
    words = (*pyzram_estimate, "--full", "--no-timing", "-a", name, "-a", "lz4", str(path))
    wide = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run([*emulated, *words], capture_output=True, text=True, check=True, env=wide)
    rows = {line.split()[0]: line for line in done.stdout.split("\n") if line.startswith("lz")}
    assert "exact" in rows["lz4"]
    assert ("exact" in rows[name]) == exact
    said = f"({name}: the bounds allow for this processor's difference)"
    assert (said in done.stdout) == (not exact)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_on_a_narrow_terminal_tables_go_on_below_themselves(width):
    pids = [os.getpid(), os.getppid()]
    with open_processes(pids, "a label of many words " * 5) as source:
        # The busier a machine is, the wider its times are.
        result = estimator.estimate_pages(source, pool=POOL, seed=1, timing=False)
    wide = estimate_report.report(result, 8 << 30, None)
    narrow = estimate_report.report(result, 8 << 30, None, width)
    # A table is as wide as its widest column, and a configuration as wide as in its file.
    lines = [line for line in narrow.split("\n") if not line.startswith("    ")]
    assert all(len(line) <= max(width, 60) for line in lines)
    words = [set(text.replace("█", "").split()) for text in (narrow, wide)]
    # Only names are cut: of processes, and of shared memory that only its page table shows.
    names = {word for pid in pids for word in Path(f"/proc/{pid}/comm").read_text().split()}
    names |= {word for part in result.parts for word in part.owner.name.split()}
    assert words[1] - words[0] <= names
    assert all(any(name.startswith(cut) for name in names) for cut in words[0] - words[1])


def test_the_width_is_asked_for_where_there_is_one(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    code = "import sys; from pyzram.cli.output import output_width; sys.exit(output_width(7) or 99)"

    def width(output, **environment):
        # Pass the whole environment, because a library may have put COLUMNS into ours.
        environment = {**os.environ, **environment}
        words = [sys.executable, "-Ic", code]
        return subprocess.run(words, stdout=output, env=environment, check=False).returncode

    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 61, 0, 0))
        assert width(theirs) == width(theirs, COLUMNS="x") == 61
        assert width(theirs, COLUMNS="33") == 33
        assert width(subprocess.DEVNULL) == 99, "a file has no width"
        assert width(subprocess.DEVNULL, COLUMNS="33") == 33, "whoever sets it, as watch does"
    finally:
        os.close(ours)
        os.close(theirs)
