# SPDX-License-Identifier: MIT
"""What a package should hold, from the tree's files, whichever distribution builds it."""

from __future__ import annotations

import re

COMPLETIONS = "initscripts/completions"
# Where files of the tree go, by the pattern of their names there.
PLACES = {
    r"scripts/(.*)": r"usr/bin/\1",
    r"man/(.*\.(\d))": r"usr/share/man/man\2/\1",
    rf"{COMPLETIONS}/(.*\.bash)": r"usr/share/bash-completion/completions/\1",
    rf"{COMPLETIONS}/(_.*)": r"usr/share/zsh/site-functions/\1",
    rf"{COMPLETIONS}/(.*\.fish)": r"usr/share/fish/vendor_completions.d/\1",
    r"initscripts/openrc/(.*)\.confd": r"etc/conf.d/\1",
    r"initscripts/sysctl\.d/(.*)": r"etc/sysctl.d/\1",
    r"initscripts/vendor/(.*)": r"usr/lib/pyzram/\1",
}
SYSTEMD = {r"initscripts/systemd/(.*)": r"usr/lib/systemd/system/\1"}
OPENRC = {
    r"initscripts/openrc/(.*)\.initd": r"etc/init.d/\1",
    r"initscripts/cron/(.*)": r"etc/cron.d/\1",
    r"initscripts/logrotate\.d/(.*)": r"etc/logrotate.d/\1",
}
# Licences, documents, package metadata and what Python generates are not compared.
OTHER = re.compile(
    r"usr/share/(licenses|lintian|doc)/.*|usr/lib/(debug|\.build-id).*|\.[A-Z]+"
    r"|.*/(pyzram-[^/]*-info|__pycache__)/.*"
)


def expected(sources: list[str], *more: dict[str, str]) -> set[str]:
    """What a package should hold, from the list of the tree's files."""
    places = dict(PLACES)
    for each in more:
        places |= each
    found = {"python/pyzram/_device.abi3.so", "python/pyzram/_pages.abi3.so"}
    for name in sources:
        if name.startswith("pyzram/"):
            found.add(f"python/{name}")
        for pattern, place in places.items():
            if match := re.fullmatch(pattern, name):
                found.add(match.expand(place))
    return found


def held(names: list[str]) -> set[str]:
    """The same from a package's list of files."""
    kept = set()
    for name in names:
        name = name.strip().removeprefix("./").removeprefix("/")
        if name and not name.endswith("/") and not OTHER.fullmatch(name):
            name = re.sub(r"^(usr/share/man/.*)\.(gz|bz2|zst)$", r"\1", name)
            kept.add(re.sub(r"^usr/lib/python3[^/]*/(dist|site)-packages/", "python/", name))
    return kept
