# SPDX-License-Identifier: MIT
"""In a guest under systemd: the daemon with the policy's hours as seconds, and trials with it.

``tend_service.py daemon WORD...`` is ``pyzram WORD...`` in a hurry; ``tend_service.py trial
FOLDER`` starts, reloads, kills and stops zram-tend.service and writes FOLDER/report.json.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # -I leaves it out

from tend_hurry import hurry, until

CONFIG = Path("/etc/conf.d/zram")
UNIT = "zram-tend.service"
MADV_PAGEOUT = 21
SIZE = 4 << 20


def daemon(words: list[str]) -> int:
    """``pyzram WORD...`` with floors of seconds, and deaf to pressure, as emulation is slow."""
    import pyzram.tend.policy as policy
    from pyzram.cli import pyzram as command

    constants = {
        "AFTER_START": 0.0, "LOOK": 1.0, "ROUNDS": dict.fromkeys(policy.ROUNDS, 1.0),
        "OLDEST": 5.0, "FLOOR": 5.0, "FLOOR_PRESSED": 5.0, "HUGE_FLOOR": 5.0, "HUGE_SHARE": 1.0,
        "CALM_SHARE": 1, "LEAST": 1,
    }  # fmt: skip
    hurry(constants, lambda *_asked: None)
    return command.main(words)


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    print(words, done.returncode, done.stdout, done.stderr, flush=True)
    return done.stdout


def shown(*names: str) -> list[str]:
    """Properties of the unit, in the given order."""
    text = systemctl("show", UNIT, *(f"--property={name}" for name in names))
    values = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    return [values[name] for name in names]


def main_pid() -> int:
    return int(shown("MainPID")[0])


def active(other_than: int = 0) -> bool:
    state, pid = shown("ActiveState", "MainPID")
    return state == "active" and int(pid) not in (0, other_than)


def writes() -> int:
    """Pages that zram0 has written back."""
    return int(Path("/sys/block/zram0/bd_stat").read_text().split()[2])


def page_out() -> mmap.mmap:
    """Memory that goes to swap; nobody uses it again."""
    memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = os.urandom(SIZE)
    memory.madvise(MADV_PAGEOUT)
    return memory


def restarted(pid: int) -> list[object]:
    """Why it ended, according to systemd, and whether it is back."""
    until(lambda: shown("MainPID")[0] != str(pid), 200, "the end of it")
    result = shown("Result")[0]
    until(lambda: active(pid), 200, "active again")
    return [result, True]


def trial() -> dict[str, object]:
    found: dict[str, object] = {}
    systemctl("start", UNIT)
    found["start"] = shown("ActiveState", "SubState", "StatusText")
    pid = main_pid()
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text().split("\n")
        if ":" in line
    )
    found["capabilities"] = {key: status[key].strip() for key in ("CapEff", "CapPrm", "CapBnd")}
    found["no_new_privileges"] = status["NoNewPrivs"].strip()
    held = [page_out()]
    until(writes, 200, "something is written back")
    until(lambda: writes() >= SIZE // mmap.PAGESIZE, 200, "all is written back")
    found["written"] = writes()
    found["ledger"] = Path("/var/lib/pyzram/ledger").read_text().startswith("pyzram ledger")

    wanted = CONFIG.read_text()
    CONFIG.write_text(wanted + "TEND=no\n")
    systemctl("reload", UNIT)
    time.sleep(5)
    before = writes()
    held.append(page_out())
    time.sleep(20)
    off = writes() - before
    CONFIG.write_text(wanted)
    systemctl("reload", UNIT)
    until(lambda: writes() > before, 200, "written after it was switched on again")
    found["reload"] = {"same_process": main_pid() == pid, "off": off, "on": True}
    CONFIG.write_text(wanted + "ZRAM_SIZ_0=1\n")
    systemctl("reload", UNIT)
    time.sleep(5)
    CONFIG.write_text(wanted)
    found["broken_file"] = {"same_process": main_pid() == pid}

    os.kill(pid, signal.SIGKILL)
    found["killed"] = restarted(pid)
    pid = main_pid()
    os.kill(pid, signal.SIGSTOP)
    found["hung"] = restarted(pid)
    found["restarts"] = int(shown("NRestarts")[0])
    systemctl("stop", UNIT)
    found["stop"] = shown("ActiveState", "Result")
    return found


def main() -> int:
    if sys.argv[1] == "daemon":
        return daemon(sys.argv[2:])
    folder = Path(sys.argv[2])
    try:
        found = trial()
    except BaseException:
        found = {"failed": traceback.format_exc()}
    (folder / "report.json").write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
