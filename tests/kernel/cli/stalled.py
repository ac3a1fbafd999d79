# SPDX-License-Identifier: MIT
"""A process of an unprivileged user that keeps its memory map locked, with its own file system.

Mapping a file of FUSE privately that was opened for direct I/O makes the kernel wait, with the
memory map locked, until pages that were written to through another mapping have reached the server,
which does not answer. ``stalled.py FOLDER`` prints the number of such a process and ends after
``SECONDS``; closing its end of FUSE lets everybody go on. See fuse(4), linux/fuse.h.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import struct
import sys
import time

SECONDS = 12.0
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
LOOKUP, GETATTR, OPEN, READ, WRITE, FLUSH, RELEASE, INIT = 1, 3, 14, 15, 16, 25, 18, 26
FORGET = (2, 42)
DIRECT_IO, KEEP_CACHE = 1, 2
ENOSYS = 38


def mounted(folder: str) -> int:
    """Mount our own file system on a folder; return the descriptor of its server."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    fd = os.open("/dev/fuse", os.O_RDWR)
    words = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"stalled", folder.encode(), b"fuse", 0, words):
        raise OSError(ctypes.get_errno(), "mount")
    return fd


def attributes(node: int) -> bytes:
    mode = 0o40755 if node == 1 else 0o100666
    return struct.pack("=6Q10I", node, 8192, 16, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve(fd: int, until: float) -> None:
    """Answer everything but writes."""
    opened = 0
    while (left := until - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            return
        request = os.read(fd, 1 << 20)
        _, kind, unique, node, *_ = struct.unpack_from("=IIQQIIII", request)
        answer, error = b"", 0
        if kind == INIT:
            ahead = struct.unpack_from("=IIII", request, 40)[2]
            answer = struct.pack("=IIIIHHIIHHI", 7, 31, ahead, 0, 12, 12, 1 << 16, 1, 0, 0, 0)
            answer += bytes(28)
        elif kind == LOOKUP:
            answer = struct.pack("=4Q2I", 2, 0, 1000, 1000, 0, 0) + attributes(2)
        elif kind == GETATTR:
            answer = struct.pack("=QII", 1000, 0, 0) + attributes(node)
        elif kind == OPEN:
            opened += 1
            answer = struct.pack("=QII", opened, KEEP_CACHE | (DIRECT_IO if opened > 1 else 0), 0)
        elif kind == READ:
            answer = bytes(struct.unpack_from("=QQI", request, 40)[2])
        elif kind == WRITE or kind in FORGET:
            continue
        elif kind not in (FLUSH, RELEASE):
            error = -ENOSYS
        os.write(fd, struct.pack("=IiQ", 16 + len(answer), error, unique) + answer)


def stall(path: str) -> None:
    writing = os.open(path, os.O_RDWR)
    with mmap.mmap(writing, 8192) as memory:
        memory[0] = 1
        direct = os.open(path, os.O_RDONLY)
        print(os.getpid(), flush=True)
        mmap.mmap(direct, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ)


def main() -> None:
    folder = sys.argv[1]
    fd = mounted(folder)
    child = os.fork()
    if child == 0:
        os.close(fd)  # only the server has it, so that nobody waits when it ends
        stall(f"{folder}/file")
        os._exit(0)
    try:
        serve(fd, time.monotonic() + SECONDS)
    finally:
        os.close(fd)
        os.waitpid(child, 0)


main()
