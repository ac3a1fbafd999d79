# SPDX-License-Identifier: MIT
"""OpenMetrics text as Prometheus' own parsers see it, and JSON."""

from __future__ import annotations

import json
import math

import pytest
from fake_roots import Machine

from pyzram.cli import stats_openmetrics, zram_stats
from pyzram.kernel import parse

openmetrics_parser = pytest.importorskip("prometheus_client.openmetrics.parser")
text_parser = pytest.importorskip("prometheus_client.parser")
KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")


@pytest.fixture
def output(tmp_path, monkeypatch, capsys):
    """What the command prints about a machine."""
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))

    def run(*words: str) -> str:
        assert zram_stats.main(list(words)) == 0
        return capsys.readouterr().out

    return run


def families(text: str) -> dict[str, object]:
    return {f.name: f for f in openmetrics_parser.text_string_to_metric_families(text)}


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (s.name, s.labels["device"]): s.value for f in families(text).values() for s in f.samples
    }


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("parser", [openmetrics_parser, text_parser], ids=["openmetrics", "text"])
def test_both_parsers_of_prometheus_take_it(tmp_path, output, kernel, parser):
    Machine(tmp_path, kernel)
    text = output("--prometheus")
    assert text.endswith("# EOF\n")
    assert len(list(parser.text_string_to_metric_families(text))) > 25


def test_every_figure_of_the_kernel_s_files_is_there(tmp_path, output):
    Machine(tmp_path, "vm-7.x-multi")
    exported = {family.figure for family in stats_openmetrics.FAMILIES}
    known = {*parse.MM_STAT, *parse.IO_STAT, *parse.BD_STAT, *parse.BLOCK_STAT, *parse.DEBUG_STAT}
    assert known <= exported
    names = set(families(output("--prometheus")))
    for family in stats_openmetrics.FAMILIES:
        assert (family.name in names) == (not family.figure.startswith("swap_")), family.name


def test_values_are_in_base_units(tmp_path, output):
    here = Machine(tmp_path, "vm-6.1")
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.attribute("stat").write_text("1 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53\n")
    found = samples(output("--prometheus"))
    for name, value in {
        "zram_disksize_bytes": 67108864,
        "zram_compr_data_size_bytes": 2132626,
        "zram_same_pages": 4814,
        "zram_pages_compacted_total": 3,
        "zram_notify_free_total": 8192,
        "zram_bd_count_bytes": 12 * 4096,
        "zram_bd_writes_bytes_total": 56 * 4096,
        "zram_writeback_limit_bytes": 1000 * 4096,
        "zram_read_ios_total": 1,
        "zram_read_bytes_total": 3 * 512,
        "zram_read_seconds_total": 0.005,
        "zram_written_bytes_total": 13 * 512,
        "zram_in_flight": 19,
        "zram_io_weighted_seconds_total": 0.029,
        "zram_swap_used_bytes": 1468 * 1024,
        "zram_swap_priority": -2,
    }.items():
        assert math.isclose(found[name, "zram0"], value), name


def test_metadata(tmp_path, output):
    Machine(tmp_path, "vm-6.1")
    found = families(output("--prometheus"))
    assert (found["zram_mem_used_total_bytes"].type, found["zram_mem_used_total_bytes"].unit) == (
        "gauge",
        "bytes",
    )
    assert found["zram_failed_writes"].type == "counter"
    assert found["zram_read_seconds"].unit == "seconds"
    assert all(family.documentation for family in found.values())


def test_what_a_kernel_lacks_and_a_limit_that_is_off_have_no_sample(tmp_path, output):
    Machine(tmp_path, "6.18")
    names = {name for name, _ in samples(output("--prometheus"))}
    assert not names & {"zram_bd_count_bytes", "zram_writeback_limit_bytes", "zram_swap_size_bytes"}


def test_a_writeback_limit_that_is_not_enabled_has_no_sample(tmp_path, output):
    Machine(tmp_path, "vm-6.12")
    assert "zram_writeback_limit" not in output("--prometheus")


def test_several_devices_share_a_family(tmp_path, output):
    Machine(tmp_path, "6.18").add(1)
    text = output("--prometheus")
    assert text.count("# TYPE zram_disksize_bytes gauge") == 1
    assert {device for _, device in samples(text)} == {"zram0", "zram1"}


def test_no_device_is_still_valid(tmp_path, output):
    Machine(tmp_path, "6.18", "fresh")
    assert output("--prometheus") == "# EOF\n"


def test_algorithms_and_a_path_that_needs_escaping(tmp_path, output):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.attribute("backing_dev").write_bytes(b'/dev/a"b\\c\nd\xffe\n')
    found = families(output("--prometheus"))
    algorithms = {
        s.labels["priority"]: s.labels["algorithm"] for s in found["zram_comp_algorithm"].samples
    }
    assert algorithms == {"0": "lz4", "1": "zstd", "2": "deflate"}
    (sample,) = found["zram_backing_dev"].samples
    assert sample.labels["path"] == '/dev/a"b\\c\nd\ufffde'


def test_json_has_the_kernel_s_names_and_integers(tmp_path, output):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.mount("/two\\040words")
    (device,) = json.loads(output("--json"))["zram_stats"]
    for name, value in {
        "name": "zram0",
        "disksize": 67108864,
        "orig_data_size": 16846848,
        "huge_pages_since": 40,
        "bd_writes": 56,
        "read_ios": 223,
        "discard_ticks": 0,
        "comp_algorithm": "lz4",
        "recomp_algorithm": {"1": "zstd", "2": "deflate"},
        "mount_point": ["/two words"],
        "swap_used": None,
        "avg_compr_ratio": 12,
    }.items():
        assert device[name] == value, name
        assert type(device[name]) is type(value), name


def test_json_of_chosen_columns(tmp_path, output):
    Machine(tmp_path, "vm-6.12")
    assert json.loads(output("-J", "-o", "NAME,TOTAL,recomp-algorithm")) == {
        "zram_stats": [{"name": "zram0", "mem_used_total": 2252800, "recomp_algorithm": None}]
    }


def test_json_without_devices(tmp_path, output):
    Machine(tmp_path, "6.18", "fresh")
    assert json.loads(output("-J")) == {"zram_stats": []}
