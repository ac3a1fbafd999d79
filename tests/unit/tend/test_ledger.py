# SPDX-License-Identifier: MIT
"""The ledger: at most one step too much, never too little, whatever happens to its process."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
import zlib

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from pyzram.errors import AccessError, ZramOSError
from pyzram.tend.ledger import FILE, Clock, Ledger

MIB = 1 << 20
HOUR = 3600.0
START = Clock("boot-1", 400_000.0, 1.7e9, True)


def later(clock: Clock, seconds: float) -> Clock:
    return clock._replace(boottime=clock.boottime + seconds, wall=clock.wall + seconds)


def test_what_is_written_counts_for_a_day_and_comes_back(tmp_path):
    ledger = Ledger(str(tmp_path), START)
    ledger.reserve("disk", "7", 0, 64 * MIB)
    assert ledger.left("disk", 256 * MIB) == 192 * MIB
    ledger.settle("disk", "7", 10 * MIB)
    assert ledger.left("disk", 256 * MIB) == 246 * MIB
    ledger.advance(later(START, 23.9 * HOUR))
    assert ledger.left("disk", 256 * MIB) == 246 * MIB
    ledger.advance(later(START, 25.1 * HOUR))
    assert ledger.left("disk", 256 * MIB) == 256 * MIB


def test_a_medium_may_have_any_bytes_in_its_name(tmp_path):
    """Serial numbers are not always text."""
    medium = b"t10.ACME\xff\xfe".decode(errors="surrogateescape")
    Ledger(str(tmp_path), START).reserve(medium, "7", 0, 64 * MIB)
    assert Ledger(str(tmp_path), START).left(medium, 256 * MIB) == 192 * MIB


def test_foreign_writes_are_charged_and_media_are_apart(tmp_path):
    ledger = Ledger(str(tmp_path), START)
    assert ledger.observe("disk", "7", 30 * MIB) == 30 * MIB
    assert ledger.observe("disk", "7", 50 * MIB) == 20 * MIB
    assert ledger.observe("disk", "8", 5 * MIB) == 5 * MIB
    assert ledger.written("disk") == 55 * MIB
    assert ledger.written("card") == 0


def test_a_reserved_step_is_charged_on_top_of_what_others_wrote_since(tmp_path):
    ledger = Ledger(str(tmp_path), START)
    ledger.observe("disk", "7", 0)
    ledger.reserve("disk", "7", 30 * MIB, 16 * MIB)
    assert ledger.written("disk") == 46 * MIB
    # Whoever finds the file knows it, too, and takes none of it for the step's.
    after = Ledger(str(tmp_path), later(START, 5))
    assert after.observe("disk", "7", 40 * MIB) == 0
    assert after.written("disk") == 46 * MIB


def test_a_reset_sets_the_counter_back_and_charges_nothing_twice(tmp_path):
    ledger = Ledger(str(tmp_path), START)
    ledger.observe("disk", "7", 50 * MIB)
    assert ledger.observe("disk", "7", 3 * MIB) == 3 * MIB


def test_killed_in_a_step_keeps_all_of_it_charged_and_covers_what_it_wrote(tmp_path):
    ledger = Ledger(str(tmp_path), START)
    ledger.reserve("disk", "7", 0, 16 * MIB)
    after = Ledger(str(tmp_path), later(START, 5))
    assert after.written("disk") == 16 * MIB
    assert after.observe("disk", "7", 12 * MIB) == 0
    assert after.observe("disk", "7", 20 * MIB) == 4 * MIB
    assert after.written("disk") == 20 * MIB


def test_killed_by_a_reboot_keeps_it_charged(tmp_path):
    Ledger(str(tmp_path), START).reserve("disk", "7", 0, 16 * MIB)
    again = Ledger(str(tmp_path), Clock("boot-2", 5.0, START.wall + 60, True))
    assert again.written("disk") == 16 * MIB
    # The same number is another device now.
    assert again.observe("disk", "7", MIB) == MIB


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (True, Clock("boot-1", 400_000 + 30 * HOUR, 1.7e9 + 30 * HOUR, True), (100, 100)),
        (True, Clock("boot-1", 400_000 + 30 * HOUR, 1.7e9 - 30 * HOUR, True), (0, 0)),
        (True, Clock("boot-1", 400_000 + 60, 1.7e9 + 30 * HOUR, True), (0, 0)),
        (True, Clock("boot-1", 400_000 - 900, 1.7e9 + 30 * HOUR, True), (0, 0)),
        (True, Clock("boot-2", 10.0, 1.7e9 + 30 * HOUR, True), (0, 100)),
        (True, Clock("boot-2", 10.0, 1.7e9 + 30 * HOUR, False), (0, 0)),
        (False, Clock("boot-2", 10.0, 1.7e9 + 30 * HOUR, True), (0, 0)),
        (True, Clock("boot-2", 10.0, 0.0, True), (0, 0)),
    ],
    ids=[
        "on", "wall back", "wall ahead", "boottime back",
        "off", "off untrusted", "untrusted before", "no clock",
    ],
)  # fmt: skip
def test_clocks_that_jump_give_nothing(tmp_path, before, after, left):
    """A day off gives back a day, except the hour in which it began, which is over an hour later.

    If either clock was not trusted, it gives back nothing at all.
    """
    ledger = Ledger(str(tmp_path), START._replace(trusted=before))
    ledger.observe("disk", "7", 100)
    ledger.save()
    again = Ledger(str(tmp_path), after)
    assert again.left("disk", 100) == left[0]
    again.advance(later(after, HOUR))
    assert again.left("disk", 100) == left[1]


@pytest.mark.parametrize(
    "damage",
    [lambda text: text[: len(text) // 2], lambda text: b"", lambda text: b"\xff" + text,
     lambda text: text.replace(b"hour", b"our"), lambda text: text + b"hour 1 1\n",
     lambda text: text.replace(b"hour 0 100", b"hour 0 10"),
     lambda text: text.replace(b"hour 0 100", b"hour 0 -10"),
     lambda text: text.replace(b"hour 0", b"hour 9999999"),
     lambda text: text.replace(b"time 0.0", b"time nan"),
     lambda text: text.replace(b"time 0.0", b"time 1e300"),
     lambda text: text.replace(b"ledger 2", b"ledger 3"),
     lambda text: text.replace(b"ledger 2", b"ledger 1"),
     lambda text: text[:-2], lambda text: text.replace(b"seen", b"\0een")],
    ids=["cut", "empty", "no text", "unknown word", "trailing", "less", "credit", "future",
         "no time", "no end of time", "version", "older version", "last byte", "binary"],
)  # fmt: skip
def test_damaged_file_means_used_up_for_a_day(tmp_path, damage):
    ledger = Ledger(str(tmp_path), START)
    ledger.observe("disk", "7", 100)
    ledger.save()
    path = tmp_path / FILE
    damaged = damage(path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    again = Ledger(str(tmp_path), later(START, 1))
    assert again.left("disk", 100) == 0
    again.save()
    again = Ledger(str(tmp_path), later(START, 24 * HOUR))
    assert again.left("disk", 100) == 0
    again = Ledger(str(tmp_path), later(START, 26 * HOUR))
    assert again.left("disk", 100) == 100


@pytest.mark.parametrize("checked", [False, True])
def test_a_file_of_an_older_version_says_what_it_said(tmp_path, checked):
    text = (
        "pyzram ledger 1\ntime 7200.5 boot-1 400000.0 1700000000.0 1\n"
        "medium disk\nhour 2 100\nseen 7 4096 0\n"
    )
    end = f"end {zlib.crc32(text.encode()):08x}" if checked else "end"
    (tmp_path / FILE).write_text(f"{text}{end}\n")
    (tmp_path / FILE).chmod(0o600)
    ledger = Ledger(str(tmp_path), later(START, 60))
    assert (ledger.damaged, ledger.blocked, ledger.time) == (False, 0.0, 7260.5)
    assert (ledger.written("disk"), ledger.observe("disk", "7", 4096)) == (100, 0)
    # A copy that is kept elsewhere is known to be one.
    copy = Ledger(str(tmp_path), later(START, 60))
    copy.path = str(tmp_path / "copy" / FILE)
    copy.save()
    ledger.include(Ledger(str(tmp_path / "copy"), later(START, 60)))
    assert ledger.written("disk") == 100
    ledger.save()
    assert (tmp_path / FILE).read_text().startswith("pyzram ledger 2\n")
    assert Ledger(str(tmp_path), later(START, 60)).written("disk") == 100


@pytest.mark.parametrize(
    "line", ["our 7 1 2", "hour 2", "hour x 1", "pending 7", "seen 7 1", "medium", "time 1", ""]
)
def test_of_an_older_version_without_a_sum_each_line_has_to_be_understood(tmp_path, line):
    text = "pyzram ledger 1\ntime 7200.5 boot-1 400000.0 1700000000.0 1\nmedium disk\n{}end\n"
    path = tmp_path / FILE
    for more, damaged in (("", False), (f"{line}\n", True)):
        path.write_text(text.format(more))
        path.chmod(0o600)
        ledger = Ledger(str(tmp_path), later(START, 60))
        assert ledger.damaged is damaged
        assert ledger.left("disk", 100) == (0 if damaged else 100)


charges = st.lists(
    st.tuples(st.floats(0, 30 * HOUR), st.integers(1, MIB), st.booleans()), max_size=12
)


@given(charges, st.floats(0, 3 * HOUR), st.floats(0, 26 * HOUR))
@settings(max_examples=effort(100), deadline=None)
def test_two_ledgers_together_cover_what_was_written(tmp_path_factory, done, apart, after):
    """Whichever was in use, and since when: never less than the truth, at most an hour longer."""
    folder = tmp_path_factory.mktemp("two")
    one = Ledger(str(folder / "one"), START)
    other = Ledger(str(folder / "other"), later(START, apart))
    assert one.origin != other.origin
    written = [0, 0]
    for at, size, first in sorted(done):
        clock = later(START, max(at, apart))
        one.advance(clock)
        other.advance(clock)
        written[first] += size
        (one, other)[first].observe("disk", "78"[first], written[first])
    last = max([apart, *(at for at, _, _ in done)])
    one.advance(later(START, last))
    other.advance(later(START, last))
    one.include(other)
    one.advance(later(START, last + after))
    ages = [(last + after - max(at, apart), size) for at, size, _ in done]
    least = sum(size for age, size in ages if age <= 24 * HOUR)
    most = sum(size for age, size in ages if age < 26 * HOUR + 1)
    assert least <= one.written("disk") <= most


def test_of_two_copies_the_one_in_use_last_knows_the_time(tmp_path):
    one = Ledger(str(tmp_path / "one"), START)
    one.observe("disk", "7", 100)
    one.save()
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "other" / FILE).write_bytes((tmp_path / "one" / FILE).read_bytes())
    (tmp_path / "other" / FILE).chmod(0o600)
    # Only the first is used on; a daemon that starts finds both.
    one.advance(later(START, 5 * HOUR))
    one.observe("disk", "7", 130)
    one.save()
    now = later(START, 6 * HOUR)
    for first, second in (("one", "other"), ("other", "one")):
        found = Ledger(str(tmp_path / first), now)
        assert found.time == 6 * HOUR
        found.include(Ledger(str(tmp_path / second), now))
        assert (found.time, found.written("disk")) == (6 * HOUR, 130)
        assert found.observe("disk", "7", 150) == 20
        # And each charge expires a day after it was made.
        found.advance(later(START, 25.5 * HOUR))
        assert found.written("disk") == 50


def test_a_copy_that_missed_a_restart_does_not_know_the_time(tmp_path):
    """A clock that nobody trusts says nothing of the time between, so the copy's stood still."""
    Ledger(str(tmp_path / "one"), START).save()
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "other" / FILE).write_bytes((tmp_path / "one" / FILE).read_bytes())
    (tmp_path / "other" / FILE).chmod(0o600)
    restarted = Clock("boot-2", 10.0, START.wall + 60, False)
    Ledger(str(tmp_path / "one"), restarted).save()
    now = later(restarted, 6 * HOUR)
    assert Ledger(str(tmp_path / "other"), now).time == 0.0
    for first, second in (("one", "other"), ("other", "one")):
        found = Ledger(str(tmp_path / first), now)
        found.include(Ledger(str(tmp_path / second), now))
        assert found.time == 6 * HOUR


def test_a_block_lasts_as_long_for_whoever_includes_it(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    one = Ledger(str(folders[0]), START)
    folders[1].mkdir(mode=0o700)
    (folders[1] / FILE).write_text("damaged")
    (folders[1] / FILE).chmod(0o600)
    other = Ledger(str(folders[1]), START)
    for ledger in (one, other):
        ledger.advance(later(START, 5 * HOUR))
    one.time += 100 * HOUR  # their times have nothing to do with each other
    one.include(other)
    assert one.left("disk", 100) == 0
    for hours, left in ((24.9, 0), (25.1, 100)):
        one.advance(later(START, hours * HOUR))
        assert one.left("disk", 100) == left


def test_the_file_is_on_disk_before_its_name_and_then_its_folder(tmp_path, monkeypatch):
    """Otherwise a power cut could leave the old file although the step has begun, or half a one."""
    ledger = Ledger(str(tmp_path), START)
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def flushed(fd: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    def renamed(*paths: str) -> None:
        done.append("renamed")
        rename(*paths)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    ledger.reserve("disk", "7", 0, MIB)
    assert done == [str(tmp_path / f"{FILE}.new"), "renamed", str(tmp_path)]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_what_cannot_be_written_down_is_an_error_and_the_old_file_stays(
    tmp_path, monkeypatch, call
):
    ledger = Ledger(str(tmp_path), START)
    ledger.save()
    before = (tmp_path / FILE).read_bytes()

    def full(*_args: object, **_names: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(ZramOSError, match="keep the ledger") as caught:
        ledger.reserve("disk", "7", 0, 1)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / FILE).read_bytes() == before


@given(st.data())
@settings(max_examples=effort(100), deadline=None)
def test_whatever_happens_the_charge_covers_what_was_written(tmp_path_factory, data):
    """Steps, foreign writes, kills in steps, reboots and time, in any order."""
    folder = str(tmp_path_factory.mktemp("ledger"))
    clock, written, log, killed = START, 0, [], 0
    ledger = Ledger(folder, clock)
    chunk = 16 * MIB
    for event in data.draw(
        st.lists(st.sampled_from(["step", "kill", "reboot", "foreign", "wait"]), max_size=30)
    ):
        size = data.draw(st.integers(0, chunk))
        if event in ("step", "kill", "reboot"):
            ledger.reserve("disk", "7", written, chunk)
            written += size
            log.append((clock.wall, size))
            if event == "step":
                ledger.settle("disk", "7", written)
                ledger.save()
            else:
                killed += 1
                if event == "reboot":
                    clock = Clock(clock.boot + "'", 1.0, clock.wall + 30, True)
                    written = 0
                ledger = Ledger(folder, clock)
        elif event == "foreign":
            written += size
            log.append((clock.wall, size))
            ledger.observe("disk", "7", written)
            ledger.save()
        else:
            clock = later(clock, data.draw(st.floats(0, 3 * HOUR)))
            ledger.advance(clock)
            ledger.save()
        ledger.observe("disk", "7", written)
        true = sum(size for when, size in log if when > clock.wall - 24 * HOUR)
        everything = sum(size for _, size in log)
        assert true <= ledger.written("disk") <= everything + killed * chunk


KEEPER = """
import sys
from pyzram.tend.ledger import Clock, Ledger
folder, seed = sys.argv[1], int(sys.argv[2])
import os, random, time
chance = random.Random(seed)
count = os.open(folder + "/written", os.O_RDWR | os.O_CREAT)
def written():
    return int(os.pread(count, 30, 0) or b"0")
clock = Clock("boot", time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), True)
ledger = Ledger(folder, clock)
ledger.observe("disk", "7", written())
ledger.save()
os.write(1, b"x")
while ledger.left("disk", 1000000) >= 1000:
    ledger.reserve("disk", "7", written(), 1000)
    for _ in range(chance.randrange(1, 10)):  # as the kernel does: bit by bit, never too much
        os.pwrite(count, b"%030d" % (written() + 100), 0)
    ledger.settle("disk", "7", written())
"""


def test_sigkill_at_random_moments(tmp_path):
    """Again and again, what was written stays charged, and at most one step is charged too much."""
    chance = random.Random(5)
    kills = 0
    rounds = effort(60)
    for turn in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _with_path(KEEPER), str(tmp_path), str(turn)],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        child.stdout.read(1)
        time.sleep(chance.uniform(0, 0.004))
        child.kill()
        child.stdout.close()
        kills += child.wait() == -9
        clock = Clock("boot", time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), True)
        ledger = Ledger(str(tmp_path), clock)
        written = int((tmp_path / "written").read_bytes() or b"0")
        ledger.observe("disk", "7", written)
        assert written <= ledger.written("disk") <= written + kills * 1000
    assert kills > rounds / 2
    assert int((tmp_path / "written").read_bytes() or b"0") <= 1000000


def _with_path(text: str) -> str:
    import pyzram

    root = os.path.dirname(os.path.dirname(pyzram.__file__))
    return f"import sys; sys.path.insert(0, {root!r})\n{text}"


@pytest.mark.parametrize("name", [FILE, FILE + ".new"])
def test_a_link_in_the_place_of_the_ledger_is_not_followed(tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("not yours")
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / name).symlink_to(victim)
    with pytest.raises(ZramOSError) as caught:
        Ledger(str(folder), START).save()
    assert caught.value.errno == errno.ELOOP
    assert victim.read_text() == "not yours"


def test_a_folder_that_others_can_write_is_no_place_for_a_ledger(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(AccessError, match="can be written by others"):
        Ledger(str(folder), START).save()
