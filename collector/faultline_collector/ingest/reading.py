"""What a group of batches says: what is taken, and what of each is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faultline.ranges import Ranges
from faultline_collector.ingest.admit import Refusal, admit
from faultline_collector.ingest.decode import Arrival, decode_all
from faultline_collector.ingest.wire import BadBatch
from faultline_collector.results import ResultBatch, concatenate, empty_batch

_Refusals = tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A batch, what of it has not come before, and the targets that the fleet had when it came."""

    arrival: Arrival
    missing: Ranges
    targets: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The results that are taken of some claims, and for each claim what is not."""

    results: ResultBatch
    refusals: tuple[_Refusals, ...]


def read(claims: Sequence[Claim]) -> Reading:
    """Reads the claims as one; where anything is wrong with them, by halves, until it is found."""
    if not claims:
        return Reading(empty_batch(), ())
    if len(claims) == 1:
        return _read_one(claims[0])
    taken = _read_good(claims)
    if taken is not None:
        return Reading(taken, ((),) * len(claims))
    middle = len(claims) // 2
    left, right = read(claims[:middle]), read(claims[middle:])
    return Reading(concatenate((left.results, right.results)), left.refusals + right.refusals)


def _read_one(claim: Claim) -> Reading:
    try:
        results = _new(decode_all((claim.arrival,)), (claim,))
    except BadBatch as error:
        refusals = tuple(Refusal(error.reason, first, last, str(error)) for first, last in claim.missing)
        return Reading(empty_batch(), (refusals,))
    admission = admit(results, claim.targets)
    return Reading(admission.results, (admission.refusals,))


def _read_good(claims: Sequence[Claim]) -> ResultBatch | None:
    targets = claims[0].targets
    if any(claim.targets is not targets for claim in claims):
        return None
    try:
        results = _new(decode_all([claim.arrival for claim in claims]), claims)
    except BadBatch:
        return None
    admission = admit(results, targets)
    return None if admission.refusals else admission.results


def _new(results: ResultBatch, claims: Sequence[Claim]) -> ResultBatch:
    """Without what has come before."""
    counts = [claim.arrival.batch.count for claim in claims]
    missing = [claim.missing.count() for claim in claims]
    if counts == missing:
        return results
    keep = np.zeros(len(results), np.bool_)
    begin = 0
    for claim, count in zip(claims, counts, strict=True):
        origin = begin - claim.arrival.batch.first_sequence
        for first, last in claim.missing:
            keep[origin + first : origin + last + 1] = True
        begin += count
    return results.select(keep)
