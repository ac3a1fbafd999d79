# SPDX-License-Identifier: MIT
# Made by tools/completions.py from the tables of options.

complete -c zram_stats -f
complete -c zram_stats -s b -l bytes -d 'print sizes in bytes'
complete -c zram_stats -s n -l noheadings -d 'print a table without headings'
complete -c zram_stats -s o -l output -x -a "(set -l t (commandline -ct); printf '%s\\n' (string match -r '^(?:.*,|\\+)?' -- \$t)[1]{NAME,DISKSIZE,NUM-READS,NUM-WRITES,INVALID-IO,NOTIFY-FREE,ZERO-PAGES,DATA,COMPR,TOTAL,AVG-COMPR-RATIO,MEM-OVERHEAD,ALGORITHM,RECOMP-ALGORITHM,STREAMS,SAME-PAGES,HUGE-PAGES,HUGE-PAGES-SINCE,MEM-LIMIT,MEM-USED-MAX,PAGES-COMPACTED,FAILED-READS,FAILED-WRITES,WRITESTALL,MISS-FREE,BACKING-DEV,BD-COUNT,BD-READS,BD-WRITES,WRITEBACK-LIMIT,WRITEBACK-BATCH-SIZE,COMPRESSED-WRITEBACK,SWAP-SIZE,SWAP-USED,SWAP-PRIORITY,COMP-RATIO,MOUNTPOINT,BD-SIZE,FILL,READ-IOS,READ-MERGES,READ-SECTORS,READ-TICKS,WRITE-IOS,WRITE-MERGES,WRITE-SECTORS,WRITE-TICKS,IN-FLIGHT,IO-TICKS,TIME-IN-QUEUE,DISCARD-IOS,DISCARD-MERGES,DISCARD-SECTORS,DISCARD-TICKS,FLUSH-IOS,FLUSH-TICKS})" -d 'print a table of these columns; +COLUMNS adds to the default ones'
complete -c zram_stats -l output-all -d 'print a table with all columns'
complete -c zram_stats -l raw -d 'print a table with a single space between cells'
complete -c zram_stats -s J -l json -d 'print JSON'
complete -c zram_stats -l prometheus -d 'print metrics in the Prometheus text format'
complete -c zram_stats -l openmetrics -d 'print metrics in the OpenMetrics format'
complete -c zram_stats -l textfile -r -F -d 'write metrics into FILE, for node_exporter\'s textfile collector'
complete -c zram_stats -s w -l watch -d 'show the devices live, every SECONDS (1)'
complete -c zram_stats -l estimate -d 'print what a device would hold; operands are files, -, pid:NUMBER or system'
complete -c zram_stats -s h -l help -d 'show this help'
complete -c zram_stats -s V -l version -d 'show the version'
complete -c zram_stats -a "(ls /sys/block | string match 'zram*')"
