# SPDX-License-Identifier: MIT
"""The pool model: how zram and its zsmalloc pool store pages of given compressed lengths.

A length of 0 stands for a same-filled page, which takes no memory. Any other length is what the
compressor made of one page; from the huge size on, the page itself is kept instead.
The table of size classes is worked out in csrc/pages/zsmalloc.c.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ... import _native_zsmalloc
from ...errors import InvalidValueError
from ...limits import PAGE_SIZE, PAGE_SIZES
from ...value import FrozenDict, JsonValue, Value, check_count, documented, is_list, wrong_type
from .chain import Chain, machine_word_size, running_chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEAR = 4  # neighbours on each side that show how likely a class is that the sample missed
RULES = {"percent": _native_zsmalloc.CHAIN_BY_PERCENT, "waste": _native_zsmalloc.CHAIN_BY_WASTE}


@documented
@dataclass(frozen=True, slots=True)
class SizeClass(JsonValue):
    """One size class of a pool."""

    number: int
    """Its number in ``/sys/kernel/debug/zsmalloc/zramN/classes``."""
    size: int
    """Bytes of an object, including its handle."""
    pages: int
    """Pages of a zspage."""
    objects: int
    """Objects of a zspage."""
    first: int
    """Shortest length that lands here, in bytes."""
    last: int
    """Longest length that lands here, in bytes."""


@documented
@dataclass(frozen=True, slots=True)
class PoolStats(JsonValue):
    """What ``mm_stat`` would show, with its names."""

    _takes_back = FrozenDict(objects=tuple)

    page_size: int
    """Bytes of a page."""
    pages: int
    """Pages stored, including same-filled ones."""
    orig_data_size: int
    """Bytes stored, before compression, including same-filled pages."""
    compr_data_size: int
    """Bytes of the stored objects; an incompressible page counts in full, a same-filled one not."""
    mem_used_total: int
    """Bytes of memory that the pool takes, including the allocator's overhead."""
    same_pages: int
    """Pages stored as one repeated word, which take no memory in the pool."""
    huge_pages: int
    """Pages stored uncompressed."""
    objects: tuple[int, ...]
    """How many objects each class holds, in the order of :attr:`PoolModel.classes`."""

    @property
    def memory_ratio(self) -> float | None:
        """mem_used_total / orig_data_size; ``None`` without pages."""
        return self.mem_used_total / self.orig_data_size if self.orig_data_size else None

    @property
    def compression_ratio(self) -> float | None:
        """compr_data_size / orig_data_size; ``None`` without pages."""
        return self.compr_data_size / self.orig_data_size if self.orig_data_size else None


class PoolModel(Value):
    """A model of a freshly filled zram device on a given kernel.

    Without arguments it models the running kernel. ``chain`` is the zspage limit and rule,
    ``word_size`` the bytes of a machine word (4 or 8).

    Raises:
        InvalidValueError: no such kernel exists.

    Synchronization: immutable, any thread may use it.
    """

    _takes_back = FrozenDict(chain=Chain.from_dict)
    _fields = ("page_size", "word_size", "chain")
    __slots__ = (*_fields, "_zs", "classes", "huge_class_size")
    _zs: _native_zsmalloc.Zsmalloc

    page_size: int
    """Bytes of a page."""
    word_size: int
    """Bytes of the kernel's machine word."""
    chain: Chain
    """How many pages a zspage may have, and the rule that chooses."""
    huge_class_size: int
    """Bytes from which on a page is stored uncompressed."""
    classes: tuple[SizeClass, ...]
    """The size classes, by ascending size."""

    def __init__(
        self,
        *,
        page_size: int | None = None,
        word_size: int | None = None,
        chain: Chain | tuple[int, str] | None = None,
    ) -> None:
        page_size = PAGE_SIZE if page_size is None else check_count("page_size", page_size)
        word_size = (
            machine_word_size() if word_size is None else check_count("word_size", word_size)
        )
        if chain is None:
            chain = running_chain()
        elif not isinstance(chain, Chain):
            if not isinstance(chain, (tuple, list)) or len(chain) != 2:
                raise wrong_type("chain", chain, "neither a Chain nor its size and rule")
            chain = Chain(*chain)
        try:
            zs = _native_zsmalloc.Zsmalloc(page_size, word_size, chain.size, RULES[chain.rule])
        except (OSError, KeyError, OverflowError) as err:
            raise InvalidValueError(
                f"pool model: no kernel has pages of {page_size} bytes, words of {word_size} bytes "
                f"and chains of {chain.size} pages by the rule {chain.rule!r} (pages "
                f"{', '.join(map(str, PAGE_SIZES))}; words 4, 8; chains 4..16; "
                "rules percent, waste)"
            ) from err
        self._set(page_size, word_size, chain)
        self._keep("_zs", zs)
        self._keep("huge_class_size", zs.huge_size())
        self._keep("classes", tuple(self._classes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.as_dict(),)

    def _classes(self) -> Iterable[SizeClass]:
        first = 1
        rows = self._zs.classes()
        for row in rows:
            last = self.page_size if row is rows[-1] else row[1] - self.word_size
            yield SizeClass(*row, first, last)
            first = last + 1

    def __repr__(self) -> str:
        return (
            f"PoolModel(page_size={self.page_size}, word_size={self.word_size}, "
            f"chain={self.chain!r})"
        )

    def class_of(self, length: int) -> SizeClass:
        """The size class of an object of ``length`` bytes.

        Raises:
            InvalidValueError: not between 1 and the page size.
        """
        length = check_count("length", length)
        try:
            return self.classes[self._zs.position(length)]
        except (OSError, OverflowError) as err:
            raise InvalidValueError(
                f"object of {length} bytes: not between 1 and {self.page_size}"
            ) from err

    def store(self, lengths: Sequence[int]) -> PoolStats:
        """Fill the pool with pages of these compressed lengths (bytes, 0: same-filled).

        Raises:
            InvalidValueError: a length is negative or takes more than 32 bits.
            InvalidTypeError: not a list of numbers.
        """
        data = _lengths("lengths", lengths)
        objects, compr, same, huge = self._zs.store(data)
        return self._figures(objects[: len(self.classes)], len(data), compr, same, huge)

    def join(self, one: PoolStats, other: PoolStats) -> PoolStats:
        """Put the pages of both on one device.

        Raises:
            InvalidValueError: the figures are of a pool with other size classes.
        """
        self._require("one", one)
        self._require("other", other)
        return self._figures(
            [a + b for a, b in zip(one.objects, other.objects, strict=True)],
            one.pages + other.pages,
            one.compr_data_size + other.compr_data_size,
            one.same_pages + other.same_pages,
            one.huge_pages + other.huge_pages,
        )

    def scale(self, figures: PoolStats, pages: int) -> PoolStats:
        """What ``pages`` pages like those of a sample would give.

        Zspages are counted whole, so mem_used_total is not a multiple of the sample's: the expected
        value includes classes that the sample happens to miss (:func:`zspages_lost`).

        Raises:
            InvalidValueError: the figures are of a pool with other size classes, or ``pages`` is
                not a whole number from 0 up.
        """
        self._require("figures", figures)
        pages = check_count("pages", pages)
        if not figures.pages:
            return self._figures(figures.objects, 0, 0, 0, 0)
        if pages == figures.pages:
            return figures
        factor = pages / figures.pages
        scaled = self._figures(
            [round(n * factor) for n in figures.objects],
            pages,
            round(figures.compr_data_size * factor),
            round(figures.same_pages * factor),
            round(figures.huge_pages * factor),
        )
        full = factor * sum(
            n * c.pages / c.objects for n, c in zip(figures.objects, self.classes, strict=True)
        )
        used = round(full + zspages_lost(self.classes, figures.objects, factor)) * self.page_size
        return replace(scaled, mem_used_total=used)

    def _require(self, what: str, figures: PoolStats) -> None:
        if not isinstance(figures, PoolStats):
            raise wrong_type(what, figures, "not PoolStats")
        if len(figures.objects) != len(self.classes):
            raise InvalidValueError(f"{what}: {figures!r}: of a pool with other size classes")

    def _figures(
        self, objects: Sequence[int], pages: int, compr: int, same: int, huge: int
    ) -> PoolStats:
        used = sum(
            -(-count // c.objects) * c.pages for count, c in zip(objects, self.classes, strict=True)
        )
        return PoolStats(
            page_size=self.page_size,
            pages=pages,
            orig_data_size=pages * self.page_size,
            compr_data_size=compr,
            mem_used_total=used * self.page_size,
            same_pages=same,
            huge_pages=huge,
            objects=tuple(objects),
        )

    def recompress(
        self, lengths: Sequence[int], second: Sequence[int], *, threshold: int = 0
    ) -> array[int]:
        """Lengths after recompression by an algorithm that compresses the same pages to ``second``.

        As in the kernel, a page changes only if its size class falls. Pages stored in less than
        ``threshold`` bytes are left alone, and a result that is not below it is rejected.

        Raises:
            InvalidValueError: different numbers of lengths, or a threshold that is not below
                :attr:`huge_class_size`.
        """
        old, new = _lengths("lengths", lengths), _lengths("second", second)
        threshold = check_count("threshold", threshold)
        if len(old) != len(new):
            raise InvalidValueError(f"recompress: {len(old)} lengths against {len(new)}")
        if not threshold < self.huge_class_size:
            raise InvalidValueError(
                f"recompress: threshold {threshold} is not below {self.huge_class_size} bytes"
            )
        ret = array("I", bytes(4 * len(old)))
        self._zs.recompress(old, new, threshold, ret)
        return ret


def zspages_lost(classes: Sequence[SizeClass], objects: Sequence[int], factor: float) -> float:
    """The expected number of pages lost to places in zspages that hold no object.

    ``objects`` are those of a sample by class; the pool has ``factor`` times as many. In a class
    with many objects, the last zspage is half full on average. A class without any in the sample
    may still have a few, as likely as its neighbours.
    """
    lost = 0.0
    for i, c in enumerate(classes):
        if objects[i]:
            expected = factor * objects[i]
        else:
            near = [*objects[max(0, i - NEAR) : i], *objects[i + 1 : i + 1 + NEAR]]
            rate = sum(min(n, 2) for n in near) / max(1, len(near))
            expected = factor * rate / (1 + rate)
        lost += c.pages * _last_zspage_empty(expected, c.objects)
    return lost


def _last_zspage_empty(expected: float, capacity: int) -> float:
    """The mean empty share of the last zspage, for ``expected`` objects on average (Poisson)."""
    if capacity == 1 or expected <= 0:
        return 0.0
    if expected > 4 * capacity + 60:
        return (1 - 1 / capacity) / 2
    chance, total = math.exp(-expected), 0.0
    for count in range(1, int(expected + 8 * math.sqrt(expected)) + 10):
        chance *= expected / count
        total += chance * (-(-count // capacity) - count / capacity)
    return total


def _lengths(what: str, lengths: Sequence[int]) -> Any:
    """Return an array of 32-bit lengths for C; an existing one is not copied."""
    if isinstance(lengths, array) and lengths.typecode == "I":
        return lengths
    if not is_list(lengths) or isinstance(lengths, dict):
        raise wrong_type(what, lengths, "not compressed lengths: a list of numbers of bytes")
    try:
        return array("I", lengths)
    except TypeError as err:
        raise wrong_type(what, lengths, f"not compressed lengths: {err}") from err
    except OverflowError as err:
        raise InvalidValueError(f"{what}: not compressed lengths: {err}") from err
