# SPDX-License-Identifier: MIT
"""The devices that exist now, by their handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..device.zram import Zram
from ..errors import DeviceNotFoundError, ZramError
from .tended import Tended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..kernel.sysfs import Sysfs
    from .state import Unfinished


class Roster:
    """The devices that ``numbers`` returns; it is called again each time.

    Synchronization: one thread.
    """

    def __init__(self, sysfs: Sysfs, numbers: Callable[[], Sequence[int]]) -> None:
        self.sysfs = sysfs
        self.numbers = numbers
        self.known: dict[str, Tended] = {}
        """By key, as of the last :meth:`enumerate`."""

        self.before: dict[str, Unfinished] = {}
        """Of those that an earlier process tended, by their keys, until they are found."""

    def close(self) -> None:
        """Close their handles."""
        for one in self.known.values():
            one.device.close()
        self.known = {}

    def enumerate(self, errors: set[str]) -> list[Tended]:
        """The devices that exist now; a number that has passed to another device is a new one.

        If a device cannot be examined, the reason is added to ``errors`` and it is left out.

        Raises:
            ZramError: the numbers are unknown.
        """
        before = {one.device.number: one for one in self.known.values()}
        found: list[Tended] = []
        try:
            for number in dict.fromkeys(self.numbers()):  # a device named twice counts once
                known = before.pop(number, None)
                if known is not None and self._is_there(known):
                    found.append(known)
                elif (one := self._open(number, errors)) is not None:
                    found.append(one)
        except BaseException:
            for one in found:
                if self.known.get(one.key) is not one:
                    one.device.close()
            raise
        for one in before.values():
            one.device.close()
        self.known = {one.key: one for one in found}
        return found

    def _is_there(self, known: Tended) -> bool:
        """Whether the device still exists: its handle no longer answers once it is gone."""
        try:
            known.device.read("disksize")
        except DeviceNotFoundError:
            self.known.pop(known.key).device.close()
            return False
        except ZramError:
            pass  # the next look reports it
        return True

    def _open(self, number: int, errors: set[str]) -> Tended | None:
        try:
            device = Zram(number, sysfs=self.sysfs)
            try:
                key = str(device.read_diskseq())
                return Tended(device, key, self.before.pop(key, None))
            except BaseException:
                device.close()
                raise
        except DeviceNotFoundError:
            return None
        except ZramError as err:
            errors.add(str(err))
            return None
