"""Sets of sequence numbers, kept as runs."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Self


class Ranges:
    """A set of whole numbers as sorted, disjoint, non-adjacent runs with both ends included."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in runs:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Adds first..last; raises ValueError when last < first."""
        if last < first:
            raise ValueError(f"a range from {first} to {last} holds nothing")
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def update(self, other: "Ranges") -> None:
        """Adds all of another set."""
        for first, last in other:
            self.add(first, last)

    def covers(self, first: int, last: int) -> bool:
        """Whether all of first..last is in the set."""
        at = bisect_left(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] <= first and last <= self._lasts[at]

    def missing(self, first: int, last: int) -> "Ranges":
        """What of first..last is not in the set."""
        gaps = Ranges()
        at = bisect_left(self._lasts, first)
        while first <= last:
            if at == len(self._firsts) or self._firsts[at] > last:
                gaps.add(first, last)
                break
            if self._firsts[at] > first:
                gaps.add(first, self._firsts[at] - 1)
            first = self._lasts[at] + 1
            at += 1
        return gaps

    def within(self, first: int, last: int) -> "Ranges":
        """What of first..last is in the set."""
        held = Ranges()
        if last < first:
            return held
        for at in range(bisect_left(self._lasts, first), bisect_right(self._firsts, last)):
            held.add(max(first, self._firsts[at]), min(last, self._lasts[at]))
        return held

    @property
    def highest(self) -> int:
        """The highest number, 0 when empty."""
        return self._lasts[-1] if self._lasts else 0

    def count(self) -> int:
        """How many numbers the set holds."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def copy(self) -> Self:
        """A set of its own with the same numbers."""
        other = type(self)()
        other._firsts = list(self._firsts)
        other._lasts = list(self._lasts)
        return other

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        return self.covers(number, number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"
