"""Which results are taken, and why the others are not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultline.columns import MAX_CLOCK_ERROR_US, MAX_DETAIL_LENGTH, MAX_ID_LENGTH
from faultline.outcomes import Outcome
from faultline_collector.results import Mask, ResultBatch

MAX_AGE_US = 30 * 24 * 3600 * 1_000_000
"""Most that a start may lie before its receipt, microseconds: longer than any spool keeps."""

_FIRST, _LAST = int(min(Outcome)), int(max(Outcome))
_HOUR_US = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run of sequences that is not taken: the word for it, and a sentence about the first."""

    reason: str
    first: int
    last: int
    example: str


@dataclass(frozen=True, slots=True)
class Admission:
    """What is taken, and what is not, by runs."""

    results: ResultBatch
    refusals: tuple[Refusal, ...] = ()


def admit(batch: ResultBatch, known: frozenset[str]) -> Admission:
    """Separates what can be believed from what cannot, in a fleet with the `known` targets.

    A target need not be the agent's at this moment: what waited in a spool may be of an earlier assignment.

    A start is impossible more than 24 h after its receipt, for nothing is measured in the future. To the
    past the bound is wide: a result that waited in a spool is honestly days old, and only what is older
    than any spool keeps betrays a broken clock.
    """
    if not len(batch):
        return Admission(batch)
    checks = (_bad_outcome(batch), _oversize(batch), _unknown_target(batch, known), _impossible(batch))
    if all(mask is None for mask in checks):
        return Admission(batch)
    why = np.zeros(len(batch), np.uint8)
    for code in range(len(checks), 0, -1):
        mask = checks[code - 1]
        if mask is not None:
            why[mask] = code
    if not why.any():
        return Admission(batch)
    return Admission(batch.select(why == 0), tuple(_refusals(batch, why)))


def _bad_outcome(batch: ResultBatch) -> Mask | None:
    outcome = batch.outcome
    if np.minimum.reduce(outcome) >= _FIRST and np.maximum.reduce(outcome) <= _LAST:
        return None
    return (outcome < _FIRST) | (outcome > _LAST)


def _oversize(batch: ResultBatch) -> Mask | None:
    long_id = max(map(len, batch.target_ids)) > MAX_ID_LENGTH
    long_detail = max(map(len, batch.details), default=0) > MAX_DETAIL_LENGTH
    if not long_id and not long_detail:
        return None
    bad: Mask = np.array([len(text) > MAX_ID_LENGTH for text in batch.target_ids])[batch.target]
    if len(batch.detail):
        # The last entry stands for -1, no detail.
        bad = bad | np.array([len(text) > MAX_DETAIL_LENGTH for text in (*batch.details, "")])[batch.detail]
    return bad


def _unknown_target(batch: ResultBatch, known: frozenset[str]) -> Mask | None:
    if known.issuperset(batch.target_ids):
        return None
    unknown: Mask = np.array([text not in known for text in batch.target_ids])[batch.target]
    return unknown


def _impossible(batch: ResultBatch) -> Mask | None:
    ahead = batch.judged_us - batch.received_us
    if np.maximum.reduce(ahead) <= MAX_CLOCK_ERROR_US and np.minimum.reduce(ahead) >= -MAX_AGE_US:
        return None
    return (ahead > MAX_CLOCK_ERROR_US) | (ahead < -MAX_AGE_US)


_REASONS = ("", "bad_outcome", "oversize", "unknown_target", "impossible_time")


def _refusals(batch: ResultBatch, why: npt.NDArray[np.uint8]) -> Iterator[Refusal]:
    """One refusal for each run of neighbours with the same reason."""
    breaks = (np.diff(why) != 0) | (np.diff(batch.sequence) != 1)
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    ends = np.append(starts[1:], len(why)) - 1
    bad = why[starts] != 0
    for start, end in zip(starts[bad].tolist(), ends[bad].tolist(), strict=True):
        reason = _REASONS[why[start]]
        first, last = int(batch.sequence[start]), int(batch.sequence[end])
        yield Refusal(reason, first, last, _sentence(reason, batch, start))


def _sentence(reason: str, batch: ResultBatch, at: int) -> str:
    target = batch.target_ids[batch.target[at]]
    match reason:
        case "bad_outcome":
            return f"the outcome of {target[:MAX_ID_LENGTH]!r} is not one of {_FIRST} to {_LAST}"
        case "oversize" if len(target) > MAX_ID_LENGTH:
            return f"a target id of {len(target)} characters is longer than {MAX_ID_LENGTH}"
        case "oversize":
            length = len(batch.details[batch.detail[at]])
            return f"a detail of {length} characters is longer than {MAX_DETAIL_LENGTH}"
        case "unknown_target":
            return f"{target!r} is not a target of this fleet"
    hours = int(batch.judged_us[at] - batch.received_us[at]) / _HOUR_US
    return f"the start lies {abs(hours):.1f} h {'after' if hours > 0 else 'before'} its receipt"
