# SPDX-License-Identifier: MIT
# fish completion for zram_stats. Options are asked of the program itself.

function __zram_stats_options
    zram_stats --help 2>/dev/null | grep -oE -- '(^|[][ ,|])--?[a-zA-Z][a-zA-Z-]*' | tr -d '][ ,|' | sort -u
end

complete -c zram_stats -f -a '(ls /sys/block | string match "zram*")'
complete -c zram_stats -n 'string match -q -- "-*" (commandline -ct)' -a '(__zram_stats_options)'
