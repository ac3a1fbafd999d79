# SPDX-License-Identifier: MIT
"""Ratio and speed, and the historic block of a device that does not exist."""

import json
import os
import random
import subprocess
import sys
import warnings

import pytest

from pyzram.cli import bench as command
from pyzram.cli import pyzram as dispatcher
from pyzram.cli import zram_stats
from pyzram.cli.json_documents import of_bench
from pyzram.cli.options import UsageError
from pyzram.errors import InvalidValueError
from pyzram.pages.codec.codec import algorithms, compressed_sizes
from pyzram.pages.estimate import benchmark
from pyzram.pages.pool.zsmalloc import PoolModel, PoolStats

PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rng = random.Random(1)
    words = [rng.randbytes(8) for _ in range(40)]
    pages = [b"".join(rng.choice(words) for _ in range(PAGE // 8)) for _ in range(40)]
    path = tmp_path_factory.mktemp("bench") / "corpus"
    path.write_bytes(b"".join([*pages, bytes(10 * PAGE)]))
    return path


def test_every_level_is_a_candidate_unless_one_is_named():
    every = benchmark.candidates()
    assert {name for name, _ in every} == set(algorithms())
    assert [level for name, level in every if name == "zstd"] == list(benchmark.LEVELS["zstd"])
    assert benchmark.candidates(["zstd:4", "lzo", "zstd:4"]) == [("zstd", 4), ("lzo", None)]
    with pytest.raises(InvalidValueError):
        benchmark.candidates(["nothing"])


def test_figures_are_those_of_the_pages(corpus):
    data = bytearray(corpus.read_bytes())
    told = []
    rows = benchmark.bench_pages(
        data, ["lz4:1", "zstd:3"], threads=2, progress=lambda *done: told.append(done)
    )
    assert [row.label for row in rows] == ["lz4:1", "zstd:3"]
    assert told == [(1, 2), (2, 2)]
    for row in rows:
        lengths = compressed_sizes(data, row.name, level=row.level, page_size=PAGE)
        assert row.figures == PoolModel().store(lengths)
        assert row.figures.same_pages == 10
        assert (
            min(
                row.compress_bytes_per_second,
                row.decompress_bytes_per_second,
                row.compress_threads_bytes_per_second,
                row.speedup,
            )
            > 0
        )
        assert (
            row.figures.compression_ratio <= row.memory_ratio < row.figures.compression_ratio * 1.2
        )
    assert rows[1].figures.compr_data_size < rows[0].figures.compr_data_size


def test_nothing_to_compress_has_no_speed():
    [row] = benchmark.bench_pages(bytearray(), ["lz4:1"], threads=1)
    assert (row.compress_bytes_per_second, row.memory_ratio, row.figures.compression_ratio) == (
        0,
        None,
        None,
    )
    assert row.speedup is None
    assert of_bench(row)["compress_bytes_per_second"] is of_bench(row)["speedup"] is None


def test_where_nothing_was_measured_no_figure_is_shown(tmp_path, capsys):
    source = tmp_path / "zeros"
    source.write_bytes(bytes(1 << 20))
    assert command.main([str(source), "-a", "842"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split() == ["*", "842", "0.0%", "0.0%", "-", "-", "-", "-"]


def test_where_nothing_was_measured_the_plot_does_not_warn(tmp_path):
    pytest.importorskip("matplotlib")
    source, plot = tmp_path / "zeros", tmp_path / "plot.svg"
    source.write_bytes(bytes(1 << 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert command.main([str(source), "-a", "842", "--plot", str(plot)]) == 0
    assert plot.stat().st_size


def row_of(name, compress, size):
    figures = PoolStats(PAGE, 1, PAGE, size, PAGE, 0, 0, ())
    return benchmark.BenchResult(name, None, figures, compress, 1.0, 1.0, 1, 1.0, 1.0)


def test_the_best_are_beaten_by_none_in_both():
    rows = [row_of("a", 9, 100), row_of("b", 8, 100), row_of("c", 7, 90), row_of("d", 9, 101)]
    assert [row.name for row in benchmark.best_of(rows)] == ["a", "c"]


def test_the_command_prints_a_table_and_json(corpus, capsys):
    assert dispatcher.main(["bench", str(corpus), "-a", "lzo,lz4:1,deflate:1"]) == 0
    said = capsys.readouterr().out
    assert "50 pages" in said
    assert [line.split("%")[0].split()[-2] for line in said.splitlines()[3:]] == [
        "lzo",
        "lz4:1",
        "deflate:1",
    ]
    assert command.main([str(corpus), "-a", "zstd:1", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["algorithm"], row["level"]) == ("zstd", 1)
    assert row["compression_ratio"] == row["compr_data_size"] / row["orig_data_size"]


def test_wrong_algorithms_are_a_usage_error(corpus):
    for name in ("nothing", "zstd:99"):
        with pytest.raises(UsageError, match=name.split(":")[0]):
            command.main([str(corpus), "-a", name])


def test_the_plot_names_algorithms_and_levels(corpus, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "bench.svg"
    assert command.main([str(corpus), "-a", "lz4,lzo", "--plot", str(path)]) == 0
    text = path.read_text()
    assert all(f"<!-- {word} -->" in text for word in ("lz4", "lzo", "16"))


# ---- zram_stats --estimate -----------------------------------------------------------------------


def test_the_historic_block_shows_a_device_that_is_not_there(corpus, capsys):
    assert zram_stats.main(["--estimate=lz4", str(corpus)]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    figures = PoolModel().store(compressed_sizes(corpus.read_bytes(), "lz4", page_size=PAGE))
    assert list(lines)[:11] == [
        "disksize",
        "num_reads",
        "num_writes",
        "invalid_io",
        "notify_free",
        "zero_pages",
        "orig_data_size",
        "compr_data_size",
        "mem_used_total",
        "avg_compr_ratio",
        "mem_overhead",
    ]
    assert int(lines["num_writes"]) == 50
    assert int(lines["zero_pages"]) == 10
    assert int(lines["mem_used_total"]) == figures.mem_used_total
    ratio = figures.compr_data_size * 100 // figures.orig_data_size
    assert lines["avg_compr_ratio"].strip() == f"{ratio} %"


def test_nothing_at_all_has_no_ratio(tmp_path, capsys):
    (tmp_path / "empty").touch()
    assert zram_stats.main(["--estimate=lz4", str(tmp_path / "empty")]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["avg_compr_ratio"].strip() == lines["mem_overhead"].strip() == "-"


def test_processes_and_streams_are_operands_too(corpus, capsys):
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        child.stdout.readline()
        assert zram_stats.main(["--estimate=lz4", f"pid:{child.pid}"]) == 0
        child.stdin.close()
    assert "orig_data_size" in capsys.readouterr().out
    program = [sys.executable, "-Im", "pyzram.cli.zram_stats", "--estimate=lz4", "-"]
    with corpus.open("rb") as file:
        done = subprocess.run(program, stdin=file, capture_output=True, text=True, check=True)
    assert "num_writes:                         50\n" in done.stdout


def test_a_process_that_is_gone_is_said_to_be_left_out(capsys):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, gone = os.getpid(), ended.pid
    assert zram_stats.main(["--estimate=lz4", f"pid:{gone}", f"pid:{mine}"]) == 0
    assert "kernel threads and exited processes (1)" in capsys.readouterr().err
    assert zram_stats.main(["--estimate=lz4", f"pid:{mine}"]) == 0
    assert capsys.readouterr().err == ""
    words = ["-a", "lz4", "--precision", "50", "--pid", str(mine), str(gone)]
    assert command.main(words) == 0
    assert "skipped: kernel threads and exited processes (1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--estimate=nothing", "x"],
        ["--estimate", "--json", "x"],
        ["--estimate", "x", "pid:1"],
        ["--estimate", "pid:x"],
    ],
)
def test_wrong_usage_of_the_option_is_status_2(words, capsys):
    assert zram_stats.main([__file__ if word == "x" else word for word in words]) == 2
    assert "zram_stats:" in capsys.readouterr().err


def test_a_source_that_is_missing_is_status_1(capsys):
    assert zram_stats.main(["--estimate", "/nonexistent"]) == 1
    assert "/nonexistent" in capsys.readouterr().err
