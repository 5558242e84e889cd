"""What one attempt measured, on its way to the spool."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from faultline.outcomes import Outcome


class Result(NamedTuple):  # one a probe: a frozen dataclass takes seven times as long to make
    """One attempt on one target; `started_us` is microseconds since 1970 by this agent's clock."""

    target_id: str
    started_us: int
    attempt: int
    outcome: Outcome
    detail: str
    status: int
    family: int
    timings_us: Mapping[str, int]
    flags: int


Encode: TypeAlias = Callable[[Sequence[Result], int], bytes]
"""Writes results, the first of which has the given sequence, as the wire wants them."""
