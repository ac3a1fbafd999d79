# SPDX-License-Identifier: MIT
# fish completion for pyzram. Commands and options are asked of the program itself.

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

function __pyzram_commands
    pyzram --help 2>/dev/null | sed -n '/^commands/,$s/^  \([a-z][a-z-]*\)  *\(.*\)/\1\t\2/p'
end

function __pyzram_options
    pyzram (__pyzram_command) --help 2>/dev/null | grep -oE -- '(^|[][ ,|])--?[a-zA-Z][a-zA-Z-]*' | tr -d '][ ,|' | sort -u
end

complete -c pyzram -f
complete -c pyzram -n 'not __pyzram_command >/dev/null' -a '(__pyzram_commands)'
complete -c pyzram -n 'string match -q -- "-*" (commandline -ct)' -a '(__pyzram_options)'
complete -c pyzram -n 'contains -- (__pyzram_command) import estimate bench' -F
complete -c pyzram -n 'contains -- (__pyzram_command) writeback recompress' -a '(ls /sys/block | string match "zram*")'
complete -c pyzram -n 'contains -- (__pyzram_command) estimate bench' -l plot -r -F
complete -c pyzram -n 'contains -- -c (__pyzram_options)' -s c -r -F -d configuration
complete -c pyzram -n 'contains -- --config (__pyzram_options)' -l config -r -F -d configuration
