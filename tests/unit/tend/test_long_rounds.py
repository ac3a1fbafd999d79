# SPDX-License-Identifier: MIT
"""Long rounds, and machines that sleep during them: what a step writes counts from its end."""

from __future__ import annotations

from pathlib import Path

from effort import effort
from fake_roots import Machine
from hypothesis import given, settings
from hypothesis import strategies as st
from tended_machines import HOUR, MIB, Watch, of_two_days, press, tender

BUDGET = 64 * MIB


class Slow:
    """Puts a machine under pressure in each round, and lets time pass while its steps write."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.watch = Watch()
        self.tender, self.writer = tender(machine, self.watch)
        self.tender.budget = BUDGET
        self.written: list[tuple[float, int]] = []
        """When each step ended, and its bytes."""
        self.seconds = self.asleep = 0.0
        """How long the next step takes, and how long the machine sleeps in it."""
        self.rounds = 0
        self._write, self.writer.write_pages = self.writer.write_pages, self._slowly

    def _slowly(self, device: object, ranges: object, limit: int) -> None:
        before = self._count()
        self._write(device, ranges, limit)
        self.watch.now += self.seconds
        self.watch.asleep += self.asleep
        self.asleep = 0.0
        self.written.append((self.watch.boottime(), self._count() - before))

    def _count(self) -> int:
        return int(self.machine.attribute("bd_stat").read_text().split()[2]) * 4096

    def round(self) -> int:
        self.rounds += 1
        press(self.machine.root, 90.0, total=self.rounds * 10_000_000, available=1000)
        return self.tender.round("some").written

    def most(self) -> int:
        """Bytes written within any 24 hours."""
        return max(
            (sum(size for at, size in self.written if end - 24 * HOUR < at <= end)
             for end, _ in self.written),
            default=0,
        )  # fmt: skip


def test_what_was_written_before_a_sleep_in_a_step_counts_after_it(machine):
    """If the machine sleeps during a step, what that wrote belongs to the day on which it woke."""
    slow = Slow(machine)
    slow.asleep = 25 * HOUR
    for _ in range(24):
        slow.round()
        slow.watch.now += 61
    assert 60 * MIB <= slow.most() <= BUDGET


def test_a_sleep_in_a_round_ends_it_and_nothing_is_written_for_two_minutes(machine):
    """Whoever opens the lid does not have to wait."""
    slow = Slow(machine)
    slow.asleep = HOUR
    assert slow.round() == 256 * 4096  # of the step in which it slept
    woke = slow.watch.now
    while slow.watch.now < woke + 119:
        assert slow.round() == 0
        slow.watch.now += 7
    slow.watch.now = woke + 121
    assert slow.round() > 0


def test_a_round_across_the_hour_counts_in_the_hour_that_it_ends_in(machine):
    slow = Slow(machine)
    slow.watch.now += HOUR - 1
    slow.seconds = 600.0
    first = slow.round()
    slow.seconds = 0.0
    assert first > 4 * MIB
    (begun, _), *_ = slow.written
    slow.watch.now = begun - 600 + 25 * HOUR + 2
    for _ in range(16):
        slow.round()
        slow.watch.now += 61
    assert slow.written[-1][0] < begun + 26 * HOUR
    assert 60 * MIB <= slow.most() <= BUDGET


@given(
    st.floats(0, HOUR),
    st.lists(
        st.tuples(
            st.sampled_from([61.0, 300.0, 12 * HOUR, 24 * HOUR]),
            st.sampled_from([0.0, 1.0, 120.0, HOUR]),
            st.sampled_from([0.0, 0.0, HOUR, 25 * HOUR]),
            st.integers(1, 4),
        ),
        min_size=2,
        max_size=4,
    ),
)
@settings(max_examples=effort(5), deadline=None)
def test_never_more_than_the_budget_in_any_day_whatever_steps_take(tmp_path_factory, begin, spells):
    """Time passes between rounds, within steps, and in sleeps within steps."""
    slow = Slow(of_two_days(Path(tmp_path_factory.mktemp("slow"))))
    slow.watch.now += begin
    for wait, slow.seconds, asleep, rounds in spells:
        slow.watch.now += wait
        slow.asleep = asleep
        for _ in range(rounds):
            slow.round()
            slow.watch.now += 61
    slow.tender.close()
    assert slow.most() <= BUDGET
