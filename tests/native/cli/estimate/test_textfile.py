# SPDX-License-Identifier: MIT
"""``pyzram estimate --textfile``: the survey as Prometheus's own parser sees it."""

from __future__ import annotations

import json
import stat

import pytest

from pyzram.cli import pyzram

parser = pytest.importorskip("prometheus_client.parser")


def families(path):
    return {f.name: f for f in parser.text_string_to_metric_families(path.read_text())}


def test_it_has_the_figures_of_json(tmp_path, capsys):
    pages = tmp_path / "pages"
    pages.write_bytes(bytes(8 * 4096) + bytes(range(256)) * 16 * 4 + b"word" * 1024)
    words = ["estimate", "--full", "--no-timing", "-a", "lz4,zstd:3", str(pages)]
    path = tmp_path / "estimate.prom"
    assert pyzram.main([*words, "--textfile", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert capsys.readouterr().out == ""
    assert pyzram.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["algorithms"]
    found = families(path)
    assert all(family.type == "gauge" and family.documentation for family in found.values())
    for name, key in {
        "zram_estimate_compr_data_size_bytes": "compr_data_size",
        "zram_estimate_mem_used_bytes": "mem_used_total",
        "zram_estimate_same_pages": "same_pages",
        "zram_estimate_huge_pages": "huge_pages",
        "zram_estimate_compression_ratio": "compression_ratio",
        "zram_estimate_compression_ratio_lower_bound": "compression_ratio_low",
        "zram_estimate_compression_ratio_upper_bound": "compression_ratio_high",
    }.items():
        values = {s.labels["algorithm"]: s.value for s in found[name].samples}
        assert values == {label: told[label][key] for label in ("lz4", "zstd:3")}, name
    (data,) = found["zram_estimate_orig_data_size_bytes"].samples
    assert data.value == told["lz4"]["orig_data_size"] == pages.stat().st_size
    (whole,) = found["zram_scrape_success"].samples
    assert (whole.labels, whole.value) == ({"collector": "estimate"}, 1)


def test_a_source_that_cannot_be_read_is_no_success_and_leaves_nothing_stale(tmp_path, capsys):
    path = tmp_path / "estimate.prom"
    path.write_text('zram_estimate_compression_ratio{algorithm="lz4"} 1\n')
    assert pyzram.main(["estimate", "--textfile", str(path), str(tmp_path / "none")]) == 0
    found = families(path)
    assert "zram_estimate_compression_ratio" not in found
    assert found["zram_scrape_success"].samples[0].value == 0
    assert "No such file or directory" in capsys.readouterr().err


def test_it_is_refused_together_with_other_output(tmp_path, capsys):
    assert pyzram.main(["estimate", "--textfile", str(tmp_path / "x"), "--json", "-"]) == 2
    assert "--textfile and --json cannot be combined" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
