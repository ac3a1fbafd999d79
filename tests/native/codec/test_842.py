# SPDX-License-Identifier: MIT
"""842: the kernel's bytes, a second encoder to compare with, and damaged streams."""

import errno
import zlib

import pytest
import vectors
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

import pyzram

TEMPLATES = """19 I8 | 18 I4 I4 | 17 I4 I2 I2 | 13 I2 I2 I4 | 12 I2 I2 I2 I2 | 16 I4 I2 D2
| 15 I4 D2 I2 | 0E I2 D2 I4 | 09 D2 I2 I4 | 11 I2 I2 I2 D2 | 10 I2 I2 D2 I2 | 0D I2 D2 I2 I2
| 08 D2 I2 I2 I2 | 14 I4 D4 | 04 D4 I4 | 0F I2 I2 D4 | 0C I2 D2 I2 D2 | 0B I2 D4 I2
| 07 D2 I2 I2 D2 | 06 D2 I2 D2 I2 | 03 D4 I2 I2 | 0A I2 D2 D4 | 05 D2 I2 D4 | 02 D4 I2 D2
| 01 D4 D2 I2 | 00 D8"""
RINGS = {8: 256, 4: 512, 2: 256}


REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc(page):
    # zlib's CRC has the same polynomial, but lowest bit first, and inverts before and after.
    mirrored = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def finish(bits):
    bits += "0" * (-len(bits) % 64)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def slow_encoder(page):
    """Encode as the format's description says, searching the rings from the newest unit on."""
    templates = [row.split() for row in TEMPLATES.split("|")]
    bits, repeats = "", 0

    def reference(size, at, block_at):
        unit = page[at : at + size]
        oldest, end = max(block_at - RINGS[size] * size, 0), block_at
        while (found := page.rfind(unit, oldest, end)) >= 0:
            if found % size == 0:
                return found // size % RINGS[size]
            end = found + size - 1
        return None

    def operands(template, block_at):
        at, text = block_at, ""
        for operand in template[1:]:
            size = int(operand[1])
            if operand[0] == "D":
                text += f"{int.from_bytes(page[at : at + size], 'big'):0{8 * size}b}"
            elif (slot := reference(size, at, block_at)) is None:
                return None
            else:
                text += f"{slot:0{RINGS[size].bit_length() - 1}b}"
            at += size
        return text

    def flush():
        nonlocal repeats
        text = f"{0x1B:05b}{repeats - 1:06b}" if repeats else ""
        repeats = 0
        return text

    for at in range(0, len(page), 8):
        if at and page[at : at + 8] == page[at - 8 : at]:
            repeats += 1
            if repeats == 64:
                bits += flush()
            continue
        bits += flush()
        if page[at : at + 8] == bytes(8):
            bits += f"{0x1C:05b}"
            continue
        for template in templates:
            text = operands(template, at)
            if text is not None:
                bits += f"{int(template[0], 16):05b}{text}"
                break
    return finish(f"{bits}{flush()}{0x1E:05b}{crc(page):032b}")


def pages():
    """Pages of few distinct units, runs and noise, which give references up to their limits."""
    unit = st.sampled_from([b"ab", b"cd", b"abab", b"\0\0", b"abcdefgh", bytes(8), b"zyxw"])
    piece = st.one_of(
        unit,
        st.tuples(unit, st.integers(1, 600)).map(lambda two: two[0] * two[1]),
        st.binary(min_size=1, max_size=64),
        st.integers(0, 2**32).map(lambda seed: vectors.Bytes(seed).take(520)),
    )
    return st.lists(piece, max_size=60).map(lambda all_: b"".join(all_))


def test_bytes_are_the_kernels():
    assert vectors.ours(lambda page: pyzram.compress_page(page, "842")) == vectors.kernel("842")


@pytest.mark.slow
@settings(max_examples=effort(60))
@given(pages(), st.sampled_from([4096, 16384]))
def test_bytes_are_those_of_the_format_described(data, page_size):
    page = (data * (1 + page_size // max(len(data), 1)))[:page_size].ljust(page_size, b"\0")
    assert pyzram.compress_page(page, "842") == slow_encoder(page)


@given(pages(), st.sampled_from([4096, 16384, 65536]))
def test_any_page_comes_back(data, page_size):
    page = data[:page_size].ljust(page_size, b"\1")
    compressed = pyzram.compress_page(page, "842")
    assert pyzram.decompress_page(compressed, "842", page_size=page_size) == page


def refused(data):
    with pytest.raises(pyzram.InvalidValueError) as caught:
        pyzram.decompress_page(data, "842")
    return caught.value.__cause__.errno


def test_a_flipped_bit_anywhere_is_noticed_or_does_no_harm():
    page = vectors.page("half/70")
    good = pyzram.compress_page(page, "842")
    harmless = 0
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            assert pyzram.decompress_page(bad, "842") == page, bit
            harmless += 1  # a reference to an older unit of the same value
        except pyzram.InvalidValueError as err:
            assert err.__cause__.errno == errno.EBADMSG, bit
    assert harmless < len(good)


@pytest.mark.parametrize(
    "bits",
    [
        "",
        f"{0x1B:05b}{3:06b}",  # repeats a block before the first
        f"{0x19:05b}{0:08b}",  # refers to a block before the first
        f"{0x1C:05b}{0x19:05b}{1:08b}",  # refers to a slot that holds nothing yet
        f"{0x1A:05b}",
        f"{0x1D:05b}{1:03b}{65:08b}",  # a tail, which a page never has
        f"{0x1F:05b}",
        f"{0x1E:05b}{0:032b}",  # the end comes first
        f"{0x1C:05b}" * 513 + f"{0x1E:05b}{0:032b}",  # one block too many
        f"{0x1C:05b}" + f"{0x1B:05b}{63:06b}" * 8 + f"{0x1E:05b}{0:032b}",
        f"{0x1C:05b}" * 512,  # no end
        f"{0x1C:05b}" * 512 + f"{0x1E:05b}{1:032b}",  # wrong checksum
        f"{0x1C:05b}" * 512 + f"{0x1E:05b}{0:032b}" + "0" * 64,  # more after the end
    ],
)
def test_streams_that_are_not_a_page_are_refused(bits):
    assert refused(finish(bits) if bits else b"") == errno.EBADMSG


def test_blocks_of_zeros_one_by_one_are_a_page():
    stream = finish(f"{0x1C:05b}" * 512 + f"{0x1E:05b}{0:032b}")
    assert pyzram.decompress_page(stream, "842") == bytes(4096)


@pytest.mark.parametrize("cut", [1, 7, 8, 16])
def test_truncated_streams_are_refused(cut):
    good = pyzram.compress_page(vectors.page("words/50"), "842")
    assert refused(good[:-cut]) == errno.EBADMSG


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"level": 1}, "level 1: it has no levels"),
        ({"dictionary": b"abcdefgh"}, "does not take a dictionary of 8 bytes"),
        ({"winbits": -11}, "does not take winbits -11"),
    ],
)
def test_parameters_are_refused_for_there_are_none(what, why):
    with pytest.raises(pyzram.InvalidValueError, match=f"^842: {why}$"):
        pyzram.compress_page(bytes(4096), "842", **what)
