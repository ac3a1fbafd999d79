# SPDX-License-Identifier: MIT
"""The path given to mount(8) is the folder itself, whichever way mount(8) mounts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

from pyzram.device.mounting import Folder

# As the mount of util-linux 2.39 and newer does it; in a mount namespace that is gone afterwards.
MOVE = """
import ctypes, os, sys
from pyzram.device.mounting import Folder
libc = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, MOVE_MOUNT, AT_FDCWD, CLONE, EMPTY = 428, 429, -100, 1, 4
tree = libc.syscall(OPEN_TREE, AT_FDCWD, b"/proc", CLONE)
with Folder("zram7", sys.argv[1]) as folder:
    path = folder.path.encode()
    if tree < 0 or libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, path, EMPTY):
        sys.exit(os.strerror(ctypes.get_errno()))
print(os.path.exists(sys.argv[1] + "/self"))
"""


def test_no_link_is_at_its_end(tmp_path):
    with Folder("zram7", str(tmp_path)) as folder:
        seen = os.lstat(folder.path)
        assert stat.S_ISDIR(seen.st_mode)
        assert os.path.samestat(seen, tmp_path.stat())


def test_move_mount_takes_it(tmp_path):
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-Ic", MOVE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert not any(tmp_path.iterdir())
