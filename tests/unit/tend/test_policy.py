# SPDX-License-Identifier: MIT
"""What the policy promises, on made-up machines of every kind."""

from __future__ import annotations

import math

import pytest
from effort import effort
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyzram.tend.actions import Compact, Recompress, WriteBack
from pyzram.tend.allotment import LEAST, Allotment
from pyzram.tend.caution import regret
from pyzram.tend.modes import AFTER_START
from pyzram.tend.observation import DeviceObserved, Observation
from pyzram.tend.policy import decide, enough
from pyzram.tend.rounds import OLDEST, age_floor
from pyzram.tend.settings import Settings
from pyzram.tend.state import CALM, CHOKED, HELD, PRESSED, TIGHT, State

MIB = 1 << 20
GIB = 1 << 30
HOUR = 3600.0

percent = st.floats(0, 100)
sizes = st.integers(0, 64 * GIB)

devices = st.builds(
    DeviceObserved,
    name=st.just("zram0"),
    key=st.sampled_from(["1", "2"]),
    orig_data_size=sizes,
    compr_data_size=sizes,
    mem_used_total=sizes,
    mem_limit=sizes,
    free=sizes,
    budget=st.integers(1, 8 * GIB),
    left=sizes,
    own_limit=st.none() | sizes,
    gentle=st.booleans(),
    slow=st.booleans(),
    bd_writes=sizes,
    bd_reads=sizes,
    ages=st.booleans(),
    recompression=st.booleans(),
    gain=st.none() | st.floats(-1, 1),
    compacted=st.none() | st.floats(0, 1),
    failed=st.booleans(),
    limit_changed=st.booleans(),
    media=st.lists(st.sampled_from("ab"), max_size=2, unique=True).map(tuple),
).map(lambda device: device._replace(left=min(device.left, device.budget)))

observations = st.builds(
    Observation,
    now=st.floats(0, 1e7),
    total=st.integers(1, 64 * GIB),
    available=sizes,
    some10=st.none() | percent,
    some300=st.none() | percent,
    full10=st.none() | percent,
    io_full10=st.none() | percent,
    cpu_some10=st.none() | percent,
    stalled=st.floats(0, 1e6),
    waited=st.floats(0, 1e6),
    scanning=st.floats(0, 1e5),
    trigger=st.sampled_from(["", "some", "full"]),
    battery=st.none() | percent,
    battery_error=st.sampled_from(["", "", "BAT0/capacity: Input/output error"]),
    started=st.floats(0, 1e7),
    resumed=st.floats(0, 1e7) | st.just(-math.inf),
    devices=st.lists(devices, max_size=3).map(
        lambda found: tuple(d._replace(name=f"zram{i}", key=f"{i}") for i, d in enumerate(found))
    ),
)


def machine(**changes: object) -> Observation:
    """A machine with one device, at ease and long awake."""
    device = DeviceObserved(
        "zram0", "7", 3 * GIB, GIB, GIB, free=8 * GIB, budget=GIB, left=GIB, recompression=True
    )
    seen = Observation(
        now=1e6, total=8 * GIB, available=4 * GIB, some10=0.0, some300=0.0, full10=0.0,
        io_full10=0.0, cpu_some10=0.0, devices=(device,),
    )  # fmt: skip
    own = {key: changes.pop(key) for key in list(changes) if key in DeviceObserved._fields}
    return seen._replace(devices=(device._replace(**own),), **changes)


def written(decision) -> int:
    """The most that the actions may write to one medium together."""
    by_device: dict[str, int] = {}
    for action in decision.actions:
        if isinstance(action, WriteBack):
            # Actions of one round share the limit; the largest of them bounds all.
            by_device[action.device] = max(by_device.get(action.device, 0), action.limit)
    return sum(by_device.values())


def test_who_is_told_to_leave_all_alone_says_so():
    off = decide(machine(some10=9.0), State(), Settings(writeback=False, recompression=False))
    assert off.reasons == ("the configuration says to leave devices alone",)
    assert {type(action) for action in off.actions} <= {Compact}
    on = decide(machine(some10=9.0), State())
    assert on.actions and "the configuration says to leave devices alone" not in on.reasons


@given(observations, observations)
@settings(max_examples=effort(150), deadline=None)
def test_same_input_gives_same_output(first, second):
    one = decide(second, decide(first, State()).state)
    other = decide(second, decide(first, State()).state)
    assert one == other


@given(st.lists(observations, min_size=1, max_size=12))
@settings(max_examples=effort(150), deadline=None)
def test_nothing_happens_while_held_and_never_more_than_is_left(seen):
    state = State()
    for observation in sorted(seen, key=lambda one: one.now):
        decision = decide(observation, state)
        state = decision.state
        if state.mode == HELD:
            assert decision.actions == () and decision.reasons
        for action in decision.actions:
            device = next(d for d in observation.devices if d.name == action.device)
            if isinstance(action, WriteBack):
                assert action.limit <= device.left
                assert action.limit <= device.free
                assert device.own_limit is None or action.limit <= device.own_limit
                assert action.floor <= action.oldest <= OLDEST
            elif isinstance(action, Recompress):
                assert device.recompression and action.age >= 600
        assert 1.0 <= state.wake <= 60.0


@given(
    st.lists(st.tuples(st.floats(30, 3 * HOUR), percent, sizes, st.booleans()), max_size=150),
    st.integers(16 * MIB, 8 * GIB),
)
@settings(max_examples=effort(60), deadline=None)
def test_never_more_than_the_budget_in_any_day(looks, budget):
    """With a ledger that says what is left, and a machine that writes everything that it may."""
    now, state, log = 1e6, State(), []
    for passed, some10, available, pressed in looks:
        now += passed
        total = sum(size for when, size in log if when > now - 24 * HOUR)
        decision = decide(
            machine(
                now=now, some10=some10, some300=some10 / 2, available=available % (4 * GIB),
                trigger="some" if pressed else "", budget=budget, left=budget - total,
            ),
            state,
        )  # fmt: skip
        state = decision.state
        if size := written(decision):
            log.append((now, size))
        assert sum(size for when, size in log if when > now - 24 * HOUR) <= budget


shares = st.sampled_from([0.0, 0.003, 0.05, 0.09]) | st.floats(0, 6) | percent


@given(observations | st.just(machine()), shares, shares, shares, shares, sizes)
@settings(max_examples=effort(300), deadline=None)
def test_more_pressure_never_means_less(seen, some10, more10, some300, more300, less):
    """Below choking, when only small steps are taken."""
    calm = seen._replace(
        some10=min(some10, more10), some300=min(some300, more300), full10=0.0, trigger="",
        available=max(seen.available, less), waited=0.0, stalled=0.0, started=-math.inf,
        resumed=-math.inf, battery=None, battery_error="",
    )  # fmt: skip
    hard = calm._replace(
        some10=max(some10, more10), some300=max(some300, more300),
        available=min(seen.available, less),
    )  # fmt: skip
    one, other = decide(calm, State()), decide(hard, State())
    assert other.state.pressure >= one.state.pressure
    modes = (CALM, TIGHT, PRESSED)
    assert modes.index(other.state.mode) >= modes.index(one.state.mode)
    assert written(other) >= written(one)
    assert age_floor(other.state.pressure, 1.0) <= age_floor(one.state.pressure, 1.0)


def test_calm_machine_is_left_alone_but_for_what_is_two_days_old():
    decision = decide(machine(), State())
    assert decision.state.mode == CALM
    floors = [a.floor for a in decision.actions if isinstance(a, WriteBack) and not a.huge]
    assert floors == [OLDEST]
    assert written(decision) == GIB // 8
    assert decide(machine(now=1e6 + 60), decision.state).actions == ()


def test_pressure_that_is_over_leaves_what_calm_does():
    """It fades within hours; while nobody waits, no younger page is worth a write."""
    decision = decide(machine(some300=2.0), State())
    assert decision.state.mode == TIGHT and decision.state.pressure == 1.0
    writes = [action for action in decision.actions if isinstance(action, WriteBack)]
    assert [action.floor for action in writes if not action.huge] == [OLDEST]
    assert all(action.whole for action in writes) and written(decision) == GIB // 8
    waiting = decide(machine(some300=2.0, some10=0.5), State())
    writes = [action for action in waiting.actions if isinstance(action, WriteBack)]
    assert [action.floor for action in writes if not action.huge] == [3.5 * HOUR]
    assert not any(action.whole for action in writes)


@pytest.mark.parametrize(
    ("changes", "huge", "all_pages"),
    [
        ({}, 34.3, 48.0),
        ({"some10": 0.5}, 34.3, 48.0),  # calm, but not at ease
        ({"some10": 2.0, "some300": 0.025}, 6.5, 9.2),
        ({"some10": 2.0, "some300": 0.05}, 3.0, 3.5),
    ],
)
def test_raw_pages_are_written_earlier_but_none_of_the_last_three_hours(changes, huge, all_pages):
    actions = [a for a in decide(machine(**changes), State()).actions if isinstance(a, WriteBack)]
    assert [action.huge for action in actions] == [True, False]
    assert [action.floor / HOUR for action in actions] == pytest.approx([huge, all_pages], abs=0.06)
    assert [action.whole for action in actions] == [changes.get("some10", 0.0) < 1.0] * 2


def test_to_a_slow_medium_nothing_goes_that_was_used_within_a_day_or_17_hours_if_raw():
    """However short memory is; but what stays in memory is recompressed as elsewhere."""
    for changes in ({"some10": 9.0, "some300": 1.0}, {"full10": 30.0, "some300": 1.0}):
        floors = {}
        for slow in (False, True):
            actions = decide(machine(slow=slow, **changes), State()).actions
            floors[slow] = [a.floor for a in actions if isinstance(a, WriteBack)]
            again = [a.age for a in actions if isinstance(a, Recompress)]
            assert again == [3.5 * HOUR / 4] * 2
        assert len(floors[True]) == len(floors[False])
        assert floors[True] == [24 * HOUR / 1.4, 24 * HOUR][: len(floors[False])]
        assert max(floors[False]) < 24 * HOUR / 1.4


def test_devices_share_the_budget_of_a_medium_and_no_other():
    (one,) = machine().devices
    for media, share in ((("a", "a"), 2), (("a", "b"), 1)):
        devices = tuple(
            one._replace(name=f"zram{n}", key=f"{n}", medium=medium)
            for n, medium in enumerate(media)
        )
        decision = decide(machine()._replace(devices=devices), State())
        assert written(decision) == 2 * (GIB // 8 // share)


def test_pressure_from_pages_that_come_back_from_flash_is_no_reason_to_write_more():
    before = decide(machine(), State()).state
    ours = machine(now=1e6 + 60, some10=20.0, some300=2.0, trigger="some", stalled=9.0, waited=9.0)
    assert decide(ours, before).state.mode == CALM
    foreign = ours._replace(waited=0.0)
    assert decide(foreign, before).state.mode == PRESSED


def test_states_are_left_only_after_a_quiet_minute():
    state = decide(machine(some10=6.0), State()).state
    assert state.mode == PRESSED
    for passed, some10, expected in ((10, 2.0, PRESSED), (20, 0.5, PRESSED), (60, 0.5, PRESSED)):
        state = decide(machine(now=1e6 + passed, some10=some10), state).state
        assert state.mode == expected, passed
    assert decide(machine(now=1e6 + 81, some10=0.5), state).state.mode == TIGHT


def test_choked_machine_takes_little_steps_and_none_on_a_choked_medium():
    decision = decide(machine(full10=30.0), State())
    assert decision.state.mode == CHOKED
    (action,) = [a for a in decision.actions if isinstance(a, WriteBack)]
    assert action.huge and action.step == 4 * MIB
    decision = decide(machine(full10=30.0, io_full10=30.0), State())
    assert not written(decision)


def allowance(seen: Observation, mode: str, pressure: float) -> int:
    return Allotment(seen).of(mode, pressure, seen.devices[0])


@given(devices, st.none() | percent, st.floats(0, 1))
def test_calm_is_never_allowed_more_than_tight_nor_tight_more_than_pressed(device, battery, some):
    """Whatever was written before, the part is at most what calm leaves of its own."""
    seen = machine(battery=battery)._replace(devices=(device,))
    one, two, three = (allowance(seen, mode, some) for mode in (CALM, TIGHT, PRESSED))
    most = max(device.budget // 8, LEAST)
    assert one <= two <= three <= most
    if battery is None:
        free = device.free - device.free // 100
        own = free if device.own_limit is None else device.own_limit
        part = most if device.mem_used_total else LEAST
        assert three == min(part, device.left, free, own)
    elif device.left <= device.budget // 2:
        assert three == 0


def test_what_keeps_from_writing_is_told():
    """The reason names the bound in the way: the budget only if little is left of it."""
    spent = machine(left=GIB - GIB // 8)
    for seen, reason in (
        (spent, "enough written for now, 896 MiB left of its budget"),
        (machine(left=3 * MIB), "3 MiB left of its budget"),
        (machine(left=-5), "0 MiB left of its budget"),
        (machine(own_limit=MIB), "1 MiB left of its writeback_limit"),
        (machine(free=2 * MIB), "2 MiB free on its backing device"),
    ):
        decision = decide(seen, State())
        assert written(decision) == 0 and decision.reasons == (f"zram0: {reason}",)
    assert decide(machine(), State()).reasons == ()


def test_a_small_budget_is_used_to_its_end():
    """Parts of it are too little for a round, but not all of it; on battery, half of it is."""
    for budget in (LEAST, 9 * MIB, 31 * MIB):
        for some10 in (0.0, 2.0, 9.0):
            now, left = 1e6, budget
            while left >= LEAST:
                seen = machine(now=now, some10=some10, budget=budget, left=left)
                size = written(decide(seen, State()))
                # What calm does not do at once, it does the next day.
                assert LEAST <= size <= left or (not some10 and left < budget)
                left, now = left - max(size, LEAST), now + HOUR
    on_battery = machine(battery=50.0, budget=8 * MIB, left=8 * MIB)
    assert written(decide(on_battery, State())) == LEAST
    decision = decide(machine(battery=50.0, budget=7 * MIB, left=7 * MIB), State())
    assert written(decision) == 0
    assert decision.reasons == (
        "zram0: half of its budget is kept while on battery, 7 MiB left of its budget",
    )


def test_devices_on_a_small_budget_take_turns():
    """Each part would be too little; together they get no more than one device would."""
    (one,) = machine(budget=32 * MIB, left=32 * MIB).devices
    two = tuple(one._replace(name=f"zram{n}", key=f"{n}", medium="a") for n in range(2))
    names = []
    for hour in range(4):
        seen = machine(now=1e6 + hour * HOUR)._replace(devices=two)
        decision = decide(seen, State())
        assert written(decision) == LEAST
        (name,) = {a.device for a in decision.actions if isinstance(a, WriteBack)}
        names.append(name)
        (reason,) = decision.reasons
        assert "others write to its medium in this round, 32 MiB left of its budget" in reason
        assert not reason.startswith(name)
    assert names[0] != names[1] and names[:2] == names[2:]


def test_what_a_choked_medium_is_spared_is_not_said_to_be_others():
    (one,) = machine(budget=8 * MIB, left=8 * MIB).devices
    two = tuple(one._replace(name=f"zram{n}", key=f"{n}", medium="a") for n in range(2))
    decision = decide(machine(full10=30.0, io_full10=30.0)._replace(devices=two), State())
    assert decision.state.mode == CHOKED and not written(decision)
    assert sorted(reason for reason in decision.reasons if "medium" in reason) == [
        "zram0: the medium is choked, too",
        "zram1: the medium is choked, too",
    ]


def test_a_device_on_several_media_goes_by_each_of_them():
    (one,) = machine().devices
    mirror = one._replace(name="zram0", key="0", medium="a", media=("a", "b"))
    other = one._replace(name="zram1", key="1", medium="b", media=("b",))
    decision = decide(machine()._replace(devices=(mirror, other)), State())
    assert written(decision) == GIB // 8
    third = other._replace(name="zram2", key="2", medium="c", media=("c",))
    decision = decide(machine()._replace(devices=(mirror, third)), State())
    assert written(decision) == 2 * (GIB // 8)


def test_a_full_medium_and_one_that_is_gone_are_told():
    for changes, reason in (
        ({"free": 0, "medium": "a"}, "0 MiB free on its backing device"),
        ({"free": 0, "medium": "a", "lost": True}, "its backing device cannot be found"),
    ):
        assert decide(machine(**changes), State()).reasons == (f"zram0: {reason}",)
    assert decide(machine(free=0), State()).reasons == ()  # none at all


def test_who_waited_while_memory_is_plentiful_makes_nobody_short_of_it():
    """As the processes of a control group at its own limit do, day and night."""
    for available, some10, mode in (
        (7.5, 0.28, CALM), (4.1, 0.0, CALM), (3.9, 0.28, TIGHT), (7.5, 1.0, TIGHT),
    ):  # fmt: skip
        seen = machine(some10=some10, some300=0.28, available=int(available * GIB))
        assert decide(seen, State()).state.mode == mode, available
    # The earlier shortage is over too, but not the present waiting.
    before = State(TIGHT, 1.0, 1e6 - 60)
    assert decide(machine(available=5 * GIB), before).state.pressure == 0.0
    assert decide(machine(available=3 * GIB), before).state.pressure > 0.9
    assert decide(machine(available=5 * GIB, trigger="some"), before).state.pressure > 0.9


def test_battery_holds_until_it_is_well_charged():
    low = decide(machine(battery=20.0), State())
    assert low.state.mode == HELD and low.reasons == ("battery at 20 %",)
    assert decide(machine(battery=23.9), low.state).state.mode == HELD
    assert decide(machine(battery=24.1), low.state).state.mode == CALM
    assert decide(machine(battery=None), low.state).state.mode == CALM


def test_a_battery_that_cannot_be_read_holds_and_is_told():
    unread = machine(battery_error="BAT0/status: Input/output error")
    held = decide(unread, State(low_battery=True))
    assert (held.state.mode, held.actions) == (HELD, ())
    assert held.reasons == ("the battery cannot be read: BAT0/status: Input/output error",)
    assert held.state.low_battery  # which is left as it was
    assert decide(machine(battery=24.1), held.state).state.mode == CALM


def test_pressure_that_cannot_be_read_is_told_and_the_rest_goes_on():
    unread = machine(some10=None, pressure_error="pressure/memory: Input/output error")
    decision = decide(unread, State())
    assert decision.reasons == ("pressure cannot be read: pressure/memory: Input/output error",)
    assert decision.actions == decide(machine(some10=None), State()).actions != ()


def test_battery_halves_the_budget_and_calm_recompression_waits():
    assert allowance(machine(battery=50.0), CALM, 0.0) == GIB // 16
    decision = decide(machine(battery=50.0), State())
    assert not [a for a in decision.actions if isinstance(a, Recompress)]


def test_start_and_resume_hold_for_a_while():
    assert decide(machine(started=1e6 - 10), State()).state.mode == HELD
    assert decide(machine(started=1e6 - AFTER_START), State()).state.mode == CALM
    assert decide(machine(resumed=1e6 - 119), State()).state.mode == HELD
    assert decide(machine(resumed=1e6 - 120), State()).state.mode == CALM


def test_failing_medium_is_left_alone_for_longer_each_time():
    state, now = State(), 1e6
    for held in (60, 120, 240):
        state = decide(machine(now=now, failed=True), state).state
        assert state.devices[0].held_until == now + held
        now += HOUR
    for _ in range(20):
        state = decide(machine(now=now, failed=True), state).state
    assert state.devices[0].held_until == now + 24 * HOUR


def test_a_day_without_an_error_is_a_new_beginning():
    state, now = State(), 1e6
    for _month in range(12):
        state = decide(machine(now=now, failed=True), state).state
        (device,) = state.devices
        assert device.held_for == 60.0
        now = device.held_until + 86400.0 + 1.0
        state = decide(machine(now=now), state).state


def test_limit_set_by_somebody_else_is_respected_for_an_hour():
    decision = decide(machine(limit_changed=True), State())
    assert decision.actions == ()
    assert decision.reasons == ("zram0: held for 3600 s more",)


def test_pages_that_come_back_make_it_careful():
    state = decide(machine(), State()).state
    for hour in range(1, 6):
        seen = machine(now=1e6 + hour * HOUR, bd_reads=hour * 100 * MIB)
        state = decide(seen, state).state
    assert state.devices[0].caution > 1.5
    for hour in range(6, 130):
        state = decide(machine(now=1e6 + hour * HOUR, bd_reads=500 * MIB), state).state
    assert state.devices[0].caution == 1.0


def test_what_others_wrote_to_the_medium_makes_nobody_bolder():
    """Nor what was charged in vain: a quarter of what this device wrote comes back."""
    first = machine(left=0, budget=64 * GIB, bd_writes=0)
    state = decide(first, State()).state
    for hour in range(1, 6):
        seen = first.devices[0]._replace(bd_writes=hour * 400 * MIB, bd_reads=hour * 100 * MIB)
        state = decide(first._replace(now=1e6 + hour * HOUR, devices=(seen,)), state).state
    assert state.devices[0].caution > 1.5
    assert regret(state.devices[0]) == pytest.approx(0.25)


def test_recompression_that_gains_little_twice_pauses():
    state = decide(machine(), State()).state
    assert state.devices[0].recompressed == 1e6
    for pause in (0.0, HOUR, 2 * HOUR):
        state = decide(machine(now=state.now + 60, gain=0.01), state).state
        assert state.devices[0].recompress_pause == pause
    state = decide(machine(now=state.now + 60, gain=0.2), state).state
    assert state.devices[0].recompress_pause == 0.0


def test_without_ages_a_card_is_spared():
    actions = decide(machine(ages=False, gentle=True), State()).actions
    assert all(action.huge for action in actions if isinstance(action, Recompress))


def test_holes_are_packed_until_that_frees_nothing():
    seen = machine(mem_used_total=GIB, compr_data_size=GIB // 2)
    decision = decide(seen, State())
    assert Compact("zram0") in decision.actions
    later = seen._replace(now=1e6 + HOUR)
    fruitless = later._replace(devices=(seen.devices[0]._replace(compacted=0.0),))
    assert Compact("zram0") not in decide(fruitless, decision.state).actions


def test_without_a_second_algorithm_nothing_is_recompressed():
    actions = decide(machine(recompression=False, some10=5.0), State()).actions
    assert {type(action) for action in actions} == {WriteBack}


def test_switches_are_obeyed():
    off = Settings(writeback=False, recompression=False)
    assert decide(machine(some10=50.0), State(), off).actions == ()


@given(observations)
def test_enough_is_only_said_at_ease(seen):
    assume(seen.total > 0)
    if enough(seen):
        assert (seen.some10 or 0) < 0.1 and seen.available > seen.total / 5


def test_a_pool_that_grows_lowers_the_age_before_anybody_waits_but_not_on_a_card():
    pressure = [
        decide(machine(total=GIB * 100 // share), State()).state.pressure for share in (15, 25, 40)
    ]
    assert pressure[0] == 0.0 < pressure[1] < pressure[2] < 0.3
    seen = machine(total=GIB * 100 // 40, gentle=True)
    assert decide(seen, State()).state.mode == CALM


@pytest.mark.parametrize(
    ("changes", "pressure"),
    [
        # Without PSI, what processes reclaim themselves stands for their waiting, and never alone
        # for full pressure.
        ({"some10": None, "some300": None, "scanning": 1000.0}, 0.5),
        ({"some10": None, "some300": None, "scanning": 1e5}, 0.9),
        ({"scanning": 1e5}, 0.0),
        ({"available": int(0.06 * 8 * GIB)}, 0.3),
        ({"available": int(0.09 * 8 * GIB)}, 0.125),
        ({"mem_limit": GIB}, 1.0),
        ({"mem_limit": GIB * 8 // 7}, 0.5),
        ({"mem_limit": 2 * GIB}, 0.0),
        ({"some10": 10.0}, 0.5),
        ({"some300": 0.025}, 0.5),
    ],
)
def test_each_kind_of_shortage_is_pressure(changes, pressure):
    changes = {"available": 3 * GIB, "total": 8 * GIB, **changes}
    assert decide(machine(**changes), State()).state.pressure == pytest.approx(pressure, abs=1e-3)


def test_pressure_fades_and_tight_is_left_at_less_than_it_is_entered_with():
    def after(minutes: float, mode: str, pressure: float) -> tuple[str, float]:
        before = State(mode, pressure, 1e6 - 60 * minutes, -math.inf)
        state = decide(machine(available=3 * GIB), before).state
        return state.mode, state.pressure

    assert after(30, TIGHT, 1.0) == (TIGHT, pytest.approx(math.exp(-1)))
    assert after(0, CALM, 0.045)[0] == CALM
    assert after(0, TIGHT, 0.045)[0] == TIGHT
    assert after(0, TIGHT, 0.035)[0] == CALM
    assert after(0, CALM, 0.055)[0] == TIGHT


def test_recompression_is_of_cold_pages_now_and_then_and_leaves_processors_alone():
    def asked(state: State | None = None, **changes: object) -> list[Recompress]:
        actions = decide(machine(**changes), state or State()).actions
        return [action for action in actions if isinstance(action, Recompress)]

    assert [(one.age, one.seconds) for one in asked()] == [(6 * HOUR, 72.0)] * 2
    short = asked(some10=9.0, some300=1.0)  # a quarter of the least age of pages to write
    assert [(one.age, one.seconds) for one in short] == [(3.5 * HOUR / 4, 18.0)] * 2
    for busy in ({"cpu_some10": 10.1}, {"some10": 10.0}):
        assert asked(**busy) == []
        reasons = decide(machine(**busy), State()).reasons
        assert "zram0: no recompression, the processors are busy" in reasons
    assert asked(cpu_some10=9.9) != []
    before = decide(machine(some10=3.0), State()).state
    for minutes, some10, again in (
        (50, 3.0, False),
        (60, 3.0, True),
        (14, 9.0, False),
        (15, 9.0, True),
    ):
        found = asked(before, now=1e6 + 60 * minutes, some10=some10)
        assert bool(found) is again, minutes


@pytest.mark.parametrize(
    ("some10", "minutes", "again"), [(5.9, 16, False), (6.1, 16, True), (6.1, 14, False)]
)
def test_from_three_tenths_of_full_pressure_it_recompresses_each_quarter_of_an_hour(
    some10, minutes, again
):
    before = decide(machine(some10=some10), State()).state
    seen = machine(now=1e6 + 60 * minutes, some10=some10)
    actions = decide(seen, before).actions
    assert any(isinstance(action, Recompress) for action in actions) is again


def test_without_ages_a_disk_recompresses_only_when_memory_is_short():
    for some10, again in ((0.0, False), (4.0, True)):
        actions = decide(machine(ages=False, some10=some10), State()).actions
        assert any(isinstance(action, Recompress) for action in actions) is again


def test_few_holes_are_left_alone():
    for used, holes, packed in (
        (GIB, 80 * MIB, False), (GIB, 84 * MIB, True), (64 * MIB, 15 * MIB, False),
        (64 * MIB, 17 * MIB, True),
    ):  # fmt: skip
        seen = machine(mem_used_total=used, compr_data_size=used - holes)
        assert (Compact("zram0") in decide(seen, State()).actions) is packed


def test_it_sleeps_for_a_minute_or_until_its_next_round():
    assert decide(machine(), State()).state.wake == 60.0
    assert decide(machine(battery=5.0), State()).state.wake == 60.0
    between = State(CALM, 0.0, 1e6 - 60, -math.inf, 1e6 - HOUR + 20)
    assert decide(machine(), between).state.wake == 20.0
    between = between._replace(round=1e6 - 60)
    assert decide(machine(), between).state.wake == 60.0
