# SPDX-License-Identifier: MIT
"""A plan that was shown is what is done, or nothing is."""

from __future__ import annotations

import pytest

import pyzram

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it


@pytest.fixture
def service(box):
    return pyzram.Service(str(box.conf), directory=str(box.run_dir))


def test_exactly_the_plan_is_done(box, service):
    plan = service.plan("start")
    assert str(plan).splitlines()[:2] == [
        "device 0: add a device",
        next(str(step) for step in plan.steps if step.action == "configure"),
    ]
    assert box.numbers() == []
    plan.apply()
    assert len(box.numbers()) == 1
    with pytest.raises(pyzram.InvalidValueError, match="again"):
        plan.apply()
    stop = service.plan("stop")
    assert [step.action for step in stop.steps] == ["swapoff", "remove"]
    stop.apply()
    assert box.numbers() == []
    service.plan("stop").apply()  # nothing to do is done at once


def test_a_plan_for_another_machine_is_refused(box, service):
    start = service.plan("start")
    box.fine("start")
    before = box.known()
    with pytest.raises(pyzram.RefusedError, match="changed since the plan was made"):
        start.apply()
    assert box.known() == before
    # The same steps for the same number, but of another device.
    stop = service.plan("stop")
    box.fine("stop")
    box.fine("start")
    again = box.known()
    if list(again) == list(before):
        with pytest.raises(pyzram.RefusedError, match="changed"):
            stop.apply()
        assert box.known() == again


def test_a_plan_for_another_file_is_refused(box, service):
    plan = service.plan("start")
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=2\n")
    with pytest.raises(pyzram.RefusedError, match="changed"):
        plan.apply()
    assert box.numbers() == []


@pytest.mark.parametrize("goal", ["restart", "bogus", "", None])
def test_a_wrong_goal_is_refused(service, goal):
    with pytest.raises(pyzram.InvalidValueError, match="not one of start, stop, reload"):
        service.plan(goal)


def test_a_plan_that_nobody_can_carry_out_says_so():
    with pytest.raises(pyzram.InvalidValueError, match="make one with plan"):
        pyzram.Plan().apply()
