# SPDX-License-Identifier: MIT
"""Processes chosen by name, user, cgroup, unit or container.

What is chosen is a process, not its number, which may belong to another by the time its memory is
read. So each is held while it is examined, and its start time is returned with its number.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InvalidValueError, from_errno
from ...kernel.parse import parse_mountinfo
from ...kernel.sysfs import pass_over, read_text
from ...text import is_whole
from .process import Process, all_processes

if TYPE_CHECKING:
    from collections.abc import Callable

# What container engines put around an ID to name its cgroup.
CONTAINER = re.compile(
    r"(?:docker|libpod|crio|cri-containerd|machine|lxc\.payload)[-.](?P<id>.+?)(?:\.scope)?$"
    r"|systemd-nspawn@(?P<machine>.+?)\.service$"
)
# How systemd writes bytes that are not allowed in the name of a unit.
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
SHORTEST_ID = 4


class ProcessRow(NamedTuple):
    """A process in the table of all processes."""

    pid: int
    parent: int
    start_time: int
    chosen: bool


def _check_given(what: str, name: str) -> None:
    """Refuse an empty name: an empty variable in a script would choose what nobody meant."""
    if not name:
        raise InvalidValueError(f"{what}: the name is empty")


def table(chosen: Callable[[Process], bool]) -> dict[int, ProcessRow]:
    """All processes that have memory, except this one and those that exit meanwhile."""
    rows = {}
    for pid in all_processes():
        if pid == os.getpid():
            continue
        try:
            with Process(pid) as process:
                if not process.is_kernel:
                    row = ProcessRow(pid, process.parent, process.start_time, chosen(process))
                    rows[pid] = row
        except OSError as err:
            pass_over(err)
    return rows


def with_children(rows: dict[int, ProcessRow]) -> dict[int, int]:
    """The chosen processes and all their descendants, in the form of :func:`by_name`."""
    children: dict[int, list[ProcessRow]] = {}
    for row in rows.values():
        above = rows.get(row.parent)
        # A parent younger than its child has only got the number of the real parent.
        if above is not None and above.start_time <= row.start_time:
            children.setdefault(above.pid, []).append(row)
    found: dict[int, int] = {}
    waiting = [row for row in rows.values() if row.chosen]
    while waiting:
        row = waiting.pop()
        if row.pid not in found:
            found[row.pid] = row.start_time
            waiting += children.get(row.pid, [])
    return dict(sorted(found.items()))


def by_name(name: str) -> dict[int, int]:
    """Processes with this name (the kernel's, or that of the program's file), and their children.

    Return their numbers, ascending, each with the start time of the process that is meant.
    """
    _check_given("name", name)
    return with_children(table(lambda process: _is_called(process, name)))


def _is_called(process: Process, name: str) -> bool:
    # The kernel keeps the first 15 bytes of a name.
    if process.name == name:
        return True
    if len(process.name) < 15 or not name.startswith(process.name):
        return False
    try:
        return os.path.basename(os.readlink("exe", dir_fd=process.fd)) == name
    except OSError as err:
        # A path may be longer than the kernel shows; then only its first 15 bytes are known.
        if err.errno != errno.ENAMETOOLONG:
            pass_over(err)
        return False


def by_user(user: str) -> dict[int, int]:
    """Processes of a user, by name or number (the real user, as ps shows with ``ruser``).

    Return what :func:`by_name` does, like all functions here.

    Raises:
        ZramOSError: ENOENT if there is no such user.
    """
    _check_given("user", user)
    uid = _user_number(user)

    def is_theirs(process: Process) -> bool:
        for line in process.read("status").split("\n"):
            if line.startswith("Uid:"):
                return int(line.split()[1]) == uid
        return False

    return _those(is_theirs)


def _user_number(user: str) -> int:
    if is_whole(user):
        return int(user)
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as err:
        raise from_errno(errno.ENOENT, f"user {user}: look up") from err


def by_cgroup(path: str) -> dict[int, int]:
    """Processes in this cgroup and below, in any hierarchy.

    The path is the one in ``/proc/PID/cgroup``, or the one where the hierarchy is mounted.
    """
    _check_given("cgroup", path)
    wanted = "/" + "/".join(part for part in _unmounted(path).split("/") if part)

    def is_below(group: str) -> bool:
        return group == wanted or group.startswith(wanted.rstrip("/") + "/")

    return _those(lambda process: any(map(is_below, cgroups(process))))


def by_unit(unit: str) -> dict[int, int]:
    """Processes of a systemd unit of the system, or of an OpenRC service, found by their cgroup.

    Users may name their own units as they like. A user's service manager is itself a unit, so
    the units below it do not count here.
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

    return _those(lambda process: any(map(is_its, cgroups(process))))


def by_container(identity: str) -> dict[int, int]:
    """Processes of a container, by its name or the start of its ID, as in its cgroup's name."""
    _check_given("container", identity)

    def is_its(part: str) -> bool:
        match = CONTAINER.match(part)
        name = _unescaped(match["id"] or match["machine"]) if match else part
        return name == identity or (
            len(identity) >= SHORTEST_ID and len(name) == 64 and name.startswith(identity)
        )

    def is_of_it(process: Process) -> bool:
        return any(is_its(part) for group in cgroups(process) for part in group.split("/"))

    return _those(is_of_it)


def _unescaped(name: str) -> str:
    bare = ESCAPED.sub(lambda byte: bytes([int(byte[1], 16)]), os.fsencode(name))
    return os.fsdecode(bare)


def cgroups(process: Process) -> set[str]:
    """Paths of a process's cgroups, one for each hierarchy."""
    lines = process.read("cgroup").split("\n")
    return {line.split(":", 2)[2] for line in lines if line.count(":") >= 2}


def _unmounted(path: str) -> str:
    """A path below a mount of a hierarchy, as a path within that hierarchy."""
    for mount in parse_mountinfo(read_text("/proc/self/mountinfo")):
        inside = path == mount.point or path.startswith(mount.point + "/")
        if inside and mount.fstype in ("cgroup", "cgroup2"):
            return mount.root + path[len(mount.point) :]
    return path


def _those(chosen: Callable[[Process], bool]) -> dict[int, int]:
    return {row.pid: row.start_time for row in table(chosen).values() if row.chosen}
