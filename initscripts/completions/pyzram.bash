# SPDX-License-Identifier: MIT
# bash completion for pyzram and zram_stats (link this file to both names). Commands and options
# are asked of the programs themselves, so that they are never out of date.
# shellcheck shell=bash

_pyzram_options() {
	"$@" --help 2>/dev/null | grep -oE -- '(^|[][ ,|])--?[a-zA-Z][a-zA-Z-]*' | tr -d '][ ,|'
}

_pyzram() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} command="" i
	if [[ ${program##*/} == pyzram ]]; then
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
	case $previous in
	-c | --config | --plot)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_options "$program" ${command:+"$command"})" -- "$current")
	elif [[ ${program##*/} == pyzram && -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
			sed -n '/^commands/,$s/^  \([a-z][a-z-]*\) .*/\1/p')" -- "$current")
	else
		case ${command:-zram_stats} in
		import | estimate | bench)
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			;;
		writeback | recompress | zram_stats)
			mapfile -t COMPREPLY < <(cd /sys/block && compgen -G "$current*" -X '!zram[0-9]*')
			;;
		esac
	fi
}

complete -o filenames -F _pyzram pyzram zram_stats
