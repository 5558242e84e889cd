"""Which notices a step in the life of an outage makes; pure.

One notice for each confirmed outage and for each change that matters: another scope or subject, flapping,
back after its end, its end. None for what is only suspected, and none for a part of another outage.
"""

from enum import StrEnum

from faultline_collector.outages import Outage, State


class Kind(StrEnum):
    """What a notice tells; merged: what was told has turned out to be a part of another outage."""

    CONFIRMED = "confirmed"
    CHANGED = "changed"
    FLAPPING = "flapping"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    MERGED = "merged"

    @property
    def is_end(self) -> bool:
        """Whether nothing is left to do for those who were told."""
        return self in (Kind.RESOLVED, Kind.MERGED)


def parent_of(outage: Outage) -> str:
    """The id of the outage that this one is a part of; empty: it stands for itself."""
    return str(outage.evidence.get("parent") or "")


def kinds_of(before: Outage | None, after: Outage) -> tuple[Kind, ...]:
    """The notices that the step from `before` (as it was kept last) to `after` makes, in order.

    A step may be long: what could not be kept for a while is kept in its newest state only.
    """
    if parent_of(after):
        merged = before is not None and is_sure(before) and not after.state.is_open
        return (Kind.MERGED,) if merged else ()
    if after.confirmed_us is None:
        return ()
    if before is None or before.confirmed_us is None:
        return (Kind.CONFIRMED,) if is_sure(after) else (Kind.CONFIRMED, Kind.RESOLVED)
    if not is_sure(after):
        return (Kind.RESOLVED,) if is_sure(before) else ()
    return _while_sure(before, after)


def is_sure(outage: Outage) -> bool:
    """Whether it is there and no mere suspicion: what has ended and comes back is only suspected at first."""
    return outage.state.is_open and outage.state is not State.SUSPECTED


def _while_sure(before: Outage, after: Outage) -> tuple[Kind, ...]:
    if after.state is State.FLAPPING and before.state is not State.FLAPPING:
        return (Kind.FLAPPING,)
    if not is_sure(before):
        return (Kind.REOPENED,)
    return (Kind.CHANGED,) if moved(before, after) else ()


def has_spread(before: Outage | None, after: Outage) -> bool:
    """Whether an outage that was told has reached regions or targets that it had not."""
    if before is None or before.confirmed_us is None or not is_sure(after) or parent_of(after):
        return False
    return not (set(after.regions) <= set(before.regions) and set(after.target_ids) <= set(before.target_ids))


def moved(before: Outage, after: Outage) -> bool:
    """Whether the outage is another one to those who were told: its scope or its subject."""
    return (before.scope, before.subject) != (after.scope, after.subject)
