# SPDX-License-Identifier: MIT
"""The command ``pyzram``: a name, then what its module does."""

from __future__ import annotations

import os
import sys

# Name to the module below pyzram.cli that has it (with the function, where that is not main), and
# what it does.
COMMANDS = {
    "start": ("service:start", "set up the devices of the configuration that are missing"),
    "stop": ("service:stop", "take down the devices that start made"),
    "reload": ("service:reload", "apply a changed configuration, without a moment without swap"),
    "restart": ("service:restart", "stop and start, if the configuration is right"),
    "status": ("service:status", "the devices of the configuration, and whether they run"),
    "info": ("service:info", "statistics of every zram device"),
    "check": ("service:check", "everything that is wrong with the configuration"),
    "plan": ("service:plan", "what reload would change, and what each change needs"),
    "import": ("convert", "zram-init's or zram-generator's configuration as one of pyzram"),
    "estimate": ("estimate", "what zram would make of processes, files or this whole system"),
    "doctor": ("doctor", "what is wrong or wasteful in the running set-up, and what mends it"),
    "writeback": ("writeback", "write pages to the backing device now, and say what moved"),
    "recompress": ("recompress", "recompress pages with a secondary algorithm now"),
    "bench": ("bench", "ratio and speed of the algorithms at their levels, on your own data"),
}


def usage() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: pyzram [-c FILE] COMMAND [ARGUMENT...]",
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
    leading: list[str] = []
    if argv[:1] in (["-c"], ["--config"]):
        leading, argv = argv[:2], argv[2:]
    elif argv and argv[0].startswith("--config="):
        leading, argv = argv[:1], argv[1:]
    if not argv or argv[0] not in COMMANDS:
        wrong = f"no command {argv[0]!r}" if argv else "no command given"
        print(f"pyzram: {wrong}\n{usage()}", file=sys.stderr)
        return 2
    return run(argv[0], leading + argv[1:])


def run(name: str, argv: list[str]) -> int:
    """Load a command's module and run it; errors become one line and an exit status."""
    from importlib import import_module

    from ..errors import ZramError
    from .options import UsageError

    module, _, function = COMMANDS[name][0].partition(":")
    try:
        status: int = getattr(import_module(f"pyzram.cli.{module}"), function or "main")(argv)
        sys.stdout.flush()
    except UsageError as err:
        print(f"pyzram {name}: {err} (pyzram {name} --help)", file=sys.stderr)
        return 2
    except ZramError as err:
        for line in str(err).splitlines():
            print(f"pyzram {name}: {line}", file=sys.stderr)
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
