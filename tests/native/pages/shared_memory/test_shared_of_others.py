# SPDX-License-Identifier: MIT
"""Other users' shared memory, with the capabilities of the survey's service and with fewer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[4] / "initscripts/systemd/zram-estimate.service"
PAGES = 50
# Only whoever opens the object itself sees pages that no page table shows.
OWNER = f"""
import mmap, os, sys
fd = os.memfd_create("theirs")
os.ftruncate(fd, {PAGES} * mmap.PAGESIZE)
for page in range({PAGES}):
    os.pwrite(fd, b"x", page * mmap.PAGESIZE)
memory = mmap.mmap(fd, 0)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
COUNTS = """
import sys
from pyzram.pages.process.procmem import Inspector
from pyzram.pages.shared_memory.shared_memory import SharedMemory
from pyzram.pages.shared_memory.shared_object import object_pages
with Inspector() as inspector, SharedMemory() as shared:
    shared.add_process(inspector.pages(int(sys.argv[1])))
    for one in shared.objects.values():
        if "theirs" in one.name:
            print(len(one.views), len(object_pages(one).pages) if one.places else 0)
"""
SEGMENT = """
import ctypes, sys
from pyzram import _native_memory
print(_native_memory.shm_open(int(sys.argv[1])) > 0)
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("setpriv") and shutil.which("unshare")), reason="needs setpriv and unshare"
)


def bounded(names: set[str], program: str, *words: str) -> subprocess.CompletedProcess[str]:
    listed = ",".join("+" + name.removeprefix("CAP_").lower() for name in sorted(names))
    # Root's own command has what its bounding set allows.
    limits = [f"--bounding-set=-all,{listed}", f"--inh-caps=-all,{listed}", "--no-new-privs"]
    return subprocess.run(
        ["setpriv", *limits, sys.executable, "-Ic", program, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def of_the_unit() -> set[str]:
    (line,) = re.findall(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.M)
    return set(line.split())


@pytest.fixture
def theirs(nobody: int) -> Iterator[str]:
    """Another user's process, with pages of a memfd that its page table does not show."""
    user = f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"
    with subprocess.Popen(
        ["setpriv", *user, "/usr/bin/env", "python3", "-Ic", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def test_the_unit_sees_as_much_of_a_memfd_as_root(of_the_unit: set[str], theirs: str) -> None:
    alone = subprocess.run(
        [sys.executable, "-Ic", COUNTS, theirs], capture_output=True, text=True, check=False
    )
    if alone.stdout != f"0 {PAGES}\n":
        pytest.skip(f"root itself cannot open mapped objects here: {alone.stdout}{alone.stderr}")
    # Without the capability to leave no trace, it opens them all the same.
    for names in (of_the_unit, of_the_unit - {"CAP_FOWNER"}):
        done = bounded(names, COUNTS, theirs)
        assert (done.stdout, done.stderr) == (f"0 {PAGES}\n", "")


def test_the_unit_may_attach_to_a_segment_of_another_user(
    of_the_unit: set[str], nobody: int
) -> None:
    if not shutil.which("ipcmk") or not shutil.which("ipcrm"):
        pytest.skip("needs ipcmk and ipcrm")
    user = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    made = subprocess.run(
        [*user, "ipcmk", "-M", "65536", "-p", "0600"], capture_output=True, text=True, check=True
    )
    number = made.stdout.split()[-1]
    try:
        if Path("/proc/sys/kernel/shm_rmid_forced").read_text().strip() != "0":
            pytest.skip("the last to detach destroys a segment here")
        done = bounded(of_the_unit, SEGMENT, number)
        assert (done.stdout, done.stderr) == ("True\n", "")
        done = bounded(of_the_unit - {"CAP_IPC_OWNER"}, SEGMENT, number)
        assert "Permission denied" in done.stderr
    finally:
        subprocess.run(["ipcrm", "-m", number], check=True)


TOLD = """
import os, sys
from pyzram import _native_memory
for fd in map(int, sys.argv[1:]):
    fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    resident = _native_memory.shmem_resident(fd, 0, 2)
    _, read = _native_memory.shmem_read(fd, NUMBERS, bytearray(2 * PAGE_SIZE))
    print([byte & 1 for byte in resident], _native_memory.shmem_tells(fd), list(read))
"""


def test_where_the_kernel_does_not_tell_it_is_not_believed(as_nobody: list[str]) -> None:
    """mincore(2) calls all of others' files resident, and reading a page brings it in."""
    head = "from array import array\nfrom pyzram.limits import PAGE_SIZE\n"
    program = head + TOLD.replace("NUMBERS", "array('Q', [0, 1])")
    half, large = (os.memfd_create(name) for name in ("half", "large"))
    try:
        os.pwrite(half, b"x", 0)
        os.ftruncate(half, 2 * os.sysconf("SC_PAGE_SIZE"))
        os.pwrite(large, b"x", 0)
        os.ftruncate(large, (1 << 63) - 1)  # it has nothing behind its end
        for mode, user, said in (
            (0o644, [], "[1, 0] True [1, 0]\n"),
            (0o646, as_nobody, "[1, 0] True [1, 0]\n"),
            (0o644, as_nobody, "[1, 1] False [0, 0]\n"),
        ):
            for fd in (half, large):
                os.fchmod(fd, mode)
            done = subprocess.run(
                [*user, sys.executable, "-Ic", program, str(half), str(large)],
                capture_output=True,
                text=True,
                check=True,
                pass_fds=(half, large),
            )
            assert done.stdout == 2 * said
    finally:
        os.close(half)
        os.close(large)


# A huge page reaches past the end of a small file, and is in memory there, for all to see.
HUGE = """
import os, sys
from array import array
from pyzram import _native_memory
from pyzram.limits import PAGE_SIZE
small, large = (os.open(name, os.O_RDWR | os.O_CREAT, 0o644) for name in ("small", "large"))
for fd in (small, large):
    os.fchmod(fd, 0o644)
    os.pwrite(fd, b"x" * 3 * PAGE_SIZE, 0)
os.ftruncate(large, (1 << 63) - 1)
if user := int(sys.argv[1]):
    os.setuid(user)
for fd in (small, large):
    fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    past = [byte & 1 for byte in _native_memory.shmem_resident(fd, 3, 2)]
    _, read = _native_memory.shmem_read(fd, array("Q", range(3)), bytearray(3 * PAGE_SIZE))
    print(past, _native_memory.shmem_tells(fd), list(read))
"""


@pytest.mark.parametrize("who", ["owner", "nobody"])
def test_a_huge_page_past_the_end_hides_nothing(who: str, request, tmp_path: Path) -> None:
    user = request.getfixturevalue("nobody") if who == "nobody" else 0
    own = ["--map-root-user"] if os.geteuid() else []
    mount = 'mount -t tmpfs -o mode=755,huge=always,size=16m huge "$1" && cd "$1" && shift && "$@"'
    done = subprocess.run(
        ["unshare", "--mount", *own, "sh", "-c", mount, "sh", str(tmp_path)]
        + [sys.executable, "-Ic", HUGE, str(user)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip(f"no tmpfs with huge pages here: {done.stderr.strip()}")
    if done.stdout.startswith("[0, 0] "):
        pytest.skip("no huge page was free")
    said = "[1, 1] False [0, 0, 0]" if user else "[1, 1] True [1, 1, 1]"
    assert (done.stdout, done.stderr) == (f"{said}\n" * 2, "")
