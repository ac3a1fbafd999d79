# SPDX-License-Identifier: MIT
"""The page engine against what you would write without it, as ratios of one run.

1. One thread of compressed_sizes() against a plain C loop (plain_loop.c) over the same code or
   library. Processor time, so that other work on the machine does not count.
2. The same-filled test against memcmp with a page of zeros, on pages that are all zero: by itself,
   and as compressed_sizes() with the call from Python.
3. Two threads against one. Wall time: the machine should have nothing else to do.
4. Two threads of lzo, lz4 and zstd against Python loops over python-lzo, python-lz4 and zstandard
   on the same pages (``pip install lz4 zstandard python-lzo``), in one thread and in two.

Rounds alternate; a ratio is the median of the rounds' ratios, and above 1 pyzram is faster.
Needs a C compiler and the development files that pyzram is built with.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyzram

ROUNDS = 9
SHORT_ROUNDS = 41  # for what takes a few milliseconds
PAGE = 4096
MIB = 1 << 20
ROOT = Path(__file__).resolve().parent.parent


def corpus(size: int) -> bytes:
    """Programs, text, structures and noise: what memory contains, as far as files have it.

    It has no same-filled pages, because plain loops do not look for them.
    """
    library = Path(sysconfig.get_path("stdlib"))
    text = b"".join(path.read_bytes() for path in sorted(library.glob("*.py")))
    code = Path(sys.executable).resolve().read_bytes()
    numbers = b"".join((i * 7 % 4099).to_bytes(8, "little") for i in range(size // 32))
    parts = [(text, 3), (code, 3), (numbers, 1), (os.urandom(size // 8), 1)]
    mixed = b"".join((part * (1 + size // len(part)))[: size * share // 8] for part, share in parts)
    pages = (mixed[at : at + PAGE] for at in range(0, size // PAGE * PAGE, PAGE))
    return b"".join(page for page in pages if page != page[:8] * (PAGE // 8))


def plain_library() -> ctypes.CDLL:
    """Compile the plain loops with the flags that Python compiles extensions with."""
    flags = shlex.split(sysconfig.get_config_var("CFLAGS") or "-O2")
    libraries = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "liblz4", "libzstd", "zlib"],
        check=True,
        capture_output=True,
        text=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/plain.so"
        sources = [ROOT / "bench/plain_loop.c", ROOT / "csrc/pages/pages.c"]
        sources += sorted((ROOT / "csrc/codec").glob("*.c"))
        command = ["cc", *flags, "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path]
        command += [f"-I{ROOT / 'csrc'}", *map(str, sources), *shlex.split(libraries.stdout)]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(path)
    library.plain_loop.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    library.zero_loop.argtypes = library.same_loop.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    for function in (library.plain_loop, library.zero_loop, library.same_loop):
        function.restype = ctypes.c_size_t
    return library


def compare(ours, theirs, clock, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Return the median ratio theirs / ours, then the median times in seconds."""

    def seconds(call) -> float:
        start = clock()
        call()
        return clock() - start

    ours(), theirs()
    times = []
    for turn in range(rounds):
        first, second = (ours, theirs) if turn % 2 else (theirs, ours)
        pair = seconds(first), seconds(second)
        times.append(pair if turn % 2 else pair[::-1])
    ratios = [b / a for a, b in times]
    mine, other = zip(*times, strict=True)
    return statistics.median(ratios), statistics.median(mine), statistics.median(other)


def one_thread(pages: bytes, library: ctypes.CDLL) -> None:
    print("one thread of compressed_sizes() against a plain C loop (processor time)")
    count = len(pages) // PAGE
    for name in pyzram.algorithms():
        expected = library.plain_loop(name.encode(), pages, count)
        assert expected == sum(pyzram.compressed_sizes(pages, name)), name
        ratio, ours, _ = compare(
            lambda name=name: pyzram.compressed_sizes(pages, name, threads=1),
            lambda name=name: library.plain_loop(name.encode(), pages, count),
            time.thread_time,
        )
        print(f"  {name:8} {ratio:5.2f} x   {ours / count * 1e6:7.2f} us a page")


def same_filled(library: ctypes.CDLL) -> None:
    print("same-filled test against memcmp with zeros (processor time)")
    print("           the test   compressed_sizes()")
    for size, repeats in ((MIB, 256), (16 * MIB, 16), (256 * MIB, 1)):
        pages = bytes(bytearray(b"x") * size).replace(b"x", b"\0")  # separate memory
        count = size // PAGE
        assert library.zero_loop(pages, count) == library.same_loop(pages, count) == count

        def repeated(call, *arguments, times=repeats, **options):
            def loop() -> None:
                for _ in range(times):
                    call(*arguments, **options)

            return loop

        theirs = repeated(library.zero_loop, pages, count)
        test = repeated(library.same_loop, pages, count)
        whole = repeated(pyzram.compressed_sizes, pages, "lzo", threads=1)
        ratio, seconds, _ = compare(test, theirs, time.thread_time, SHORT_ROUNDS)
        called, _, _ = compare(whole, theirs, time.thread_time, SHORT_ROUNDS)
        speed = size * repeats / seconds / 1e9
        print(f"  {size // MIB:3} MiB  {ratio:6.2f} x   {called:8.2f} x   {speed:7.2f} GB/s")


def two_threads(pages: bytes) -> None:
    print("two threads against one (wall time)")
    for name in pyzram.algorithms():
        ratio, ours, _ = compare(
            lambda name=name: pyzram.compressed_sizes(pages, name, threads=2),
            lambda name=name: pyzram.compressed_sizes(pages, name, threads=1),
            time.perf_counter,
            5,
        )
        print(f"  {name:8} {ratio:5.2f} x   {len(pages) / ours / 1e6:7.0f} MB/s")


def python_loops(pages: bytes) -> None:
    try:
        import lz4.block
        import lzo
        import zstandard
    except ImportError as err:
        print(f"no Python loop: {err}", file=sys.stderr)
        return
    view = memoryview(pages)
    starts = range(0, len(pages), PAGE)

    def loop(part: range) -> int:
        zstd = zstandard.ZstdCompressor(level=3)
        total = 0
        for at in part:
            page = view[at : at + PAGE]
            total += len(lz4.block.compress(page, store_size=False))
            total += len(zstd.compress(page))
            total += len(lzo.compress(bytes(page), 1, False))
        return total

    def ours() -> None:
        for name in ("lz4", "zstd", "lzo"):
            pyzram.compressed_sizes(pages, name, threads=2)

    def in_two_threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(loop, (starts[: len(starts) // 2], starts[len(starts) // 2 :])))

    print("lzo, lz4 and zstd in two threads against python-lzo, python-lz4 and zstandard (wall)")
    for text, theirs in (("a plain loop", lambda: loop(starts)), ("two threads", in_two_threads)):
        ratio, _, _ = compare(ours, theirs, time.perf_counter, 5)
        print(f"  {text:13} {ratio:5.2f} x")


def main() -> int:
    """Print all ratios."""
    library = plain_library()
    print(f"{len(os.sched_getaffinity(0))} processors")
    one_thread(corpus(8 * MIB), library)
    same_filled(library)
    pages = corpus(32 * MIB)
    two_threads(pages)
    python_loops(pages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
