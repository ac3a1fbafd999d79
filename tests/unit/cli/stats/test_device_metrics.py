# SPDX-License-Identifier: MIT
"""Metrics as Prometheus's own parsers see them, textfiles in every case, and JSON."""

from __future__ import annotations

import json
import math
import os
import stat
import string

import pytest
from fake_roots import Machine, wait_only_for_others

from pyzram import __version__
from pyzram.cli import metrics, pyzram, zram_stats
from pyzram.cli.stats import device_metrics
from pyzram.kernel import figures

openmetrics_parser = pytest.importorskip("prometheus_client.openmetrics.parser")
text_parser = pytest.importorskip("prometheus_client.parser")
KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")
FORMATS = {"--prometheus": text_parser, "--openmetrics": openmetrics_parser}


@pytest.fixture
def output(tmp_path, monkeypatch, capsys):
    """What the command prints about a machine."""
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))

    def run(*words: str, status: int = 0) -> str:
        assert zram_stats.main(list(words)) == status
        return capsys.readouterr().out

    return run


def families(text: str, form: str = "--openmetrics") -> dict[str, object]:
    return {f.name: f for f in FORMATS[form].text_string_to_metric_families(text)}


def samples(text: str, form: str = "--openmetrics") -> dict[tuple[str, str], float]:
    """Values by name and device."""
    return {
        (s.name, s.labels["device"]): s.value
        for f in families(text, form).values()
        for s in f.samples
        if "device" in s.labels
    }


def success(text: str) -> float:
    (sample,) = families(text, "--prometheus")["zram_scrape_success"].samples
    assert sample.labels == {"collector": "zram_stats"}
    return sample.value


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("form", FORMATS)
def test_both_formats_in_the_eyes_of_their_parser(tmp_path, output, kernel, form):
    Machine(tmp_path, kernel)
    found = families(output(form), form)
    assert len(found) > 25
    assert all(family.documentation and family.type != "unknown" for family in found.values())


def test_the_formats_say_the_same(tmp_path, output):
    Machine(tmp_path, "vm-7.x-multi").add(1)
    one, other = (samples(output(form), form) for form in FORMATS)
    assert one == other


def test_types_and_units(tmp_path, output):
    Machine(tmp_path, "vm-6.1")
    text = output("--prometheus")
    lines = text.splitlines()
    # The text format has counters by their samples' name, and no type for info.
    assert "# TYPE zram_failed_writes_total counter" in lines
    assert "# TYPE zram_backing_dev_info gauge" in lines
    assert "# TYPE zram_mem_used_bytes gauge" in lines
    assert "# EOF" not in text
    assert "# UNIT" not in text
    found = families(output("--openmetrics"))
    assert (found["zram_mem_used_bytes"].type, found["zram_mem_used_bytes"].unit) == (
        "gauge",
        "bytes",
    )
    assert found["zram_failed_writes"].type == "counter"
    assert found["zram_backing_dev"].type == "info"
    assert found["zram_read_time_seconds"].unit == "seconds"


def is_told(machine: Machine, figure: figures.Figure) -> bool:
    """Whether the captured kernel, today's newest, has a figure of the table."""
    names = figures.of_file(figure.source)
    if figure.name not in names or figure.source.startswith("/"):
        return True  # computed, or of the system
    file = machine.attribute(figure.source)
    return file.exists() and names.index(figure.name) < len(file.read_text().split())


@pytest.mark.parametrize("form", FORMATS)
def test_every_figure_that_is_exported_is_there(tmp_path, output, form):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.mount("/mnt")
    here.block("loop7", 2048)
    names = {name for name, _ in samples(output(form), form)}
    assert {
        "zram_" + figure.metric + (f"_{unit}" if unit else "") + metrics.SUFFIX[figure.kind]
        for figure in figures.FIGURES
        if figure.metric and is_told(here, figure)
        for unit, _ in [device_metrics.BASE_UNITS.get(figure.unit, ("", 1))]
    } == names


def test_values_are_in_base_units(tmp_path, output):
    here = Machine(tmp_path, "vm-6.1")
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.block("loop7", 2048)
    here.attribute("stat").write_text("1 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53\n")
    found = samples(output("--prometheus"), "--prometheus")
    for name, value in {
        "zram_disksize_bytes": 67108864,
        "zram_compr_data_size_bytes": 2132626,
        "zram_same_pages": 4814,
        "zram_pages_compacted_total": 3,
        "zram_notify_free_total": 8192,
        "zram_bd_count_bytes": 12 * 4096,
        "zram_bd_size_bytes": 2048 * 512,
        "zram_bd_writes_bytes_total": 56 * 4096,
        "zram_writeback_limit_bytes": 1000 * 4096,
        "zram_reads_completed_total": 1,
        "zram_reads_merged_total": 2,
        "zram_read_bytes_total": 3 * 512,
        "zram_read_time_seconds_total": 0.005,
        "zram_writes_completed_total": 7,
        "zram_written_bytes_total": 13 * 512,
        "zram_io_now": 19,
        "zram_io_time_weighted_seconds_total": 0.029,
        "zram_swap_used_bytes": 1468 * 1024,
        "zram_swap_priority": -2,
    }.items():
        assert math.isclose(found[name, "zram0"], value), name


def test_what_a_kernel_lacks_and_a_limit_that_is_off_have_no_sample(tmp_path, output):
    Machine(tmp_path, "6.18")
    names = {name for name, _ in samples(output("--openmetrics"))}
    assert not names & {"zram_bd_count_bytes", "zram_writeback_limit_bytes", "zram_swap_size_bytes"}


def test_a_writeback_limit_that_is_not_enabled_has_no_sample(tmp_path, output):
    Machine(tmp_path, "vm-6.12")
    assert "zram_writeback_limit" not in output("--prometheus")


def test_several_devices_share_a_family(tmp_path, output):
    Machine(tmp_path, "6.18").add(1)
    text = output("--openmetrics")
    assert text.count("# TYPE zram_disksize_bytes gauge") == 1
    assert {device for _, device in samples(text)} == {"zram0", "zram1"}


@pytest.mark.parametrize("form", FORMATS)
def test_no_device_is_still_valid_and_a_success(tmp_path, output, form):
    Machine(tmp_path, "6.18", "fresh")
    text = output(form)
    assert samples(text, form) == {}
    assert success(text.removesuffix("# EOF\n")) == 1


def test_the_version(tmp_path, output):
    Machine(tmp_path, "6.18")
    (sample,) = families(output("--openmetrics"))["pyzram_build"].samples
    assert sample.labels == {"collector": "zram_stats", "version": __version__}


ODD = b"".join(bytes([n]) for n in range(1, 256) if chr(n) not in string.ascii_letters)


@pytest.mark.parametrize("form", FORMATS)
def test_labels_with_every_byte_that_a_path_can_have(tmp_path, output, form):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.attribute("backing_dev").write_bytes(b"/dev/" + ODD + b"\n")
    here.attribute("comp_algorithm").write_bytes(b'[a"\\n\xff]\n')
    here.mount('/"\\134\\012\\040{}é')
    found = families(output(form), form)
    algorithm, backing, mount = (
        found[name if form == "--openmetrics" else name + "_info"].samples
        for name in ("zram_comp_algorithm", "zram_backing_dev", "zram_mount")
    )
    assert backing[0].labels["path"] == "/dev/" + ODD.decode("utf-8", "replace")
    assert algorithm[0].labels["algorithm"] == 'a"\\n\ufffd'
    assert mount[0].labels["mount_point"] == '/"\\\n {}é'


def test_mount_points_that_look_alike_are_one_series(tmp_path, output):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.mount("/a+")
    table = here.root / "proc/self/mountinfo"
    line = table.read_bytes().split(b"\n")[-2] + b"\n"
    table.write_bytes(line.replace(b"+", b"\xff") + line.replace(b"+", b"\xfe"))
    mount = families(output("--prometheus"), "--prometheus")["zram_mount_info"].samples
    assert [sample.labels["mount_point"] for sample in mount] == ["/a\ufffd"]


def test_algorithms_by_priority(tmp_path, output):
    Machine(tmp_path, "vm-7.x-multi")
    found = families(output("--openmetrics"))["zram_comp_algorithm"].samples
    assert {s.labels["priority"]: s.labels["algorithm"] for s in found} == {
        "0": "lz4",
        "1": "zstd",
        "2": "deflate",
    }


# ---- textfiles -----------------------------------------------------------------------------------


@pytest.fixture
def textfile(tmp_path, monkeypatch, capsys):
    """The textfile of a machine, and what was printed to standard error."""
    folder = tmp_path / "textfiles"
    folder.mkdir()
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path / "root"))

    def write(*operands: str) -> tuple[str, str]:
        path = folder / "zram.prom"
        path.write_text("zram_phantom 1\n")
        assert zram_stats.main(["--textfile", str(path), *operands]) == 0
        assert os.listdir(folder) == ["zram.prom"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        out, err = capsys.readouterr()
        assert out == ""
        return path.read_text(), err

    return write


def test_a_textfile_has_what_is_printed(tmp_path, textfile, capsys):
    Machine(tmp_path / "root", "vm-7.x-multi")
    mask = os.umask(0o077)
    try:
        text, err = textfile()
    finally:
        os.umask(mask)
    assert (success(text), err) == (1, "")
    zram_stats.main(["--prometheus"])
    assert text == capsys.readouterr().out


def test_without_a_device(tmp_path, textfile):
    Machine(tmp_path / "root", "6.18", "fresh")
    text, err = textfile()
    assert (samples(text, "--prometheus"), success(text), err) == ({}, 1, "")


def test_without_a_driver(tmp_path, textfile):
    here = Machine(tmp_path / "root", "6.18")
    (here.root / "sys/class/zram-control").rename(here.root / "gone")
    here.attribute("").rename(here.root / "gone-too")
    text, err = textfile()
    assert (samples(text, "--prometheus"), success(text)) == ({}, 0)
    assert err == "zram_stats: no zram driver is loaded (modprobe zram)\n"


def test_without_sysfs(textfile):
    text, err = textfile()
    assert (samples(text, "--prometheus"), success(text)) == ({}, 0)
    assert "No such file or directory" in err


def test_a_device_that_is_held_up_tells_the_rest(tmp_path, textfile, monkeypatch):
    wait_only_for_others(monkeypatch)
    Machine(tmp_path / "root", "vm-7.x-multi").hold_up("mm_stat")
    text, err = textfile()
    found = samples(text, "--prometheus")
    assert success(text) == 0
    assert found["zram_disksize_bytes", "zram0"] == 67108864
    assert ("zram_mem_used_bytes", "zram0") not in found
    assert err.startswith("zram_stats: zram0: mm_stat")
    assert "no answer within" in err


def test_a_device_that_vanishes_leaves_no_half(tmp_path, textfile, monkeypatch):
    here = Machine(tmp_path / "root", "vm-6.1")
    here.add(1)
    here.vanish_while_read(monkeypatch)
    text, _ = textfile()
    assert success(text) == 0
    assert {device for _, device in samples(text, "--prometheus")} == {"zram1"}


def test_a_device_that_was_never_there(tmp_path, textfile):
    Machine(tmp_path / "root", "vm-6.1")
    text, err = textfile("zram0", "zram7")
    assert success(text) == 0
    assert {device for _, device in samples(text, "--prometheus")} == {"zram0"}
    assert "zram7: no such device" in err


def test_a_textfile_behind_a_link(tmp_path, monkeypatch):
    Machine(tmp_path / "root", "6.18")
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path / "root"))
    (tmp_path / "far").mkdir()
    (tmp_path / "link.prom").symlink_to("far/zram.prom")
    assert zram_stats.main(["--textfile", str(tmp_path / "link.prom")]) == 0
    assert (tmp_path / "link.prom").is_symlink()
    assert success((tmp_path / "far/zram.prom").read_text()) == 1


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("folder", "not a regular file"),
        ("pipe", "not a regular file"),
        ("none/zram.prom", "No such file or directory (there is no "),
        ("full", "not a regular file"),
    ],
)
def test_a_textfile_that_cannot_be_written(tmp_path, monkeypatch, capsys, name, cause):
    Machine(tmp_path / "root", "6.18")
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path / "root"))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").symlink_to("/dev/full")
    before = sorted(os.listdir(tmp_path))
    assert zram_stats.main(["--textfile", str(tmp_path / name)]) == 1
    err = capsys.readouterr().err
    assert cause in err
    assert err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before


# ---- JSON ----------------------------------------------------------------------------------------


def test_info_has_json_too(tmp_path, output, capsys):
    Machine(tmp_path, "vm-7.x-multi")
    assert pyzram.main(["info", "--json"]) == 0
    assert capsys.readouterr().out == output("-J")


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
