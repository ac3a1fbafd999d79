#!/bin/sh
# SPDX-License-Identifier: MIT
# For config.d of PCP's openmetrics agent: every figure of every device, as openmetrics.zram.*
exec zram_stats --prometheus
