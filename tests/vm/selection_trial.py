# SPDX-License-Identifier: MIT
"""In the guest of test_selection.py: start named things, choose them, and say what was found."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pyzram.cli.pyzram import main as pyzram

ENGINES = Path(os.environ["ENGINES"])
BOX = Path("/run/box")
CGROUPS = Path("/sys/fs/cgroup")


def chosen(kind: str, name: str) -> list[int]:
    """Processes whose memory is estimated."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        pyzram(["estimate", "--json", "--no-timing", "-a", "lz4", f"--{kind}", name])
    parts = json.loads(text.getvalue())["parts"]
    return sorted({part["pid"] for part in parts if part["pid"]})


def below(folder: Path) -> list[int]:
    """Processes of a cgroup and of those below it, according to the kernel."""
    return sorted(
        int(pid) for path in folder.rglob("cgroup.procs") for pid in path.read_text().split()
    )


def ask(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, command  # what it says of that is in the log
    return done.stdout.strip()


def of_unit(unit: str) -> list[int]:
    """Processes of a unit, according to systemd."""
    return below(CGROUPS / ask("systemctl", "show", "-P", "ControlGroup", unit).lstrip("/"))


def until(what: object, there: object) -> None:
    """Wait for something to come up."""
    deadline = time.monotonic() + 300
    while not there():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted([pid, *(p for child in children for p in descendants(int(child)))])


def main(folder: Path) -> None:
    machine = f"{os.uname().machine}-linux-gnu"
    os.environ["LD_LIBRARY_PATH"] = f"{ENGINES}/usr/lib/{machine}"
    os.environ["PATH"] += f":{ENGINES}/usr/bin:{ENGINES}/usr/sbin:/usr/sbin:/sbin"
    # conmon starts the runtime without that variable.
    Path("/etc/ld.so.conf.d/engines.conf").write_text(f"{ENGINES}/usr/lib/{machine}\n")
    ask("ldconfig")
    (BOX / "bin").mkdir(parents=True)
    for name in ("etc", "dev", "proc", "sys", "tmp", "usr", "var", "run"):
        (BOX / name).mkdir()
    (BOX / "etc/os-release").touch()
    shutil.copy("/bin/busybox", BOX / "bin")
    for name in ("sh", "sleep"):
        (BOX / "bin" / name).symlink_to("busybox")
    work = ["/bin/sh", "-c", "sleep 3600 & sleep 3600; wait"]
    found: dict[str, tuple[list[int], list[int]]] = {}

    def compare(kind: str, name: str, theirs: list[int]) -> None:
        found[f"--{kind} {name}"] = chosen(kind, name), theirs
        print(f"--{kind} {name}", found[f"--{kind} {name}"], flush=True)

    until(
        "units", lambda: len(of_unit("kitchen.service")) == len(of_unit("kitchen@c.service")) == 3
    )
    compare("unit", "kitchen", of_unit("kitchen.service"))
    compare("unit", "kitchen.service", of_unit("kitchen.service"))
    compare("unit", "kitchen@a-b.service", of_unit("kitchen@a-b.service"))
    compare("unit", "kitchen@c", of_unit("kitchen@c.service"))
    compare("unit", "food.slice", of_unit("food.slice"))
    subprocess.Popen(["systemd-run", "--scope", "--unit=borrowed", "sleep", "3600"])
    until("scope", lambda: of_unit("borrowed.scope"))
    compare("unit", "borrowed.scope", of_unit("borrowed.scope"))

    ask("systemctl", "start", "dbus.service")
    Path("/var/lib/containers").mkdir(exist_ok=True)
    ask("mount", "-t", "tmpfs", "none", "/var/lib/containers")
    options = ["--root=/run/pods", "--runroot=/run/pods.run", "--storage-driver=vfs"]
    options += [f"--runtime={ENGINES}/usr/bin/crun", f"--conmon={ENGINES}/usr/bin/conmon"]
    for manager in ("systemd", "cgroupfs"):
        podman = ["podman", *options, f"--cgroup-manager={manager}"]
        run = ["run", "-d", "--network=none", "--security-opt=seccomp=unconfined", "--rootfs"]
        identity = ask(*podman, *run, BOX, *work)
        pid = int(ask(*podman, "inspect", "-f", "{{.State.Pid}}", identity))
        until("container", lambda pid=pid: len(descendants(pid)) == 3)
        compare("container", identity, descendants(pid))
        compare("container", identity[:12], descendants(pid))

    nspawn = [f"{ENGINES}/usr/bin/systemd-nspawn", "-q", "--register=no", "-D", BOX]
    unit = Path("/run/systemd/system/systemd-nspawn@third.service")
    command = " ".join(map(str, [*nspawn, "--keep-unit", "--machine=third", "/bin/sleep 3600"]))
    unit.write_text(
        "[Service]\nSlice=machine.slice\nDelegate=yes\n"
        f"Environment=LD_LIBRARY_PATH={os.environ['LD_LIBRARY_PATH']}\nExecStart={command}\n"
    )
    ask("systemctl", "daemon-reload")
    ask("systemctl", "start", unit.name)
    until("nspawn", lambda: len(of_unit(unit.name)) >= 2)
    compare("container", "third", of_unit(unit.name))
    (folder / "found").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
