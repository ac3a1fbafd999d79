# SPDX-License-Identifier: MIT
"""Exceptions are ours and the builtin one would expect."""

from __future__ import annotations

import errno
from types import ModuleType

import pytest

import pyzram
from pyzram.errors import from_errno


@pytest.mark.parametrize(
    ("code", "own", "builtin"),
    [
        (errno.ENOENT, pyzram.NotFoundError, FileNotFoundError),
        (errno.ENODEV, pyzram.ZramOSError, OSError),
        (errno.EBUSY, pyzram.DeviceBusyError, OSError),
        (errno.EACCES, pyzram.AccessError, PermissionError),
        (errno.EPERM, pyzram.AccessError, PermissionError),
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
