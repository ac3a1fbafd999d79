# SPDX-License-Identifier: MIT
"""Which algorithms a device uses, and with what parameters."""

from __future__ import annotations

import errno
import os
import time

from ..errors import InvalidValueError, UnsupportedError, ZramOSError, from_errno
from ..kernel.parse import parse_algorithms, parse_recomp_algorithms
from .handle import Handle

MAX_PRIORITY = 3
RECOMPRESS_TYPES = ("idle", "huge", "huge_idle")
# How long a run of somebody else's is waited for where the kernel does not wait itself (6.12).
RUN_RETRY_SECONDS = 60.0


class Algorithm:
    """An algorithm with its parameters, as comp_algorithm and algorithm_params take them.

    Synchronization: none needed, nobody changes one. No dataclass, which would take longer to
    load than setting a device up takes.
    """

    __slots__ = ("dictionary", "level", "name", "winbits")

    def __init__(
        self,
        name: str,
        level: int | None = None,
        dictionary: str | os.PathLike[str] | None = None,
        winbits: int | None = None,
    ) -> None:
        self.name = name
        """The kernel's name, for example ``zstd``."""
        self.level = level
        """Compression level; for lz4 the acceleration. ``None`` is the kernel's default."""
        self.dictionary = dictionary
        """Absolute path of a dictionary file that the kernel reads once."""
        self.winbits = winbits
        """``deflate.winbits`` (6.16)."""

    def __repr__(self) -> str:
        return f"Algorithm({self.name!r}, {self.level}, {self.dictionary!r}, {self.winbits})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Algorithm) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def params(self) -> str:
        """Words for ``algorithm_params``; empty when everything is default."""
        words = []
        if self.level is not None:
            words.append(f"level={_s32('level', self.level)}")
        if self.dictionary is not None:
            path = os.fspath(self.dictionary)
            if not os.path.isabs(path):
                raise InvalidValueError(
                    f"dictionary {path!r}: give an absolute path, the kernel opens it"
                )
            # Double quotes are the only quoting the kernel's word list knows.
            if '"' in path or "\n" in path:
                raise InvalidValueError(f"dictionary {path!r}: quote or newline in it")
            words.append(f'dict="{path}"')
        if self.winbits is not None:
            words.append(f"deflate.winbits={_s32('deflate.winbits', self.winbits)}")
        return " ".join(words)


def as_algorithm(value: str | Algorithm) -> Algorithm:
    """Take a bare name for an algorithm with default parameters."""
    return value if isinstance(value, Algorithm) else Algorithm(value)


def check_name(name: str) -> str:
    """Refuse what can be no algorithm's name.

    6.12 to 6.18 take a name with two newlines, then know no selected algorithm any more.
    """
    if not name or not name.isprintable() or " " in name or '"' in name:
        raise InvalidValueError(f"algorithm {name!r}: not a name")
    return name


def _s32(what: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 31) <= value < 1 << 31:
        raise InvalidValueError(f"{what} {value!r}: not a whole number of 32 bits")
    return value


def _priority(priority: int, lowest: int) -> int:
    if not isinstance(priority, int) or not lowest <= priority <= MAX_PRIORITY:
        raise InvalidValueError(f"priority {priority!r}: not in {lowest}..{MAX_PRIORITY}")
    return priority


class Compression(Handle):
    """The algorithms of a device."""

    def read_comp_algorithm(self) -> str | None:
        """Return the selected algorithm (``comp_algorithm``); ``None`` if the kernel marks none."""
        return parse_algorithms(self.read("comp_algorithm"))[0]

    def read_algorithms(self) -> tuple[str, ...]:
        """Return the algorithms this kernel offers, in its order."""
        return parse_algorithms(self.read("comp_algorithm"))[1]

    def set_comp_algorithm(self, name: str) -> None:
        """Select the algorithm, before the device is initialised, and read it back.

        On 7.3 this resets the parameters of the primary algorithm: set those afterwards.

        Raises:
            UnsupportedError: this kernel lacks the algorithm (EINVAL); names those it has.
            DeviceBusyError: already initialised (EBUSY).
            InvalidValueError: what can be no name.
        """
        check_name(name)
        try:
            self.write("comp_algorithm", name, step=f"set comp_algorithm to {name}")
        except ZramOSError as err:
            raise self._no_algorithm(err, name) from err
        selected = self.read_comp_algorithm()
        if selected != name:
            raise ZramOSError(
                errno.EIO,
                f"{self.name}: set comp_algorithm to {name}: the kernel has {selected} instead",
            )

    def read_recomp_algorithms(self) -> dict[int, str | None]:
        """Return priority to algorithm (``recomp_algorithm``, 6.2); empty if none is configured.

        Raises:
            UnsupportedError: this kernel has no recompression.
        """
        return parse_recomp_algorithms(self.read("recomp_algorithm"))

    def set_recomp_algorithm(self, name: str, *, priority: int = 1) -> None:
        """Configure a secondary algorithm, before the device is initialised, and read it back.

        Only a reset takes one away again.

        Raises:
            UnsupportedError: no recompression, or no such algorithm in this kernel.
            InvalidValueError: priority outside 1..3.
            DeviceBusyError: already initialised (EBUSY).
        """
        _priority(priority, 1)
        check_name(name)
        step = f"set recomp_algorithm {priority} to {name}"
        try:
            self.write("recomp_algorithm", f"algo={name} priority={priority}", step=step)
        except ZramOSError as err:
            raise self._no_algorithm(err, name) from err
        selected = self.read_recomp_algorithms().get(priority)
        if selected != name:
            raise ZramOSError(errno.EIO, f"{self.name}: {step}: the kernel has {selected} instead")

    def set_algorithm_params(
        self,
        *,
        priority: int = 0,
        level: int | None = None,
        dictionary: str | os.PathLike[str] | None = None,
        winbits: int | None = None,
    ) -> None:
        """Set all parameters of one priority (``algorithm_params``, 6.12), 0 being the primary.

        What is not given returns to its default. The kernel judges values only when disksize is
        set, and does not tell them back. Refused here on an initialised device: 6.12 to 6.18
        accept it there and free the dictionary that the compressor still uses.

        Raises:
            DeviceBusyError: already initialised (EBUSY).
            UnsupportedError: this kernel takes no parameters.
            InvalidValueError: priority outside 0..3, or a path that cannot be passed.
            ZramOSError: the dictionary cannot be read (EINVAL up to 7.2, the real errno in 7.3).
        """
        _priority(priority, 0)
        words = Algorithm("", level, dictionary, winbits).params()
        self._refuse_initialised("set algorithm_params")
        text = f"priority={priority} {words}".rstrip()
        self.write("algorithm_params", text, step=f"set algorithm_params {text}")

    def recompress(
        self,
        *,
        type: str | None = None,
        threshold: int | None = None,
        max_pages: int | None = None,
        algorithm: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Recompress stored pages with one secondary algorithm now (``recompress``, 6.2).

        ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``None`` for all; ``threshold`` (bytes)
        skips smaller objects; ``max_pages`` bounds the work. The algorithm is the one with
        ``priority``, or with the name ``algorithm``, or the one with priority 1. Returns when the
        kernel is done.

        The same on every kernel: 6.12 would try all secondary algorithms in turn if none were
        named, take an unknown type for all pages, do nothing for a priority without algorithm,
        and give EAGAIN at once while another run is under way, where 7.x waits. Here one
        algorithm is always named, the rest is refused, and EAGAIN is waited for
        ``RUN_RETRY_SECONDS``.

        A page is replaced only if it falls into a smaller size class (:class:`PoolModel`).

        Raises:
            InvalidValueError: a type, priority or number that cannot be meant, or an algorithm
                that is not configured.
            UnsupportedError: this kernel has no recompression.
            ZramOSError: what the kernel answered (EINVAL not initialised, or a threshold that
                is not below the size of incompressible pages).
        """
        if type is not None and type not in RECOMPRESS_TYPES:
            raise InvalidValueError(
                f"recompress type {type!r}: not one of {', '.join(RECOMPRESS_TYPES)}"
            )
        words = [] if type is None else [f"type={type}"]
        for key, number in (("threshold", threshold), ("max_pages", max_pages)):
            if number is not None:
                if not isinstance(number, int) or number < 0:
                    raise InvalidValueError(f"recompress {key} {number!r}: not a count")
                words.append(f"{key}={number}")
        words.append(f"priority={self.find_recomp_priority(algorithm, priority)}")
        text = " ".join(words)
        deadline = time.monotonic() + RUN_RETRY_SECONDS
        while True:
            try:
                self.write("recompress", text, step=f"recompress {text}")
                return
            except ZramOSError as err:
                if err.errno != errno.EAGAIN or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def find_recomp_priority(
        self, algorithm: str | None = None, priority: int | None = None
    ) -> int:
        """Return the priority of the secondary algorithm that :meth:`recompress` would use.

        Raises:
            InvalidValueError: no such algorithm is configured; says which are.
            UnsupportedError: this kernel has no recompression.
        """
        configured = self.read_recomp_algorithms()
        if priority is not None:
            _priority(priority, 1)
        if priority is None and algorithm is None:
            priority = 1  # on every kernel
        for number, name in sorted(configured.items()):
            if number == (priority or number) and name == (algorithm or name):
                return number
        has = ", ".join(f"{number}: {name}" for number, name in sorted(configured.items()))
        wanted = algorithm or f"priority {priority}"
        raise InvalidValueError(
            f"{self.name}: recompress: {wanted} is not configured "
            f"(there is {has or 'none; recomp_algorithm must be set before disksize'})"
        )

    def _refuse_initialised(self, step: str) -> None:
        if int(self.read("disksize")):
            raise from_errno(
                errno.EBUSY,
                f"{self.name}: {step}",
                self.path,
                remedy="already initialised, reset it first",
            )

    def _no_algorithm(self, err: ZramOSError, name: str) -> ZramOSError:
        if err.errno != errno.EINVAL:
            return err
        return UnsupportedError(
            errno.EINVAL,
            f"{self.name}: this kernel has no algorithm {name!r} "
            f"(it has: {' '.join(self.read_algorithms())})",
            err.filename,
        )
