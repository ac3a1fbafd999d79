# SPDX-License-Identifier: MIT
"""Either the plan that was shown is carried out, or nothing is."""

from __future__ import annotations

import errno

import pytest

import pyzram

pytestmark = pytest.mark.slow  # an emulated guest takes minutes for it


@pytest.fixture
def service(box):
    return pyzram.Service(str(box.conf), directory=str(box.run_dir))


def test_exactly_the_plan_is_done(box, service):
    plan = service.plan("start")
    configure = next(str(step) for step in plan.steps if step.action == "configure")
    lines = [line for line in str(plan).split("\n") if not line.startswith("warning: ")]
    assert lines[:2] == ["  1. device 0: add a device", f"  2. {configure}"]
    assert box.numbers() == []
    plan.apply()
    assert len(box.numbers()) == 1
    with pytest.raises(pyzram.InvalidValueError, match="again"):
        plan.apply()
    stop = service.plan("stop")
    assert [step.action for step in stop.steps] == ["swapoff", "remove"]
    stop.apply()
    assert box.numbers() == []
    nothing = service.plan("stop")
    assert (str(nothing), repr(nothing)) == ("nothing to do", "<Plan 0 steps>")
    nothing.apply()  # is done at once


def test_exactly_the_planned_reload_is_done(box, service):
    """A change of a running device, and a new device that replaces another that is in use."""
    box.fine("start")
    (number,) = box.numbers()
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\nZRAM_MEM_LIMIT_0=32M\n")
    plan = service.plan("reload")
    assert f"zram{number}: mem_limit 0B -> 32M (live)" in str(plan).split("\n")
    plan.apply()
    assert box.numbers() == [number]
    with pyzram.Zram(number) as device:
        assert device.read_mm_stat().mem_limit == 32 << 20
    box.write("ZRAM_SIZE_0=128M\n")
    plan = service.plan("reload")
    assert "(needs a new device)" in str(plan)
    plan.apply()
    (second,) = box.numbers()
    with pyzram.Zram(second) as device:
        assert device.read_disksize() == 128 << 20
        assert device.read_swap_area() is not None
    assert service.plan("reload").steps == ()


def test_a_reload_for_another_machine_is_refused(box, service):
    """Between the plan and its application somebody else has reloaded, or taken swap off."""
    box.fine("start")
    box.write("ZRAM_SIZE_0=128M\n")
    plan = service.plan("reload")
    box.fine("reload")
    before = box.known()
    with pytest.raises(pyzram.RefusedError, match="changed since the plan was made"):
        plan.apply()
    assert box.known() == before
    box.write("ZRAM_SIZE_0=64M\n")
    plan = service.plan("reload")
    (number,) = box.numbers()
    with pyzram.Zram(number) as device:
        device.swapoff()
        with pytest.raises(pyzram.RefusedError, match="changed since the plan was made"):
            plan.apply()
        assert device.read_disksize() == 128 << 20
        assert box.known() == before


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


def test_an_error_says_device_step_and_errno_to_programs(box, service):
    """The first fails because its folder is a file; the second is set up all the same."""
    file = box.conf.parent / "file"
    file.write_text("")
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_MOUNT_0={file}\nZRAM_SIZE_1=16M\n")
    with pytest.raises(pyzram.StepError) as caught:
        service.start()
    (failure,) = caught.value.failures
    assert (failure.index, failure.errno) == (0, errno.ENOTDIR)
    assert failure.step == f"mount it on {file}"
    assert str(caught.value) == failure.why
    assert len(box.numbers()) == 1
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("goal", ["restart", "bogus", "", None])
def test_a_wrong_goal_is_refused(service, goal):
    with pytest.raises(pyzram.InvalidValueError, match="not one of start, stop, reload"):
        service.plan(goal)


def test_a_plan_that_nobody_can_carry_out_says_so():
    with pytest.raises(pyzram.InvalidValueError, match="make one with plan"):
        pyzram.Plan().apply()
