# SPDX-License-Identifier: MIT
"""Tests that qemu-user fails for reasons of its own: by emulator, each with the reason."""

DIFFERENCES: dict[str, dict[str, str]] = {
    "arm": {
        "tests/native/test_wide_numbers.py::test_pages_of_an_object_beyond_4_gib": (
            "mmap2 of 7.2 cuts the offset of 32-bit programs to 32 bits; the whole form on i386, "
            "which nothing emulates, runs it"
        ),
    },
}
