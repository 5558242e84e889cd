"""Text by the column: one row of bytes a line, padded with NUL, which is left out at the end. Pure.

Formatting row by row in Python takes twice as long and holds the interpreter; numpy lets other threads run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
"""n rows of the same width."""

_STEP = 10_000
_STEP_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column in which few words are repeated: each once, and beside it which one each row has."""

    words: Bytes
    codes: npt.NDArray[np.integer]

    def rows(self, some: npt.NDArray[np.intp]) -> Bytes:
        """The words of some rows."""
        return self.words.take(self.codes.take(some), axis=0)


def texts(words: Sequence[bytes], codes: npt.NDArray[np.integer]) -> Texts:
    """The word of each code."""
    padded = np.array(words, np.bytes_)
    return Texts(padded.view(np.uint8).reshape(len(words), padded.itemsize), codes)


def decimals(numbers: npt.NDArray[np.integer]) -> Bytes:
    """Whole numbers in decimal; all but the lowest int64."""
    if not len(numbers) or numbers.dtype.kind == "u" or numbers.min() >= 0:
        return _digits(numbers)
    signs = np.where(numbers < 0, np.uint8(ord("-")), np.uint8(0))
    return np.concatenate((signs[:, None], _digits(np.abs(numbers))), axis=1)


def lines(columns: Sequence[Bytes | bytes]) -> bytes:
    """The rows of all columns side by side, each ended by a newline; bytes stand in every row."""
    rows = next(len(column) for column in columns if not isinstance(column, bytes))
    widths = [len(column) if isinstance(column, bytes) else column.shape[1] for column in columns]
    same = b"".join(c if isinstance(c, bytes) else bytes(w) for c, w in zip(columns, widths, strict=True))
    page = np.empty((rows, len(same) + 1), np.uint8)
    page[:] = np.frombuffer(same + b"\n", np.uint8)
    at = 0
    for column, width in zip(columns, widths, strict=True):
        if not isinstance(column, bytes):
            page[:, at : at + width] = column
        at += width
    return page.tobytes().translate(None, b"\0")


def _digits(numbers: npt.NDArray[np.integer]) -> Bytes:
    """Four digits a step, each step one look-up; zeros in front are left out."""
    highest = int(numbers.max(initial=0))
    steps = max(1, -(-len(str(highest)) // _STEP_DIGITS))
    left: npt.NDArray[Any] = numbers.astype(np.uint32 if highest < 2**32 else np.uint64, copy=False)
    found = np.empty((len(numbers), steps), np.uint32)
    table = _LOWEST
    for step in range(steps - 1, -1, -1):
        higher = left // _STEP
        found[:, step] = table.take(left - higher * _STEP + (higher > 0) * np.uint32(_STEP))
        left, table = higher, _HIGHER
    return found.view(np.uint8)


def _quads(zero: bytes) -> npt.NDArray[np.uint32]:
    """Every number of one step without zeros in front, then every one with them."""
    bare = [zero, *(b"%d" % number for number in range(1, _STEP))]
    padded = (b"%04d" % number for number in range(_STEP))
    return np.frombuffer(b"".join([*(word.rjust(4, b"\0") for word in bare), *padded]), np.uint32)


_LOWEST, _HIGHER = _quads(b"0"), _quads(b"")
