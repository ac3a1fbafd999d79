# SPDX-License-Identifier: MIT
"""Tests that fail only because of qemu-user, each with the reason."""

from __future__ import annotations

ESTIMATE = "tests/native/pages/estimate/test_estimate.py"
STDIN = f"{ESTIMATE}::test_a_closed_standard_stream_is_one_line_and_status_1"
LIMITS = "tests/native/cli/test_limits.py"
CLOSED = (
    "the program itself, opened by the kernel for the emulator, takes the place of closed input"
)
STALLED = "tests/unit/cli/test_stalled_command.py"
PROCMEM = "tests/native/pages/process/test_procmem.py"
BASE = (
    "the memory of a 32-bit program lies 4096 bytes further up in the emulator's, whose pagemap "
    "and mem are what it sees; the whole form on i386, which nothing emulates, runs it"
)
OFFSET = (
    "mmap2 of 7.2 cuts the offset of 32-bit programs to 32 bits; the whole form on i386, which "
    "nothing emulates, runs it"
)

MEMORY = (
    "the emulator keeps a table of every page of a mapping, so that 8 TiB of nothing take 20 GiB "
    "of the machine's memory"
)
LIMIT = "the emulator sets no limit of a program's memory, which would be its own as well"
ADVICE = "the emulator answers MADV_FREE with success and does nothing"
VFORK = "a parent that vforks does not wait for its child: the emulator makes a fork of it"
CLONE = "of clone(2) the emulator knows a fork and a thread, nothing between them: EINVAL"
SETNS = "who enters a mount name space may have one thread, and the emulator has another: EINVAL"
HEADLESS = "a program whose first thread ends fails an assertion of the emulator's"
HUGE = (
    "the emulator places mappings itself, wherever a page is free: a huge one needs more (EINVAL)"
)
SHARES = (
    "the emulator asks for huge pages, and where frames are hidden, pages of a process that has any"
    " count by its share: of thousands a few are left out, here some that the test looks for"
)
STAT = (
    "the emulator makes up a program's own stat, unless another path leads there: by that it "
    "began some ticks later"
)
ORDER = "the emulator hands pagemap through in this machine's order of bytes: no page seems there"

EVERY = {
    **{f"{STDIN}[<&--words{number}]": CLOSED for number in range(3)},
    f"{PROCMEM}::test_terabytes_of_nothing_cost_little": MEMORY,
    f"{LIMITS}::test_no_more_threads": LIMIT,
    f"{LIMITS}::test_out_of_memory": LIMIT,
    "tests/native/cli/estimate/test_owners.py"
    "::test_what_stays_has_lines_of_its_own_and_what_goes_is_split": ADVICE,
    "tests/native/pages/source/test_cold.py"
    "::test_what_a_process_locks_or_gives_up_could_not_go_to_swap[MADV_FREE]": ADVICE,
    f"{STALLED}::test_a_long_wait_for_something_else_is_waited_for": VFORK,
    "tests/unit/doctor/test_checks.py"
    "::test_a_daemon_tells_what_it_tends_and_one_that_ended_tends_nothing": STAT,
    f"{PROCMEM}::test_a_process_whose_first_thread_ended_is_looked_at": HEADLESS,
    f"{PROCMEM}::test_huge_pages_without_a_mount_do_not_count": HUGE,
    f"{PROCMEM}::test_batch_after_batch_every_page_of_a_process_is_read_once": SHARES,
    "tests/native/pages/process/test_address_spaces.py::test_a_memory_counts_once": CLONE,
    "tests/native/pages/shared_memory/test_files_in_memory.py"
    "::test_a_process_that_goes_elsewhere_hides_no_files_of_those_that_stay": SETNS,
}
# All that look for pages of a process.
PAGEMAP = {
    PROCMEM: """
        test_touched_private_pages_are_found_and_read[pagemap]
        test_many_runs_of_pages_are_found_once
        test_shared_memory_counts_and_files_do_not[pagemap]
        test_the_page_of_zeros_is_nobodys[pagemap]
        test_memory_that_its_owner_may_not_read_is_read_nevertheless[pagemap]
        test_mappings_walked_together_are_as_walked_alone[pagemap]
        test_one_reader_turns_from_process_to_process[pagemap]
        test_a_process_that_is_gone_is_esrch
        test_own_memory_is_readable_without_privilege
        test_batch_after_batch_every_page_of_a_process_is_read_once
        test_processes_that_are_gone_are_skipped_and_counted
        test_a_source_of_processes_that_is_dropped_open_says_so_and_closes
        test_shared_memory_that_cannot_be_opened_leaves_nothing_open
        test_a_process_that_runs_another_program_meanwhile_is_looked_at_again
        test_a_child_of_a_fork_closes_nothing_of_a_source
    """,
    "tests/native/pages/process/test_maps_names.py": """
        test_memory_is_what_it_is_whatever_a_mapped_file_is_called
    """,
    ESTIMATE: """
        test_each_process_has_its_own_share_of_a_batch_that_many_fill
        test_own_child_is_estimated
    """,
    "tests/native/cli/estimate/test_idle.py": """
        test_json_has_cold_bytes_in_all_and_by_age
        test_watching_goes_on_until_it_is_ended
        test_watching_prints_json_a_line_each_time
    """,
    "tests/native/pages/source/test_cold.py": "test_what_is_cold_stays_so_when_its_mapping_grows",
    "tests/native/pages/process/test_closed_readers.py": (
        "test_a_closed_reader_opens_the_process_anew"
    ),
    "tests/native/cli/stats/test_estimate.py": """
        test_a_process_that_ends_before_it_is_read_has_no_block
    """,
    "tests/native/pages/process/test_selection.py": """
        test_the_command_names_what_was_chosen_not_every_number
    """,
    "tests/native/pages/shared_memory/test_ipc_spaces.py": "test_segments_of_one_number_are_two",
    "tests/native/pages/shared_memory/test_leases.py": """
        test_the_holder_of_a_lease_lives_and_keeps_it[mapped]
        test_the_holder_of_a_lease_lives_and_keeps_it[memfd]
    """,
    "tests/native/pages/process/test_huge_pages.py": """
        test_without_frames_each_counts_its_share[0-pagemap]
        test_without_frames_each_counts_its_share[2-pagemap]
    """,
    "tests/native/test_examples.py": "test_an_algorithm_is_chosen_for_a_running_program",
}
OF_ONE = {
    "arm": {
        "tests/native/test_wide_numbers.py::test_pages_of_an_object_beyond_4_gib": OFFSET,
        "tests/native/pages/shared_memory/test_shared_object.py"
        "::test_the_pages_are_those_that_are_used[at the end]": OFFSET,
        "tests/native/pages/process/test_closed_readers.py"
        "::test_a_closed_reader_opens_the_process_anew": BASE,
        "tests/native/pages/source/test_cold.py"
        "::test_what_is_cold_stays_so_when_its_mapping_grows": BASE,
        f"{PROCMEM}::test_touched_private_pages_are_found_and_read[pagemap]": BASE,
        f"{PROCMEM}::test_many_runs_of_pages_are_found_once": BASE,
        f"{PROCMEM}::test_shared_memory_counts_and_files_do_not[pagemap]": BASE,
        f"{PROCMEM}::test_memory_that_its_owner_may_not_read_is_read_nevertheless[pagemap]": BASE,
        f"{PROCMEM}::test_own_memory_is_readable_without_privilege": BASE,
        f"{PROCMEM}::test_one_reader_turns_from_process_to_process[pagemap]": BASE,
        f"{PROCMEM}::test_a_process_that_runs_another_program_meanwhile_is_looked_at_again": BASE,
    },
    "s390x": {
        f"{path}::{name}": ORDER for path, names in PAGEMAP.items() for name in names.split()
    },
}


def differences(emulator: str) -> dict[str, str]:
    """The tests to leave out, and why; none if this machine's own processor runs them."""
    return {**EVERY, **OF_ONE.get(emulator, {})} if emulator else {}
