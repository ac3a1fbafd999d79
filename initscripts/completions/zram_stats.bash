# SPDX-License-Identifier: MIT
# bash completion for zram_stats, in the file that bash-completion looks for; both are in the other.
# shellcheck shell=bash source=initscripts/completions/pyzram.bash

. "${BASH_SOURCE[0]%/*}/pyzram.bash"
