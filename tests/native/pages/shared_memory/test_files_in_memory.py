# SPDX-License-Identifier: MIT
"""tmpfs files: too many for the descriptors, too deep for a path, or not accessible."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import subprocess
import sys
import time
from array import array
from pathlib import Path
from subprocess import PIPE

import pytest

from pyzram.errors import ZramOSError
from pyzram.limits import PAGE_SIZE
from pyzram.pages.process.mappings import device_text, parse_maps
from pyzram.pages.process.process import Process
from pyzram.pages.shared_memory import tmpfs
from pyzram.pages.shared_memory.closed import CLOSED_FILES, TOO_MANY_FILES
from pyzram.pages.shared_memory.shared_memory import SharedMemory
from pyzram.pages.source.process_sources import open_system
from pyzram.pages.source.sources import HIDDEN


def files(folder: Path, count: int) -> None:
    for i in range(count):
        (folder / str(i)).write_bytes(b"%8d" % i)


def small(folder: Path) -> str:
    """The names of its small files."""
    return f"small files in {folder}"


def test_more_files_than_descriptors_are_all_read(folder: Path) -> None:
    files(folder, 300)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 64, hard))
    try:
        with open_system() as source:
            ours = [s for s in source._segments if s.owner.name == small(folder)]
            out = memoryview(bytearray(300 * PAGE_SIZE))
            assert [segment.pages for segment in ours] == [300]
            assert all(ours[0].read(array("Q", range(300)), out))
            starts = range(0, len(out), PAGE_SIZE)
            assert {int(out[at : at + 8].tobytes()) for at in starts} == set(range(300))
            held = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(held), hard))
            try:
                # The lowest free number is then above the limit.
                spare = []
                while True:
                    try:
                        spare.append(os.open("/dev/null", os.O_RDONLY))
                    except OSError:
                        break
                with pytest.raises(ZramOSError) as raised:
                    ours[0].read(array("Q", [0]), out)
                assert raised.value.errno == errno.EMFILE  # not taken for a page that is gone
            finally:
                for fd in (*held, *spare):
                    os.close(fd)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_small_files_are_read_by_place_and_missed_when_they_are_gone(folder: Path) -> None:
    pages = 0
    for i in range(9):
        text = b"".join(b"%4d%4d" % (i, page) + bytes(PAGE_SIZE - 8) for page in range(1 + i % 3))
        (folder / f"file {i}").write_bytes(text)
        pages += 1 + i % 3
    with open_system() as source:
        (ours,) = [s for s in source._segments if s.owner.name == small(folder)]
        assert ours.pages == pages
        out = memoryview(bytearray(pages * PAGE_SIZE))

        def read(ranks: list[int]) -> tuple[list[bool], list[str]]:
            there = list(ours.read(array("Q", ranks), out))
            starts = range(0, sum(there) * PAGE_SIZE, PAGE_SIZE)
            return there, [out[at : at + 8].tobytes().decode() for at in starts]

        there, all_read = read(list(range(pages)))
        assert all(there)
        assert len(set(all_read)) == pages
        some = [0, 3, 4, pages - 1]
        assert read(some) == ([True] * 4, [all_read[rank] for rank in some])
        # All pages but the first of each file go away, and one file is removed and made again.
        for path in folder.iterdir():
            os.truncate(path, PAGE_SIZE)
        (folder / "file 0").rename(folder / "other")
        (folder / "file 0").write_bytes(b"new")
        there, rest = read(list(range(pages)))
        assert there == [text[4:] == "   0" and text[:4] != "   0" for text in all_read]
        assert rest == [text for text, ok in zip(all_read, there, strict=True) if ok]


def test_a_file_deeper_than_a_path_may_be_counts_and_is_read(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    name = "d" * 200
    for _ in range(60):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    file = os.open("deep", os.O_RDWR | os.O_CREAT, dir_fd=fd)
    os.close(fd)
    os.write(file, b"deep" * PAGE_SIZE)
    os.close(file)
    with open_system() as source:
        (found,) = [s for s in source._segments if str(folder) in s.owner.name]
        assert (found.pages, len(found.owner.name) > 4096) == (4, True)
        out = memoryview(bytearray(4 * PAGE_SIZE))
        assert all(found.read(array("Q", range(4)), out))
        assert out.tobytes() == b"deep" * PAGE_SIZE


def test_what_there_is_no_room_to_remember_is_reported(folder: Path, monkeypatch) -> None:
    files(folder, 50)
    (folder / "large").write_bytes(bytes(range(1, 251)) * 400)
    deep = folder
    for _ in range(10):
        deep /= "d" * 200
    deep.mkdir(parents=True)
    (deep / "large").write_bytes(bytes(100_000))
    monkeypatch.setattr(tmpfs, "ROOM", 0)
    with open_system() as source:
        names = {s.owner.name for s in source._segments if str(folder) in s.owner.name}
        assert names == {f"{folder}/large"}
        assert source.skipped[TOO_MANY_FILES] >= 51
    assert TOO_MANY_FILES in HIDDEN


def test_what_is_mapped_and_other_names_take_no_room(folder: Path, monkeypatch) -> None:
    files(folder, 7)
    maps = []
    for i in range(4):
        with (folder / str(i)).open("rb") as file:
            maps.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        os.link(folder / str(i), folder / f"mapped-{i}")
        os.link(folder / "5", folder / f"other-{i}")
    only = tmpfs.TmpfsMount(str(folder), device_text(folder.stat().st_dev), False)
    monkeypatch.setattr(tmpfs, "tmpfs_mounts", lambda *_at: [only])
    path, file = tmpfs.PATH + len(str(folder)) + 1, tmpfs.FILE + len("other-3")
    monkeypatch.setattr(tmpfs, "ROOM", path + 3 * file + tmpfs.LINKED)
    with SharedMemory() as shared, Process(os.getpid()) as process:
        lines = [line for line in process.read("maps").split("\n") if str(folder) in line]
        shared.add_mappings(process, [(one, False) for line in lines for one in parse_maps(line)])
        assert shared.add_unmapped([])[TOO_MANY_FILES] == 0
        assert sum(one.name.startswith(str(folder)) for one in shared.objects.values()) == 4
        assert [files.pages for files in shared.small] == [3]
    for one in maps:
        one.close()


def test_a_mount_that_goes_meanwhile_is_no_failure(folder: Path, monkeypatch) -> None:
    gone = tmpfs.TmpfsMount(f"{folder}/gone", "00:7f", False)
    real = tmpfs.tmpfs_mounts
    monkeypatch.setattr(tmpfs, "tmpfs_mounts", lambda *at: [gone, *real(*at)])
    files(folder, 1)
    with open_system() as source:
        assert any(s.owner.name == small(folder) for s in source._segments)


GOES_ELSEWHERE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
there = os.open(sys.argv[1], os.O_RDONLY)
print(flush=True)
sys.stdin.readline()
assert libc.setns(there, 0) == 0, os.strerror(ctypes.get_errno())
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for mount namespaces")
def test_a_process_that_goes_elsewhere_hides_no_files_of_those_that_stay(tmp_path, monkeypatch):
    """Or it ends and another one gets its number: whose mounts were read is checked again."""
    script = 'mount -t tmpfs x "$1" && echo x >"$1/file" && shift && exec "$@"'
    words = ["unshare", "--mount", "sh", "-ec", script, "sh", str(tmp_path)]
    words += [sys.executable, "-c", GOES_ELSEWHERE, f"/proc/{os.getpid()}/ns/mnt"]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE) as goes:
        try:
            assert goes.stdout.readline()
            there = ["nsenter", f"--mount=/proc/{goes.pid}/ns/mnt", "sleep", "infinity"]
            with subprocess.Popen(there) as stays:
                try:
                    inside = f"/proc/{stays.pid}/root{tmp_path}/file"
                    while not os.path.exists(inside):
                        assert stays.poll() is None
                        time.sleep(0.01)
                    real = tmpfs.tmpfs_mounts

                    def mounts(pid="self", root=""):
                        if pid == str(goes.pid):
                            goes.stdin.write(b"\n")
                            goes.stdin.flush()
                            assert goes.stdout.readline()
                        return real(pid, root)

                    monkeypatch.setattr(tmpfs, "tmpfs_mounts", mounts)
                    files = tmpfs.TmpfsFiles([goes.pid, stays.pid])
                    found = [f"{folder}/{name}" for folder, name, _ in files]
                    assert inside in found
                finally:
                    stays.kill()
        finally:
            goes.kill()


def test_a_mount_whose_path_leads_nowhere_is_reported(folder: Path, monkeypatch) -> None:
    """Any user can mount tmpfs in a namespace, and turn its path into anything."""
    files(folder, 1)
    (folder / "loop").symlink_to("loop")
    with open_system() as source:
        before = source.skipped.get(CLOSED_FILES, 0)
    ways = f"{folder}/loop/mount", f"{folder}/{'n' * 256}", f"{folder}/{'d/' * 2100}"
    real = tmpfs.tmpfs_mounts
    bad = [tmpfs.TmpfsMount(path, "00:7f", False) for path in ways]
    monkeypatch.setattr(
        tmpfs, "tmpfs_mounts", lambda *at: [*(bad if at[0] == "self" else []), *real(*at)]
    )
    with open_system() as source:
        assert source.skipped[CLOSED_FILES] - before == len(ways)
        assert any(s.owner.name == small(folder) for s in source._segments)


@pytest.mark.parametrize("name", ["..", "below"])
def test_a_folder_without_a_way_back_is_reported(name: str, folder: Path, monkeypatch) -> None:
    """Such as one that is readable but not searchable."""
    (folder / "below").mkdir()
    files(folder / "below", 1)
    files(folder, 1)
    (folder / "other").mkdir()
    real_open, real_stat = os.open, os.stat

    def refused(fd: int | None, path: object) -> bool:
        here = fd is not None and os.readlink(f"/proc/self/fd/{fd}")
        return path == ".." and here == f"{folder}/below"

    def opened(path, *flags, dir_fd=None):
        if refused(dir_fd, path):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real_open(path, *flags, dir_fd=dir_fd)

    def stat(path, *, dir_fd=None, **more):
        if name == "below" and refused(dir_fd, path):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real_stat(path, dir_fd=dir_fd, **more)

    with open_system() as source:
        before = source.skipped.get(CLOSED_FILES, 0)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "stat", stat)
    with open_system() as source:
        assert source.skipped[CLOSED_FILES] > before
        names = {s.owner.name for s in source._segments}
        assert small(folder) in names
        assert (small(folder / "below") in names) == (name == "..")


@pytest.mark.parametrize(
    ("code", "hidden"), [(errno.EACCES, 1), (errno.ENOENT, 0), (errno.EIO, 1), (errno.ENOTCONN, 1)]
)
def test_a_folder_that_may_not_be_read_is_reported(code, hidden, folder, monkeypatch) -> None:
    real = os.scandir

    def scandir(fd: int) -> object:
        if os.readlink(f"/proc/self/fd/{fd}") == str(folder):
            raise OSError(code, os.strerror(code))
        return real(fd)

    with open_system() as source:
        before = source.skipped.get(CLOSED_FILES, 0)
    monkeypatch.setattr(os, "scandir", scandir)
    with open_system() as source:
        assert source.skipped.get(CLOSED_FILES, 0) - before == hidden
    assert CLOSED_FILES in HIDDEN


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_is_wrong_here_is_no_folder_that_is_not_there(code, folder, monkeypatch) -> None:
    def scandir(_fd: int) -> object:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ZramOSError, match="tmpfs: look for files") as raised:
        open_system()
    assert raised.value.errno == code
