# SPDX-License-Identifier: MIT
"""Test pages, and what the kernel's own compressors make of them (tests/data/kernel-vectors.json).

For each page the file has the first 16 hexadecimal digits of the page's SHA-256, and per algorithm
the length and the same digits of the compressed page. lzo, lzo-rle, lz4/ACCELERATION, lz4hc/LEVEL,
842 and deflate/LEVEL/WINBITS give the same in Linux 6.1, 6.12 and 7.3; zstd-1.4.10-crypto61,
zstd-1.5.2 and zstd-1.5.7 are theirs, in that order.

The kernel's lz4 finds other matches on a big-endian processor. tests/data/big-endian.json has by
how much each page, in the same order, made compr_data_size grow on s390x with Linux 6.12.
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import pytest

PAGE = 4096

little_endian = pytest.mark.skipif(
    sys.byteorder != "little",
    reason="lz4 hashes words as the machine orders bytes; the vectors are little-endian",
)
big_endian = pytest.mark.skipif(sys.byteorder != "big", reason="needs a big-endian processor")


class Bytes:
    """The upper bytes of a linear congruential generator of 64 bits."""

    def __init__(self, seed):
        self.state = seed

    def take(self, count):
        out = bytearray()
        for _ in range(count):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(self.state >> 56)
        return bytes(out)

    def below(self, limit):
        return int.from_bytes(self.take(4), "little") % limit


def random(seed):
    return Bytes(seed).take(PAGE)


def tail(seed, head, fill):
    return (Bytes(seed).take(head) + fill * PAGE)[:PAGE]


def sparse(seed, count):
    source, page = Bytes(seed), bytearray(PAGE)
    for _ in range(count):
        at = source.below(PAGE - 8)
        page[at : at + 8] = source.take(8)
    return bytes(page)


def words(seed):
    source = Bytes(seed)
    known = []
    for _ in range(200):
        letters = 2 + source.below(9)
        known.append(bytes(97 + source.below(26) for _ in range(letters)))
    text = bytearray()
    while len(text) < PAGE:
        text += known[min(source.below(200), source.below(200))]
        text += b" " if source.below(11) else b"\n"
    return bytes(text[:PAGE])


def structs(seed):
    source, page, base = Bytes(seed), bytearray(), 0x7F3A5C000000
    for number in range(PAGE // 32):
        page += (base + source.below(1 << 20) * 16).to_bytes(8, "little")
        page += source.below(1000).to_bytes(4, "little") + number.to_bytes(4, "little")
        page += bytes(8) + (base if source.below(3) else 0).to_bytes(8, "little")
    return bytes(page)


def half(seed):
    return words(seed)[:2048] + structs(seed)[:1024] + bytes(512) + random(seed)[:512]


def page(name):
    """Make the page that the vectors call ``name``: kind/seed[/count]."""
    kind, *numbers = name.split("/")
    make = {
        "random": random,
        "zerotail": lambda seed, head: tail(seed, head, b"\0"),
        "reptail": lambda seed, head: tail(seed, head, b"ABCDEFG "),
        "sparse": sparse,
        "words": words,
        "structs": structs,
        "half": half,
    }[kind]
    return make(*map(int, numbers))


@cache
def large_pages(page_size):
    """Pages above 4 KiB, five of each of six kinds, as in large-pages.json."""
    parts = page_size // PAGE
    every = [page(name) for name in _table()]
    made = []
    for number in range(30):
        source = Bytes(number)
        kind = number % 6
        made.append(
            b"".join(
                words(number * 100 + part)
                if kind == 0
                else structs(number * 100 + part)
                if kind == 1
                else half(number * 100 + part)
                if kind == 2
                else every[source.below(len(every))]
                if kind == 3
                else sparse(number * 100 + part, 20 + source.below(400))
                if kind == 4
                else tail(number * 100 + part, 2000 + source.below(1000), b"ab")
                for part in range(parts)
            )
        )
    return made


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


@cache
def pages():
    """Return all pages of the vectors by name."""
    made = {name: page(name) for name in _table()}
    for name, data in made.items():
        assert digest(data) == _table()[name]["page"], name
    return made


def kernel(key):
    """Return by name the (length, digest) of what the kernel's ``key`` makes of each page."""
    return {name: tuple(row[key]) for name, row in _table().items()}


def ours(compress):
    """Return the same of a function from page to compressed page."""
    made = {name: compress(data) for name, data in pages().items()}
    return {name: (len(data), digest(data)) for name, data in made.items()}


@cache
def _table():
    path = Path(__file__).parent / "data" / "kernel-vectors.json"
    return json.loads(path.read_text(encoding="ascii"))


def kernel_where_big_endian(key):
    """Return by name how much a device stores for each page; 0 if it is same-filled."""
    path = Path(__file__).parent / "data" / "big-endian.json"
    return dict(zip(_table(), json.loads(path.read_text(encoding="ascii"))[key], strict=True))
