# SPDX-License-Identifier: MIT
"""The command zram_stats on made-up machines: what it prints, and how it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_roots import Machine, wait_only_for_others

from pyzram.cli import zram_stats
from pyzram.kernel import blocked_reads, figure_reader, figures

KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")
HISTORIC = """\
disksize:                     67108864
num_reads:                         223
num_writes:                       8928
invalid_io:                          5
notify_free:                      8192
zero_pages:                       4814
orig_data_size:               16846848
compr_data_size:               2132626
mem_used_total:                2252800
avg_compr_ratio:                  12 %
mem_overhead:                      5 %
"""
# Runs the installed command as a separate process.
COMMAND = (
    sys.executable,
    "-Ic",
    "import sys; from pyzram.cli.zram_stats import main; sys.exit(main())",
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make a machine and run the command on it."""

    def make(kernel: str, state: str = "used") -> Machine:
        monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
        return Machine(tmp_path, kernel, state)

    return make


def keys(text: str) -> list[str]:
    return [line.partition(":")[0] for line in text.splitlines()]


def values(text: str) -> dict[str, str]:
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def test_the_historic_lines_come_first_and_are_those_of_the_author_s_run(machine, capsys):
    machine("vm-6.1")
    assert zram_stats.main(["zram0"]) == 0
    assert capsys.readouterr().out.startswith(HISTORIC)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_historic_lines_are_the_same_eleven_on_every_kernel(machine, capsys, kernel):
    machine(kernel)
    assert zram_stats.main([]) == 0
    out, err = capsys.readouterr()
    assert keys(out)[:11] == keys(HISTORIC)
    assert err == ""
    assert {len(line) for line in out.splitlines()} == {38}


@pytest.mark.parametrize(
    ("kernel", "there", "missing"),
    [
        ("vm-6.1", {"max_comp_streams": "1", "bd_writes": "56"}, ["recomp_algorithm"]),
        ("vm-6.12", {"backing_dev": "none", "bd_count": "0"}, ["writeback_limit", "swap_used"]),
        ("6.18", {"comp_algorithm": "lzo-rle"}, ["max_comp_streams", "backing_dev", "bd_count"]),
        (
            "vm-7.x-multi",
            {"recomp_algorithm": "#1 zstd, #2 deflate", "writeback_limit": "1000"},
            [],
        ),
    ],
)
def test_modern_lines_only_where_the_kernel_has_the_figure(machine, capsys, kernel, there, missing):
    machine(kernel)
    assert zram_stats.main(["0"]) == 0
    shown = values(capsys.readouterr().out)
    assert there.items() <= shown.items()
    assert not set(missing) & set(shown)


def test_an_empty_device_has_no_ratio(machine, capsys):
    machine("6.18", "fresh")
    assert zram_stats.main(["zram0"]) == 0
    shown = values(capsys.readouterr().out)
    assert (shown["avg_compr_ratio"], shown["mem_overhead"]) == ("-", "-")


def test_only_same_filled_pages_have_a_ratio_of_nothing(machine, capsys):
    machine("6.18").attribute("mm_stat").write_text("8192 0 4096 0 4096 2 0 0 0\n")
    assert zram_stats.main([]) == 0
    shown = values(capsys.readouterr().out)
    assert (shown["avg_compr_ratio"], shown["mem_overhead"]) == ("0 %", "-")


def test_without_operands_only_configured_devices(machine, capsys):
    here = machine("6.18")
    here.add(3)
    here.add(10)
    here.attribute("disksize", 3).write_text("0\n")
    assert zram_stats.main(["--raw", "-n", "-o", "name"]) == 0
    assert capsys.readouterr().out == "/dev/zram0\n/dev/zram10\n"


def test_several_devices_are_blocks_with_headings(machine, capsys):
    machine("vm-6.1").add(1)
    assert zram_stats.main(["zram1", "/dev/zram0"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.startswith("/dev/zram1\n" + HISTORIC)
    assert second.startswith("/dev/zram0\n" + HISTORIC)


def test_swap_and_mount_points(machine, capsys):
    here = machine("6.18")
    here.add(1)
    here.swap("/dev/sda2 partition 100 0 -2", "/dev/zram0 partition\t65532\t\t1468\t\t100")
    here.mount("/var/tmp\\040two", 1)
    here.mount("/mnt", 1)
    assert zram_stats.main(["zram0"]) == 0
    shown = values(capsys.readouterr().out)
    assert shown["swap_size"] == str(65532 * 1024)
    assert shown["swap_used"] == str(1468 * 1024)
    assert (shown["swap_priority"], shown["mount_point"]) == ("100", "[SWAP]")
    assert zram_stats.main(["zram1"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^mount_point: +(.*)$", out, re.M) == ["/var/tmp two", "/mnt"]
    assert "swap_used" not in values(out)


def test_what_cannot_be_printed_stays_on_its_line(machine, capsys):
    machine("6.18").mount("/mnt/a\\012b\\033c")
    assert zram_stats.main(["zram0"]) == 0
    assert capsys.readouterr().out.endswith("/mnt/a\\x0ab\\x1bc\n")


# ---- tables --------------------------------------------------------------------------------------


def test_the_table_of_the_usual_columns(machine, capsys):
    machine("vm-6.1")
    assert zram_stats.main(["-o", "+same-pages"]) == 0
    assert capsys.readouterr().out == (
        "NAME       ALGORITHM DISKSIZE  DATA COMPR TOTAL COMP-RATIO SWAP-USED MOUNTPOINT "
        "SAME-PAGES\n"
        "/dev/zram0 lzo-rle        64M 16.1M    2M  2.1M     7.4782         - -          "
        "      4814\n"
    )


def test_raw_has_one_blank_between_cells_and_none_within(machine, capsys):
    machine("vm-7.x-multi").mount("/two\\040words")
    assert zram_stats.main(["--raw", "-b", "-o", "NAME,DATA,mountpoint,recomp_algorithm"]) == 0
    assert capsys.readouterr().out == (
        "NAME DATA MOUNTPOINT RECOMP-ALGORITHM\n"
        "/dev/zram0 16846848 /two\\x20words #1\\x20zstd,\\x20#2\\x20deflate\n"
    )


def test_zramctl_s_misleading_names_are_understood(machine, capsys):
    machine("vm-6.1")
    assert zram_stats.main(["-bn", "--raw", "-o", "mem-used,MIGRATED,ZERO-PAGES"]) == 0
    assert capsys.readouterr().out == "2260992 3 4814\n"


def test_all_columns(machine, capsys):
    machine("vm-7.x-multi")
    assert zram_stats.main(["--output-all", "--raw", "--bytes"]) == 0
    headings, cells = capsys.readouterr().out.splitlines()
    columns = len(zram_stats.stats_columns.COLUMNS)
    assert len(headings.split(" ")) == len(cells.split(" ")) == columns


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nonsense"], "unknown option --nonsense"),
        (["-x"], "unknown option -x"),
        (["--output"], "--output needs a value: COLUMNS"),
        (["--outpu=NAME"], "ambiguous option --outpu"),
        (["--bytes=1"], "--bytes takes no value"),
        (["-o", "name,nonsense"], "unknown column nonsense"),
        (["-o", "name,SWAP-USE"], "unknown column SWAP-USE (did you mean swap_used?)"),
        (
            ["-o", "name,compr_dta_size"],
            "unknown column compr_dta_size (did you mean compr_data_size?)",
        ),
        (["-o", ""], "unknown column ''"),
        (["-J", "--prometheus"], "--json and --prometheus cannot be combined"),
        (["--openmetrics", "--textfile=x"], "--openmetrics and --textfile cannot be combined"),
        (["--prometheus", "-o", "name"], "--output and --prometheus cannot be combined"),
        (["--textfile"], "--textfile needs a value: FILE"),
        (["--raw", "-J"], "--raw and --json cannot be combined"),
        (["-w0"], "--watch: 0: not from 0.1 to 86400 seconds"),
        (["--watch=often"], "--watch: often: not from 0.1 to 86400 seconds"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(machine, capsys, words, message):
    machine("6.18")
    assert zram_stats.main(words) == 2
    out, err = capsys.readouterr()
    advice = "" if "did you mean" in message else " (see zram_stats --help)"
    assert (out, err) == ("", f"zram_stats: {message}{advice}\n")


def test_help_names_every_option_and_column(capsys):
    assert zram_stats.main(["--help"]) == 0
    out = capsys.readouterr().out
    for option in zram_stats.COMMAND.options:
        assert f"--{option.long}" in out
    for column in zram_stats.stats_columns.COLUMNS:
        assert f"  {zram_stats.stats_columns.heading(column)} " in out


def test_version(capsys):
    from pyzram import __version__

    assert zram_stats.main(["-V"]) == 0
    assert capsys.readouterr().out == f"zram_stats (pyzram) {__version__}\n"


def test_after_two_dashes_there_are_only_operands(machine, capsys):
    machine("6.18")
    assert zram_stats.main(["--", "--json"]) == 1
    assert "--json" in capsys.readouterr().err


# ---- failures ------------------------------------------------------------------------------------


def failed(capsys) -> tuple[str, str]:
    out, err = capsys.readouterr()
    assert err.startswith("zram_stats: ")
    assert err.count("\n") == 1
    return out, err


@pytest.mark.parametrize(
    ("operand", "cause"),
    [
        ("zram7", "no such device"),
        ("/dev/zram7", "no such device"),
        ("/dev/null", "not a block device"),
        ("/nowhere/at/all", "No such file or directory"),
        ("nonsense", "No such file or directory"),
    ],
)
def test_what_is_not_a_device_is_one_line_and_the_others_are_shown(machine, capsys, operand, cause):
    machine("vm-6.1")
    assert zram_stats.main([operand, "zram0"]) == 1
    out, err = failed(capsys)
    assert cause in err
    assert out.startswith(HISTORIC)


def test_without_a_driver(machine, tmp_path, capsys):
    here = machine("6.18")
    (here.root / "sys/class/zram-control").rename(here.root / "gone")
    here.attribute("").rename(here.root / "gone-too")
    assert zram_stats.main([]) == 1
    assert "no zram driver is loaded" in failed(capsys)[1]


def test_without_sysfs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    assert zram_stats.main([]) == 1
    assert "No such file or directory" in failed(capsys)[1]


@pytest.mark.parametrize("operands", [[], ["zram0", "zram1"]])
def test_a_device_that_vanishes_while_it_is_read(machine, monkeypatch, capsys, operands):
    here = machine("vm-6.1")
    here.add(1)
    here.vanish_while_read(monkeypatch)
    assert zram_stats.main(operands) == 1
    out, err = failed(capsys)
    assert "zram0: the device is gone" in err
    assert out.startswith(HISTORIC)


def test_a_file_that_may_not_be_read_leaves_the_rest(machine, monkeypatch, capsys):
    machine("vm-6.1")
    read = figure_reader.read_text

    def refuse(path: str) -> str:
        if path.endswith("mm_stat"):
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(figure_reader, "read_text", refuse)
    assert zram_stats.main(["zram0"]) == 1
    out, err = failed(capsys)
    assert "zram0: mm_stat: Permission denied" in err
    shown = values(out)
    assert (shown["num_writes"], shown["orig_data_size"]) == ("8928", "-")
    assert keys(out)[:11] == keys(HISTORIC)


def test_a_file_that_makes_no_sense_leaves_the_rest(machine, capsys):
    machine("vm-6.1").attribute("io_stat").write_text("what?\n")
    assert zram_stats.main(["zram0"]) == 1
    out, err = failed(capsys)
    assert "zram0: io_stat: not in the format of a zram driver" in err
    assert values(out)["orig_data_size"] == "16846848"


def test_reads_that_the_kernel_holds_up_do_not_hang_the_command(tmp_path):
    here = Machine(tmp_path, "vm-7.x-multi")
    here.add(1)
    for name in ("mm_stat", "comp_algorithm", "bd_stat"):
        here.hold_up(name)
    # Through a pipe: waiting for its end must not mean waiting for the child that hangs.
    done = subprocess.run(
        [*COMMAND, "zram0", "zram1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("zram_stats: zram0: mm_stat")
    assert ": no answer within 2 s" in done.stderr
    first, second = done.stdout.split("\n\n")
    assert values(first)["disksize"] == "67108864"
    assert values(first)["orig_data_size"] == "-"
    assert values(second)["orig_data_size"] == "16846848"


def test_only_what_is_asked_for_is_read(machine, capsys):
    machine("vm-7.x-multi").hold_up("mm_stat")
    assert zram_stats.main(["-nb", "--raw", "-o", "name,disksize,num_reads"]) == 0
    assert capsys.readouterr().out == "/dev/zram0 67108864 223\n"


def test_a_figure_that_was_held_up_is_there_again_afterwards(tmp_path, monkeypatch):
    wait_only_for_others(monkeypatch)
    here = Machine(tmp_path, "vm-7.x-multi")
    text = here.attribute("mm_stat").read_text()
    here.hold_up("mm_stat")
    reader = figure_reader.FigureReader(figure_reader.Sysfs(str(tmp_path)))
    assert figure_reader.DeviceFigures(reader, 0)["orig_data_size"] is None
    # It still waits, and no second child is started after the first.
    held = figure_reader.DeviceFigures(reader, 0)
    assert held["orig_data_size"] is None
    assert len(held.troubles) == 1
    here.attribute("mm_stat").unlink()
    here.attribute("mm_stat").write_text(text)
    deadline = time.monotonic() + 10
    while figure_reader.DeviceFigures(reader, 0)["orig_data_size"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    reader.close()


def test_a_device_that_is_held_up_in_a_later_round_costs_the_others_nothing(tmp_path, monkeypatch):
    wait_only_for_others(monkeypatch)
    here = Machine(tmp_path, "vm-7.x-multi")
    for number in (1, 2, 3):
        here.add(number)
    reader = figure_reader.FigureReader(figure_reader.Sysfs(str(tmp_path)))

    def sizes(*numbers: int) -> list[int | None]:
        reader.refresh()
        return [figure_reader.DeviceFigures(reader, number)["orig_data_size"] for number in numbers]

    try:
        (usual,) = sizes(0)
        assert usual
        assert sizes(0, 1, 2, 3) == [usual] * 4
        here.hold_up("mm_stat", 1)
        assert sizes(0, 1, 2, 3) == [usual, None, usual, usual]
        assert sizes(0, 1, 2, 3) == [usual, None, usual, usual]
        assert sizes(0, 2, 3) == [usual] * 3
        # Held up and not wanted any more: asked for ahead, and no reason to give up on others.
        here.hold_up("mm_stat", 2)
        assert sizes(0, 3) == [usual] * 2
        assert sizes(3, 0) == [usual] * 2
    finally:
        reader.close()


def test_nothing_is_asked_ahead_of_a_device_that_is_held_up(tmp_path, monkeypatch):
    """Otherwise each round would leave another child behind, and forget the previous one."""
    wait_only_for_others(monkeypatch)
    here = Machine(tmp_path, "vm-7.x-multi")
    for number in (1, 2):
        here.add(number)
    reader = figure_reader.FigureReader(figure_reader.Sysfs(str(tmp_path)))
    children, over = [], False

    class Child(blocked_reads.ForkedReader):
        def __init__(self) -> None:
            super().__init__()
            children.append(self)

        def ended(self) -> bool:
            return over and super().ended()

    monkeypatch.setattr(blocked_reads, "ForkedReader", Child)

    def sizes(*numbers: int) -> list[int | None]:
        reader.refresh()
        return [figure_reader.DeviceFigures(reader, number)["orig_data_size"] for number in numbers]

    try:
        (usual,) = sizes(0)
        assert sizes(0, 1, 2) == [usual] * 3
        here.hold_up("mm_stat", 1)
        assert sizes(1, 0, 2) == [None, usual, usual]
        assert sizes(1, 0, 2) == [None, usual, usual]
        assert len(children) == 2
        over = True
        os.waitid(os.P_PID, children[0].pid, os.WEXITED | os.WNOWAIT)
        reader.refresh()  # reaps it, though nobody asks for that device any more
        with pytest.raises(ChildProcessError):
            os.waitpid(children[0].pid, os.WNOHANG)
    finally:
        reader.close()


def test_a_closed_pipe_is_no_traceback(tmp_path):
    Machine(tmp_path, "vm-6.1")
    env = {**os.environ, "PYZRAM_ROOT": str(tmp_path)}
    # As `| head` does, but surely before the command writes.
    done = subprocess.run(
        ["sh", "-c", '(sleep 0.5; "$@"; echo $? >&3) 3>&2 | true', "sh", *COMMAND],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.stderr == "1\n"


@pytest.mark.parametrize(
    ("redirection", "cause"),
    [(">/dev/full", "No space left on device"), (">&-", "standard output is closed")],
)
def test_output_that_goes_nowhere_is_a_failure(tmp_path, redirection, cause):
    Machine(tmp_path, "vm-6.1")
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("zram_stats: ")
    assert done.stderr.count("\n") == 1
    assert cause in done.stderr


# ---- what it costs -------------------------------------------------------------------------------


# What the command loads at its start besides what the interpreter itself loads: each module costs
# about a hundredth of its start, so one more needs a reason.
LOADED = """
    __future__ pyzram pyzram.cli pyzram.cli.options pyzram.cli.output pyzram.cli.stats_columns
    pyzram.cli.zram_stats pyzram.errors pyzram.kernel pyzram.kernel.figure_reader
    pyzram.kernel.figures pyzram.kernel.holders pyzram.kernel.parse pyzram.kernel.sysfs
    pyzram.limits pyzram.text pyzram.value
"""


def test_a_plain_call_loads_these_modules_and_nothing_else(tmp_path):
    Machine(tmp_path, "6.18")
    code = (
        "import errno, os, stat, sys; before = set(sys.modules); "
        "from pyzram.cli.zram_stats import main; main(['zram0']); "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-ISc", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1].split() == LOADED.split()


# ---- the manual page -----------------------------------------------------------------------------


def manual() -> str:
    page = Path(__file__).resolve().parents[3] / "man/zram_stats.8"
    return page.read_text().replace("\\-", "-").replace("\\(bu", "")


def test_the_manual_page_tells_of_every_figure_what_the_table_has():
    page = manual().partition(".Sh FIGURES")[2].partition(".Sh METRICS")[0]
    # An entry is one or several names, then "(unit, file; HEADING)".
    entries = {}
    for names, facts in re.findall(r"((?:^\.It Cm [a-z_]+\n)+)\(([^)]*)\)", page, re.M):
        for name in re.findall(r"Cm ([a-z_]+)", names):
            entries[name] = facts
    assert set(entries) == {column.name for column in zram_stats.stats_columns.COLUMNS}
    for column in zram_stats.stats_columns.COLUMNS:
        figure = figures.BY_NAME[column.name]
        told, _, heading = entries[column.name].partition("; ")
        unit = "" if figure.unit == figures.PRIORITY else figure.unit
        source = (
            ""
            if figure.source == "stat" and column.name in figures.of_file("stat")
            else figure.source
        )
        expected = ", ".join(word for word in (unit, source) if word)
        if column.name == "name":
            assert told == "NAME"
            continue
        assert told == expected, column.name
        shown = zram_stats.stats_columns.heading(column)
        assert (heading or column.name.upper().replace("_", "-")) == shown


def test_json_agrees_with_the_block(machine, capsys):
    machine("vm-7.x-multi")
    assert zram_stats.main(["-J"]) == 0
    (device,) = json.loads(capsys.readouterr().out)["zram_stats"]
    assert zram_stats.main([]) == 0
    for key, text in values(capsys.readouterr().out).items():
        if text.removesuffix(" %").isdigit():
            assert device[key] == int(text.removesuffix(" %")), key
