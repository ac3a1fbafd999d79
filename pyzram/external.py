# SPDX-License-Identifier: MIT
"""Run other packages' programs; loading :mod:`subprocess` would take as long as they run."""

from __future__ import annotations

import errno
import os

from . import interruption
from .errors import ZramError, ZramOSError, reduced
from .text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# A service may start with hardly any environment.
SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramError(ZramError):
    """A program failed; ``status`` is its exit status, negative for a signal."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.args[0], self.status)


def find(program: str) -> str | None:
    """Return the path of a program, or ``None``.

    After all of PATH, the ``sbin`` beside each ``bin`` in it is searched too, because Debian leaves
    it out for users, and for root after a plain su.
    """
    directories = (os.environ.get("PATH") or SEARCH).split(":")
    beside = [path[:-3] + "sbin" for path in directories if path.endswith("/bin")]
    for directory in directories + beside:
        path = f"{directory or '.'}/{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def run_program(
    step: str, *command: str, package: str = "util-linux", descriptors: Sequence[int] = ()
) -> str:
    """Run a program to its end and return what it printed.

    An error names ``step``, what was attempted, and ``package``, where the program comes from.
    ``descriptors``, all above 2, are open in the program too, with the same numbers.

    Raises:
        ZramOSError: it is missing (ENOENT) or cannot be run.
        ProgramError: it failed; the message has its output.
        Ended: a signal was noted meanwhile, whether or not the program finished.
    """
    path = find(command[0])
    if path is None:
        raise ZramOSError(
            errno.ENOENT, f"{step}: {command[0]} is missing (install {package})", command[0]
        )
    # Use files in memory, because a pipe could fill up.
    output = errors = -1
    try:
        output = os.memfd_create("output", os.MFD_CLOEXEC)
        errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        pid = os.posix_spawn(
            path,
            command,
            {**os.environb, b"LC_ALL": b"C"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
                *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in descriptors),
            ],
            # Ctrl-C in a terminal reaches the program too, but must not end one that undoes
            # work.
            setsigmask=interruption.ENDING if interruption.being_deferred() else (),
        )
        status = interruption.wait_for(pid)
        text = _text(output)
        said = _text(errors) or text
    except ChildProcessError as err:
        why = "ended, but how is not known, since this process ignores SIGCHLD"
        raise ZramOSError(errno.ECHILD, f"{step}: {path} {why}", path) from err
    except OSError as err:
        raise ZramOSError(err.errno or 0, f"{step}: run {path}: {err.strerror}", path) from err
    finally:
        for fd in (output, errors):
            if fd >= 0:
                os.close(fd)
    interruption.check()
    if status != 0:
        # A usage message does not say why it failed.
        words = " ".join(said.partition("\nUsage:")[0].split()) or f"exit status {status}"
        if step.endswith(f": {command[0]}"):
            words = words.removeprefix(f"{command[0]}: ")
        raise ProgramError(f"{step}: {quote(words)}", status)
    return text


def _text(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode("utf-8", "replace")
