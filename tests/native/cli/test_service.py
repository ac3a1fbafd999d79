# SPDX-License-Identifier: MIT
"""pyzram's commands as far as they need no device: usage, check, and plans in a made-up root."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram.cli.pyzram import main
from pyzram.cli.service import OPTIONS


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a zram driver, a foreign device and a swap file of high priority."""
    top = tmp_path / "root"
    for directory in ("sys/class/zram-control", "sys/block/zram3", "proc/self", "dev"):
        (top / directory).mkdir(parents=True)
    (top / "sys/block/zram3/disksize").write_text("1073741824\n")
    (top / "sys/block/zram3/dev").write_text("252:3\n")
    (top / "proc/swaps").write_text(
        "Filename\tType\tSize\tUsed\tPriority\n"
        "/swapfile\tfile\t1048576\t0\t500\n/dev/zram3\tpartition\t1048576\t0\t600\n"
    )
    (top / "proc/self/mountinfo").write_text("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (top / "proc/meminfo").write_text("MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n")
    monkeypatch.setenv("PYZRAM_ROOT", str(top))
    monkeypatch.setenv("PYZRAM_RUN", str(tmp_path / "run"))
    return top


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "zram"
    path.write_text("ZRAM_SIZE_0=64M\n")
    return path


@pytest.mark.parametrize("command", ["status", "plan", "stop", "tend --once", "tend --status"])
def test_our_files_are_below_the_root_of_the_kernel_s(
    root: Path,
    conf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """A made-up machine's commands touch nothing of this one."""
    monkeypatch.delenv("PYZRAM_RUN")
    run = root / "run/pyzram"
    for name in (f"services/{str(conf).strip('/').replace('/', '!')}", "locks/tend", "tend"):
        (run / name).mkdir(0o755, parents=True)
    (run / "tend/status.json").write_text("{")
    words = [*command.split(), *([] if command == "tend --status" else ["--config", str(conf)])]
    assert main(words) == 1
    assert f"{run}/" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["status"], ["plan"]])
def test_output_that_goes_nowhere_is_one_line_and_a_failure(root: Path, words: list[str]) -> None:
    code = "from pyzram.cli.pyzram import main; raise SystemExit(main())"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-Ic", code, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("write: No space left on device\n")


@pytest.mark.parametrize(
    "words",
    [
        ["start", "--nonsense"],
        ["start", "operand"],
        ["status", "--pretend"],
        ["plan", "-c"],
        ["import"],
        ["nothing"],
        [],
    ],
)
def test_wrong_usage_is_exit_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pyzram")


@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    for option in OPTIONS[command]:
        assert f"--{option.long}" in said


def test_a_plan_as_text_and_json(
    root: Path, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-c", str(conf), "plan"]) == 0
    said = capsys.readouterr()
    assert "1. device 0: add a device" in said.out
    assert "zram3" not in said.out
    assert said.err.count("/swapfile has priority 500, zram 100: it is used first") == 1
    assert said.err.count("zram3") == 1
    assert "zram3 (1G, swap with priority 600) was not made by pyzram and is left" in said.err
    assert main(["plan", f"--config={conf}", "--json"]) == 0
    actions = [step["action"] for step in json.loads(capsys.readouterr().out)["steps"]]
    assert actions == ["add", "configure", "mkswap", "swapon", "ready"]


def test_a_refusal_is_a_failure(root: Path, conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "sys/class/zram-control").rmdir()
    conf.write_text("LOAD_ON_START=no\n")
    assert main(["plan", "-c", str(conf)]) == 1
    assert "refused: zram is not loaded, and LOAD_ON_START=no" in capsys.readouterr().out


def test_check_tells_all_problems(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf.write_text("ZRAM_SIZE_0=x\nNUM_DEVICE=1\n")
    assert main(["check", "-c", str(conf), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [problem.split(": ")[0] for problem in document["problems"]] == [
        f"{conf}:1",
        f"{conf}:2",
    ]
    conf.write_text("NUM_DEVICES=1\nZRAM_SIZE_4=64M\n")
    assert main(["check", "-c", str(conf)]) == 0
    assert "NUM_DEVICES is 1" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["check"], ["check", "--quiet"], ["start"], ["plan"]])
def test_a_wrong_file_is_warned_about_too(
    conf: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    conf.write_text("ZRAM_SIZE_0=x\nZRAM_ALGORITHM_0=zsdt\n")
    assert main([*words, "-c", str(conf)]) == 1
    said = capsys.readouterr().err
    assert f"{conf}:1: ZRAM_SIZE_0" in said
    assert f"{conf}:2: ZRAM_ALGORITHM_0" in said
    assert "did you mean zstd?" in said


def test_a_file_that_is_missing_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("check", "start", "plan"):
        assert main([command, "-c", str(tmp_path / "none")]) == 1
        assert capsys.readouterr().err == (
            f"pyzram {command}: {tmp_path}/none: read the configuration: "
            "No such file or directory\n"
        )


def test_status_of_nothing_is_3_and_names_what_is_missing(
    root: Path, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "-c", str(conf)]) == 3
    assert capsys.readouterr().out == "device 0 missing swap\n"


def test_import_merges_a_file_with_its_drop_ins_and_reads_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "zram-generator.conf"
    theirs.write_text("[zram0]\nzram-size = 64\nswap-priority = 3\n")
    (tmp_path / "zram-generator.conf.d").mkdir()
    (tmp_path / "zram-generator.conf.d/10.conf").write_text("[zram0]\nzram-size = 5\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/10.conf").write_text("[zram0]\nzram-size = 6\n")
    (tmp_path / "more/05.conf").write_text("[zram0]\nswap-priority = 9\nzram-size = 1\n")
    assert main(["import", str(theirs), str(tmp_path / "more")]) == 0
    out = capsys.readouterr().out
    assert 'ZRAM_SIZE_0="6M"\n' in out
    assert 'ZRAM_PRIORITY_0="9"\n' in out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[zram0]\nzram-size = 7\n")))
    assert main(["import", "-"]) == 0
    assert 'ZRAM_SIZE_0="7M"\n' in capsys.readouterr().out
    long = b"#\n" * (1 << 19) + b"[zram0]\nzram-size = 7\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(long)))
    assert main(["import", "-"]) == 1
    assert "-: read: File too large (give a text file)" in capsys.readouterr().err
    dietpi = b"AUTO_SETUP_SWAPFILE_LOCATION=zram\r\nAUTO_SETUP_SWAPFILE_SIZE=512\r\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(dietpi)))
    assert main(["import", "-"]) == 0
    assert 'ZRAM_SIZE_0="512M"\n' in capsys.readouterr().out


def test_import_of_a_folder_takes_the_drop_ins_of_the_files_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "zram-generator.conf").write_text("[zram0]\nzram-size = 64\nswap-priority = 3\n")
    (tmp_path / "zram-generator.conf.d").mkdir()
    (tmp_path / "zram-generator.conf.d/10.conf").write_text("[zram0]\nzram-size = 5\n")
    for operand in (tmp_path, tmp_path / "zram-generator.conf"):
        assert main(["import", str(operand)]) == 0
        out = capsys.readouterr().out
        assert 'ZRAM_SIZE_0="5M"\n' in out
        assert 'ZRAM_PRIORITY_0="3"\n' in out


def test_import_prints_a_file_and_tells_what_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "zram-generator.conf"
    theirs.write_text("[zram0]\nzram-size = ram / 2\nswap-prio = 5\n")
    assert main(["import", str(theirs)]) == 0
    said = capsys.readouterr()
    assert 'ZRAM_SIZE_0="mib(ram)/2"\n' in said.out
    assert "not carried over: line 3: zram0: swap-prio: not known" in said.err


def test_what_import_prints_controls_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "zram-generator.conf"
    theirs.write_text("[zram0]\nmount-point = /a\\x001b]2;b\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["import", str(theirs)]) == 0
    assert 'ZRAM_MOUNT_0="/a\\x1b]2;b"\n' in capsys.readouterr().out
    theirs = tmp_path / "zram-init.conf"
    theirs.write_text("num_devices=1\nsize0=64\nrc_need='\033[2J'\nrc_before='local'\n")
    assert main(["import", str(theirs)]) == 0
    said = capsys.readouterr()
    assert "rc_need=" not in said.out and 'rc_before="local"\n' in said.out
    assert "line 3: rc_need: '\\x1b[2J' has unprintable characters" in said.err
    assert "line 4: rc_before: OpenRC acts on it" in said.err


# ---- what a start costs --------------------------------------------------------------------------

# Besides what the interpreter itself loads. Each module costs about a hundredth of its start, so
# one more needs a reason.
LOADED = """
    __future__ _cffi_backend fcntl pyzram pyzram._device pyzram._native pyzram.algorithm pyzram.cli
    pyzram.cli.options pyzram.cli.output pyzram.cli.pyzram pyzram.cli.service pyzram.config
    pyzram.config.config pyzram.config.consistency pyzram.config.device_config pyzram.config.layers
    pyzram.config.parser pyzram.config.shell_assignments pyzram.config.values
    pyzram.config.variables pyzram.descriptor pyzram.device pyzram.device.handle
    pyzram.device.lifecycle pyzram.device.open_node pyzram.device.swap pyzram.device.zram
    pyzram.errors pyzram.external pyzram.interruption pyzram.kernel pyzram.kernel.holders
    pyzram.kernel.parse pyzram.kernel.sysfs pyzram.limits pyzram.own_files pyzram.service
    pyzram.service.executor pyzram.service.observe pyzram.service.observed pyzram.service.plan
    pyzram.service.planner pyzram.service.registered pyzram.service.registry pyzram.service.service
    pyzram.service.steps pyzram.text pyzram.units pyzram.value
"""


def modules_of(*words: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run ``pyzram``; return its result, and what it loaded besides the interpreter's modules."""
    code = (
        "import errno, gc, os, stat, sys, time; before = set(sys.modules)\n"
        "from pyzram.cli.pyzram import main\n"
        f"status = main({list(words)!r})\n"
        "print(*sorted(m for m in set(sys.modules) - before if '.lib' not in m)); sys.exit(status)"
    )
    # Not the extensions of tests/native/sanitize, which this process alone can load.
    path = [folder for folder in sys.path if not folder.endswith("build/sanitized")]
    done = subprocess.run(
        [sys.executable, "-ISc", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done, done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("algorithm", ["", "zstd:3", "lz4(level=9)"])
def test_a_start_loads_these_modules_and_nothing_else(
    root: Path, conf: Path, algorithm: str
) -> None:
    conf.write_text(f"ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0={algorithm!r}\n")
    boot = root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("d608c2d3-bf58-4f81-a648-07fa198781ff\n")
    done, loaded = modules_of("-c", str(conf), "start", "-q")
    # It gets as far as the driver, which this machine only seems to have.
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("pyzram start: device 0: add a zram device: ")
    assert loaded == LOADED.split()


def test_a_start_that_has_to_load_the_driver_loads_what_does_it_and_nothing_else(
    root: Path, conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("d608c2d3-bf58-4f81-a648-07fa198781ff\n")
    shutil.rmtree(root / "sys/block/zram3")
    (root / "sys/class/zram-control").rmdir()
    (root / "proc/swaps").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))  # which has no modprobe
    done, loaded = modules_of("-c", str(conf), "start", "-q")
    assert done.returncode == 1
    assert "load the zram module: modprobe is missing (install kmod)" in done.stderr
    assert set(loaded) - set(LOADED.split()) == {"pyzram.service.driver_steps"}
    # No device has a size, so nothing can hold one.
    assert set(LOADED.split()) - set(loaded) >= {"pyzram.kernel.holders"}


def test_what_only_looks_at_our_devices_does_without_any_extension(root: Path, conf: Path) -> None:
    done, loaded = modules_of("-c", str(conf), "status")
    assert done.returncode == 3
    assert {"pyzram.service.observe", "pyzram.service.registry"} <= set(loaded)
    assert {"pyzram._native", "pyzram.device"}.isdisjoint(loaded)


@pytest.mark.parametrize("words", [["plan"], ["start", "--pretend"], ["check"]])
def test_a_look_at_the_machine_loads_nothing_that_takes_longer_than_it(
    root: Path, conf: Path, words: list[str]
) -> None:
    (root / "sys/block/zram3/comp_algorithm").write_text("[lzo-rle] zstd\n")
    (root / "proc/config.gz").write_bytes(gzip.compress(b"CONFIG_ZRAM=m\n"))
    conf.write_text("ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0=lz4\n")
    done, loaded = modules_of("-c", str(conf), *words)
    assert done.returncode == 1
    assert "this kernel has no algorithm lz4 (it has: lzo-rle zstd)" in done.stderr
    assert {"pyzram.device.features", "zlib"} <= set(loaded)
    slow = {"ast", "dataclasses", "enum", "gzip", "inspect", "re", "struct", "subprocess", "typing"}
    assert slow.isdisjoint(loaded)
