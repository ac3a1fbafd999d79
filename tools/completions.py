# SPDX-License-Identifier: MIT
"""Write initscripts/completions from the commands' own tables of options.

``python tools/completions.py`` rewrites the files, ``--check`` says which are out of date. The
values of options (words, files, devices, algorithms, columns) are completed too; the files run no
program while they complete.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from pyzram.cli import options, pyzram, stats_columns, zram_stats
from pyzram.cli.options import Option
from pyzram.cli.service import command_line
from pyzram.config.values import ALGORITHMS

FOLDER = Path(__file__).resolve().parents[1] / "initscripts/completions"
HEAD = (
    "# SPDX-License-Identifier: MIT\n# Made by tools/completions.py from the tables of options.\n"
)
COLUMNS = [stats_columns.heading(column) for column in stats_columns.COLUMNS]


class Line:
    """One command line: its words before the options, its options, and the kind of its operands."""

    def __init__(self, name: str, text: str, table: tuple[Option, ...], takes: str) -> None:
        self.name = name
        self.text = text
        self.options = table
        self.takes = takes


def lines() -> list[Line]:
    """Every command of pyzram, then zram_stats (whose name is empty)."""
    found = []
    for name, (home, text) in pyzram.COMMANDS.items():
        module = home.partition(":")[0]
        if module == "service":
            command = command_line(name)
        else:
            command = import_module(f"pyzram.cli.{module}").COMMAND
        found.append(Line(name, text, command.options, command.takes))
    stats = zram_stats.COMMAND
    return [*found, Line("", "statistics of zram devices", stats.options, stats.takes)]


def words_of(option: Option) -> tuple[str, list[str]]:
    """How the value of an option is completed: kind and words."""
    if not isinstance(option.values, str):
        return ("words", list(option.values)) if option.values else ("", [])
    kinds = {
        options.FILE: ("files", []),
        options.DEVICE: ("devices", []),
        options.ALGORITHM: ("words", list(ALGORITHMS)),
        options.ALGORITHMS: ("list", list(ALGORITHMS)),
        options.COLUMNS: ("list", COLUMNS),
    }
    return kinds[option.values]


def written(option: Option) -> list[str]:
    """The spellings of an option."""
    return [f"--{option.long}", *([f"-{option.short}"] if option.short else [])]


# ---- bash ----------------------------------------------------------------------------------------

BASH = r"""# shellcheck shell=bash

_pyzram_devices() {
	local path
	for path in /sys/block/zram[0-9]*; do
		[[ -e $path ]] && echo "${path##*/}"
	done
}

# The last item of a list with commas; what is before it stays. Never part of the words: those are
# expanded, and what was typed or pasted may have a command in it.
_pyzram_list() {
	local current=$1 before=""
	[[ $current == *,* ]] && before=${current%,*},
	[[ $before == "" && $current == +* ]] && before=+
	compgen -P "$before" -W "$2" -- "${current#"$before"}"
}

_pyzram() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]##*/} command="" i
	if [[ $program == pyzram ]]; then
		for ((i = 1; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			-c | --config) ((i++)) ;;
			-*) ;;
			*)
				command=${COMP_WORDS[i]}
				break
				;;
			esac
		done
	fi
	COMPREPLY=()
	case "$program $command $previous" in
@VALUES@
	"pyzram  -c" | "pyzram  --config")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	case "$program $command" in
	"pyzram ")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--help --version -h -V -c --config" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "@COMMANDS@" -- "$current")
		fi
		;;
@OPTIONS@
	esac
}

complete -o filenames -F _pyzram pyzram zram_stats
"""


def bash() -> str:
    """The file for bash, of both commands."""
    values, choices = [], []
    for line in lines():
        start = f"pyzram {line.name}" if line.name else "zram_stats "
        for option in line.options:
            kind, words = words_of(option)
            if not option.metavar or (option.optional and not words):
                continue
            heads = " | ".join(f'"{start} {spelling}"' for spelling in written(option))
            values += [f"\t{heads})", *_bash_reply(kind, words, "\t\t"), "\t\treturn", "\t\t;;"]
        flags = " ".join(word for option in line.options for word in written(option))
        kind = {options.DEVICE: "devices", options.FILE: "files"}.get(line.takes, "")
        choices += [
            f'\t"{start}")',
            "\t\tif [[ $current == -* ]]; then",
            f'\t\t\tmapfile -t COMPREPLY < <(compgen -W "{flags}" -- "$current")',
            *(["\t\telse", *_bash_reply(kind, [], "\t\t\t")] if kind else []),
            "\t\tfi",
            "\t\t;;",
        ]
    names = " ".join([*pyzram.COMMANDS, "help"])
    text = BASH.replace("@VALUES@", "\n".join(values)).replace("@OPTIONS@", "\n".join(choices))
    return HEAD + text.replace("@COMMANDS@", names)


def _bash_reply(kind: str, words: list[str], indent: str) -> list[str]:
    source = {
        "words": f'compgen -W "{" ".join(words)}" -- "$current"',
        "list": f'_pyzram_list "$current" "{" ".join(words)}"',
        "devices": 'compgen -W "$(_pyzram_devices)" -- "$current"',
        "files": 'compgen -f -- "$current"',
    }.get(kind)
    return [f"{indent}mapfile -t COMPREPLY < <({source})"] if source else []


# ---- zsh -----------------------------------------------------------------------------------------


def zsh() -> str:
    """The file for zsh."""
    out = [f"#compdef pyzram zram_stats\n{HEAD}"]
    out.append("_pyzram_devices() {\n\tcompadd -- /sys/block/zram[0-9]*(N:t)\n}\n")
    out.append("_pyzram_list() {\n\tlocal before=${PREFIX%${PREFIX##*[,+]}}")
    out.append("\tcompadd -- $before${^@}\n}\n")
    out.append("_pyzram() {\n\tlocal program=${words[1]:t} command= i")
    out.append("\tif [[ $program == pyzram ]]; then\n\t\tfor ((i = 2; i < CURRENT; i++)); do")
    out.append("\t\t\tcase $words[i] in\n\t\t\t-c|--config) ((i++)) ;;\n\t\t\t-*) ;;")
    out.append("\t\t\t*) command=$words[i]; break ;;\n\t\t\tesac\n\t\tdone\n\tfi")
    out.append('\tcase "$program $command $words[CURRENT-1]" in')
    for line in lines():
        start = f"pyzram {line.name}" if line.name else "zram_stats "
        for option in line.options:
            kind, words = words_of(option)
            if option.metavar and not (option.optional and not words):
                heads = "|".join(f'"{start} {spelling}"' for spelling in written(option))
                out.append(f"\t({heads}) {_zsh_reply(kind, words)}return ;;")
    out.append('\t("pyzram  -c"|"pyzram  --config")) _files; return ;;\n\tesac')
    out[-1] = out[-1].replace(
        '("pyzram  -c"|"pyzram  --config"))', '("pyzram  -c"|"pyzram  --config")'
    )
    out.append('\tcase "$program $command" in\n\t("pyzram ")')
    out.append("\t\tif [[ $PREFIX == -* ]]; then")
    out.append("\t\t\tcompadd -- --help --version -h -V -c --config\n\t\telse")
    out.append("\t\t\tlocal -a commands\n\t\t\tcommands=(")
    out += [f"\t\t\t\t{_quoted(f'{name}:{text}')}" for name, (_, text) in pyzram.COMMANDS.items()]
    out.append("\t\t\t\t'help:the commands, or one of them'\n\t\t\t)")
    out.append("\t\t\t_describe command commands\n\t\tfi\n\t\t;;")
    for line in lines():
        start = f"pyzram {line.name}" if line.name else "zram_stats "
        flags = " ".join(word for option in line.options for word in written(option))
        rest = {options.DEVICE: "_pyzram_devices", options.FILE: "_files"}.get(line.takes, "")
        out.append(f'\t("{start}")\n\t\tif [[ $PREFIX == -* ]]; then\n\t\t\tcompadd -- {flags}')
        out.append((f"\t\telse\n\t\t\t{rest}\n" if rest else "") + "\t\tfi\n\t\t;;")
    out.append('\tesac\n}\n\n_pyzram "$@"')
    return "\n".join(out) + "\n"


def _zsh_reply(kind: str, words: list[str]) -> str:
    replies = {
        "words": f"compadd -- {' '.join(words)}; ",
        "list": f"_pyzram_list {' '.join(words)}; ",
        "devices": "_pyzram_devices; ",
        "files": "_files; ",
    }
    return replies.get(kind, "")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# ---- fish ----------------------------------------------------------------------------------------

FISH = r"""
function __pyzram_command
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip -eq 1
            set skip 0
        else if contains -- $word -c --config
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return 0
        end
    end
    return 1
end

complete -c pyzram -f
complete -c pyzram -n 'not __pyzram_command >/dev/null' -s h -l help -d 'show the commands'
complete -c pyzram -n 'not __pyzram_command >/dev/null' -s V -l version -d 'show the version'
complete -c pyzram -n 'not __pyzram_command >/dev/null' -s c -l config -r -F -d configuration
complete -c pyzram -n 'not __pyzram_command >/dev/null' -a help -d 'the commands, or one of them'
"""
FISH_DEVICES = "(ls /sys/block | string match 'zram*')"
FISH_LIST = (
    "(set -l t (commandline -ct); "
    "printf '%s\\\\n' (string match -r '^(?:.*,|\\\\+)?' -- $t)[1]{WORDS})"
)


def fish(program: str) -> str:
    """The file for fish of one program."""
    out = [HEAD + FISH if program == "pyzram" else HEAD + "\ncomplete -c zram_stats -f"]
    for line in lines():
        if bool(line.name) != (program == "pyzram"):
            continue
        when = f" -n 'contains -- (__pyzram_command) {line.name}'" if line.name else ""
        if line.name:
            out.append(
                f"complete -c pyzram -n 'not __pyzram_command >/dev/null' -a {line.name}"
                f" -d {_fish_quoted(line.text)}"
            )
        for option in line.options:
            out.append(_fish_option(program, when, option))
        if line.takes == options.FILE:
            out.append(f"complete -c {program}{when} -F")
        elif line.takes == options.DEVICE:
            out.append(f'complete -c {program}{when} -a "{FISH_DEVICES}"')
    return "\n".join(out) + "\n"


def _fish_option(program: str, when: str, option: Option) -> str:
    kind, words = words_of(option)
    parts = [f"complete -c {program}{when}"]
    parts += [f"-s {option.short}"] if option.short else []
    parts.append(f"-l {option.long}")
    if option.metavar and not option.optional:
        parts.append("-r -F" if kind == "files" else "-x")
    if option.optional:
        pass  # fish would offer the option with its value as one word
    elif kind == "words":
        parts.append(f"-a '{' '.join(words)}'")
    elif kind == "list":
        brace = "{" + ",".join(words) + "}"
        parts.append('-a "' + FISH_LIST.replace("{WORDS}", brace).replace("$t", "\\$t") + '"')
    elif kind == "devices":
        parts.append(f'-a "{FISH_DEVICES}"')
    return " ".join([*parts, f"-d {_fish_quoted(option.help)}"])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main(argv: list[str]) -> int:
    """Write the files, or compare them."""
    files = {
        "pyzram.bash": bash(),
        "_pyzram": zsh(),
        "pyzram.fish": fish("pyzram"),
        "zram_stats.fish": fish("zram_stats"),
    }
    stale = [n for n, text in files.items() if (FOLDER / n).read_text(encoding="utf-8") != text]
    if argv == ["--check"]:
        for name in stale:
            print(f"initscripts/completions/{name}: out of date (python tools/completions.py)")
        return 1 if stale else 0
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
