# SPDX-License-Identifier: MIT
"""Tests that qemu-user fails for reasons of its own, each with the reason."""

from __future__ import annotations

STDIN = (
    "tests/native/pages/test_estimate.py::test_a_closed_standard_stream_is_one_line_and_status_1"
)
CLOSED = (
    "the program itself, opened by the kernel for the emulator, takes the place of closed input"
)
PROCMEM = "tests/native/pages/test_procmem.py"
BASE = (
    "the memory of a 32-bit program lies 4096 bytes further up in the emulator's, whose pagemap "
    "and mem are what it sees; the whole form on i386, which nothing emulates, runs it"
)

EVERY = {f"{STDIN}[<&--words{number}]": CLOSED for number in range(3)}
OF_ONE = {
    "arm": {
        "tests/native/test_wide_numbers.py::test_pages_of_an_object_beyond_4_gib": (
            "mmap2 of 7.2 cuts the offset of 32-bit programs to 32 bits; the whole form on i386, "
            "which nothing emulates, runs it"
        ),
        f"{PROCMEM}::test_touched_private_pages_are_found_and_read[pagemap]": BASE,
        f"{PROCMEM}::test_many_runs_of_pages_are_found_once": BASE,
        f"{PROCMEM}::test_shared_memory_counts_and_files_do_not[pagemap]": BASE,
        f"{PROCMEM}::test_memory_that_its_owner_may_not_read_is_read_nevertheless[pagemap]": BASE,
        f"{PROCMEM}::test_own_memory_is_readable_without_privilege": BASE,
    },
}


def differences(emulator: str) -> dict[str, str]:
    """The tests to leave out and why; none where this machine's own processor runs them."""
    return {**EVERY, **OF_ONE.get(emulator, {})} if emulator else {}
