#!/bin/sh
# SPDX-License-Identifier: MIT
# For collectd's exec plugin, which runs it as a user other than root: every figure of every device.
# Counters are a derive; seconds are a gauge, because a derive takes only whole numbers.
host=${COLLECTD_HOSTNAME:-localhost}
interval=${COLLECTD_INTERVAL:-60}

while :; do
	zram_stats --prometheus | awk -F '[{}"= ]+' -v host="$host" -v interval="$interval" '
		/^zram_[a-z_]+[{]device="[^"]+"[}] / && $1 !~ /_info$/ {
			kind = $1 ~ /_total$/ && $1 !~ /_seconds_/ ? "derive" : "gauge"
			sub(/^zram_/, "", $1)
			print "PUTVAL \"" host "/zram-" $3 "/" kind "-" $1 "\" interval=" interval " N:" $4
		}' || exit # nobody reads it any more
	sleep "$interval"
done
