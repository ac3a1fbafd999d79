# SPDX-License-Identifier: MIT
"""A dictionary is opened without waiting for anybody."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from pyzram.errors import ZramOSError
from pyzram.kernel.dictionary_file import open_dictionary


def test_whoever_has_a_lease_on_a_dictionary_cannot_keep_us_waiting(tmp_path: Path) -> None:
    """The kernel lets an opener wait 45 seconds for the owner of the file to give it up."""
    path = tmp_path / "dictionary"
    path.write_bytes(b"words")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        begun = time.monotonic()
        with pytest.raises(ZramOSError) as caught:
            open_dictionary(str(path), "")
        assert caught.value.errno == errno.EAGAIN
        assert time.monotonic() - begun < 5
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
    with open_dictionary(str(path), "") as fd:
        assert os.read(fd, 9) == b"words"
