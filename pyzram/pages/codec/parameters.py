# SPDX-License-Identifier: MIT
"""Codecs by name, level, window and dictionary; each is made once and then kept."""

from __future__ import annotations

import errno
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ... import _native_codec
from ...algorithm import LEVELS, as_algorithm
from ...errors import InvalidTypeError, InvalidValueError, ZramOSError, from_errno
from ...kernel.dictionary_file import open_dictionary
from ...limits import PAGE_SIZES
from ...value import check_count, check_whole

if TYPE_CHECKING:
    # collections.abc has it from Python 3.12 on; every type checker knows it by this name.
    from typing_extensions import Buffer

    from ...algorithm import Algorithm


NO_PAGE_SIZE = f"not one of {', '.join(map(str, PAGE_SIZES))}"


def codec_of(
    algorithm: str | Algorithm,
    page_size: int,
    level: int | None,
    winbits: int | None,
    dictionary: Buffer | None,
) -> _native_codec.Codec:
    """Return the codec; raise InvalidValueError for parameters that no kernel accepts."""
    # This is called for every page, so a name alone takes the cheap way.
    if type(algorithm) is str and ":" not in algorithm and "(" not in algorithm:
        try:
            return _codec(algorithm, page_size, level, winbits, _dictionary(dictionary))
        except TypeError:  # raised before the call if an argument cannot be hashed
            pass
    wanted = as_algorithm(algorithm)
    page_size = check_page_size(page_size)
    level, winbits = check_whole("level", level), check_whole("winbits", winbits)
    beside = {"level": level, "winbits": winbits, "dictionary": dictionary}
    twice = [key for key, value in beside.items() if None not in (value, getattr(wanted, key))]
    if twice:
        raise InvalidValueError(f"{wanted}: given twice: {' and '.join(twice)}")
    if wanted.dictionary is not None:
        dictionary = _read_dictionary(wanted.dictionary)
    return _codec(
        wanted.name,
        page_size,
        wanted.level if level is None else level,
        wanted.winbits if winbits is None else winbits,
        _dictionary(dictionary),
    )


def _read_dictionary(path: str) -> bytes:
    try:
        with open_dictionary(path, "") as fd, open(fd, "rb", closefd=False) as file:
            return file.read()
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"dictionary {path}: read", path) from err


def _dictionary(dictionary: Buffer | None) -> bytes | None:
    if dictionary is None or type(dictionary) is bytes:
        return dictionary
    with pinned(dictionary, "dictionary") as data:
        return _native_codec.pinned_bytes(data)


def check_page_size(page_size: int) -> int:
    """Refuse a page size that no kernel has."""
    size = check_count("page_size", page_size, -math.inf, wanted=NO_PAGE_SIZE)
    if size not in PAGE_SIZES:
        raise InvalidValueError(f"page of {size} bytes: {NO_PAGE_SIZE}")
    return size


@lru_cache(maxsize=32, typed=True)
def _codec(
    algorithm: str,
    page_size: int,
    level: int | None,
    winbits: int | None,
    dictionary: bytes | None,
) -> _native_codec.Codec:
    """Make the codec once; its contexts are kept for later calls."""
    names = _native_codec.codec_names()
    if algorithm not in names:
        raise InvalidValueError(f"algorithm {algorithm!r}: not one of {' '.join(names)}")
    page_size = check_page_size(page_size)
    if dictionary is not None and not dictionary:
        raise InvalidValueError(f"{algorithm}: the dictionary is empty")
    level = _check_level(algorithm, level)
    winbits = check_whole(f"{algorithm}: winbits", winbits)
    try:
        return _native_codec.Codec(algorithm, page_size, level, winbits, dictionary)
    except OverflowError as err:
        raise InvalidValueError(f"{algorithm}: {err}") from err
    except OSError as err:
        if err.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise from_errno(err.errno or 0, f"{algorithm}: prepare") from err
        refused = []
        if dictionary is not None:
            refused.append(f"a dictionary of {len(dictionary)} bytes")
        if winbits is not None:
            refused.append(f"winbits {winbits}")
            if err.errno == errno.EINVAL:
                refused[-1] += " (only -15..-9 and 9..15)"
        raise InvalidValueError(f"{algorithm}: does not take {' and '.join(refused)}") from err


def _check_level(algorithm: str, level: int | None) -> int | None:
    if level is None:
        return None
    if algorithm not in LEVELS:
        raise InvalidValueError(f"{algorithm}: level {level}: it has no levels")
    low, high = LEVELS[algorithm]
    return check_count(f"{algorithm}: level", level, low, high, f"not in {low}..{high}")


def pinned(buffer: Buffer, what: str) -> Any:
    """The bytes of a buffer, for C, as long as the context manager holds them.

    Raises:
        InvalidValueError: it is closed or not contiguous.
        InvalidTypeError: it is not a buffer.
    """
    try:
        return _native_codec.pin(buffer)
    except (ValueError, BufferError) as err:  # closed mmap, released memoryview, not contiguous
        raise InvalidValueError(f"{what}: {err}") from err
    except TypeError as err:
        name = type(buffer).__name__
        raise InvalidTypeError(f"{what}: {name} is not a buffer of bytes") from err
