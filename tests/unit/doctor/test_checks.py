# SPDX-License-Identifier: MIT
"""Each of the doctor's checks: a snapshot that it complains about, and the nearest that is fine."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pyzram import tend_status
from pyzram.cli import doctor as command
from pyzram.cli import pyzram
from pyzram.cli.json_documents import of_doctor
from pyzram.config.parser import parse_config
from pyzram.device.features import Features
from pyzram.device.stat_files import BdStat, BlockStat, DebugStat, IoStat, MmStat
from pyzram.device.stats import Stats
from pyzram.doctor import checks, snapshot
from pyzram.doctor.checks import examine
from pyzram.doctor.finding import Finding
from pyzram.doctor.snapshot import Snapshot
from pyzram.kernel.parse import SwapArea
from pyzram.kernel.sysfs import Sysfs

TREE = Path(__file__).parents[3]
M = 1 << 20
KERNEL = Features(
    driver=True,
    hot_add=True,
    algorithms=("lz4", "zstd"),
    default_algorithm="lz4",
    writeback=True,
    writeback_batch=False,
    compressed_writeback=False,
    recompression=True,
    algorithm_params=True,
    memory_tracking=None,
    idle_age=None,
    pool_classes=None,
    psi=True,
)
SWAP = SwapArea("/dev/zram0", "partition", 1024 * M, 200 * M, 100)
DISK = SwapArea("/dev/sda2", "partition", 4096 * M, 0, -2)
GOOD = Stats(
    name="zram0",
    diskseq=1,
    disksize=1024 * M,
    comp_algorithm="lz4",
    recomp_algorithms={},
    mm_stat=MmStat(
        orig_data_size=200 * M,
        compr_data_size=60 * M,
        mem_used_total=64 * M,
        mem_limit=0,
        huge_pages=100,
    ),
    io_stat=IoStat(failed_reads=0, failed_writes=0, invalid_io=0, notify_free=0),
    bd_stat=BdStat(bd_count=0, bd_reads=0, bd_writes=0),
    debug_stat=DebugStat(),
    stat=BlockStat(write_ios=51200),
    backing_dev=None,
    swap=SWAP,
    mount_points=(),
)
PICTURE = Snapshot(
    features=KERNEL,
    devices=(GOOD,),
    swaps=(SWAP, DISK),
    mount_options={},
    page_cluster=0,
    memory=2048 * M,
)
MOUNTED = replace(GOOD, swap=None, mount_points=("/var/tmp",))


def with_device(**changes: object) -> Snapshot:
    return replace(PICTURE, devices=(replace(GOOD, **changes),))


def mm(**changes: object) -> Snapshot:
    return with_device(mm_stat=replace(GOOD.mm_stat, **changes))


def swap_at(priority: int) -> SwapArea:
    return SwapArea(SWAP.path, SWAP.type, SWAP.size, SWAP.used, priority)


def config(text: str) -> Snapshot:
    return replace(PICTURE, config=parse_config(text, ram=2048 * M, cpus=2))


def tended(ago: float | None, text: str = "ZRAM_SIZE_0=1G\n", **changes: object) -> Snapshot:
    """A device with a second algorithm, tended ``ago`` seconds ago."""
    parsed = parse_config(text, ram=2048 * M, cpus=2)
    given = {"recomp_algorithms": {1: "zstd"}, **changes}
    return replace(with_device(**given), config=parsed, tended=ago)


@pytest.mark.parametrize("device", ["zram0", None])
def test_a_finding_is_one_line(device):
    found = Finding("full", device, "it is full", "disksize 5", "make it larger")
    who = "zram0: " if device else ""
    assert str(found) == f"{who}it is full (disksize 5); make it larger"


def test_a_good_set_up_has_no_findings():
    assert examine(PICTURE) == []


SICK = [
    ("zswap", replace(PICTURE, zswap=True), "enabled is Y", "echo N >"),
    (
        "hibernation",
        replace(PICTURE, resume="zram0"),
        "resume device is zram0",
        "lsblk -dnro MAJ:MIN /dev/sda2 > /sys/power/resume",
    ),
    (
        "hibernation",
        replace(PICTURE, resume="zram0", swaps=(SWAP,)),
        "resume device is zram0",
        "echo 0:0 > /sys/power/resume",
    ),
    (
        "discard",
        replace(
            PICTURE, devices=(MOUNTED,), mount_options={"zram0": frozenset({"rw", "relatime"})}
        ),
        "mounted on /var/tmp",
        "remount,discard /var/tmp",
    ),
    ("huge", mm(huge_pages=8000), "8000 = 31.3M", "pyzram estimate"),
    (
        "huge",
        replace(
            mm(huge_pages=8000),
            devices=(
                replace(
                    mm(huge_pages=8000).devices[0],
                    backing_dev="/dev/sda3",
                    bd_stat=BdStat(bd_count=1, bd_reads=1, bd_writes=1),
                ),
            ),
        ),
        "52%",
        "pyzram writeback zram0 --type huge",
    ),
    ("writeback", with_device(backing_dev="/dev/sda3"), "0 writes", "writeback zram0 --mark"),
    (
        "writeback",
        replace(with_device(backing_dev="/dev/sda3"), features=KERNEL.replace(idle_age=True)),
        "0 writes",
        "writeback zram0 --age 1h",
    ),
    ("tend", tended(None), "last looked: never", "enable --now zram-tend"),
    ("tend", tended(7300.0), "last looked: 2 h ago", "pyzram tend --once zram0 from cron"),
    (
        "tend",
        replace(tended(60.0), tend_ended=True),
        "last looked: 0 h ago, as a daemon, which no longer runs",
        "enable --now zram-tend",
    ),
    (
        "tend",
        replace(tended(60.0), tended_devices=frozenset({"zram1", "zram3"})),
        "it tends zram1 zram3",
        "run pyzram tend zram1 zram3 zram0",
    ),
    (
        "tend",
        replace(tended(7300.0), tended_devices=frozenset({"zram0"})),
        "last looked: 2 h ago",
        "systemctl restart zram-tend",
    ),
    ("tend", replace(tended(60.0), tended_devices=frozenset()), "no device", "pyzram tend zram0,"),
    (
        "writeback",
        tended(None, 'TEND="no"\n', backing_dev="/dev/sda3", recomp_algorithms={}),
        "0 writes",
        "writeback zram0 --mark",
    ),
    ("tend", tended(None, backing_dev="/dev/sda3"), "never", "enable --now zram-tend"),
    (
        "priority",
        replace(PICTURE, swaps=(SWAP, SwapArea("/dev/sda2", "partition", 1, 0, 200))),
        "/dev/sda2 200, zram0 100",
        "swapon -p 201 /dev/zram0",
    ),
    (
        "priority",
        replace(PICTURE, swaps=(SWAP, SwapArea("/dev/sda2", "partition", 1, 0, 100))),
        "/dev/sda2 100, zram0 100",
        "swapon -p 101 /dev/zram0",
    ),
    (
        "priority",
        replace(
            PICTURE,
            swaps=(
                SWAP,
                SwapArea("/dev/sda2", "partition", 1, 0, 200),
                SwapArea("/swap file", "file", 1, 0, 300),
            ),
        ),
        "/dev/sda2 200, /swap file 300, zram0 100",
        "swapoff /dev/zram0 && swapon -p 301 /dev/zram0",
    ),
    (
        # Above 32767 there is nothing.
        "priority",
        replace(PICTURE, swaps=(SWAP, SwapArea("/swap file", "file", 1, 0, 32767))),
        "/swap file 32767, zram0 100",
        "swapoff '/swap file' && swapon -p 99 '/swap file'",
    ),
    (
        "priority",
        replace(
            with_device(swap=swap_at(-3)),
            swaps=(swap_at(-3), SwapArea("/dev/sda2", "partition", 1, 0, 32767)),
        ),
        "/dev/sda2 32767, zram0 -3",
        "swapon -p 99 /dev/sda2 && swapoff /dev/zram0 && swapon -p 100 /dev/zram0",
    ),
    (
        "discard",
        replace(
            PICTURE,
            devices=(replace(MOUNTED, mount_points=("/two words",)),),
            mount_options={"zram0": frozenset({"rw"})},
        ),
        "mounted on /two words",
        "mount -o remount,discard '/two words' && fstrim '/two words'",
    ),
    *(
        (
            "discard",
            replace(
                PICTURE,
                devices=(MOUNTED,),
                mount_options={"zram0": frozenset({"rw"})},
                file_systems={"zram0": fstype},
            ),
            "mounted on /var/tmp",
            "umount /var/tmp && mount -o discard /dev/zram0 /var/tmp && fstrim /var/tmp",
        )
        for fstype in ("exfat", "vfat", "xfs")
    ),
    ("page-cluster", replace(PICTURE, page_cluster=3), "is 3", "vm.page-cluster=0"),
    (
        "algorithm",
        config("ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0=lzo\n"),
        "lz4 zstd",
        "CONFIG_ZRAM_BACKEND_LZO",
    ),
    (
        "algorithm",
        replace(
            config("ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0=lzo\n"),
            features=KERNEL.replace(algorithm_params=False),
        ),
        "lz4 zstd",
        "CONFIG_CRYPTO_LZO",
    ),
    (
        "failed-writes",
        with_device(io_stat=replace(GOOD.io_stat, failed_writes=7)),
        "failed_writes is 7",
        "add other swap",
    ),
    (
        "failed-writes",
        with_device(
            io_stat=replace(GOOD.io_stat, failed_writes=7),
            mm_stat=replace(GOOD.mm_stat, mem_limit=64 * M),
        ),
        "mem_limit is 64M",
        f"echo {128 * M} > /sys/block/zram0/mem_limit",
    ),
    ("no-gain", mm(mem_used_total=190 * M, compr_data_size=189 * M), "95%", "pyzram estimate"),
    ("scattered", mm(mem_used_total=90 * M), "150%", "/sys/block/zram0/compact"),
    ("disksize", with_device(disksize=9 << 30), "at least 36M", "one to three times"),
    (
        "unused",
        with_device(swap=None, stat=BlockStat(write_ios=0)),
        "at least 4M",
        "/sys/block/zram0/reset",
    ),
    ("config", replace(PICTURE, config_error="a: one\na: two"), "a: one (and 1 more)", "check"),
]


@pytest.mark.parametrize(("check", "snapshot", "figure", "remedy"), SICK)
def test_a_finding_has_its_figure_and_its_remedy(check, snapshot, figure, remedy):
    found = [finding for finding in examine(snapshot) if finding.check == check]
    assert len(found) == 1, examine(snapshot)
    assert figure in found[0].figure
    assert remedy in found[0].remedy
    assert "\n" not in found[0].what + found[0].figure + found[0].remedy


def test_pages_that_take_half_of_the_memory_are_not_called_most_of_what_is_stored():
    (found,) = examine(mm(huge_pages=8000))
    stored, huge = 200 * M, 8000 * 4096
    assert huge < 0.2 * stored
    assert (
        found.what == "at least half of its compressed data consists of pages that did not compress"
    )


@pytest.mark.parametrize(
    "snapshot",
    [
        replace(PICTURE, zswap=True, devices=()),
        replace(PICTURE, resume="sda2"),
        replace(PICTURE, devices=(MOUNTED,), mount_options={"zram0": frozenset({"rw", "discard"})}),
        replace(PICTURE, devices=(MOUNTED,), mount_options={"zram0": frozenset({"discard=async"})}),
        mm(huge_pages=7600),
        mm(huge_pages=1000, compr_data_size=4 * M, mem_used_total=4 * M),
        with_device(backing_dev="/dev/sda3", bd_stat=BdStat(bd_count=0, bd_reads=0, bd_writes=9)),
        replace(PICTURE, swaps=(SWAP, SwapArea("/dev/sda2", "partition", 1, 0, 99))),
        replace(PICTURE, devices=(MOUNTED,), mount_options={}, page_cluster=3),
        config('ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0="lzo zstd"\n'),
        mm(mem_used_total=77 * M),
        with_device(disksize=8 << 30),
        with_device(mm_stat=MmStat(), io_stat=IoStat(), bd_stat=None),
        replace(PICTURE, devices=()),
        tended(60.0),
        replace(tended(60.0), tended_devices=frozenset({"zram0"})),
        replace(tended(7100.0), tended_devices=frozenset({"zram0"})),
        tended(60.0, backing_dev="/dev/sda3"),
        tended(None, 'ZRAM_SIZE_0=1G\nTEND="no"\n'),
        tended(None, recomp_algorithms={}),
        replace(tended(None), config=None),
    ],
)
def test_the_nearest_that_is_right_is_left_alone(snapshot):
    assert examine(snapshot) == []


def test_the_report_names_what_is_there_and_what_to_mend():
    snapshot = with_device(backing_dev="/dev/sda3", recomp_algorithms={1: "zstd"})
    text = command.text(snapshot, examine(snapshot))
    assert "algorithms            lz4 zstd" in text
    assert "page ages             ?" in text
    assert "zstd at priority 1, backed by /dev/sda3, swap with priority 100" in text
    assert "1. zram0: its backing device /dev/sda3 has never been used [writeback]" in text
    assert "nothing to fix" in command.text(PICTURE, [])


# The part of a remedy to type: a program, and the words after it that are not prose.
COMMAND = re.compile(
    r"\b(?:(?:pyzram|systemctl|rc-update) \w+|rc-service \S+ \w+|echo \S+"
    r"|lsblk|sysctl|u?mount|swapo(?:ff|n)|fstrim)"
    r"(?: (?:--?\w[\w-]*(?: [\w,:-]+)?|/[\w/]+|'[^']+'|zram\d+|vm\.\S+|>))*"
)
PAGE = re.split(r"^## ([\w-]+)$", (TREE / "docs/troubleshooting.md").read_text(), flags=re.M)
SECTIONS = dict(zip(PAGE[1::2], PAGE[2::2], strict=True))


def as_on_the_page(text: str) -> str:
    """With names that stand for the reader's own, and without one machine's figures."""
    text = re.sub(r"/var/tmp|'/two words'", "/tmp", " ".join(text.split()))
    text = text.replace("'/swap file'", "/dev/sda2")
    text = re.sub(r"zram\d+(?: zram\d+)*", "zram0", text)
    return re.sub(r"(?<=swapon -p )\d+|\d+(?= > \S+/mem_limit)", "N", text)


def test_the_site_has_a_section_for_each_check_and_those_that_cost_data_first():
    assert [*SECTIONS] == [*checks.CHECKS]
    assert set([*SECTIONS][: len(command.WRONG)]) == command.WRONG
    assert {code for code, *_ in SICK} == {*SECTIONS}


@pytest.mark.parametrize("code", checks.CHECKS)
def test_the_section_of_a_finding_names_the_commands_that_the_doctor_names(code):
    section = SECTIONS[code]
    assert re.search(r"^```(sh|console)\n", section, re.M), "nothing to type"
    remedies = [f.remedy for check, seen, *_ in SICK if check == code for f in examine(seen)]
    wanted = {as_on_the_page(line) for remedy in remedies for line in COMMAND.findall(remedy)}
    told = as_on_the_page(section)
    assert [line for line in sorted(wanted) if line not in told] == []


def test_only_the_commands_of_a_remedy_are_taken():
    """The judge above, judged: all checks name a program, except one with a figure to change."""
    named = {
        code: {
            line
            for check, seen, *_ in SICK
            if check == code
            for finding in examine(seen)
            for line in COMMAND.findall(finding.remedy)
        }
        for code in checks.CHECKS
    }
    assert [code for code, lines in named.items() if not lines] == ["disksize"]
    assert named["huge"] == {"pyzram writeback zram0 --type huge", "pyzram estimate"}
    assert "swapon -p 99 '/swap file'" in named["priority"]
    assert "umount /var/tmp" in named["discard"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_report_fits_the_terminal_by_whole_words_and_every_line_has_its_colour(width):
    snapshot = with_device(backing_dev="/dev/sda3", recomp_algorithms={1: "zstd"})
    whole = command.text(snapshot, examine(snapshot))
    text = command.text(snapshot, examine(snapshot), width=width)
    assert max(map(len, text.split("\n"))) <= width
    assert text.split() == whole.split()
    assert any(len(line) > width for line in whole.split("\n"))
    painted = command.text(snapshot, examine(snapshot), width=width, coloured=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == text
    for line in painted.split("\n"):
        assert "\x1b" not in line or (line.startswith("\x1b[") and line.endswith("\x1b[m"))


@pytest.mark.parametrize("algorithms", ["kernel", "lzo kernel", "zstd(level=3) kernel", ""])
def test_a_list_that_ends_in_the_kernels_own_algorithm_lacks_nothing(algorithms):
    """Nor does the default, ``zstd lz4 lzo-rle lzo``, of which a kernel may have none."""
    snapshot = config(f"ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0='{algorithms}'\n")
    snapshot = replace(snapshot, features=KERNEL.replace(algorithms=("842",)))
    assert [finding for finding in examine(snapshot) if finding.check == "algorithm"] == []


def test_every_check_has_findings_of_its_code_alone():
    modules = {inspect.getmodule(check) for check in checks.CHECKS.values()}
    functions = [node for module in modules for node in ast.parse(inspect.getsource(module)).body]
    codes = {
        function.name: {
            call.args[0].value
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "Finding"
        }
        for function in functions
        if isinstance(function, ast.FunctionDef)
    }
    codes["lost_algorithm"] = codes["_lost"]
    assert {code: {code} for code in checks.CHECKS} == {
        code: codes[check.__name__] for code, check in checks.CHECKS.items()
    }


def test_json_has_all_of_it():
    snapshot = replace(PICTURE, page_cluster=3)
    value = json.loads(json.dumps(of_doctor(snapshot, examine(snapshot))))
    assert value["kernel"]["algorithms"] == ["lz4", "zstd"]
    assert value["devices"][0]["name"] == "zram0"
    assert value["findings"][0]["check"] == "page-cluster"


# ---- looking, at a tree --------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))

    def put(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    put("sys/class/zram-control/hot_add", "")
    device = "sys/block/zram3"
    for name, text in {
        "comp_algorithm": "lzo [lz4] \n",
        "disksize": f"{256 * M}\n",
        "mm_stat": "  4096 74 4096 0 4096 0 0 0 0\n",
        "io_stat": "0 0 0 0\n",
        "stat": "1 0 8 0 5 0 40 0 0 0 0 0 0 0 0 0 0\n",
        "dev": "252:3\n",
        "diskseq": "7\n",
    }.items():
        put(f"{device}/{name}", text)
    put("proc/swaps", "Filename Type Size Used Priority\n/dev/zram3 partition 262140 0 100\n")
    put("proc/self/mountinfo", "")
    put("proc/cmdline", "root=/dev/sda1 resume=/dev/zram3\n")
    put("proc/sys/vm/page-cluster", "3\n")
    put("sys/module/zswap/parameters/enabled", "Y\n")
    return put


def test_findings_are_status_1(tree, capsys):
    assert command.main(["--json"]) == 1
    found = [finding["check"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert found == ["hibernation", "zswap", "page-cluster"]


def test_nothing_to_mend_is_status_0(tree, capsys):
    tree("sys/module/zswap/parameters/enabled", "N\n")
    tree("proc/cmdline", "")
    tree("proc/sys/vm/page-cluster", "0\n")
    assert command.main([]) == 0
    assert "nothing to fix" in capsys.readouterr().out


def test_a_file_system_without_discard_is_seen(tree, capsys):
    tree("proc/swaps", "Filename Type Size Used Priority\n")
    tree(
        "proc/self/mountinfo",
        "36 1 252:3 / /var/tmp rw,relatime shared:1 - ext4 /dev/zram3 rw,errors=remount-ro\n",
    )
    assert command.main([]) == 1
    assert "mounted without discard" in capsys.readouterr().out


def test_a_wrong_configuration_is_a_finding(tree, capsys):
    tree("etc/conf.d/zram", "ZRAM_NONSENSE=1\n")
    assert command.main([]) == 1
    assert "[config]" in capsys.readouterr().out


def test_no_driver_is_status_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    assert pyzram.main(["doctor"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("pyzram doctor: no zram driver is loaded")


def test_a_report_that_cannot_be_written_is_status_2(tree):
    command = "import sys; from pyzram.cli.pyzram import main; sys.exit(main(['doctor']))"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-Ic", command], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"pyzram doctor: write: No space left on device\n"


def test_a_kernel_without_swap_is_no_trouble(tree, tmp_path, capsys):
    (tmp_path / "proc/swaps").unlink()
    assert pyzram.main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["devices"][0]["swap"] is False


# ---- textfiles -----------------------------------------------------------------------------------


def metrics_of(path) -> dict[tuple[str, str], float]:
    families = pytest.importorskip("prometheus_client.parser").text_string_to_metric_families(
        path.read_text()
    )
    return {
        (s.name, s.labels.get("check", s.labels.get("collector"))): s.value
        for family in families
        for s in family.samples
    }


def test_a_textfile_has_every_check(tree, tmp_path, capsys):
    path = tmp_path / "doctor.prom"
    assert command.main(["--textfile", str(path)]) == 0
    found = metrics_of(path)
    assert found["zram_scrape_success", "doctor"] == 1
    findings = {check: value for (name, check), value in found.items() if "finding" in name}
    assert set(findings) == set(checks.CHECKS)
    assert {check for check, value in findings.items() if value} == {
        "zswap",
        "hibernation",
        "page-cluster",
    }
    assert capsys.readouterr() == ("", "")


def test_a_textfile_without_a_driver_has_no_check(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    path = tmp_path / "doctor.prom"
    path.write_text('zram_doctor_finding{check="huge"} 1\n')
    assert command.main(["--textfile", str(path)]) == 0
    found = metrics_of(path)
    assert found["zram_scrape_success", "doctor"] == 0
    assert not any(name == "zram_doctor_finding" for name, _ in found)
    assert "no zram driver is loaded" in capsys.readouterr().err


@pytest.fixture
def tend_files(tmp_path, monkeypatch):
    """Where pyzram tend records what it does, on a separate machine."""
    monkeypatch.setenv("PYZRAM_RUN", f"{tmp_path}/run")
    monkeypatch.setenv("PYZRAM_STATE", f"{tmp_path}/var")
    (tmp_path / "var").mkdir()
    return tmp_path


def written_ago(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_from_cron_the_ledger_is_what_tells(tend_files):
    root = Sysfs(str(tend_files))
    assert snapshot._tended(root) == (None, False, None)
    (tend_files / "var/ledger").touch()
    written_ago(tend_files / "var/ledger", 5000)
    ago, ended, keys = snapshot._tended(root)
    assert (ago, ended, keys) == (pytest.approx(5000, abs=20), False, None)


def test_a_daemon_tells_what_it_tends_and_one_that_ended_tends_nothing(tend_files):
    root, file = Sysfs(str(tend_files)), tend_files / "run" / tend_status.NAME
    (tend_files / "var/ledger").touch()
    tend_status.write_status(
        f"{tend_files}/run", {"seen": {"devices": [{"name": "x", "key": "77"}]}}
    )
    ago, ended, keys = snapshot._tended(root)
    assert (ago, ended, keys) == (pytest.approx(0, abs=20), False, {"77"})
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "start_time": 1}))
    written_ago(tend_files / "var/ledger", 60)
    written_ago(file, 50)
    ago, ended, keys = snapshot._tended(root)
    assert (ago, ended, keys) == (pytest.approx(50, abs=20), True, None)
    written_ago(tend_files / "var/ledger", 40)  # cron's, since then
    assert snapshot._tended(root)[1:] == (False, None)
    file.write_text(json.dumps({**told, "seen": None}))
    assert snapshot._tended(root)[1:] == (False, None)


def test_what_is_tended_is_known_by_its_diskseq(tree, tmp_path, monkeypatch):
    """A name may belong to another device by now."""
    run = f"{tmp_path}/ran"
    monkeypatch.setenv("PYZRAM_RUN", run)
    monkeypatch.setattr(snapshot.tend_status, "_start_time", lambda _pid: 5)
    for key, names in (("7", {"zram3"}), ("8", set())):
        devices = [{"name": "zram3", "key": key}]
        tend_status.write_status(run, {"seen": {"devices": devices}})
        assert snapshot.take_snapshot(sysfs=Sysfs(str(tmp_path))).tended_devices == names
