# SPDX-License-Identifier: MIT
"""The running kernel as the judge: writes pages of eight kinds one by one to a zram device.

Each page must make compr_data_size grow by the predicted length: 0 for a same-filled page, a whole
page from the huge threshold on. It prints matches per kind and algorithm, and needs root.
"""

from __future__ import annotations

import argparse
import mmap
import os
import sys

import corpus

import pyzram

PAGE = corpus.PAGE
NAMES = ("lzo", "lzo-rle", "lz4")


def matches(number: int, name: str, pages: bytes, huge: int) -> int:
    """Return how many pages grew the device as predicted; the device is reset afterwards."""
    predicted = pyzram.compressed_sizes(pages, name, page_size=PAGE)
    device = pyzram.Zram(number)
    device.configure(disksize=len(pages), algorithm=name)
    good = before = 0
    page = mmap.mmap(-1, PAGE)
    fd = os.open(device.node, os.O_RDWR | os.O_DIRECT)
    try:
        for index, length in enumerate(predicted):
            page[:] = pages[index * PAGE : (index + 1) * PAGE]
            if os.pwrite(fd, page, index * PAGE) != PAGE:
                raise OSError(f"{device.node}: page {index} was written in part")
            now = device.read_mm_stat().compr_data_size
            good += now - before == (PAGE if length >= huge else length)
            before = now
    finally:
        os.close(fd)
        device.reset()
        device.close()
    return good


def main() -> int:
    """Print the table; return 1 if any page differs."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pages", type=int, default=2560, help="of each kind (default 2560)")
    count = parser.parse_args().pages
    if mmap.PAGESIZE != PAGE:
        print(f"this kernel's pages are not {PAGE} bytes", file=sys.stderr)
        return 2
    huge = pyzram.PoolModel().huge_class_size
    device = pyzram.Zram.add()
    good = dict.fromkeys(NAMES, 0)
    try:
        names = [name for name in NAMES if name in device.read_algorithms()]
        print(f"{'kind':<12}" + "".join(f"{name:>18}" for name in names))
        for kind in corpus.KINDS:
            pages = corpus.make(kind, count)
            row = f"{kind:<12}"
            for name in names:
                found = matches(device.number, name, pages, huge)
                good[name] += found
                row += f"{found:>10} / {count:>5}"
            print(row, flush=True)
    finally:
        device.remove()
    total = count * len(corpus.KINDS)
    print(f"{'all':<12}" + "".join(f"{good[name]:>10} / {total:>5}" for name in names))
    return 0 if all(good[name] == total for name in names) else 1


if __name__ == "__main__":
    sys.exit(main())
