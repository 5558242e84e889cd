"""What two tellings of the same time have in common, and what differs; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from faultline_collector.outages import Outage

NEAR_US = 60_000_000
"""Outages of one subject that lie no further apart speak of the same thing, microseconds."""


class Change(StrEnum):
    """What became of an outage."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Difference:
    """An outage as one told it (`before`), as the other did (`after`), and in which words they differ."""

    before: Outage | None
    after: Outage | None
    words: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """What became of it."""
        if self.after is None:
            return Change.GONE
        if self.before is None:
            return Change.NEW
        return Change.CHANGED if self.words else Change.SAME

    @property
    def detected_us(self) -> int:
        """When it was first told."""
        return min(outage.detected_us for outage in (self.before, self.after) if outage is not None)


def differences(before: Sequence[Outage], after: Sequence[Outage]) -> list[Difference]:
    """Every outage of both, in order of detection, each at most once paired with what the other told of it.

    Pairs are made by subject first, then by targets and regions in common, the nearest in time first.
    """
    left, right = list(before), list(after)
    out = [Difference(a, b, tuple(_words(a, b))) for a, b in _pairs(left, right)]
    out += [Difference(outage, None) for outage in left]
    out += [Difference(None, outage) for outage in right]
    return sorted(out, key=lambda one: (one.detected_us, one.change))


def _pairs(left: list[Outage], right: list[Outage]) -> Iterator[tuple[Outage, Outage]]:
    """Takes what belongs together out of both lists."""
    for kin in (_same_subject, _overlapping):
        near = [(a, b) for a in left for b in right if kin(a, b) and _apart_us(a, b) <= NEAR_US]
        for a, b in sorted(near, key=_nearness):
            if a in left and b in right:
                left.remove(a)
                right.remove(b)
                yield a, b


def _nearness(pair: tuple[Outage, Outage]) -> tuple[int, int, str, str]:
    a, b = pair
    return _apart_us(a, b), abs(a.detected_us - b.detected_us), a.id, b.id


def _same_subject(a: Outage, b: Outage) -> bool:
    return (a.scope, a.subject) == (b.scope, b.subject)


def _overlapping(a: Outage, b: Outage) -> bool:
    return bool(set(a.target_ids) & set(b.target_ids)) and bool(set(a.regions) & set(b.regions))


def _apart_us(a: Outage, b: Outage) -> int:
    """How much time lies between two outages; 0 where they overlap."""
    first, last = sorted((a, b), key=lambda outage: outage.onset_us)
    return 0 if first.resolved_us is None else max(0, last.onset_us - first.resolved_us)


def _words(a: Outage, b: Outage) -> Iterator[str]:
    """In what two tellings of one outage differ, each in a few words."""
    for name in ("scope", "layer", "severity", "state"):
        one, other = str(getattr(a, name)), str(getattr(b, name))
        if one != other:
            yield f"{name} {one} -> {other}"
    if a.subject != b.subject:
        yield f"subject {a.subject.kind} {a.subject.id} -> {b.subject.kind} {b.subject.id}"
    yield from _moved("detected", a.detected_us, b.detected_us)
    yield from _moved("confirmed", a.confirmed_us, b.confirmed_us)
    yield from _moved("resolved", a.resolved_us, b.resolved_us)
    yield from _more_or_less("regions", a.regions, b.regions)
    yield from _more_or_less("targets", a.target_ids, b.target_ids)
    yield from _more_or_less("networks", tuple(map(str, a.asns)), tuple(map(str, b.asns)))


def _moved(name: str, one_us: int | None, other_us: int | None) -> Iterator[str]:
    if one_us is None or other_us is None:
        if one_us != other_us:
            yield f"never {name}" if other_us is None else f"{name} after all"
    elif abs(other_us - one_us) >= 1_000_000:
        later = other_us > one_us
        yield f"{name} {abs(other_us - one_us) / 1e6:.0f} s {'later' if later else 'earlier'}"


def _more_or_less(name: str, one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[str]:
    gained, lost = sorted(set(other) - set(one)), sorted(set(one) - set(other))
    signed = [*(f"+{word}" for word in gained), *(f"-{word}" for word in lost)]
    if signed:
        more = f" and {len(signed) - 4} more" if len(signed) > 4 else ""
        yield f"{name} {' '.join(signed[:4])}{more}"
