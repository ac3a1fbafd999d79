# SPDX-License-Identifier: MIT
"""What goes wrong around the daemon, as users meet it: it goes on, within its budget."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_roots import Machine, unreadable
from tended_machines import HOUR, MIB, Watch, press, tender

from pyzram.cli import pyzram as command
from pyzram.cli.tend import ledger as tend_ledger
from pyzram.device import loop as device_loop
from pyzram.device.zram import Zram
from pyzram.errors import BlockedError, ZramError, ZramOSError
from pyzram.kernel.sysfs import Sysfs
from pyzram.tend.ledger import FILE, Clock, Ledger
from pyzram.tend.machine import Clocks, read_clock
from pyzram.tend.medium import Medium, media_of, medium_of


def test_another_medium_behind_the_same_name_has_an_account_of_its_own(machine: Machine) -> None:
    """A card is exchanged and the device set up again, both between two looks."""
    watch = Watch()
    tending, _ = tender(machine, watch)
    (before,) = tending.round().seen.devices
    card = machine.root / "sys/devices/mmc0/block/mmcblk0"
    written = tending.ledger.written(before.medium)
    assert written > 0
    (card / "device/cid").write_text("27504853\n")
    (card / "mmcblk0p3/size").write_text(f"{2 << 21}\n")
    machine.attribute("bd_stat").write_text("0 0 0\n")
    (other,) = tending.observer.look().devices
    assert other.medium == "27504853" != before.medium
    assert (other.left, other.free) == (other.budget, 2 << 30)
    assert tending.ledger.written(before.medium) == written
    # And the first card, put back, is not a new one.
    (card / "device/cid").write_text("1b534d30\n")
    (again,) = tending.observer.look().devices
    assert again.left == again.budget - written


def test_a_medium_that_lies_on_another_disk_now_is_charged_there(machine: Machine) -> None:
    """As with a mapping after pvmove, while the device stays set up."""
    tending, _ = tender(machine, Watch())
    tending.round()
    block = machine.root / "sys/class/block/mmcblk0p3"
    disk = machine.root / "sys/devices/pci/block/sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "sda1/partition").write_text("1\n")
    (disk / "sda1/size").write_text(f"{8 << 21}\n")
    (disk / "wwid").write_text("naa.5000\n")
    (machine.root / "sys/block/sda").symlink_to(disk)
    block.unlink()
    block.symlink_to(disk / "sda1")
    (found,) = tending.observer.look().devices
    assert (found.medium, found.gentle) == ("naa.5000", False)
    # Whatever the device has written, since nobody knows how much of it went there.
    assert (
        found.budget - found.left == int(machine.attribute("bd_stat").read_text().split()[2]) * 4096
    )


@pytest.fixture
def looped(machine: Machine, monkeypatch) -> dict[str, tuple[int, int]]:
    """The device lies on a file, and that on the card; return what the loop device says."""
    (machine.root / "swapfile").touch()
    status = (machine.root / "swapfile").stat()
    number = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    (machine.root / "sys/dev/block").mkdir(parents=True, exist_ok=True)
    (machine.root / "sys/dev/block" / number).symlink_to("../../class/block/mmcblk0p3")
    loop = machine.root / "sys/class/block/loop7/loop"
    loop.mkdir(parents=True)
    (loop / "backing_file").write_text("/swapfile\n")
    (loop.parent / "size").write_text(f"{8 << 21}\n")
    machine.attribute("backing_dev").write_text("/dev/loop7\n")
    said: dict[str, tuple[int, int]] = {}

    def file_behind(node: str) -> tuple[int, int]:
        if node.rpartition("/")[2] in said:
            return said[node.rpartition("/")[2]]
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), node)

    monkeypatch.setattr(device_loop, "file_behind", file_behind)
    return said


def test_a_file_that_is_out_of_sight_gives_its_medium_no_new_budget(
    machine: Machine, looped: dict[str, tuple[int, int]]
) -> None:
    """If it is removed, or another file system is mounted over it, it still lies where it lay."""
    tending, _ = tender(machine, Watch())
    (before,) = tending.round().seen.devices
    assert (before.medium, before.gentle, before.budget) == ("1b534d30", True, 256 * MIB)
    name = machine.root / "sys/class/block/loop7/loop/backing_file"
    for path in ("/swapfile (deleted)", "/elsewhere/no/more"):
        name.write_text(f"{path}\n")
        (found,) = tending.observer.look().devices
        assert (found.medium, found.budget) == (before.medium, before.budget)
        assert found.left < before.left
    # Another device behind the zram device is looked up again.
    other = machine.root / "sys/class/block/sdz"
    other.mkdir()
    (other / "size").write_text(f"{8 << 21}\n")
    machine.attribute("backing_dev").write_text("/dev/sdz\n")
    (found,) = tending.observer.look().devices
    assert found.medium != before.medium


def test_the_loop_device_knows_what_its_path_does_not_tell(
    machine: Machine, looped: dict[str, tuple[int, int]]
) -> None:
    """After a new start too; and a path that by now leads to another file says nothing."""
    sysfs = Sysfs(str(machine.root))
    status = (machine.root / "swapfile").stat()
    name = machine.root / "sys/class/block/loop7/loop/backing_file"
    name.write_text("/swapfile (deleted)\n")
    looped["loop7"] = (status.st_dev, status.st_ino)
    assert medium_of(sysfs, "/dev/loop7").name == "mmcblk0"
    # As on btrfs, no device has this number, so the path is needed, if it leads to the file.
    name.write_text("/swapfile\n")
    looped["loop7"] = (os.makedev(0, 99), status.st_ino)
    assert medium_of(sysfs, "/dev/loop7").kind == "unknown"
    known = Medium("1b534d30", "card", "mmcblk0")
    assert media_of(sysfs, "/dev/loop7", (known,)) == (known,)


def test_a_card_that_does_not_tell_its_identity_once_is_no_other_card(
    machine: Machine, monkeypatch, capsys
) -> None:
    tending, _ = tender(machine, Watch())
    (before,) = tending.round().seen.devices
    unreadable(monkeypatch, errno.EIO, "mmcblk0/device/cid")
    (found,) = tending.observer.look().devices
    assert (found.medium, found.budget) == (before.medium, before.budget)
    # A process that does not know it from before knows nothing.
    again, _ = tender(machine, Watch())
    assert again.observer.look().devices == ()
    assert "mmcblk0/device/cid: read: Input/output error" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--budget", "0"], ["--budget", "1"]])
def test_a_budget_of_nothing_is_nothing(machine: Machine, monkeypatch, capsys, words) -> None:
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))
    assert command.main(["tend", "--once", "--json", *words, "zram0"]) == 0
    said = json.loads(capsys.readouterr().out)
    (device,) = said["seen"]["devices"]
    assert (device["budget"], device["left"], said["written"]) == (int(words[1]), int(words[1]), 0)
    assert {action["action"] for action in said["actions"]} <= {"Recompress", "Compact"}
    assert command.main(["tend", "--dry-run", *words, "zram0"]) == 0
    assert "left to write in 24 hours" in capsys.readouterr().out  # and not: no backing device


@pytest.mark.parametrize(("wall", "trusted"), [(0.0, False), (1.4e9, False), (1.7e9, True)])
def test_a_clock_that_was_never_set_is_no_clock(
    machine: Machine, wall: float, trusted: bool
) -> None:
    """Otherwise a board whose clock has an empty battery would get a new budget at each reboot."""
    watch = Watch()
    watch.wall = lambda: wall
    (machine.root / "sys/class/rtc/rtc0").mkdir(parents=True)
    sysfs, folder = Sysfs(str(machine.root)), str(machine.root / "var")
    first = read_clock(sysfs, watch)
    assert first.trusted == trusted
    ledger = Ledger(folder, first)
    ledger.observe("card", "7", 200 * MIB)
    ledger.save()
    # The next boot, in which the network has set the clock.
    then = wall + 1.8e9
    after = first._replace(boot="another", boottime=60.0, wall=then, trusted=True)
    again = Ledger(folder, after)
    again.advance(after._replace(boottime=after.boottime + 2 * HOUR, wall=then + 2 * HOUR))
    assert again.left("card", 256 * MIB) == (256 * MIB if trusted else 56 * MIB)


def test_a_damaged_ledger_is_told_of(machine: Machine, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))
    assert command.main(["tend", "--once", "--quiet", "zram0"]) == 0
    path = machine.root / "state" / FILE
    path.write_bytes(path.read_bytes()[:-20])
    capsys.readouterr()
    for words in ("damaged", "a ledger was damaged"):
        assert command.main(["tend", "--once", "--json", "zram0"]) == 0
        said = capsys.readouterr()
        assert f"{path}: {words}" in said.err and "for 25 h" in said.err
        assert json.loads(said.out)["seen"]["devices"][0]["left"] == 0


def test_what_was_charged_elsewhere_while_var_was_out_of_use_stays_charged(
    machine: Machine, monkeypatch, capsys
) -> None:
    """Even if the device, which could have shown it, was set up again in between."""
    var, run = machine.root / "state", machine.root / "run"
    for name, value in (("ROOT", machine.root), ("RUN", run), ("STATE", var)):
        monkeypatch.setenv(f"PYZRAM_{name}", str(value))
    boot = machine.root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text("this-start\n")
    save, only = Ledger.save, [str(machine.root)]

    def full(ledger: Ledger) -> None:
        if not ledger.path.startswith(only[0]):
            raise ZramOSError(errno.EROFS, f"{ledger.path}: Read-only file system", ledger.path)
        save(ledger)

    monkeypatch.setattr(Ledger, "save", full)

    def left(writes: int, *words: str) -> int:
        machine.attribute("bd_stat").write_text(f"0 0 {writes}\n")
        assert command.main(["tend", "--json", "--budget", "64M", *words, "zram0"]) == 0
        return json.loads(capsys.readouterr().out)["seen"]["devices"][0]["left"]

    assert left(8192, "--once") == 32 * MIB
    only[0] = str(run)
    assert left(0, "--once") == 0  # half the budget, all of it used
    assert left(1024, "--once") == 0
    assert left(0, "--once") == 0
    only[0] = str(machine.root)
    assert left(0, "--dry-run") == 28 * MIB
    assert left(0, "--once") == 28 * MIB
    only[0] = str(run)
    assert left(0, "--once") == 0


@pytest.mark.parametrize("limited", [True, False])
def test_a_limit_that_a_killed_process_left_is_not_the_administrators(
    machine: Machine, places, capsys, limited: bool
) -> None:
    """Less than a round needs, it would keep the daemon from writing for ever, and stay."""
    enable, limit = (machine.attribute(f"writeback_limit{end}") for end in ("_enable", ""))
    enable.write_text("1\n")
    limit.write_text("100\n")  # of a step of 1024 units, of which 924 were used
    diskseq = machine.attribute("diskseq").read_text().strip()
    record = machine.root / "run/pyzram/limits/zram0"
    record.parent.mkdir(parents=True)
    record.write_text(f"- {diskseq} 10000 {limited:d} 1024 0\n")
    record.chmod(0o600)
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    (device,) = json.loads(capsys.readouterr().out)["seen"]["devices"]
    assert device["own_limit"] == 100 * 4096 and record.exists()
    assert command.main(["tend", "--once", "--json", "zram0"]) == 0
    (device,) = json.loads(capsys.readouterr().out)["seen"]["devices"]
    assert device["own_limit"] == ((10000 - 924) * 4096 if limited else None)
    assert not record.exists()


@pytest.fixture(params=["mode", "owner", "link", "broken link"])
def make_foreign(request) -> Callable[[Path], str]:
    """Make a folder untrusted; return what is said about it."""
    how: str = request.param
    owner = request.getfixturevalue("nobody") if how == "owner" else 0
    return lambda folder: _make_foreign(folder, how, owner)


def _make_foreign(folder: Path, how: str, owner: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    if how == "mode":
        folder.chmod(0o775)
        return f"{folder}: can be written by others (mode 775)"
    if how == "owner":
        os.chown(folder, owner, owner)
        return f"{folder}: belongs to user {owner}"
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere" if how == "link" else "nowhere")
    return f"{folder}: is not a folder"


def test_a_dry_run_says_what_a_daemon_would_not_trust(places, capsys, make_foreign) -> None:
    """And it counts with the budget that it has left then."""
    var, run = places
    var.mkdir(parents=True, exist_ok=True)
    (var / "ledger").write_text("whatever it says, others could have put it there\n")
    (var / "ledger").chmod(0o600)
    why = make_foreign(var)
    budgets = []
    for way in ("--dry-run", "--once"):
        assert command.main(["tend", way, "--json", "--budget", "64M", "zram0"]) == 0
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert why in line and f"in {run}, which a reboot empties, with half the budget" in line
        budgets.append(json.loads(said.out)["seen"]["devices"][0]["budget"])
    assert budgets == [32 * MIB] * 2


@pytest.mark.parametrize("name", ["", "locks"])
def test_a_dry_run_says_that_no_daemon_would_start(places, capsys, make_foreign, name: str) -> None:
    _, run = places
    why = make_foreign(run / name)
    status = command.main(["tend", "--dry-run", "--json", "zram0"])
    said = capsys.readouterr()
    assert status == 0 and f"{why}, " in said.err, said.err
    assert "neither a daemon nor --once would start\n" in said.err
    assert command.main(["tend", "--once", "zram0"]) == 1
    assert why in capsys.readouterr().err


def test_a_dry_run_says_that_the_lock_is_not_trusted(places, capsys) -> None:
    _, run = places
    (run / "locks").mkdir(parents=True)
    (run / "locks/tend").touch()
    (run / "locks/tend").chmod(0o666)
    assert command.main(["tend", "--dry-run", "--json", "zram0"]) == 0
    assert "locks/tend: can be written by others (mode 666)" in capsys.readouterr().err
    assert command.main(["tend", "--once", "zram0"]) == 1


@pytest.fixture
def places(machine: Machine, monkeypatch) -> tuple[Path, Path]:
    """The folder in /var, and that in /run."""
    var, run = machine.root / "state", machine.root / "run"
    for name, value in (("ROOT", machine.root), ("RUN", run), ("STATE", var)):
        monkeypatch.setenv(f"PYZRAM_{name}", str(value))
    return var, run


START = Clock("boot-1", 1000.0, 1.7e9, True)


def opened(
    machine: Machine,
    monkeypatch,
    clock: Clock,
    *,
    absent: Path | None = None,
    read_only: bool = False,
) -> Ledger:
    """The ledger of a daemon that starts then; ``absent`` is a folder that is not writable."""
    real = Ledger.save

    def save(ledger: Ledger) -> None:
        if absent and ledger.path.startswith(f"{absent}/"):
            raise ZramOSError(errno.EROFS, f"{ledger.path}: Read-only file system", ledger.path)
        real(ledger)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "save", save)
        patch.setattr(tend_ledger, "read_clock", lambda *_words: clock)
        return tend_ledger.open_ledger(
            Sysfs(str(machine.root)), Clocks(), str(machine.root / "run"), read_only=read_only
        )


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
def test_a_var_that_was_absent_gives_no_budget_again_when_it_is_back(
    machine: Machine, monkeypatch, places, boot: str
) -> None:
    """Neither of what was charged there before, nor of what was charged in /run meanwhile."""
    var, run = places
    ledger = opened(machine, monkeypatch, START)
    ledger.observe("card", "7", 200 * MIB)
    ledger.save()
    assert ledger.share == 1.0
    var.rename(machine.root / "away")
    clock = Clock(boot, 2000.0, 1.7e9 + 1000, True)
    ledger = opened(machine, monkeypatch, clock, absent=var)
    assert (ledger.written("card"), ledger.share) == (0, 0.5)  # nobody can know
    ledger.observe("card", "8", 100 * MIB)
    ledger.save()
    (machine.root / "away").rename(var)
    clock = clock._replace(boottime=2600.0, wall=1.7e9 + 1600)
    seen = opened(machine, monkeypatch, clock, read_only=True)
    assert seen.written("card") == 300 * MIB and (run / FILE).exists()
    # However often it is then started, once without being able to write.
    for absent, share in ((var, 0.5), (var, 0.5), (None, 1.0), (None, 1.0), (var, 0.5)):
        ledger = opened(machine, monkeypatch, clock, absent=absent)
        assert (ledger.written("card"), ledger.share) == (300 * MIB, share)
        assert ledger.observe("card", "8", 100 * MIB) == 0
    # In time all of it expires, in an hour more at the most.
    day = clock._replace(boottime=clock.boottime + 23 * HOUR, wall=clock.wall + 23 * HOUR)
    ledger.advance(day)
    assert ledger.written("card") == 300 * MIB
    ledger.advance(day._replace(boottime=day.boottime + 4 * HOUR, wall=day.wall + 4 * HOUR))
    assert ledger.written("card") == 0


@pytest.mark.parametrize("damaged", ["spare", "kept"])
def test_a_damaged_one_of_two_ledgers_blocks_for_a_day_and_is_told(
    machine: Machine, monkeypatch, capsys, places, damaged: str
) -> None:
    var, run = places
    for folder in places:
        Ledger(str(folder), START).save()
    path = (run if damaged == "spare" else var) / FILE
    path.write_bytes(path.read_bytes()[:-3])
    clock = START
    for absent in (var, var, None, None):
        clock = clock._replace(boottime=clock.boottime + HOUR, wall=clock.wall + HOUR)
        ledger = opened(machine, monkeypatch, clock, absent=absent)
        assert ledger.left("card", 100) == 0
        said = capsys.readouterr().err
        assert "damaged" in said
        if clock.boottime == START.boottime + HOUR:
            assert f"{path}: damaged" in said and "for 25 h" in said
    assert "for 22 h" in said  # it is no other day with each start
    ledger = opened(
        machine,
        monkeypatch,
        clock._replace(boottime=clock.boottime + 23 * HOUR, wall=clock.wall + 23 * HOUR),
    )
    assert ledger.left("card", 100) == 100
    assert capsys.readouterr().err == ""


def test_a_full_var_writes_nothing_more_and_is_told(machine: Machine, monkeypatch, capsys) -> None:
    """What cannot be charged is not written; once there is room again, it goes on."""
    watch = Watch()
    tending, writer = tender(machine, watch)
    save = tending.ledger.save

    def full() -> None:
        path = tending.ledger.path
        raise ZramOSError(errno.ENOSPC, f"{path}: keep the ledger: No space left on device", path)

    monkeypatch.setattr(tending.ledger, "save", full)
    press(machine.root, 1.0)
    tending.round()
    assert writer.steps == []
    assert "No space left on device" in capsys.readouterr().out
    monkeypatch.setattr(tending.ledger, "save", save)
    for _ in range(2):  # it is held from when the failure is seen
        watch.now += HOUR
        report = tending.round()
    assert report.written > 0


def test_a_device_that_cannot_be_read_leaves_the_others_alone(
    machine: Machine, monkeypatch, capsys
) -> None:
    watch = Watch()
    tending, _ = tender(machine, watch)
    real = Zram.read_mm_stat

    def fails(device: Zram):
        if machine.trouble:
            raise ZramOSError(errno.EIO, "zram0: read mm_stat: Input/output error", None)
        return real(device)

    monkeypatch.setattr(Zram, "read_mm_stat", fails)
    for machine.trouble, seen, told in ((True, 0, 1), (True, 0, 0), (False, 1, 0), (True, 0, 1)):
        assert len(tending.round().seen.devices) == seen
        assert capsys.readouterr().out.count("Input/output error") == told


@pytest.mark.parametrize("trouble", ["device", "record"])
def test_what_was_learnt_of_a_device_outlives_a_look_that_cannot_read_it(
    machine: Machine, monkeypatch, trouble: str
) -> None:
    """On 7.x it is not readable while somebody else writes back for more than ten seconds."""
    watch = Watch()
    tending, writer = tender(machine, watch)
    tending.round()
    (learnt,) = tending.state.devices
    learnt = learnt._replace(
        caution=4.0, held_until=watch.now + HOUR, held_for=HOUR, recompress_pause=2 * HOUR, poor=3
    )
    tending.state = tending.state._replace(devices=(learnt,))

    def fails(*_words: object) -> None:
        raise BlockedError(errno.ETIMEDOUT, "zram0: read mm_stat: held up", None)

    writer.steps.clear()
    press(machine.root, 1.0)
    with monkeypatch.context() as patch:
        if trouble == "device":
            patch.setattr(Zram, "read_mm_stat", fails)
        else:
            patch.setattr(tending.roster, "numbers", fails)
        for _ in range(3):
            watch.now += 60.0
            assert tending.round().seen.devices == ()
            assert tending.state.devices == (learnt,)
    watch.now += 60.0
    assert len(tending.round().seen.devices) == 1
    assert tending.state.devices == (learnt,)
    assert writer.steps == []
    # What is gone, in contrast, is forgotten.
    machine.attribute("disksize").write_text("0\n")
    tending.round()
    assert tending.state.devices == ()


@pytest.mark.parametrize("trouble", ["device", "record"])
def test_pressure_is_not_taken_for_our_own_after_a_look_that_could_not_read(
    machine: Machine, monkeypatch, trouble: str
) -> None:
    """A million pages that came back in the past do not come back once more."""
    watch = Watch()
    tending, _ = tender(machine, watch)
    machine.attribute("bd_stat").write_text("0 1000000 1000000\n")
    tending.round()

    def fails(*_words: object) -> None:
        raise BlockedError(errno.ETIMEDOUT, "zram0: read mm_stat: held up", None)

    press(machine.root, 1.0, total=10_000_000)
    with monkeypatch.context() as patch:
        if trouble == "device":
            patch.setattr(Zram, "read_mm_stat", fails)
        else:
            patch.setattr(tending.roster, "numbers", fails)
        watch.now += 60.0
        tending.round()
    press(machine.root, 1.0, total=20_000_000)
    watch.now += 60.0
    tending.round()
    assert tending.state.ours300 == 0.0
    # And those that do come back count, as before.
    machine.attribute("bd_stat").write_text("0 1010000 1000000\n")
    watch.now += 60.0
    before = tending.state.waited
    tending.round()
    assert tending.state.waited - before == pytest.approx(10000 * 900e-6)
    assert tending.state.ours300 > 1.0


def test_a_record_that_cannot_be_read_is_told_once_and_nothing_is_tended(
    machine: Machine, capsys
) -> None:
    tending, _ = tender(machine, Watch())
    assert len(tending.observer.look().devices) == 1
    numbers = tending.roster.numbers

    def damaged() -> list[int]:
        raise ZramError("/run/pyzram/record: read the record: it is damaged")

    tending.roster.numbers = damaged
    for told in (1, 0):
        assert tending.round().seen.devices == ()
        assert capsys.readouterr().out.count("it is damaged") == told
    tending.roster.numbers = numbers
    assert len(tending.round().seen.devices) == 1


def test_a_daemon_whose_configuration_breaks_keeps_the_settings(
    machine: Machine, tmp_path: Path
) -> None:
    """Whatever is wrong in the file, nothing in it is used."""
    from pyzram.cli.tend.command import configured

    path = tmp_path / "zram"
    path.write_text("ZRAM_SIZE_0=1M\nTEND_BUDGET=0\nTEND=yes\n")
    assert configured(str(path))[1] == 0
    path.write_text("ZRAM_SIZE_0=1M\nTEND=off\nTEND_RECLAIM=a.slice\n")
    settings, budget, groups = configured(str(path))
    assert (settings, budget, groups) == ((False, False), None, ())
    for text in ("TEND=maybe\n", "TEND_BUDGET=much\n", "ZRAM_SIZ_0=1M\n", "TEND='\n"):
        path.write_text("ZRAM_SIZE_0=1M\nTEND=off\n" + text)
        with pytest.raises(ZramError):
            configured(str(path))
