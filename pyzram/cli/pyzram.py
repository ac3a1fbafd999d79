# SPDX-License-Identifier: MIT
"""The command ``pyzram``: the first word names a command, whose module does the rest."""

from __future__ import annotations

import gc
import sys

from .output import (
    complain,
    drop_output,
    flush,
    keep_children,
    lacks_extension,
    leave,
    open_standard_files,
)

# From each name to its module below pyzram.cli (with the function, if that is not main) and to
# what the command does.
COMMANDS = {
    "start": ("service:start", "set up the configured devices that do not run yet"),
    "stop": ("service:stop", "take down the devices that start made"),
    "reload": ("service:reload", "apply a changed configuration, without a gap in swap"),
    "restart": ("service:restart", "stop, then start, if the configuration is valid"),
    "status": ("service:status", "show the configured devices, and whether they run"),
    "info": ("service:info", "show statistics of every zram device"),
    "check": ("service:check", "report everything that is wrong with the configuration"),
    "plan": ("service:plan", "show what reload would change, and what each change needs"),
    "import": ("import_config", "translate the configuration of another tool into pyzram's"),
    "estimate": (
        "estimate.command",
        "estimate what zram would save on processes, files or this system",
    ),
    "doctor": ("doctor", "find what is wrong or wasteful in the running setup, and how to fix it"),
    "writeback": ("writeback", "write pages to the backing device, and show what moved"),
    "recompress": ("recompress", "recompress pages with a secondary algorithm"),
    "top": ("top.command", "show the devices live: how full, their traffic, memory pressure"),
    "tend": ("tend.command", "recompress and write back automatically, within a budget"),
    "bench": ("bench", "measure ratio and speed of the algorithms on your own data"),
}

# The exit status of a failure, for commands where 1 is an answer.
FAILURE = {"doctor": 2}


def usage() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: pyzram [-c FILE] COMMAND [ARGUMENT...]",
            "       pyzram help [COMMAND] | --help | --version",
            "",
            "commands (see also pyzram COMMAND --help):",
            *lines,
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 for success, 1 for failure, 2 for wrong usage.

    For some commands other values have a meaning; their manual pages say which.
    """
    if argv is not None:
        return _main(argv)
    try:
        return _main(sys.argv[1:])
    finally:
        # This process ends now. The module is loaded only if a command notes signals.
        if interruption := sys.modules.get("pyzram.interruption"):
            interruption.ignore()


def _main(argv: list[str]) -> int:
    from ..errors import ZramError
    from .options import UsageError

    open_standard_files()
    keep_children()
    leading, argv = _leading(argv)
    name = argv[0] if argv and argv[0] in COMMANDS else ""
    program = f"pyzram {name}".rstrip()
    failure = FAILURE.get(name, 1)
    try:
        status = run(name, leading + argv[1:]) if name else explain(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except UsageError as err:
        return _fail(2, f"{program}: {err.advice(program)}")
    except ZramError as err:
        return _fail(failure, *(f"{program}: {line}" for line in _words(err, str(err))))
    except BrokenPipeError:
        # The reader has gone.
        drop_output()
        return failure
    except OSError as err:
        drop_output()
        said = f"{err.filename or 'write'}: {err.strerror}"
        return _fail(failure, *(f"{program}: {line}" for line in _words(err, said)))
    except ImportError as err:
        if not lacks_extension(err):
            raise
        return _fail(failure, f"{program}: {err}")
    except MemoryError:
        return _fail(failure, f"{program}: out of memory")
    except KeyboardInterrupt:
        return 130
    except SystemExit:
        flush()
        raise
    return status


def _words(err: Exception, said: str) -> list[str]:
    """Return the lines of an error; if what it names in /proc is missing with all of it, say so."""
    if isinstance(err, FileNotFoundError) and str(err.filename).startswith("/proc/"):
        from ..descriptor import NO_PROC, lacks_proc

        if lacks_proc():
            return [NO_PROC]
    return said.split("\n")


def run(name: str, argv: list[str]) -> int:
    """Load a command's module and run it; errors are exceptions."""
    module, _, function = COMMANDS[name][0].partition(":")
    if module == "service":
        # These end before there is any garbage; looking for it would take a tenth of their time.
        gc.freeze()
        gc.disable()
    # importlib and its imports would take longer than many a command.
    loaded = __import__(f"pyzram.cli.{module}", fromlist=["main"])
    return int(getattr(loaded, function or "main")(argv))


def explain(argv: list[str]) -> int:
    """Respond to words that are not a command: a question about commands, or a mistake."""
    if argv[:1] == ["help"] and argv[1:2]:
        if argv[1] in COMMANDS:
            return run(argv[1], ["--help"])
        argv = argv[1:]
    elif argv[:1] in (["--help"], ["-h"], ["help"]):
        print(usage())
        return 0
    if argv[:1] in (["--version"], ["-V"]):
        from .._version import __version__

        print(f"pyzram {__version__}")
        return 0
    from ..text import closest
    from .options import UsageError

    if not argv:
        raise UsageError("no command given")
    if argv[0].startswith("-"):
        name = argv[0].partition("=")[0]
        close = closest(name.lstrip("-"), ("config", "help", "version"))
        raise UsageError(f"unknown option {name}", close and f"--{close}")
    raise UsageError(f"no command {argv[0]!r}", closest(argv[0], COMMANDS))


def _leading(argv: list[str]) -> tuple[list[str], list[str]]:
    """Split off a ``--config FILE`` before the command."""
    if argv[:1] in (["-c"], ["--config"]):
        return argv[:2], argv[2:]
    if argv and argv[0].startswith("--config="):
        return argv[:1], argv[1:]
    return [], argv


def _fail(status: int, *lines: str) -> int:
    for line in lines:
        complain(line)
    flush()
    return status


if __name__ == "__main__":
    leave(main())
