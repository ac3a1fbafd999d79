# SPDX-License-Identifier: MIT
"""The command ``pyzram``: a name, then what its module does."""

from __future__ import annotations

import os
import sys

# Name to the module below pyzram.cli that has it, and what it does.
COMMANDS = {
    "estimate": ("estimate", "what zram would make of processes, files or this whole system"),
    "bench": ("bench", "ratio and speed of the algorithms at their levels, on your own data"),
}


def usage() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: pyzram COMMAND [ARGUMENT...]",
            "       pyzram --help | --version",
            "",
            "commands (pyzram COMMAND --help tells more):",
            *lines,
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 for success, 1 for failure, 2 for wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] in (["--help"], ["-h"], ["help"]):
        print(usage())
        return 0
    if argv[:1] == ["--version"]:
        from .._version import __version__

        print(f"pyzram {__version__}")
        return 0
    if not argv or argv[0] not in COMMANDS:
        wrong = f"no command {argv[0]!r}" if argv else "no command given"
        print(f"pyzram: {wrong}\n{usage()}", file=sys.stderr)
        return 2
    return run(argv[0], argv[1:])


def run(name: str, argv: list[str]) -> int:
    """Load a command's module and run it; errors become one line and an exit status."""
    from importlib import import_module

    from ..errors import ZramError

    try:
        status: int = import_module(f"pyzram.cli.{COMMANDS[name][0]}").main(argv)
        sys.stdout.flush()
    except ZramError as err:
        print(f"pyzram {name}: {err}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from saying so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
