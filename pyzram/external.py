# SPDX-License-Identifier: MIT
"""Run util-linux's programs; :mod:`subprocess` would cost as much time as they take."""

from __future__ import annotations

import errno
import os

from .errors import ZramError, ZramOSError

SIGTERM = 15  # the signal module is slow to load
# A service may be started with hardly any environment.
SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramError(ZramError):
    """A program failed; ``status`` is its exit status, negative for a signal."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def find(program: str) -> str | None:
    """Return the path of a program, or ``None``."""
    for directory in (os.environ.get("PATH") or SEARCH).split(":"):
        path = f"{directory or '.'}/{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def run_program(step: str, *command: str, package: str = "util-linux") -> str:
    """Run a program to its end and return what it printed.

    ``step`` says in an error what was tried, ``package`` where the program comes from.

    Raises:
        ZramOSError: it is missing (ENOENT), or cannot be run.
        ProgramError: it failed; its own words are kept.
    """
    path = find(command[0])
    if path is None:
        raise ZramOSError(
            errno.ENOENT, f"{step}: {command[0]} is missing (install {package})", command[0]
        )
    # Files in memory, for a pipe could fill up.
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    errors = os.memfd_create("errors", os.MFD_CLOEXEC)
    try:
        pid = os.posix_spawn(
            path,
            command,
            {**os.environ, "LC_ALL": "C"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
        )
        try:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except BaseException:
            # Ended by a signal: what undoes this step must not meet a program still at work.
            os.kill(pid, SIGTERM)
            os.waitpid(pid, 0)
            raise
        text = _text(output)
        said = _text(errors) or text
    except OSError as err:
        raise ZramOSError(err.errno or 0, f"{step}: run {path}: {err.strerror}", path) from err
    finally:
        os.close(output)
        os.close(errors)
    if status != 0:
        # How to use a program is not why it failed.
        words = " ".join(said.partition("\nUsage:")[0].split()) or f"exit status {status}"
        raise ProgramError(f"{step}: {words}", status)
    return text


def _text(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode("utf-8", "replace")
