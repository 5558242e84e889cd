"""Text by the column, four bytes at a time, padded with NUL, which is left out at the end. Pure.

Formatting row by row in Python takes twice as long and holds the interpreter; numpy lets other threads run. A
page is put together column by column, so that every step writes what lies together, and turned at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint32]
"""Text of n rows, four bytes of each row in an array's row: (width / 4, n)."""

Column: TypeAlias = Words | bytes
"""Text of n rows; bytes stand in every one."""

_WORD = 4
_STEP = 10_000
_NARROW = 2
"""Steps of which the digits fit into 32 bits."""

_TAILS = (_NARROW, 3)
"""Steps at the end of a number before which those of one page are often the same, as in times."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column in which few texts are repeated: each once, and beside it which one each row has."""

    words: Words
    codes: npt.NDArray[np.integer]

    def rows(self, some: npt.NDArray[np.intp]) -> Column:
        """The texts of some rows."""
        if self.words.shape[1] == 1:
            return self.words.tobytes().rstrip(b"\0")
        return self.words.take(self.codes.take(some), axis=1)


def texts(some: Sequence[bytes], codes: npt.NDArray[np.integer]) -> Texts:
    """The text of each code."""
    width = max(1, -(-max(map(len, some), default=0) // _WORD))
    padded = np.array(some, f"S{width * _WORD}").view(np.uint32)
    return Texts(np.ascontiguousarray(padded.reshape(len(some), width).T), codes)


def decimals(numbers: npt.NDArray[np.integer]) -> list[Column]:
    """Whole numbers in decimal, one at least; all but the lowest int64."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high:
        return [b"%d" % low]
    if low < 0:
        signs = np.where(numbers < 0, np.uint32(ord("-")), np.uint32(0))
        return [signs[None], _digits(np.abs(numbers), _steps(max(-low, high)))]
    for steps in _TAILS:
        head = low // _STEP**steps
        if head and head == high // _STEP**steps:
            return [b"%d" % head, _digits(numbers - head * _STEP**steps, steps, padded=True)]
    return [_digits(numbers, _steps(high))]


def lines(rows: int, columns: Iterable[Column]) -> bytes:
    """The rows of all columns side by side, each ended by a newline."""
    parts: list[Column] = []
    for column in (*columns, b"\n"):
        if parts and isinstance(column, bytes) and isinstance(parts[-1], bytes):
            parts[-1] += column
        else:
            parts.append(column)
    words = [_standing(part) if isinstance(part, bytes) else part for part in parts]
    page = np.empty((sum(map(len, words)), rows), np.uint32)
    at = 0
    for part in words:
        page[at : at + len(part)] = part
        at += len(part)
    return page.T.tobytes().translate(None, b"\0")


def _standing(text: bytes) -> Words:
    """What stands in every row."""
    return np.frombuffer(text + bytes(-len(text) % _WORD), np.uint32)[:, None]


def _steps(number: int) -> int:
    return -(-len(str(number)) // _WORD)


def _digits(numbers: npt.NDArray[np.integer], steps: int, *, padded: bool = False) -> Words:
    """Four digits a step, each step one look-up; zeros in front are left out unless it is `padded`."""
    left: npt.NDArray[Any] = numbers.astype(np.uint32 if steps <= _NARROW else np.uint64, copy=False)
    found = np.empty((steps, len(numbers)), np.uint32)
    table = _PADDED if padded else _LOWEST
    for step in range(steps - 1, -1, -1):
        higher = left // _STEP
        digits = left - higher * _STEP
        found[step] = table.take(digits if padded else np.minimum(left, digits + _STEP))
        left, table = higher, _PADDED if padded else _HIGHER
    return found


def _quads(zero: bytes) -> Words:
    """Every number of one step without zeros in front, then every one with them."""
    bare = [zero, *(b"%d" % number for number in range(1, _STEP))]
    padded = (b"%04d" % number for number in range(_STEP))
    return np.frombuffer(b"".join([*(word.rjust(_WORD, b"\0") for word in bare), *padded]), np.uint32)


_LOWEST, _HIGHER = _quads(b"0"), _quads(b"")
_PADDED = _HIGHER[_STEP:]
