# SPDX-License-Identifier: MIT
"""Exceptions are ours and also the builtin that you would expect."""

from __future__ import annotations

import copy
import errno
import pickle
from types import ModuleType

import pytest

import pyzram
from pyzram.errors import from_errno
from pyzram.external import ProgramError


@pytest.mark.parametrize(
    ("code", "own", "builtin"),
    [
        (errno.ENOENT, pyzram.NotFoundError, FileNotFoundError),
        (errno.ENODEV, pyzram.ZramOSError, OSError),
        (errno.EBUSY, pyzram.DeviceBusyError, OSError),
        (errno.EACCES, pyzram.AccessError, PermissionError),
        (errno.EPERM, pyzram.AccessError, PermissionError),
        (errno.ESRCH, pyzram.ProcessNotFoundError, ProcessLookupError),
        (errno.EOPNOTSUPP, pyzram.UnsupportedError, NotImplementedError),
        (errno.ETIMEDOUT, pyzram.BlockedError, TimeoutError),
        (errno.EINVAL, pyzram.ZramOSError, OSError),
    ],
)
def test_an_errno_becomes_its_class_and_is_kept(code, own, builtin):
    err = from_errno(code, "zram1: do it", "/sys/block/zram1/x", remedy="try again")
    assert type(err) is own
    assert isinstance(err, builtin)
    assert isinstance(err, pyzram.ZramError)
    assert err.errno == code
    assert err.filename == "/sys/block/zram1/x"
    assert str(err).startswith("zram1: do it: ")
    assert str(err).endswith("(try again)")


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.ENXIO])
def test_a_device_that_is_not_there_is_told_from_a_file(code):
    err = from_errno(code, "zram1: remove", of_device=True)
    assert type(err) is pyzram.DeviceNotFoundError
    assert isinstance(err, pyzram.NotFoundError)
    assert type(from_errno(errno.EBUSY, "zram1: remove", of_device=True)) is pyzram.DeviceBusyError


def test_a_file_that_is_not_there_is_no_device(tmp_path):
    for ask in (pyzram.open_files, lambda path: pyzram.Service(str(path)).read_config()):
        with pytest.raises(pyzram.NotFoundError) as caught:
            ask(tmp_path / "missing")
        assert not isinstance(caught.value, pyzram.DeviceNotFoundError)
        assert caught.value.errno == errno.ENOENT


def test_every_public_name_can_be_loaded():
    # In both orders: importing a submodule must never hide a function of the same name.
    for name in [*pyzram.__all__, *reversed(pyzram.__all__)]:
        assert not isinstance(getattr(pyzram, name), ModuleType)
    assert set(pyzram.__all__) <= set(dir(pyzram))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = pyzram.no_such_name


FAILURES = (
    pyzram.StepFailure(0, "add a device", "device 0: add a device: no", errno.ENOSPC),
    pyzram.StepFailure(1, None, "device 1: left out", None),
)


def errors() -> list[pyzram.ZramError]:
    """One of each class."""
    made = []
    for name in pyzram.__all__:
        kind = getattr(pyzram, name)
        if isinstance(kind, type) and issubclass(kind, pyzram.ZramOSError):
            made.append(kind(errno.EIO, "zram1: do it: no", "/dev/zram1"))
        elif kind is pyzram.StepError:
            made.append(kind(FAILURES))
        elif kind is pyzram.RefusedError:
            made.append(kind(["zram1: no", "zram2: no"]))
        elif kind is pyzram.ConfigError:
            made.append(kind(["zram:1: no", "zram:2: no"], ["zram:3: odd"]))
        elif isinstance(kind, type) and issubclass(kind, pyzram.ZramError):
            made.append(kind("zram1: no"))
    return [*made, ProgramError("zram1: mkfs: no", 3)]


@pytest.mark.parametrize("err", errors(), ids=lambda err: type(err).__name__)
def test_what_went_wrong_afterwards_comes_through_too(err):
    err._append("undoing it failed too: busy")
    for back in (pickle.loads(pickle.dumps(err)), copy.copy(err)):
        assert str(back) == str(err)
        assert str(back).endswith("; undoing it failed too: busy")
        assert vars(back) == vars(err)


@pytest.mark.parametrize("err", errors(), ids=lambda err: type(err).__name__)
def test_an_error_comes_through_a_pool_of_processes_as_it_is(err):
    """With what programs read from it, too; and it is the builtin that its name says."""
    back = pickle.loads(pickle.dumps(err))
    assert type(back) is type(err)
    assert str(back) == str(err)
    assert vars(back) == vars(err)
    assert getattr(back, "errno", None) == getattr(err, "errno", None)
    assert getattr(back, "filename", None) == getattr(err, "filename", None)


def test_what_many_lines_say_programs_read_one_by_one():
    step = pyzram.StepError(iter(FAILURES))
    assert step.failures == FAILURES
    assert str(step) == "device 0: add a device: no\ndevice 1: left out"
    refused = pyzram.RefusedError(["a", "b"])
    assert (refused.refusals, str(refused)) == (("a", "b"), "a\nb")
    assert isinstance(step, RuntimeError) and isinstance(refused, RuntimeError)


def test_a_wrong_type_is_a_type_error_and_a_wrong_value():
    assert issubclass(pyzram.InvalidTypeError, TypeError)
    assert issubclass(pyzram.InvalidTypeError, pyzram.InvalidValueError)
    assert not issubclass(pyzram.InvalidValueError, TypeError)


def test_a_plan_is_frozen_and_stays_with_its_service(tmp_path):
    plan = pyzram.Plan()
    for name in ("steps", "changes", "warnings", "refusals", "left_out"):
        assert getattr(plan, name) == ()
        with pytest.raises(AttributeError):
            setattr(plan, name, [])
    service = pyzram.Service(str(tmp_path / "zram"), directory=str(tmp_path / "run"))
    for held, words in ((plan, "pass as_dict"), (service, "make one there")):
        for refuse in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=words):
                refuse(held)
