# SPDX-License-Identifier: MIT
"""What pyzram tend costs: decisions a second, processor time when calm, memory.

The machine is a captured tree of tests/data/sysfs with one device. Memory is PSS
(/proc/PID/smaps_rollup) once the daemon waits, next to that of an interpreter that only sleeps.
Memory that both share with other programs counts in part, so run this while no other Python runs,
or read the private part. Processor time is that of a look, of which there is one a minute when
calm, and of an hourly round that reads the ages of a million pages. The kernel's time to list them
is not in it; `--device zramN`, a device with many pages, adds that.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests"))

from fake_roots import Machine  # noqa: E402

from pyzram.kernel.sysfs import BOOT_ID  # noqa: E402
from pyzram.tend.observation import DeviceObserved, Observation  # noqa: E402
from pyzram.tend.policy import LOOK, decide  # noqa: E402
from pyzram.tend.state import State  # noqa: E402
from pyzram.tend.times import HOUR  # noqa: E402
from pyzram.tend_status import NAME  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
TICK = os.sysconf("SC_CLK_TCK")


def decisions() -> float:
    """Decisions a second, the median of rounds, over machines from calm to choked."""
    device = DeviceObserved(
        "zram0", "7", 3 * GIB, GIB, GIB, free=8 * GIB, budget=GIB, left=GIB, recompression=True
    )
    seen = [
        Observation(
            1e6 + 60.0 * n, 8 * GIB, (n % 8) * GIB // 2, some10=n % 30, some300=n % 7 / 10,
            full10=n % 15, io_full10=0.0, cpu_some10=0.0, stalled=n / 10, devices=(device,),
        )
        for n in range(2000)
    ]  # fmt: skip
    rates = []
    for _ in range(15):
        state = State()
        began = time.process_time()
        for one in seen:
            state = decide(one, state).state
        rates.append(len(seen) / (time.process_time() - began))
    return statistics.median(rates)


def machine(folder: Path) -> Path:
    """A root with a device and the files of /proc that the daemon reads."""
    here = Machine(folder / "root", "vm-7.x-multi")
    proc = here.root / "proc"
    for name in ("memory", "io", "cpu"):
        (proc / "pressure").mkdir(exist_ok=True)
        kinds = ("some", "full")
        (proc / "pressure" / name).write_text(
            "".join(f"{kind} avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" for kind in kinds)
        )
    for name in ("meminfo", "vmstat"):
        (proc / name).write_text(Path("/proc", name).read_text())
    (here.root / BOOT_ID).parent.mkdir(parents=True, exist_ok=True)
    (here.root / BOOT_ID).write_text("a start\n")
    # The backing device has to be found.
    for place in ("class/block", "block"):
        disk = here.root / "sys" / place / "loop7"
        disk.mkdir(parents=True)
        (disk / "size").write_text(f"{8 * GIB // 512}\n")
    return here.root


def environment(folder: Path, root: Path) -> dict[str, str]:
    """The daemon's, with everything that it keeps in a folder of ours."""
    names = {"PYZRAM_ROOT": root, "PYZRAM_RUN": folder / "run", "PYZRAM_STATE": folder / "state"}
    return {**os.environ, **{name: str(path) for name, path in names.items()}}


def memory(pid: int) -> tuple[float, float]:
    """MiB of PSS, and the private part of it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    found = {words[0]: int(words[1]) for words in map(str.split, lines) if words[1:2] != ["0"]
             and len(words) == 3}  # fmt: skip
    private = found.get("Private_Clean:", 0) + found.get("Private_Dirty:", 0)
    return found["Pss:"] / 1024, private / 1024


def resident(words: list[str], env: dict[str, str], ready: str = "") -> tuple[float, float]:
    """Memory of a program once it waits."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *words], env=env, stdout=quiet, stderr=quiet) as child:
        try:
            deadline = time.monotonic() + 30
            while ready and not os.path.exists(ready):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("pyzram tend does not run")
                time.sleep(0.05)
            time.sleep(1.5)
            return memory(child.pid)
        finally:
            child.send_signal(signal.SIGTERM)


LOOKS = """
import json, sys, time
from pyzram.kernel.sysfs import Sysfs
from pyzram.cli.tend.ledger import open_ledger
from pyzram.cli.tend.report import report_dict
from pyzram.cli.tend.worker import PostprocessWorker
from pyzram.tend.handover import NAME
from pyzram.tend.machine import Clocks
from pyzram.tend.sleeps import Sleeps
from pyzram.tend_status import write_status
from pyzram.tend.tender import Tender
sysfs, run = Sysfs(sys.argv[1]), sys.argv[2]
clocks = Clocks()
ledger = open_ledger(sysfs, clocks, run)
tender = Tender(
    sysfs, lambda: [0], PostprocessWorker(), ledger, Sleeps(clocks),
    handover=f"{run}/{NAME}", warn=sys.exit,
)
found = []
for _ in range(int(sys.argv[3])):
    began = time.process_time()
    write_status(run, report_dict(tender.round()))
    found.append(time.process_time() - began)
tender.close()
print(json.dumps(sorted(found)[len(found) // 2]))
"""


ROUND = """
import json, sys, time
from types import SimpleNamespace
from pyzram import Zram
from pyzram.device.block_state import summary
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.ages import Ages
HOUR = 3600.0
if sys.argv[2]:
    device, now = Zram(sys.argv[2]), time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    device, now = SimpleNamespace(
        sysfs=Sysfs(sys.argv[1]), name="zram0", removed=lambda: False,
        _require_present=lambda step: None, read_disksize=lambda: 1 << 40,
    ), 1e6
ages, found = Ages(), []
for _ in range(7):
    began = time.process_time()
    for huge in (True, False):
        ages.candidates(device, now, 48 * HOUR, 48 * HOUR, 1 << 17, huge)
    ages.remember(device, lambda: now, now - 6 * HOUR)
    ages.keep(device)
    ages.keep(device)
    found.append(time.process_time() - began)
print(json.dumps([sorted(found)[3], summary(device).slots]))
"""


def look_seconds(root: Path, run: Path, env: dict[str, str], count: int) -> float:
    """Processor time of one look of the daemon, the median of several."""
    words = [sys.executable, "-Ic", LOOKS, str(root), str(run), str(count)]
    return float(
        json.loads(subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE).stdout)
    )


def round_seconds(folder: Path, device: str = "") -> tuple[float, int]:
    """Processor time for the ages of pages in a round, and how many these are."""
    words = [sys.executable, "-Ic", ROUND, str(folder), device]
    seconds, pages = json.loads(subprocess.check_output(words))
    return seconds, pages


def block_state(folder: Path, pages: int) -> None:
    """A block_state of ``count`` pages, a third of which were recompressed."""
    path = folder / "sys/kernel/debug/zram/zram0"
    path.mkdir(parents=True)
    with (path / "block_state").open("w") as file:
        for place in range(pages):
            used = place % 3 and 100_000 + place % 899_999
            file.write(f"{place:12d} {used:12d}.000000 {'......' if used else '....r.'}\n")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="", metavar="zramN")
    device = parser.parse_args().device
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = machine(folder)
        env = environment(folder, root)
        look = look_seconds(root, folder / "run", env, 200)
        if not device:
            block_state(folder / "pages", 1_000_000)
        ages, pages = round_seconds(folder / "pages", device)
        code = "import sys; from pyzram.cli.pyzram import main; sys.exit(main())"
        (folder / "run" / NAME).unlink()
        tend = resident(["-Ic", code, "tend", "zram0"], env, ready=str(folder / "run" / NAME))
        alone = resident(["-Ic", "import time; time.sleep(60)"], env)
    print(f"decisions a second        {decisions():10.0f}   (goal 20000)")
    print(f"a look, ms                {1000 * look:10.3f}")
    print(f"of a processor, calm, %   {100 * look / LOOK:10.4f}   (goal 0.1)")
    print(f"ages of pages in a round  {pages:10d}")
    print(f"and for them, ms          {1000 * ages:10.1f}")
    print(f"of a processor, hourly, % {100 * ages / HOUR:10.4f}   (goal 0.1 with a look)")
    for text, (pss, private) in (("pyzram tend", tend), ("python, sleeping", alone)):
        print(f"{text:16} MiB PSS  {pss:10.1f}   (private {private:.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
