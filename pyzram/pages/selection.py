# SPDX-License-Identifier: MIT
"""Processes chosen by number, name, user, cgroup, unit or container."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidValueError, from_errno
from ..kernel.parse import parse_mountinfo
from ..kernel.sysfs import pass_over, read_text
from .process import Process, all_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What container engines put around an ID to name its cgroup.
CONTAINER = re.compile(
    r"(?:docker|libpod|crio|cri-containerd|machine|lxc\.payload)[-.](?P<id>.+?)(?:\.scope)?$"
    r"|systemd-nspawn@(?P<machine>.+?)\.service$"
)
# How systemd writes bytes that may not stand in the name of a unit.
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
SHORTEST_ID = 4


class Row(NamedTuple):
    """A process in the table of all."""

    pid: int
    parent: int
    name: str


def _check_given(what: str, name: str) -> None:
    """An empty variable of a script would choose what nobody meant."""
    if not name:
        raise InvalidValueError(f"{what}: the name is empty")


def table() -> dict[int, Row]:
    """All processes with memory of their own, except this one and those that exit meanwhile."""
    rows = {}
    for pid in all_processes():
        if pid == os.getpid():
            continue
        try:
            with Process(pid) as process:
                if not process.is_kernel:
                    rows[pid] = Row(pid, process.parent, process.name)
        except OSError as err:
            pass_over(err)
    return rows


def with_children(rows: dict[int, Row], chosen: Iterable[int]) -> list[int]:
    """The chosen and all that descend from them, ascending."""
    children: dict[int, list[int]] = {}
    for row in rows.values():
        children.setdefault(row.parent, []).append(row.pid)
    found: set[int] = set()
    waiting = list(chosen)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return sorted(found)


def by_name(name: str) -> list[int]:
    """Processes of this name (of the kernel's, or of the program's file), and their children."""
    _check_given("name", name)
    rows = table()
    return with_children(rows, [row.pid for row in rows.values() if _is_called(row, name)])


def _is_called(row: Row, name: str) -> bool:
    # The kernel keeps the first 15 bytes of a name.
    if row.name == name:
        return True
    if len(row.name) < 15 or not name.startswith(row.name):
        return False
    try:
        return os.path.basename(os.readlink(f"/proc/{row.pid}/exe")) == name
    except OSError as err:
        # A path may be longer than the kernel tells; then it is known by its first 15 bytes only.
        if err.errno != errno.ENAMETOOLONG:
            pass_over(err)
        return False


def by_user(user: str) -> list[int]:
    """Processes of a user, by name or number (the real user, as ps shows with ``ruser``).

    Raises:
        ZramOSError: ENOENT, there is no such user.
    """
    _check_given("user", user)
    uid = _user_number(user)

    def is_theirs(pid: int) -> bool:
        for line in read_text(f"/proc/{pid}/status").split("\n"):
            if line.startswith("Uid:"):
                return int(line.split()[1]) == uid
        return False

    return _those(is_theirs)


def _user_number(user: str) -> int:
    if user.isascii() and user.isdigit():
        return int(user)
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as err:
        raise from_errno(errno.ENOENT, f"user {user}: look up") from err


def by_cgroup(path: str) -> list[int]:
    """Processes in this cgroup and below, of whatever hierarchy.

    The path is as in ``/proc/PID/cgroup``, or where the hierarchy is mounted.
    """
    _check_given("cgroup", path)
    wanted = "/" + "/".join(part for part in _unmounted(path).split("/") if part)

    def is_below(group: str) -> bool:
        return group == wanted or group.startswith(wanted.rstrip("/") + "/")

    return _those(lambda pid: any(map(is_below, cgroups(pid))))


def by_unit(unit: str) -> list[int]:
    """Processes of the system's unit of systemd, or of a service of OpenRC: its cgroup bears it.

    Users name units of their own as they like; the service manager of a user is itself a unit, so
    theirs do not count here.
    """
    _check_given("unit", unit)
    names = {unit} if "." in unit else {unit, f"{unit}.service", f"openrc.{unit}"}

    def is_its(group: str) -> bool:
        for part in group.split("/")[1:]:
            if part in names:
                return True
            if not part.endswith(".slice"):
                break
        return False

    return _those(lambda pid: any(map(is_its, cgroups(pid))))


def by_container(identity: str) -> list[int]:
    """Processes of a container, by its name or the start of its ID, as in its cgroup's name."""
    _check_given("container", identity)

    def is_its(part: str) -> bool:
        match = CONTAINER.match(part)
        name = _unescaped(match["id"] or match["machine"]) if match else part
        return name == identity or (
            len(identity) >= SHORTEST_ID and len(name) == 64 and name.startswith(identity)
        )

    return _those(
        lambda pid: any(is_its(part) for group in cgroups(pid) for part in group.split("/"))
    )


def _unescaped(name: str) -> str:
    bare = ESCAPED.sub(lambda byte: bytes([int(byte[1], 16)]), os.fsencode(name))
    return os.fsdecode(bare)


def cgroups(pid: int) -> set[str]:
    """Paths of the cgroups of a process, one for each hierarchy."""
    lines = read_text(f"/proc/{pid}/cgroup").split("\n")
    return {line.split(":", 2)[2] for line in lines if line.count(":") >= 2}


def _unmounted(path: str) -> str:
    """A path below a mount of a hierarchy, as the hierarchy has it."""
    for mount in parse_mountinfo(read_text("/proc/self/mountinfo")):
        inside = path == mount.point or path.startswith(mount.point + "/")
        if inside and mount.fstype in ("cgroup", "cgroup2"):
            return mount.root + path[len(mount.point) :]
    return path


def _those(chosen: Callable[[int], bool]) -> list[int]:
    found = []
    for pid in table():
        try:
            if chosen(pid):
                found.append(pid)
        except OSError as err:
            pass_over(err)
    return found
