# SPDX-License-Identifier: MIT
# Made by tools/completions.py from the tables of options.
# shellcheck shell=bash

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
	"pyzram start --config" | "pyzram start -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram stop --config" | "pyzram stop -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram reload --config" | "pyzram reload -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram restart --config" | "pyzram restart -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram status --config" | "pyzram status -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram info --config" | "pyzram info -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram check --config" | "pyzram check -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram plan --config" | "pyzram plan -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram estimate --pid" | "pyzram estimate -p")
		return
		;;
	"pyzram estimate --name")
		return
		;;
	"pyzram estimate --user")
		return
		;;
	"pyzram estimate --cgroup")
		return
		;;
	"pyzram estimate --unit")
		return
		;;
	"pyzram estimate --container")
		return
		;;
	"pyzram estimate --precision")
		return
		;;
	"pyzram estimate --page-size")
		mapfile -t COMPREPLY < <(compgen -W "4096 16384 65536" -- "$current")
		return
		;;
	"pyzram estimate --threads")
		return
		;;
	"pyzram estimate --seed")
		return
		;;
	"pyzram estimate --algorithm" | "pyzram estimate -a")
		mapfile -t COMPREPLY < <(_pyzram_list "$current" "lzo lzo-rle lz4 lz4hc zstd deflate 842")
		return
		;;
	"pyzram estimate --chain")
		return
		;;
	"pyzram estimate --ram")
		return
		;;
	"pyzram estimate --record")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram estimate --textfile")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram estimate --plot")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram doctor --config" | "pyzram doctor -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram doctor --textfile")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram writeback --type" | "pyzram writeback -t")
		mapfile -t COMPREPLY < <(compgen -W "idle huge huge_idle incompressible" -- "$current")
		return
		;;
	"pyzram writeback --pages")
		return
		;;
	"pyzram writeback --limit")
		return
		;;
	"pyzram writeback --max-pages")
		return
		;;
	"pyzram writeback --age")
		return
		;;
	"pyzram writeback --timeout")
		return
		;;
	"pyzram recompress --type" | "pyzram recompress -t")
		mapfile -t COMPREPLY < <(compgen -W "idle huge huge_idle" -- "$current")
		return
		;;
	"pyzram recompress --algorithm" | "pyzram recompress -a")
		mapfile -t COMPREPLY < <(compgen -W "lzo lzo-rle lz4 lz4hc zstd deflate 842" -- "$current")
		return
		;;
	"pyzram recompress --priority" | "pyzram recompress -p")
		return
		;;
	"pyzram recompress --threshold")
		return
		;;
	"pyzram recompress --max-pages")
		return
		;;
	"pyzram recompress --age")
		return
		;;
	"pyzram recompress --timeout")
		return
		;;
	"pyzram top --delay" | "pyzram top -d")
		return
		;;
	"pyzram top --sort" | "pyzram top -s")
		mapfile -t COMPREPLY < <(compgen -W "name algorithm disksize data compr total ratio fill read/s write/s free/s backed mountpoint" -- "$current")
		return
		;;
	"pyzram tend --config" | "pyzram tend -c")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram tend --budget")
		return
		;;
	"pyzram tend --record")
		return
		;;
	"pyzram tend --textfile")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"pyzram bench --pid" | "pyzram bench -p")
		return
		;;
	"pyzram bench --name")
		return
		;;
	"pyzram bench --user")
		return
		;;
	"pyzram bench --cgroup")
		return
		;;
	"pyzram bench --unit")
		return
		;;
	"pyzram bench --container")
		return
		;;
	"pyzram bench --precision")
		return
		;;
	"pyzram bench --page-size")
		mapfile -t COMPREPLY < <(compgen -W "4096 16384 65536" -- "$current")
		return
		;;
	"pyzram bench --threads")
		return
		;;
	"pyzram bench --seed")
		return
		;;
	"pyzram bench --algorithm" | "pyzram bench -a")
		mapfile -t COMPREPLY < <(_pyzram_list "$current" "lzo lzo-rle lz4 lz4hc zstd deflate 842")
		return
		;;
	"pyzram bench --plot")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"zram_stats  --output" | "zram_stats  -o")
		mapfile -t COMPREPLY < <(_pyzram_list "$current" "NAME DISKSIZE NUM-READS NUM-WRITES INVALID-IO NOTIFY-FREE ZERO-PAGES DATA COMPR TOTAL AVG-COMPR-RATIO MEM-OVERHEAD ALGORITHM RECOMP-ALGORITHM STREAMS SAME-PAGES HUGE-PAGES HUGE-PAGES-SINCE MEM-LIMIT MEM-USED-MAX PAGES-COMPACTED FAILED-READS FAILED-WRITES WRITESTALL MISS-FREE BACKING-DEV BD-COUNT BD-READS BD-WRITES WRITEBACK-LIMIT WRITEBACK-BATCH-SIZE COMPRESSED-WRITEBACK SWAP-SIZE SWAP-USED SWAP-PRIORITY COMP-RATIO MOUNTPOINT BD-SIZE FILL READ-IOS READ-MERGES READ-SECTORS READ-TICKS WRITE-IOS WRITE-MERGES WRITE-SECTORS WRITE-TICKS IN-FLIGHT IO-TICKS TIME-IN-QUEUE DISCARD-IOS DISCARD-MERGES DISCARD-SECTORS DISCARD-TICKS FLUSH-IOS FLUSH-TICKS")
		return
		;;
	"zram_stats  --textfile")
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	"zram_stats  --estimate")
		mapfile -t COMPREPLY < <(compgen -W "lzo lzo-rle lz4 lz4hc zstd deflate 842" -- "$current")
		return
		;;
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
			mapfile -t COMPREPLY < <(compgen -W "start stop reload restart status info check plan import estimate doctor writeback recompress top tend bench help" -- "$current")
		fi
		;;
	"pyzram start")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --pretend -p --json --quiet -q --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram stop")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --pretend -p --json --quiet -q --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram reload")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --pretend -p --json --quiet -q --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram restart")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --pretend -p --quiet -q --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram status")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --json --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram info")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --json --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram check")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --json --quiet -q --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram plan")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --json --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram import")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
		fi
		;;
	"pyzram estimate")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--pid -p --name --user --cgroup --unit --container --system --full --precision --page-size --threads --seed --algorithm -a --chain --ram --idle --watch --record --no-timing --json --textfile --plot --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
		fi
		;;
	"pyzram doctor")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --json --textfile --help -h --version -V" -- "$current")
		fi
		;;
	"pyzram writeback")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--type -t --pages --mark --limit --max-pages --age --timeout --json --quiet -q --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_devices)" -- "$current")
		fi
		;;
	"pyzram recompress")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--type -t --algorithm -a --priority -p --threshold --max-pages --compact --age --timeout --json --quiet -q --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_devices)" -- "$current")
		fi
		;;
	"pyzram top")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--delay -d --sort -s --reverse -r --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_devices)" -- "$current")
		fi
		;;
	"pyzram tend")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--config -c --budget --once --dry-run -n --status --record --textfile --json --quiet -q --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_devices)" -- "$current")
		fi
		;;
	"pyzram bench")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--pid -p --name --user --cgroup --unit --container --system --full --precision --page-size --threads --seed --algorithm -a --json --plot --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
		fi
		;;
	"zram_stats ")
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--bytes -b --noheadings -n --output -o --output-all --raw --json -J --prometheus --openmetrics --textfile --watch -w --estimate --help -h --version -V" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_pyzram_devices)" -- "$current")
		fi
		;;
	esac
}

complete -o filenames -F _pyzram pyzram zram_stats
