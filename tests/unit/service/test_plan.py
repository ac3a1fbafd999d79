# SPDX-License-Identifier: MIT
"""Plans from literals: a file's text and a machine, no kernel anywhere."""

from __future__ import annotations

import json

import pytest

from pyzram.config.config import Config
from pyzram.config.parser import parse_config
from pyzram.kernel.parse import SwapArea
from pyzram.service.diff import mount_words, remount_words
from pyzram.service.observed import ObservedDevice, ObservedSystem
from pyzram.service.plan import Plan
from pyzram.service.planner import plan_start, plan_stop
from pyzram.service.reload_planner import plan_reload

MIB = 1 << 20
GIB = 1 << 30


def conf(text: str = "ZRAM_SIZE_0=1G") -> Config:
    return parse_config(text, "zram", ram=8 * GIB, cpus=4)


def running(
    config: Config, index: int = 0, number: int = 5, used: int = 0, **changed: object
) -> ObservedDevice:
    """A device as ``start`` leaves it, with what a test changes."""
    desired = config.devices[index]
    area = (
        SwapArea(f"/dev/zram{number}", "partition", desired.disksize, used, desired.priority)
        if desired.is_swap
        else None
    )
    device = ObservedDevice(
        number,
        index=index,
        ready=True,
        disksize=desired.disksize,
        mem_limit=desired.mem_limit,
        mem_used=used // 4,
        area=area,
        mounts=(desired.mount_point,) if desired.mount_point else (),
        settings=desired,
    )
    for name, value in changed.items():
        setattr(device, name, value)
    return device


def machine(*devices: ObservedDevice, **more: object) -> ObservedSystem:
    areas = [device.area for device in devices if device.area]
    areas += more.pop("areas", [])  # type: ignore[operator]
    return ObservedSystem(devices=devices, areas=areas, **more)  # type: ignore[arg-type]


def actions(plan: Plan) -> list[str]:
    return [step.action for step in plan.steps]


NEW_SWAP = ["add", "configure", "mkswap", "swapon", "ready"]
NEW_MOUNT = ["add", "configure", "mkfs", "mount", "permissions", "ready"]
GONE_SWAP = ["swapoff", "remove"]


# ---- start -------------------------------------------------------------------------------------


def test_start_sets_up_what_is_missing() -> None:
    plan = plan_start(conf("ZRAM_SIZE_0=1G\nZRAM_MOUNT_1=/srv"), machine())
    assert actions(plan) == NEW_SWAP + NEW_MOUNT
    assert plan.refusals == plan.warnings == ()


def test_start_loads_a_module_that_is_not_loaded() -> None:
    assert actions(plan_start(conf(), machine(driver=False)))[0] == "load"


def test_start_does_nothing_when_all_runs() -> None:
    config = conf("NUM_DEVICES=2\nZRAM_MEM_LIMIT_0=100M\nZRAM_MOUNT_1=/srv\nZRAM_OWNER_1=a:b")
    both = machine(running(config, 0), running(config, 1, 6), mounted={"/srv"})
    assert actions(plan_start(config, both)) == []
    assert actions(plan_reload(config, both)) == []


def test_start_leaves_a_running_device_that_differs_and_says_so() -> None:
    plan = plan_start(conf("ZRAM_SIZE_0=2G"), machine(running(conf())))
    assert actions(plan) == []
    assert list(plan.warnings) == ["zram5: disksize 1G -> 2G in zram (pyzram reload applies it)"]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("zstd lz4", "lz4", False),
        ("zstd lz4", "lz4 zstd", False),
        ("zstd lz4(level=2)", "lz4(level=2) lzo", False),
        ("zstd lz4", "lz4(level=2)", True),
        ("zstd lz4", "deflate lz4", True),  # deflate may be there, nobody has asked
        ("lz4", "lzo", True),
        ("zstd", "zstd lz4", True),  # what runs was not chosen from it
    ],
)
def test_a_list_that_chooses_what_runs_is_no_change(
    before: str, after: str, *, changed: bool
) -> None:
    device = running(conf(f"ZRAM_ALGORITHM_0='{before}'"), algorithm="lz4")
    plan = plan_reload(conf(f"ZRAM_ALGORITHM_0='{after}'"), machine(device))
    assert [change.field for change in plan.changes] == (["algorithms"] if changed else [])


def test_start_clears_away_what_a_killed_start_left() -> None:
    config = conf()
    left = running(config, area=None, ready=False, disksize=0)
    assert actions(plan_start(config, machine(left))) == ["remove", *NEW_SWAP]


def test_start_notes_a_device_complete_that_was_killed_just_before() -> None:
    config = conf()
    assert actions(plan_start(config, machine(running(config, ready=False)))) == ["ready"]


def test_start_repeats_mode_and_owner_when_it_was_killed_before_them() -> None:
    config = conf("ZRAM_MOUNT_0=/srv")
    plan = plan_start(config, machine(running(config, ready=False), mounted={"/srv"}))
    assert actions(plan) == ["permissions", "ready"]


def test_start_finishes_a_reload_that_was_killed_while_draining() -> None:
    config = conf()
    old, new = running(config), running(config, number=6)
    plan = plan_start(config, machine(old, new))
    assert [(step.action, step._args["number"]) for step in plan.steps] == [
        ("swapoff", 5),
        ("remove", 5),
    ]


def test_start_takes_away_the_new_device_of_a_reload_that_was_killed_early() -> None:
    config = conf()
    old, new = running(config), running(config, number=6, ready=False, area=None)
    plan = plan_start(config, machine(old, new))
    assert [(step.action, step._args["number"]) for step in plan.steps] == [("remove", 6)]


def test_start_mounts_an_unmounted_file_system_again_and_keeps_what_it_holds() -> None:
    config = conf("ZRAM_MOUNT_0=/srv")
    plan = plan_start(config, machine(running(config, mounts=())))
    assert actions(plan) == ["mount", "ready"]


def test_start_makes_swap_anew_that_somebody_swapped_off() -> None:
    config = conf()
    assert actions(plan_start(config, machine(running(config, area=None)))) == [
        "remove",
        *NEW_SWAP,
    ]


def test_somebody_elses_device_is_never_in_a_plan() -> None:
    config = conf("UNLOAD_ON_STOP=yes")
    foreign = ObservedDevice(0, disksize=GIB, area=SwapArea("/dev/zram0", "partition", GIB, 5, 100))
    for plan in (
        plan_start(config, machine(foreign)),
        plan_reload(config, machine(foreign)),
        plan_stop(config, machine(foreign)),
    ):
        assert all(step._args.get("number") != 0 for step in plan.steps)
    assert plan_stop(config, machine(foreign)).warnings == ("zram stays loaded: others use zram0",)


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("LOAD_ON_START=no", {"driver": False}, "LOAD_ON_START=no"),
        ("", {"driver": False, "container": "docker"}, "container (docker)"),
        ("", {"writable": False, "container": "lxc"}, "container (lxc)"),
        ("", {"writable": False}, "read-only"),
        (
            "ZRAM_MOUNT_0=/tmp\nALL_OR_NOTHING=yes",
            {"mounted": {"/tmp"}},
            "already mounted on /tmp",
        ),
    ],
)
def test_start_is_refused_with_the_reason(text: str, more: dict[str, object], words: str) -> None:
    (refusal,) = plan_start(conf(text), machine(**more)).refusals  # type: ignore[arg-type]
    assert words in refusal


def test_a_container_that_may_use_zram_may_use_it() -> None:
    assert not plan_start(conf(), machine(container="docker")).refusals


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"zswap": True}, "zswap is on"),
        ({"resume": "zram0"}, "resume from zram0"),
        (
            {"areas": [SwapArea("/swapfile", "partition", GIB, 0, 200)]},
            "/swapfile has priority 200, zram 100",
        ),
        ({"areas": [SwapArea("/swapfile", "partition", GIB, 0, 100)]}, "used in turn"),
    ],
)
def test_what_spoils_zram_is_warned_about_once(more: dict[str, object], words: str) -> None:
    config = conf("NUM_DEVICES=2")
    (warning,) = plan_start(config, machine(**more)).warnings  # type: ignore[arg-type]
    assert words in warning


def test_a_swap_file_with_a_lower_priority_is_nothing_to_warn_about() -> None:
    lower = SwapArea("/swapfile", "partition", GIB, 0, -2)
    assert not plan_start(conf(), machine(areas=[lower])).warnings


# ---- stop --------------------------------------------------------------------------------------


def test_stop_takes_devices_down_in_reverse() -> None:
    config = conf("NUM_DEVICES=2\nZRAM_MOUNT_1=/srv")
    plan = plan_stop(config, machine(running(config, 0), running(config, 1, 6)))
    assert [(step.action, step._args["number"]) for step in plan.steps] == [
        ("umount", 6),
        ("remove", 6),
        ("swapoff", 5),
        ("remove", 5),
    ]


def test_stop_is_refused_when_memory_cannot_take_the_pages_back() -> None:
    config = conf()
    device = running(config, used=600 * MIB)
    (refusal,) = plan_stop(config, machine(device, available=500 * MIB)).refusals
    assert "600M is swapped out" in refusal
    assert not plan_stop(config, machine(device, available=601 * MIB)).refusals


def test_other_swap_counts_when_stopping_but_our_own_does_not() -> None:
    config = conf("NUM_DEVICES=2")
    both = [running(config, 0, 5, used=600 * MIB), running(config, 1, 6)]
    assert plan_stop(config, machine(*both, available=500 * MIB)).refusals
    other = SwapArea("/swapfile", "partition", 200 * MIB, 100 * MIB, -2)
    assert not plan_stop(config, machine(*both, available=500 * MIB, areas=[other])).refusals


def test_stop_unloads_only_when_asked() -> None:
    assert actions(plan_stop(conf(), machine())) == []
    assert actions(plan_stop(conf("UNLOAD_ON_STOP=yes"), machine())) == ["unload"]


def test_stop_does_without_a_readable_file() -> None:
    assert actions(plan_stop(None, machine(running(conf())))) == GONE_SWAP


# ---- reload ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "ZRAM_SIZE_0=2G",
        "ZRAM_ALGORITHM_0=lz4",
        "ZRAM_PARAMS_0=level=5",
        "ZRAM_RECOMP_ALGORITHM_0=zstd",
        "ZRAM_BACKING_DEV_0=/dev/sdb",
        "ZRAM_PRIORITY_0=5",
        "ZRAM_DISCARD_0=pages",
        "ZRAM_LABEL_0=other",
    ],
)
def test_a_new_swap_device_comes_up_before_the_old_one_is_drained(line: str) -> None:
    old = running(conf(), used=100 * MIB)
    plan = plan_reload(conf(f"ZRAM_SIZE_0=1G\n{line}"), machine(old))
    assert actions(plan) == NEW_SWAP + GONE_SWAP
    swapon = plan.steps[3]
    assert swapon._args["priority"] > 100
    assert {change.needs for change in plan.changes} == {"new device"}


def test_the_priority_is_the_files_where_that_is_higher_already() -> None:
    plan = plan_reload(conf("ZRAM_SIZE_0=1G\nZRAM_PRIORITY_0=200"), machine(running(conf())))
    assert plan.steps[3]._args["priority"] == 200


def test_a_raised_priority_is_no_difference_afterwards() -> None:
    config = conf()
    device = running(config)
    assert device.area
    device.area = SwapArea(**{**device.area.as_dict(), "priority": 101})
    assert actions(plan_reload(config, machine(device))) == []


@pytest.mark.parametrize(
    ("before", "line", "action"),
    [
        ("ZRAM_SIZE_0=1G", "ZRAM_MEM_LIMIT_0=100M", "mem_limit"),
        ("ZRAM_BACKING_DEV_0=/dev/sdb", "ZRAM_WRITEBACK_LIMIT_0=1G", "writeback_limit"),
    ],
)
def test_what_can_change_live_changes_live(before: str, line: str, action: str) -> None:
    plan = plan_reload(conf(f"{before}\n{line}"), machine(running(conf(before))))
    assert actions(plan) == [action, "ready"]
    assert plan.changes[0].needs == "live"


def test_a_mount_changes_options_mode_and_owner_live() -> None:
    before = conf("ZRAM_MOUNT_0=/srv")
    after = conf("ZRAM_MOUNT_0=/srv\nZRAM_MOUNT_OPTS_0=noatime\nZRAM_MODE_0=700\nZRAM_OWNER_0=a")
    plan = plan_reload(after, machine(running(before), mounted={"/srv"}))
    assert actions(plan) == ["mount_options", "permissions", "ready"]


def test_reload_never_throws_away_a_file_system() -> None:
    before = conf("ZRAM_MOUNT_0=/srv\nZRAM_SIZE_0=1G")
    after = conf("ZRAM_MOUNT_0=/srv\nZRAM_SIZE_0=2G")
    plan = plan_reload(after, machine(running(before), mounted={"/srv"}))
    assert actions(plan) == []
    assert "stored on /srv would be lost" in plan.refusals[0]


def test_reload_takes_down_what_the_file_no_longer_has() -> None:
    before = conf("NUM_DEVICES=2\nZRAM_SIZE_0=1G\nZRAM_SIZE_1=1G")
    plan = plan_reload(conf(), machine(running(before, 0), running(before, 1, 6)))
    assert [(step.action, step._args["number"]) for step in plan.steps] == [
        ("swapoff", 6),
        ("remove", 6),
    ]


@pytest.mark.parametrize(
    ("available", "refused"), [(16 * MIB, True), (44 * MIB, True), (48 * MIB, False)]
)
def test_reload_is_refused_when_there_is_no_memory_for_it_on_the_way(
    available: int, refused: bool
) -> None:
    old = running(conf(), used=1000 * MIB)
    config = conf("ZRAM_SIZE_0=1G\nZRAM_ALGORITHM_0=lz4")
    plan = plan_reload(config, machine(old, available=available))
    assert bool(plan.refusals) == refused


def test_reload_to_a_device_that_is_too_small_is_refused() -> None:
    old = running(conf(), used=1000 * MIB)
    config = conf("ZRAM_SIZE_0=64M")
    assert "can take" in plan_reload(config, machine(old, available=500 * MIB)).refusals[0]
    assert not plan_reload(config, machine(old, available=2 * GIB)).refusals


def test_a_bridge_takes_the_pages_while_the_backing_device_changes_hands() -> None:
    before = conf("ZRAM_SIZE_0=1G\nZRAM_BACKING_DEV_0=/dev/sdb")
    after = conf("ZRAM_SIZE_0=2G\nZRAM_BACKING_DEV_0=/dev/sdb\nZRAM_WRITEBACK_LIMIT_0=1M")
    plan = plan_reload(after, machine(running(before)))
    assert plan.refusals == ()
    assert actions(plan) == NEW_SWAP + GONE_SWAP + NEW_SWAP + GONE_SWAP
    bridge = [bool(step._args.get("bridge")) for step in plan.steps]
    assert bridge == [True] * 5 + [False] * 2 + [False] * 5 + [True] * 2
    assert [step._args["number"] for step in plan.steps[5:7]] == [5, 5]
    assert [plan.steps[at]._args["priority"] for at in (3, 10)] == [101, 101]
    desired = after.devices[0].without_backing()
    assert (desired.backing_dev, desired.writeback_limit, desired.disksize) == (None, None, 2 * GIB)
    assert after.devices[0].backing_dev == "/dev/sdb"


def test_start_goes_on_with_the_bridge_of_a_killed_reload() -> None:
    config = conf("ZRAM_SIZE_0=1G\nZRAM_BACKING_DEV_0=/dev/sdb")
    old = running(config, number=5)
    bridge = running(config, number=6, settings=config.devices[0].without_backing())
    new = running(config, number=7, ready=False)
    begun = running(config, number=7, area=None, ready=False)

    def numbers(plan: Plan) -> list[tuple[str, object]]:
        return [(step.action, step._args.get("number")) for step in plan.steps]

    plan = plan_start(config, machine(old, bridge))
    assert numbers(plan) == [("swapoff", 5), ("remove", 5)]
    assert "zram6: backing_dev none -> /dev/sdb" in plan.warnings[0]
    assert numbers(plan_start(config, machine(bridge, begun))) == [("remove", 7)]
    plan = plan_start(config, machine(bridge, new))
    assert numbers(plan) == [("swapoff", 6), ("remove", 6), ("ready", 7)]
    assert actions(plan_reload(config, machine(bridge))) == NEW_SWAP + GONE_SWAP


@pytest.mark.parametrize("backing", ["", "\nZRAM_BACKING_DEV_0=/dev/sdb"])
def test_a_reload_counts_what_comes_back_from_the_backing_device(backing: str) -> None:
    old = running(conf("ZRAM_SIZE_0=1G\nZRAM_BACKING_DEV_0=/dev/sdb"), used=600 * MIB)
    config = conf("ZRAM_SIZE_0=2G" + backing)
    assert not plan_reload(config, machine(old, available=300 * MIB)).refusals
    old.backed = 500 * MIB
    assert "on the way" in plan_reload(config, machine(old, available=300 * MIB)).refusals[0]


def test_a_plan_is_plain_json() -> None:
    plan = plan_reload(conf("ZRAM_SIZE_0=2G"), machine(running(conf()), zswap=True))
    document = json.loads(json.dumps(plan.as_dict()))
    assert document["steps"][0] == {"action": "add", "index": 0, "text": "add a device"}
    assert document["changes"] == [
        {
            "index": 0,
            "name": "zram5",
            "field": "disksize",
            "have": 1 << 30,
            "want": 2 << 30,
            "needs": "new device",
        }
    ]
    assert len(document["warnings"]) == 1
    assert document["refusals"] == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("ZRAM_SIZE_0=1G", "ZRAM_SIZE_0=1048580", "disksize 1073741824 -> 1073745920"),
        ("ZRAM_MEM_LIMIT_0=1M", "", "mem_limit 1M -> 0B"),
        ("ZRAM_WRITEBACK_LIMIT_0=1M", "ZRAM_WRITEBACK_LIMIT_0=2M", "writeback_limit 1M -> 2M"),
        ("", "ZRAM_WRITEBACK_LIMIT_0=2M", "writeback_limit none -> 2M"),
    ],
)
def test_sizes_are_told_as_they_are_written(before: str, after: str, words: str) -> None:
    backing = "ZRAM_BACKING_DEV_0=/dev/sdb\n"
    plan = plan_reload(conf(backing + after), machine(running(conf(backing + before))))
    assert f"zram5: {words}" in map(str, plan.changes)


# ---- what a remount can do ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "want", "words"),
    [
        ("", "noatime", ["noatime"]),
        ("noatime,nosuid", "noexec", ["atime,relatime", "suid", "noexec"]),
        ("noatime,discard", "", ["atime,relatime", "nodiscard"]),
        ("ro,sync", "sync", ["rw", "sync"]),
        ("commit=30", "commit=5", ["commit=5"]),
        ("defaults,rw", "nodev", ["nodev"]),
        ("commit=30", "", None),
        ("nobarrier,noatime", "noatime", None),
    ],
)
def test_remounting_takes_back_what_is_no_longer_wanted(
    have: str, want: str, words: list[str] | None
) -> None:
    assert remount_words(have, want) == words


@pytest.mark.parametrize(
    ("fstype", "have", "want", "live"),
    [
        ("btrfs", "", "subvol=a", False),
        ("btrfs", "subvol=a,noatime", "subvol=a", True),
        ("btrfs", "compress=zstd", "compress=lzo", True),
        ("xfs", "", "discard", False),
        ("xfs", "discard", "", False),
        ("xfs", "discard", "discard,noatime", True),
        ("exfat", "", "discard", False),
        ("vfat", "discard", "noexec", False),
        ("vfat", "discard", "discard,noexec", True),
        ("ext4", "", "discard", True),
        ("xfs", "", "largeio", False),
        ("xfs", "", "inode32", True),
    ],
)
def test_what_a_file_system_does_not_change_while_it_is_mounted(
    fstype: str, have: str, want: str, live: bool
) -> None:
    assert (remount_words(have, want, fstype) is not None) is live


def test_an_impossible_device_is_left_out_and_the_others_are_planned() -> None:
    text = "ZRAM_SIZE_0=64M\nZRAM_MOUNT_1=/tmp\nZRAM_SIZE_2=64M"
    plan = plan_start(conf(text), machine(mounted={"/tmp"}))
    assert plan.refusals == ()
    (left,) = plan.left_out
    assert left.index == 1
    assert left.why == "device 1: something else is already mounted on /tmp: unmount that first"
    assert {step.index for step in plan.steps} == {0, 2}
    assert plan.as_dict()["left_out"] == [{"index": 1, "why": plan.left_out[0].why}]
    # A reload is done completely, or refused.
    assert plan_reload(conf(text), machine(mounted={"/tmp"})).refusals


def bound_elsewhere(text: str) -> ObservedDevice:
    device = running(conf(text))
    device.others = ("/elsewhere",)
    return device


def test_a_mount_of_others_is_not_undone() -> None:
    text = "ZRAM_MOUNT_0=/srv"
    seen = machine(bound_elsewhere(text), mounted={"/srv", "/elsewhere"})
    plan = plan_stop(conf(text), seen)
    assert list(plan.refusals) == [
        "zram5: also mounted on /elsewhere, which pyzram did not do: unmount that first"
    ]
    assert not plan_start(conf(text), seen).steps
    # Ours is gone: it is mounted again, on the same device.
    seen.devices[0].mounts = ()
    assert [step.action for step in plan_start(conf(text), seen).steps] == ["mount", "ready"]


def test_mount_options_that_only_a_new_mount_drops_are_refused() -> None:
    before = conf("ZRAM_MOUNT_0=/srv\nZRAM_MOUNT_OPTS_0=data=writeback")
    plan = plan_reload(conf("ZRAM_MOUNT_0=/srv"), machine(running(before), mounted={"/srv"}))
    assert plan.changes[0].needs == "new mount"
    assert plan.steps == ()
    assert list(plan.refusals) == [
        "zram5: these mount_options cannot change while it is mounted: unmount /srv, then start"
    ]


def test_a_setting_that_is_gone_goes_back_live() -> None:
    before = conf("ZRAM_MOUNT_0=/srv\nZRAM_MODE_0=1777\nZRAM_OWNER_0=a")
    plan = plan_reload(conf("ZRAM_MOUNT_0=/srv"), machine(running(before), mounted={"/srv"}))
    assert actions(plan) == ["permissions", "ready"]


def test_mount_words_ask_for_discard_once() -> None:
    assert mount_words("noatime", "both") == "noatime,discard"
    assert mount_words("", "none") == ""


# ---- held up by the kernel ---------------------------------------------------------------------


def test_start_is_content_with_a_device_that_is_being_written_back() -> None:
    config = conf("ZRAM_SIZE_0=1G\nZRAM_MEM_LIMIT_0=100M")
    plan = plan_start(config, machine(running(config, busy=True, mem_limit=0)))
    assert plan.steps == plan.refusals == plan.warnings == ()


@pytest.mark.parametrize("goal", ["stop", "reload", "the same"])
def test_what_would_wait_for_a_writeback_is_refused(goal: str) -> None:
    device = running(conf(), busy=True)
    wanted = conf() if goal == "the same" else conf("ZRAM_SIZE_0=2G")
    plan = (
        plan_stop(conf(), machine(device))
        if goal == "stop"
        else plan_reload(wanted, machine(device))
    )
    assert list(plan.refusals) == [
        "zram5: a writeback or recompression is under way and holds up everything else: "
        "try again when it has ended"
    ]


# ---- others ------------------------------------------------------------------------------------


def test_somebody_elses_device_is_named_and_left_alone() -> None:
    area = SwapArea("/dev/zram3", "partition", GIB, 0, 50)
    theirs = ObservedDevice(3, disksize=GIB, area=area)
    ours_elsewhere = ObservedDevice(
        4, disksize=GIB, mounts=("/tmp",), elsewhere="/etc/conf.d/zram.tmp"
    )
    idle = ObservedDevice(6)
    for plan in (
        plan_start(conf(), machine(theirs, ours_elsewhere, idle)),
        plan_reload(conf(), machine(theirs, ours_elsewhere, idle)),
    ):
        assert actions(plan) == NEW_SWAP
        assert list(plan.warnings) == [
            "zram3 (1G, swap with priority 50) was not made by pyzram and is left alone"
        ]


def test_a_table_that_memory_has_no_room_for_is_refused() -> None:
    plan = plan_start(conf("ZRAM_SIZE_0=8G"), machine(available=16 * MIB))
    (left,) = plan.left_out
    assert left.index == 0
    assert left.why.startswith(
        "device 0: the table of 8G takes 32M of memory at once, but only 16M"
    )
    assert plan.steps == ()
    assert not plan_start(conf("ZRAM_SIZE_0=4G"), machine(available=16 * MIB)).left_out
